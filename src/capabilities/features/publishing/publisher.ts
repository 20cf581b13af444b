// Publishes what was found: the NodeFeature of this node, as a whole, and only when it differs.

import { createHash } from 'node:crypto'
import { isDeepStrictEqual } from 'node:util'
import type { Api } from '#kube/client/api.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { isNotFound } from '#kube/objects/status.ts'
import { nodeFeatures } from '../names.ts'

interface PublisherOptions {
  readonly api: Api
  readonly namespace: string
}

export class Publisher {
  readonly #options: PublisherOptions
  /** What the server had last, as far as we know. */
  #published: string | undefined

  constructor(options: PublisherOptions) {
    this.#options = options
  }

  /** From now on what is there is asked for before anything is taken for granted. */
  forget(): void {
    this.#published = undefined
  }

  /**
   * Makes the object so. What others wrote into it is replaced; where it is so already nothing is written.
   *
   * @throws StatusError, ConnectionError: nothing is known then, and the next call asks anew
   */
  async publish(wanted: KubeObject, signal: AbortSignal): Promise<'written' | 'unchanged'> {
    const hash = createHash('sha256').update(JSON.stringify(wanted)).digest('hex')
    if (hash === this.#published) return 'unchanged'
    this.#published = undefined
    const outcome = await this.#bring(wanted, signal)
    this.#published = hash
    return outcome
  }

  async #bring(wanted: KubeObject, signal: AbortSignal): Promise<'written' | 'unchanged'> {
    const { api, namespace } = this.#options
    const resource = api.resource<KubeObject>(nodeFeatures)
    const options = { namespace, signal, fieldManager: 'ballast-features' }
    const { name, labels, annotations, ownerReferences } = wanted.metadata
    let present: KubeObject
    try {
      present = await resource.get(name, { namespace, signal })
    } catch (error) {
      if (!isNotFound(error)) throw error
      await resource.create({ ...wanted, metadata: { ...wanted.metadata, namespace } }, options)
      return 'written'
    }
    const now = present.metadata
    const isSame =
      isDeepStrictEqual(now.labels ?? {}, labels ?? {}) &&
      isDeepStrictEqual(now.annotations ?? {}, annotations ?? {}) &&
      isDeepStrictEqual(now.ownerReferences ?? [], ownerReferences ?? []) &&
      isDeepStrictEqual(present['spec'], wanted['spec'])
    if (isSame) return 'unchanged'
    const { resourceVersion = '', uid = '' } = now
    await resource.update({ ...wanted, metadata: { ...wanted.metadata, namespace, resourceVersion, uid } }, options)
    return 'written'
  }
}
