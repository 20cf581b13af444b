// Reads kinds and objects of a live cluster for doctor, some at once, and remembers what may not be read.
import type { Api } from '#kube/client/api.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { apiVersionOf, type GroupVersionResource, resourceKey } from '#kube/objects/resource.ts'
import { isForbidden, isNotFound, StatusError } from '#kube/objects/status.ts'

interface Reach {
  readonly api: Api
  readonly signal: AbortSignal
}

interface ListWish {
  readonly resource: GroupVersionResource
  readonly namespace?: string
  readonly fieldSelector?: string
  readonly labelSelector?: string
  readonly metadataOnly?: boolean
  /** Others are forgotten as their page comes. */
  readonly isOfInterest?: (object: KubeObject) => boolean
}

interface GetWish {
  readonly resource: GroupVersionResource
  readonly kind: string
  readonly name: string
  readonly namespace: string | undefined
}

/** So many answers are awaited at once: neither side has all of a big cluster in its hands. */
const mostAtOnce = 4

/** Lists and single objects of one cluster; what may not be read is remembered with why. */
export class ClusterReader {
  readonly #options: Reach
  readonly objects: KubeObject[] = []
  readonly unread: { kind: string; why: string }[] = []

  constructor(options: Reach) {
    this.#options = options
  }

  /** Several at once; objects come in the order of the wishes. */
  async lists(wishes: readonly ListWish[]): Promise<void> {
    const found = await this.#inTurn(wishes.map(wish => () => this.list(wish)))
    this.objects.push(...found.flat())
  }

  /** Objects by their names. */
  async gets(wanted: readonly GetWish[]): Promise<void> {
    const found = await this.#inTurn(wanted.map(one => () => this.#get(one)))
    this.objects.push(...found.flat())
  }

  async #inTurn<T>(reads: readonly (() => Promise<T>)[]): Promise<readonly T[]> {
    const results = new Map<number, T>()
    const left = [...reads.entries()]
    const lane = async () => {
      for (let next = left.shift(); next !== undefined; next = left.shift()) results.set(next[0], await next[1]())
    }
    await Promise.all(Array.from({ length: mostAtOnce }, lane))
    return [...results].toSorted(([a], [b]) => a - b).map(([, result]) => result)
  }

  async list({ resource, isOfInterest = () => true, ...wish }: ListWish): Promise<readonly KubeObject[]> {
    const { api, signal } = this.#options
    const found: KubeObject[] = []
    try {
      for await (const page of api.resource(resource).pages({ ...wish, signal })) {
        // Items of a list carry neither apiVersion nor kind.
        const kind = wish.metadataOnly === true ? resource.resource : page.kind.replace(/List$/, '')
        for (const item of page.items) if (isOfInterest(item)) found.push({ ...item, apiVersion: apiVersionOf(resource), kind })
      }
    } catch (error) {
      this.#skip(resourceKey(resource), error)
    }
    return found
  }

  async #get({ resource, kind, name, namespace }: GetWish): Promise<readonly KubeObject[]> {
    const { api, signal } = this.#options
    try {
      const object = await api.resource(resource).get(name, { namespace, signal })
      return [{ ...object, apiVersion: apiVersionOf(resource), kind }]
    } catch (error) {
      this.#skip(resourceKey(resource), error)
      return []
    }
  }

  #skip(kind: string, error: unknown): void {
    if (isNotFound(error)) return
    // Anything else is the whole cluster's trouble, not a kind's.
    if (!isForbidden(error) && !(error instanceof StatusError && error.code >= 500)) throw error
    if (!this.unread.some(one => one.kind === kind)) this.unread.push({ kind, why: error.message })
  }
}
