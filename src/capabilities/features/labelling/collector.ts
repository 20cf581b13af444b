// Takes away NodeFeatures and NodeResourceTopologies whose node is gone, as upstream's garbage collector does.

import type { EffectContext } from '#coordination/effects/effect-context.ts'
import { effectOptions, leadingGuard } from '#coordination/effects/effect-context.ts'
import type { Informer } from '#kube/informers/informer-view.ts'
import { type Log, messageOf } from '#kube/log.ts'
import type { KubeObject, Node } from '#kube/objects/objects.ts'
import type { GroupVersionResource } from '#kube/objects/resource.ts'
import { isNotFound, StatusError } from '#kube/objects/status.ts'
import { capabilityName, nodeFeatures, nodeResourceTopologies } from '../names.ts'
import { nodeOf } from './live-features.ts'
import type { CollectingMetrics } from './metrics.ts'
import { isNodeGone } from './sweep.ts'

interface CollectorOptions {
  readonly effects: EffectContext
  /** Metadata of all NodeFeatures. */
  readonly features: Informer<KubeObject>
  /** Metadata of all NodeResourceTopologies, each of which has its node's name. */
  readonly topologies: Informer<KubeObject>
  readonly nodes: Informer<Node>
  readonly log: Log
  readonly metrics: CollectingMetrics | undefined
}

/**
 * Deletes the NodeFeatures and NodeResourceTopologies of nodes that are not there, and NodeFeatures that name none. That a node is gone is asked of the
 * server: one that was made again under its name keeps its objects.
 *
 * @throws what the leadership throws when we lead no more
 */
export async function collect(options: CollectorOptions, signal: AbortSignal): Promise<void> {
  const { features, topologies } = options
  const ofFeatures = { kind: 'NodeFeature', resource: nodeFeatures, nodeOf } as const
  await collectKind({ ...ofFeatures, objects: [...features.store.list()] }, options, signal)
  const ofTopologies = {
    kind: 'NodeResourceTopology',
    resource: nodeResourceTopologies,
    nodeOf: ({ metadata }: KubeObject) => metadata.name,
  } as const
  await collectKind({ ...ofTopologies, objects: [...topologies.store.list()] }, options, signal)
}

interface Collected {
  readonly kind: string
  readonly resource: GroupVersionResource
  readonly objects: readonly KubeObject[]
  /** The node that an object is about; empty: nobody's. */
  readonly nodeOf: (object: KubeObject) => string
}

async function collectKind(
  { kind, resource, objects, nodeOf: nodeOfObject }: Collected,
  { effects, nodes, log, metrics }: CollectorOptions,
  signal: AbortSignal,
): Promise<void> {
  const api = effects.api.resource<KubeObject>(resource)
  for (const object of objects) {
    const node = nodeOfObject(object)
    if (node !== '' && nodes.store.get(undefined, node) !== undefined) continue
    const { name, namespace, uid } = object.metadata
    try {
      if (node !== '' && !(await isNodeGone(effects.api, node, signal))) continue
      const options = effectOptions(capabilityName, namespace, { guard: leadingGuard(effects), signal })
      await api.delete(name, { ...options, ...(uid === undefined ? {} : { preconditions: { uid } }) })
      metrics?.collected.inc({ kind })
      log.info({ kind, namespace, name, node }, 'what is said of a node that is gone is deleted')
    } catch (error) {
      if (isNotFound(error)) continue
      if (!(error instanceof StatusError)) throw error
      metrics?.notCollected.inc({ kind })
      log.warn(
        { kind, namespace, name, node, why: messageOf(error) },
        'what is said of a node that is gone is not deleted, tried again',
      )
    }
  }
}
