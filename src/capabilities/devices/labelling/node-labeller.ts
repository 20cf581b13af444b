// Keeps the labels of one node as its GPUs are. Rights are upstream's: a node is read and written whole, by its version.

import { isDeepStrictEqual } from 'node:util'
import type { Api } from '#kube/client/api.ts'
import type { Clock } from '#kube/clock.ts'
import { type Log, messageOf } from '#kube/log.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { builtIn } from '#kube/objects/resource.ts'
import { isConflict, isNotFound } from '#kube/objects/status.ts'
import { isOutside } from '#kube/outside-error.ts'
import type { HostTree } from '#machines/host-tree.ts'
import { gpusOfNode } from './gpu-facts.ts'
import { gpuLabels, type LabelKind, relabelled } from './gpu-labels.ts'

/** Upstream looks once, when it starts: cards that come later have no labels there. */
const lookMs = 60_000
/** After an error of the API server. */
const retryMs = 10_000
/** Others write nodes too. */
const mostConflicts = 5

interface NodeLabeller {
  readonly api: Api
  readonly tree: HostTree
  readonly node: string
  readonly kinds: readonly LabelKind[]
  readonly clock: Clock
  readonly log: Log
}

/** Labels the node now. @returns whether anything was written. @throws StatusError, ConnectionError where the API server refuses or is away */
export async function labelNodeOnce({ api, tree, node, kinds, log }: NodeLabeller, signal: AbortSignal): Promise<boolean> {
  const { labels, refused } = gpuLabels(gpusOfNode(tree), kinds)
  for (const { label, why } of refused) log.warn({ label, why }, 'a label that no API server takes is left out')
  const nodes = api.resource<KubeObject>(builtIn.nodes)
  for (let tries = 1; ; tries += 1) {
    const found = await nodes.get(node, { signal })
    const present = found.metadata.labels ?? {}
    const wanted = relabelled(present, labels)
    if (isDeepStrictEqual(present, wanted)) return false
    try {
      await nodes.update({ ...found, metadata: { ...found.metadata, labels: wanted } }, { signal })
      log.info({ node, labels: Object.keys(labels).length }, 'the node is labelled')
      return true
    } catch (error) {
      if (!isConflict(error) || tries >= mostConflicts) throw error
    }
  }
}

/** Until `signal` is aborted. An API server that refuses or is away is asked again. */
export async function runNodeLabeller(labeller: NodeLabeller, signal: AbortSignal): Promise<void> {
  const { clock, log, node } = labeller
  while (!signal.aborted) {
    let waitMs = lookMs
    try {
      await labelNodeOnce(labeller, signal)
    } catch (error) {
      if (signal.aborted) return
      if (!isOutside(error)) throw error
      waitMs = retryMs
      const why = isNotFound(error) ? 'there is no such node: DS_NODE_NAME names it' : messageOf(error)
      log.warn({ node, why }, 'the node could not be labelled: it is tried again')
    }
    try {
      await clock.after(waitMs, signal)
    } catch (error) {
      if (!signal.aborted) throw error
    }
  }
}
