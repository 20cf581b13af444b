// What the driver asks of the cluster: of claims, whose labels and annotations name folders, and of its own volumes.

import type { Api } from '#kube/client/api.ts'
import type { Informers } from '#kube/informers/informer.ts'
import type { Informer } from '#kube/informers/informer-view.ts'
import { isNotFound } from '#kube/objects/status.ts'
import type { ClusterFacts } from './driver/controller-service.ts'
import type { ClaimFacts } from './driver/sub-dir.ts'
import { type Claim, claims, type StoredVolume, storageBytes, volumes } from './jobs/storage-kinds.ts'

export class WatchedFacts implements ClusterFacts {
  readonly #api: Api
  readonly #driver: string
  readonly #volumes: Informer<StoredVolume>

  readonly #signal: AbortSignal

  constructor(api: Api, informers: Informers, driver: string, signal: AbortSignal) {
    this.#signal = signal
    this.#api = api
    this.#driver = driver
    const needs = [{ ...volumes, mode: 'projection', fields: ['spec'] } as const]
    this.#volumes = informers.share({ needs }).of<StoredVolume>(volumes)
  }

  /** Asked for and not watched: only classes with such a folder need it. Undefined where there is no such claim. */
  async claim(namespace: string, name: string): Promise<ClaimFacts | undefined> {
    try {
      const { metadata, spec } = await this.#api.resource<Claim>(claims).get(name, { namespace, signal: this.#signal })
      return {
        labels: new Map(Object.entries(metadata.labels ?? {})),
        annotations: new Map(Object.entries(metadata.annotations ?? {})),
        storageClass: spec.storageClassName ?? '',
      }
    } catch (error) {
      if (isNotFound(error)) return undefined
      throw error
    }
  }

  mountOptions(volumeId: string): readonly string[] | undefined {
    return this.#volume(volumeId)?.spec.mountOptions
  }

  capacity(volumeId: string): bigint | undefined {
    const volume = this.#volume(volumeId)
    return volume === undefined ? undefined : storageBytes(volume.spec.capacity)
  }

  /** Asked once a call, and calls take longer than to look through all volumes. */
  #volume(volumeId: string): StoredVolume | undefined {
    return [...this.#volumes.store.list()].find(
      ({ spec }) => spec.csi?.driver === this.#driver && spec.csi.volumeHandle === volumeId,
    )
  }
}
