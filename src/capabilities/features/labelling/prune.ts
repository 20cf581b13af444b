// `nfd-master -prune`: takes from every node what a master put there, and the lists by which it knew.

import type { EffectContext } from '#coordination/effects/effect-context.ts'
import { advertiseResources, labelNode } from '#coordination/effects/label-node.ts'
import { unmarkNode } from '#coordination/effects/taint.ts'
import { type Log, messageOf } from '#kube/log.ts'
import type { Node } from '#kube/objects/objects.ts'
import { builtIn } from '#kube/objects/resource.ts'
import { isOutside } from '#kube/outside-error.ts'
import { capabilityName, trackingNamespace } from '../names.ts'
import { nodeChanges, nothingWanted } from './node-changes.ts'

interface PruneOptions {
  /** It leads nothing: whoever removes a program has ended it before. */
  readonly effects: EffectContext
  readonly instance: string
  readonly log: Log
}

interface Pruned {
  readonly nodes: number
  /** Nodes that could not be written, each with why. */
  readonly failed: readonly string[]
}

/** What is to be taken from a node. Pure. */
function pruning(node: Node, instance: string) {
  const changes = nodeChanges(node, nothingWanted, { instance, allowOverwrite: true })
  const prefix = instance === '' ? trackingNamespace : `${instance}.${trackingNamespace}`
  const own = Object.keys(node.metadata.annotations ?? {}).filter(key => key.startsWith(prefix))
  const taints = changes.taints?.annotations ?? {}
  const notes = own.filter(key => !(key in taints)).map(key => [key, null] as const)
  return { ...changes, annotations: { ...changes.annotations, ...Object.fromEntries(notes) } }
}

/**
 * Prunes all nodes, one after the other; a node that cannot be written holds up no other.
 *
 * @throws StatusError where the nodes cannot be listed
 */
export async function prune({ effects, instance, log }: PruneOptions, signal: AbortSignal): Promise<Pruned> {
  const failed: string[] = []
  let nodes = 0
  for await (const { items } of effects.api.resource<Node>(builtIn.nodes).pages({ signal }))
    for (const node of items) {
      nodes += 1
      try {
        await pruneNode(node, { effects, instance }, signal)
        log.info({ node: node.metadata.name }, 'the node is pruned')
      } catch (error) {
        if (!isOutside(error)) throw error
        failed.push(`${node.metadata.name}: ${messageOf(error)}`)
      }
    }
  return { nodes, failed }
}

async function pruneNode(
  node: Node,
  { effects, instance }: Pick<PruneOptions, 'effects' | 'instance'>,
  signal: AbortSignal,
): Promise<void> {
  const { name, uid = '' } = node.metadata
  const change = { node: name, uid, requester: capabilityName }
  const { labels, annotations, resources, taints } = pruning(node, instance)
  // The lists go last, so that one who is ended in between knows what is left. Taints have theirs with them.
  if (Object.keys(resources).length > 0) await advertiseResources(effects, { ...change, resources }, signal)
  if (taints !== undefined) await unmarkNode(effects, { ...change, marks: now => pruning(now, instance).taints }, signal)
  if (Object.keys(labels).length + Object.keys(annotations).length > 0)
    await labelNode(effects, { ...change, labels, annotations }, signal)
}
