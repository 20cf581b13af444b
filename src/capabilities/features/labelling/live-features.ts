// The NodeFeatures of a node, asked of the server each time: a watch of metadata says which there are, and none of their content is kept. A
// slow or empty cache can take no label from any node so.

import type { Api } from '#kube/client/api.ts'
import type { Informer } from '#kube/informers/informer-view.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { isNotFound } from '#kube/objects/status.ts'
import type { Problem } from '#kube/problem.ts'
import { nodeFeatures, nodeNameLabel, workerPodAnnotation } from '../names.ts'
import { clusterFeatures } from '../rules/cluster-features.ts'
import type { NodeFeatureSource } from '../rules/node-outcome.ts'

const byNode = 'node-features-by-node'

/** The node that a NodeFeature describes; empty: nobody's. */
export function nodeOf({ metadata }: KubeObject): string {
  return metadata.labels?.[nodeNameLabel] ?? ''
}

/** Whether something changed that counts: what was found, of whom, by which worker. Times and annotations alone are no news. */
export function isNews(before: KubeObject | undefined, { metadata: now }: KubeObject): boolean {
  const old = before?.metadata
  return (
    old === undefined ||
    old.uid !== now.uid ||
    old.generation !== now.generation ||
    old.annotations?.[workerPodAnnotation] !== now.annotations?.[workerPodAnnotation] ||
    JSON.stringify(old.ownerReferences) !== JSON.stringify(now.ownerReferences)
  )
}

interface FeaturesOfNode {
  readonly sources: readonly NodeFeatureSource[]
  readonly problems: readonly Problem[]
}

export class LiveFeatures {
  readonly #api: Api
  readonly #known: Informer<KubeObject>

  /** `known` is a watch of metadata. */
  constructor(api: Api, known: Informer<KubeObject>) {
    this.#api = api
    this.#known = known
    known.store.addIndex(byNode, object => [nodeOf(object)])
  }

  /** @throws StatusError where the server does not answer: nothing is known of the node then */
  async of(node: string, signal: AbortSignal): Promise<FeaturesOfNode> {
    const found: KubeObject[] = []
    for (const { metadata } of this.#known.store.byIndex(byNode, node)) {
      try {
        const resource = this.#api.resource<KubeObject>(nodeFeatures)
        const object = await resource.get(metadata.name, { namespace: metadata.namespace, signal })
        if (nodeOf(object) === node) found.push(object)
      } catch (error) {
        if (!isNotFound(error)) throw error
      }
    }
    const { sources, problems } = clusterFeatures(found)
    return { sources: sources.get(node) ?? [], problems }
  }

  /** Whether the server has none for the node, in any namespace. @throws StatusError */
  async isNone(node: string, signal: AbortSignal): Promise<boolean> {
    const labelSelector = `${nodeNameLabel}=${node}`
    const { items } = await this.#api
      .resource<KubeObject>(nodeFeatures)
      .list({ labelSelector, limit: 1, metadataOnly: true, signal })
    return items.length === 0
  }
}
