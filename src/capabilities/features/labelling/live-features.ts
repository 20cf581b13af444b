// The NodeFeatures of a node, asked of the server: a watch of metadata says which there are and when they change; of their content only what rules
// look at is kept. That a node has none is the server's word alone: no slow or empty cache can take a label from a node.

import type { Api } from '#kube/client/api.ts'
import type { Informer } from '#kube/informers/informer-view.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import type { Problem } from '#kube/problem.ts'
import { nodeFeatures, nodeNameLabel, publishedForAnnotation, workerPodAnnotation } from '../names.ts'
import { clusterFeatures } from '../rules/cluster-features.ts'
import type { NodeFeatureSource } from '../rules/node-outcome.ts'
import { covers, prunedSpec, type References } from '../rules/references.ts'

const byNode = 'node-features-by-node'

/** The node that a NodeFeature describes; empty: nobody's. */
export function nodeOf({ metadata }: KubeObject): string {
  return metadata.labels?.[nodeNameLabel] ?? ''
}

/** Annotations of a NodeFeature whose change is news. */
export const tellingAnnotations = [workerPodAnnotation, publishedForAnnotation] as const

/** Whether something changed that counts: what was found, for which list, of whom, by which worker. Times and other annotations alone are no news. */
export function isNews(before: KubeObject | undefined, { metadata: now }: KubeObject): boolean {
  const old = before?.metadata
  return (
    old === undefined ||
    old.uid !== now.uid ||
    old.generation !== now.generation ||
    tellingAnnotations.some(name => old.annotations?.[name] !== now.annotations?.[name]) ||
    JSON.stringify(old.ownerReferences) !== JSON.stringify(now.ownerReferences)
  )
}

/** Names these very objects as they are. */
function identityOf(objects: readonly KubeObject[]): string {
  return objects
    .map(({ metadata }) => `${metadata.uid}:${metadata.generation}:${metadata.annotations?.[publishedForAnnotation] ?? ''}`)
    .sort()
    .join()
}

interface FeaturesOfNode {
  readonly sources: readonly NodeFeatureSource[]
  readonly problems: readonly Problem[]
  /** False: the server did not have one that the watch has. */
  readonly isWhole: boolean
}

/** What is kept of a node: of which objects, as they were. */
interface Kept {
  readonly objects: string
  readonly references: References
  readonly sources: readonly NodeFeatureSource[]
}

export class LiveFeatures {
  readonly #api: Api
  readonly #known: Informer<KubeObject>
  readonly #kept = new Map<string, Kept>()
  readonly #counts: (namespace: string) => boolean

  /** `known` is a watch of metadata; `counts` says whether NodeFeatures of a namespace do. */
  constructor(api: Api, known: Informer<KubeObject>, counts: (namespace: string) => boolean) {
    this.#api = api
    this.#known = known
    this.#counts = counts
    known.store.addIndex(byNode, object => [nodeOf(object)])
  }

  /**
   * What is known of the node's features, as far as `references` name it. The server is asked where an object changed since, or more is looked at.
   *
   * @throws StatusError where the server does not answer: nothing is known of the node then
   */
  async of(node: string, references: References, signal: AbortSignal): Promise<FeaturesOfNode> {
    const known = [...this.#known.store.byIndex(byNode, node)].filter(({ metadata }) => this.#counts(metadata.namespace ?? ''))
    const kept = this.#kept.get(node)
    if (kept !== undefined && kept.objects === identityOf(known) && covers(kept.references, references))
      return { sources: kept.sources, problems: [], isWhole: true }
    this.#kept.delete(node)
    const found: KubeObject[] = []
    let isWhole = true
    for (const { metadata } of known) {
      const object = await this.#read(metadata, signal)
      if (object === undefined) isWhole = false
      else if (nodeOf(object) === node) found.push({ ...object, spec: prunedSpec(object['spec'], references) })
    }
    const { sources: all, problems } = clusterFeatures(found)
    const sources = all.get(node) ?? []
    if (isWhole && sources.length > 0 && problems.length === 0)
      this.#kept.set(node, { objects: identityOf(found), references, sources })
    return { sources, problems, isWhole }
  }

  /** One object, without the account of who wrote each of its thousands of fields, which a list can leave out while it is read. */
  async #read({ name, namespace }: KubeObject['metadata'], signal: AbortSignal): Promise<KubeObject | undefined> {
    const where = { namespace, fieldSelector: `metadata.name=${name}`, withoutManagedFields: true }
    const { items } = await this.#api.resource<KubeObject>(nodeFeatures).list({ ...where, signal })
    return items[0]
  }

  forget(node: string): void {
    this.#kept.delete(node)
  }

  /** Whether the server has none for the node, in any namespace that counts. @throws StatusError */
  async isNone(node: string, signal: AbortSignal): Promise<boolean> {
    const labelSelector = `${nodeNameLabel}=${node}`
    const { items } = await this.#api.resource<KubeObject>(nodeFeatures).list({ labelSelector, metadataOnly: true, signal })
    return !items.some(({ metadata }) => this.#counts(metadata.namespace ?? ''))
  }
}
