// Takes away NodeFeatures whose node is gone, as upstream's garbage collector does.

import type { EffectContext } from '#coordination/effects/effect-context.ts'
import { effectOptions, leadingGuard } from '#coordination/effects/effect-context.ts'
import type { Informer } from '#kube/informers/informer-view.ts'
import { type Log, messageOf } from '#kube/log.ts'
import type { KubeObject, Node } from '#kube/objects/objects.ts'
import { isNotFound, StatusError } from '#kube/objects/status.ts'
import { capabilityName, nodeFeatures } from '../names.ts'
import { nodeOf } from './live-features.ts'
import type { CollectingMetrics } from './metrics.ts'
import { isNodeGone } from './sweep.ts'

interface CollectorOptions {
  readonly effects: EffectContext
  /** Metadata of all NodeFeatures. */
  readonly features: Informer<KubeObject>
  readonly nodes: Informer<Node>
  readonly log: Log
  readonly metrics: CollectingMetrics | undefined
}

/**
 * Deletes the NodeFeatures of nodes that are not there, and those that name none. That a node is gone is asked of the server: one that was made again
 * under its name keeps its objects.
 *
 * @throws what the leadership throws when we lead no more
 */
export async function collect({ effects, features, nodes, log, metrics }: CollectorOptions, signal: AbortSignal): Promise<void> {
  const resource = effects.api.resource<KubeObject>(nodeFeatures)
  for (const object of [...features.store.list()]) {
    const node = nodeOf(object)
    if (node !== '' && nodes.store.get(undefined, node) !== undefined) continue
    const { name, namespace, uid } = object.metadata
    try {
      if (node !== '' && !(await isNodeGone(effects.api, node, signal))) continue
      const options = effectOptions(capabilityName, namespace, { guard: leadingGuard(effects), signal })
      await resource.delete(name, { ...options, ...(uid === undefined ? {} : { preconditions: { uid } }) })
      metrics?.collected.inc({ kind: 'NodeFeature' })
      log.info({ namespace, name, node }, 'the NodeFeature of a node that is gone is deleted')
    } catch (error) {
      if (isNotFound(error)) continue
      if (!(error instanceof StatusError)) throw error
      metrics?.notCollected.inc({ kind: 'NodeFeature' })
      log.warn({ namespace, name, node, why: messageOf(error) }, 'a NodeFeature is not deleted, tried again')
    }
  }
}
