// Claims, volumes and what describes them, as a placement sees them: those of the cluster, and over them what binding pods has settled.

import type {
  CSINode,
  KubeObject,
  LabelSelector,
  PersistentVolume,
  PersistentVolumeClaim,
  StorageClass,
} from '#kube/objects/objects.ts'
import type { ClusterState } from '../cluster-state.ts'

interface CSIDriver extends KubeObject {
  readonly spec: { readonly storageCapacity?: boolean }
}

interface CSIStorageCapacity extends KubeObject {
  readonly storageClassName: string
  readonly nodeTopology?: LabelSelector
  readonly capacity?: string | number
  readonly maximumVolumeSize?: string | number
}

interface VolumeAttachment extends KubeObject {
  readonly spec: {
    readonly attacher?: string
    readonly nodeName?: string
    readonly source?: { readonly persistentVolumeName?: string }
  }
}

const claimClassAnnotation = 'volume.beta.kubernetes.io/storage-class'
/** On a claim: the node its volume is provisioned for. */
export const selectedNodeAnnotation = 'volume.kubernetes.io/selected-node'
/** On a claim: bound on both sides. */
export const bindCompletedAnnotation = 'pv.kubernetes.io/bind-completed'

/** Looks up claims, volumes and what describes them. */
export class VolumeObjects {
  readonly #state: ClusterState
  /** Newer than the cluster's, by kind and name. */
  readonly #settled: Map<string, KubeObject>
  #volumesByClass: ReadonlyMap<string, readonly PersistentVolume[]> | undefined

  constructor(state: ClusterState, settled: ReadonlyMap<string, KubeObject> = new Map()) {
    this.#state = state
    this.#settled = new Map(settled)
  }

  /** A copy that can be changed apart. */
  copy(): VolumeObjects {
    return new VolumeObjects(this.#state, this.#settled)
  }

  /** Takes an object in place of its namesake. */
  settle(object: KubeObject): void {
    this.#settled.set(settledKey(object.kind, object.metadata.namespace, object.metadata.name), object)
    this.#volumesByClass = undefined
  }

  // The casts below name the kinds that were looked up; their fields are read defensively.

  claim(namespace: string, name: string): PersistentVolumeClaim | undefined {
    return this.#find('PersistentVolumeClaim', namespace, name) as PersistentVolumeClaim | undefined
  }

  volume(name: string): PersistentVolume | undefined {
    return this.#find('PersistentVolume', undefined, name) as PersistentVolume | undefined
  }

  storageClass(name: string): StorageClass | undefined {
    return this.#find('StorageClass', undefined, name) as StorageClass | undefined
  }

  csiNode(name: string): CSINode | undefined {
    return this.#find('CSINode', undefined, name) as CSINode | undefined
  }

  csiDriver(name: string): CSIDriver | undefined {
    return this.#find('CSIDriver', undefined, name) as CSIDriver | undefined
  }

  capacities(): readonly CSIStorageCapacity[] {
    return this.#all('CSIStorageCapacity') as readonly CSIStorageCapacity[]
  }

  attachments(): readonly VolumeAttachment[] {
    return this.#all('VolumeAttachment') as readonly VolumeAttachment[]
  }

  /** Volumes of a storage class in order of their names. */
  volumesOf(storageClass: string): readonly PersistentVolume[] {
    this.#volumesByClass ??= Map.groupBy(this.#all('PersistentVolume') as readonly PersistentVolume[], volumeClass)
    return this.#volumesByClass.get(storageClass) ?? []
  }

  #find(kind: string, namespace: string | undefined, name: string): KubeObject | undefined {
    return this.#settled.get(settledKey(kind, namespace, name)) ?? this.#state.object(kind, namespace, name)
  }

  #all(kind: string): readonly KubeObject[] {
    const all = new Map(
      this.#state.objects(kind).map(object => [settledKey(kind, object.metadata.namespace, object.metadata.name), object]),
    )
    for (const [key, object] of this.#settled) if (object.kind === kind) all.set(key, object)
    return Array.from(all.values())
  }
}

function settledKey(kind: string, namespace: string | undefined, name: string): string {
  return `${kind}\u0000${namespace ?? ''}\u0000${name}`
}

/** The storage class a claim asks for; empty: none. */
export function claimClass(claim: PersistentVolumeClaim): string {
  return claim.metadata.annotations?.[claimClassAnnotation] ?? claim.spec.storageClassName ?? ''
}

/** The storage class a volume belongs to; empty: none. */
export function volumeClass(volume: PersistentVolume): string {
  return volume.metadata.annotations?.[claimClassAnnotation] ?? volume.spec.storageClassName ?? ''
}

/** Bound on both sides. From a file the phase alone may say so. */
export function isFullyBound(claim: PersistentVolumeClaim): boolean {
  if (!claim.spec.volumeName) return false
  return claim.metadata.annotations?.[bindCompletedAnnotation] !== undefined || claim.status?.phase === 'Bound'
}

/** Whether `volume` is reserved for `claim`. */
export function isReservedFor(volume: PersistentVolume, claim: PersistentVolumeClaim): boolean {
  const reference = volume.spec.claimRef
  if (reference === undefined || reference.name !== claim.metadata.name || reference.namespace !== claim.metadata.namespace)
    return false
  return !reference.uid || reference.uid === claim.metadata.uid
}
