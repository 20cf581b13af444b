// What the driver asks of the cluster: of claims, whose labels and annotations name folders, and of its own volumes.

import type { Api } from '#kube/client/api.ts'
import type { Informers } from '#kube/informers/informer.ts'
import type { Informer } from '#kube/informers/informer-view.ts'
import { builtIn } from '#kube/objects/resource.ts'
import { isNotFound } from '#kube/objects/status.ts'
import type { ClusterFacts, Neighbours } from './driver/cluster-facts.ts'
import type { PlacedVolume } from './driver/folder-use.ts'
import type { KnownStorage } from './driver/listing.ts'
import { newPathProblem, serverProblem } from './driver/share-path.ts'
import type { ClaimFacts } from './driver/sub-dir.ts'
import { KnownPlaces, type KnownShare, type KnownVolume, pathOnServer, volumePlace } from './driver/volume-place.ts'
import {
  type Claim,
  type CsiNode,
  claims,
  classes,
  type StoredVolume,
  storageBytes,
  type VolumeClass,
  volumes,
} from './jobs/storage-kinds.ts'

export class WatchedFacts implements ClusterFacts, KnownStorage {
  readonly #api: Api
  readonly #driver: string
  readonly #volumes: Informer<StoredVolume>
  readonly #classes: Informer<VolumeClass>

  readonly #signal: AbortSignal

  constructor(api: Api, informers: Informers, driver: string, signal: AbortSignal) {
    this.#signal = signal
    this.#api = api
    this.#driver = driver
    const needs = [{ ...volumes, mode: 'projection', fields: ['spec', 'status.phase'] } as const]
    const shared = informers.share({ needs: [...needs, classes] })
    this.#volumes = shared.of<StoredVolume>(volumes)
    this.#classes = shared.of<VolumeClass>(classes)
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

  /** By the name that kubelets have of the driver's nodes, which is the node's own. */
  async isNode(id: string): Promise<boolean> {
    try {
      const { spec } = await this.#api.resource<CsiNode>(builtIn.csinodes).get(id, { signal: this.#signal })
      return spec?.drivers?.some(({ name, nodeID }) => name === this.#driver && nodeID === id) === true
    } catch (error) {
      if (isNotFound(error)) return false
      throw error
    }
  }

  mountOptions(volumeId: string): readonly string[] | undefined {
    return this.#volume(volumeId)?.spec.mountOptions
  }

  attributes(volumeId: string): Readonly<Record<string, string>> | undefined {
    return this.#volume(volumeId)?.spec.csi?.volumeAttributes
  }

  capacity(volumeId: string): bigint | undefined {
    const volume = this.#volume(volumeId)
    return volume === undefined ? undefined : storageBytes(volume.spec.capacity)
  }

  volumesAt(server: string, path: string): readonly PlacedVolume[] {
    return [...this.#volumes.store.list()].flatMap(stored => {
      const place = placeOf(stored, this.#driver)
      const at = place?.server === server ? pathOnServer(place) : undefined
      if (at === undefined || (at !== path && !at.startsWith(`${path}/`))) return []
      const { csi, persistentVolumeReclaimPolicy } = stored.spec
      const id = csi?.driver === this.#driver ? csi.volumeHandle : stored.metadata.name
      const isReleased = persistentVolumeReclaimPolicy === 'Delete' && ['Released', 'Failed'].includes(stored.status?.phase ?? '')
      return [{ id, path: at, isReleased }]
    })
  }

  neighbours(volumeId: string): Neighbours | undefined {
    const namespace = this.#volume(volumeId)?.spec.claimRef?.namespace
    if (namespace === undefined) return undefined
    const others = [...this.#volumes.store.list()].flatMap(({ spec }) =>
      spec.csi?.driver === this.#driver && spec.csi.volumeHandle !== volumeId && spec.claimRef?.namespace === namespace
        ? [{ id: spec.csi.volumeHandle, bytes: storageBytes(spec.capacity) }]
        : [],
    )
    return { namespace, others }
  }

  /** Those of classes and volumes; the options of a class come before those of a volume. */
  shares(): readonly KnownShare[] {
    return knownShares(this.#classes.store.list(), this.#volumes.store.list(), this.#driver)
  }

  places(): KnownPlaces {
    return new KnownPlaces(knownVolumes(this.#volumes.store.list(), this.#driver), this.shares())
  }

  /** Asked once a call, and calls take longer than to look through all volumes. */
  #volume(volumeId: string): StoredVolume | undefined {
    return [...this.#volumes.store.list()].find(
      ({ spec }) => spec.csi?.driver === this.#driver && spec.csi.volumeHandle === volumeId,
    )
  }
}

/** Shares on which the driver makes volumes, or has some. What no share can be called is passed over: nothing was ever made there. */
export function knownShares(
  storageClasses: Iterable<VolumeClass>,
  stored: Iterable<StoredVolume>,
  driver: string,
): readonly KnownShare[] {
  const shares = new Map<string, KnownShare>()
  const add = (handle: string, attributes: Readonly<Record<string, unknown>>, options: readonly string[]) => {
    const place = volumePlace({ handle, attributes })
    if (place === undefined || (serverProblem(place.server) ?? newPathProblem(place.share)) !== undefined) return
    const { server, share } = place
    const key = `${server}\n${share}`
    if (!shares.has(key)) shares.set(key, { server, share, options })
  }
  for (const { provisioner, parameters = {}, mountOptions = [] } of storageClasses)
    if (provisioner === driver) add('', { share: '', ...lowered(parameters) }, mountOptions)
  for (const { spec } of stored)
    if (spec.csi?.driver === driver) add(spec.csi.volumeHandle, spec.csi.volumeAttributes ?? {}, spec.mountOptions ?? [])
  return [...shares.values()]
}

function placeOf({ spec: { csi, nfs } }: Pick<StoredVolume, 'spec'>, driver: string): ReturnType<typeof volumePlace> {
  if (csi?.driver === driver) return volumePlace({ handle: csi.volumeHandle, attributes: csi.volumeAttributes ?? {} })
  return nfs === undefined ? undefined : volumePlace({ handle: '', attributes: { server: nfs.server, share: nfs.path } })
}

/** Volumes on NFS, whoever made them: those that Kubernetes mounts by itself belong to somebody, too. */
export function* knownVolumes(stored: Iterable<StoredVolume>, driver: string): Generator<KnownVolume> {
  for (const { spec, metadata } of stored) {
    const { csi } = spec
    const place = placeOf({ spec }, driver)
    if (place === undefined) continue
    const isOfDriver = csi?.driver === driver
    yield { ...place, id: isOfDriver ? csi.volumeHandle : metadata.name, isOfDriver, capacity: storageBytes(spec.capacity) }
  }
}

const lowered = (parameters: Readonly<Record<string, string>>): Readonly<Record<string, string>> =>
  Object.fromEntries(Object.entries(parameters).map(([key, value]) => [key.toLowerCase(), value]))
