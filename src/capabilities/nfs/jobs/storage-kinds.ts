// Claims, volumes and classes as the jobs read them, and the keys on them that are contracts with Kubernetes and with upstream's sidecars.

import type { KubeObject, ObjectReference, ResourceList } from '#kube/objects/objects.ts'
import { builtIn } from '#kube/objects/resource.ts'
import { int64Value } from '#kube/values/quantity.ts'

/** What a claim is to be filled from. */
interface TypedReference {
  readonly apiGroup?: string
  readonly kind: string
  readonly name: string
  readonly namespace?: string
}

export interface ClaimCondition {
  readonly type: string
  readonly status: string
  readonly reason?: string
  readonly message?: string
  readonly lastProbeTime?: string
  readonly lastTransitionTime?: string
}

export interface Claim extends KubeObject {
  readonly spec: {
    readonly volumeName?: string
    readonly storageClassName?: string
    readonly accessModes?: readonly string[]
    readonly volumeMode?: string
    readonly resources?: { readonly requests?: ResourceList }
    readonly selector?: object
    readonly dataSource?: TypedReference
    readonly dataSourceRef?: TypedReference
    readonly volumeAttributesClassName?: string
  }
  readonly status?: {
    readonly phase?: string
    readonly capacity?: ResourceList
    readonly conditions?: readonly ClaimCondition[]
    readonly allocatedResources?: ResourceList
    readonly allocatedResourceStatuses?: Readonly<Record<string, string>>
    readonly currentVolumeAttributesClassName?: string
    readonly modifyVolumeStatus?: { readonly status: string; readonly targetVolumeAttributesClassName?: string }
  }
}

export interface SecretReference {
  readonly name: string
  readonly namespace: string
}

export interface CsiSource {
  readonly driver: string
  readonly volumeHandle: string
  readonly fsType?: string
  readonly readOnly?: boolean
  readonly volumeAttributes?: Readonly<Record<string, string>>
  readonly controllerPublishSecretRef?: SecretReference
  readonly nodeStageSecretRef?: SecretReference
  readonly nodePublishSecretRef?: SecretReference
  readonly controllerExpandSecretRef?: SecretReference
  readonly nodeExpandSecretRef?: SecretReference
}

export interface StoredVolume extends KubeObject {
  readonly spec: {
    readonly capacity?: ResourceList
    readonly accessModes?: readonly string[]
    readonly mountOptions?: readonly string[]
    readonly volumeMode?: string
    readonly storageClassName?: string
    readonly volumeAttributesClassName?: string
    readonly persistentVolumeReclaimPolicy?: string
    readonly claimRef?: Partial<ObjectReference>
    readonly csi?: CsiSource
    /** Volumes that Kubernetes mounts without a driver have it. */
    readonly nfs?: { readonly server: string; readonly path: string }
  }
  readonly status?: { readonly phase?: string }
}

/** A claim with the volume that it names. */
export interface BoundClaim {
  readonly claim: Claim
  readonly volume: StoredVolume
}

export interface VolumeClass extends KubeObject {
  readonly provisioner: string
  readonly parameters?: Readonly<Record<string, string>>
  readonly mountOptions?: readonly string[]
  readonly reclaimPolicy?: string
  readonly volumeBindingMode?: string
}

/** A VolumeAttributesClass: values of a volume that change while it is there. */
export interface AttributesClass extends KubeObject {
  readonly driverName: string
  readonly parameters?: Readonly<Record<string, string>>
}

/** What a kubelet says of the drivers of its node. */
export interface CsiNode extends KubeObject {
  readonly spec?: { readonly drivers?: readonly { readonly name: string; readonly nodeID: string }[] | null }
}

export const claims = builtIn.persistentvolumeclaims
export const volumes = builtIn.persistentvolumes
export const classes = builtIn.storageclasses
/** It is there from Kubernetes 1.34 on. */
export const attributesClasses = { group: 'storage.k8s.io', version: 'v1', resource: 'volumeattributesclasses' } as const

/** Keys of annotations. */
export const annotations = {
  storageProvisioner: 'volume.kubernetes.io/storage-provisioner',
  olderStorageProvisioner: 'volume.beta.kubernetes.io/storage-provisioner',
  olderClass: 'volume.beta.kubernetes.io/storage-class',
  selectedNode: 'volume.kubernetes.io/selected-node',
  migratedTo: 'pv.kubernetes.io/migrated-to',
  provisionedBy: 'pv.kubernetes.io/provisioned-by',
  deletionSecretName: 'volume.kubernetes.io/provisioner-deletion-secret-name',
  deletionSecretNamespace: 'volume.kubernetes.io/provisioner-deletion-secret-namespace',
  modifySecretName: 'volume.kubernetes.io/controller-modify-secret-name',
  modifySecretNamespace: 'volume.kubernetes.io/controller-modify-secret-namespace',
  nodeExpansionNotRequired: 'volume.kubernetes.io/node-expansion-not-required',
} as const

export const volumeFinalizer = 'external-provisioner.volume.kubernetes.io/finalizer'
export const cloningFinalizer = 'provisioner.storage.kubernetes.io/cloning-protection'
/** Ours on a snapshot from which a volume is being made; the snapshot controller has one of its own. */
export const snapshotSourceFinalizer = 'provisioner.storage.kubernetes.io/volumesnapshot-as-source-protection'

/** Keys of a class that begin so are meant for sidecars, and not for the driver. */
export const reservedPrefix = 'csi.storage.k8s.io/'

export const claimKind = 'PersistentVolumeClaim'

/** The class that a claim or volume names; an older annotation comes first. */
export function classOf({
  metadata,
  spec,
}: Pick<Claim, 'metadata'> & { readonly spec: { readonly storageClassName?: string } }): string {
  return metadata.annotations?.[annotations.olderClass] ?? spec.storageClassName ?? ''
}

/** Bytes of `storage` in a list of resources; 0 where there is none. */
export function storageBytes(resources: ResourceList | undefined): bigint {
  return int64Value(String(resources?.['storage'] ?? '0'), 0)
}

export const isBeingDeleted = ({ metadata }: KubeObject): boolean => metadata.deletionTimestamp !== undefined
export const hasFinalizer = ({ metadata }: KubeObject, finalizer: string): boolean =>
  metadata.finalizers?.includes(finalizer) ?? false

/** The object as Events name it. */
export function referenceTo({ apiVersion, kind, metadata }: KubeObject): ObjectReference {
  const { name, namespace, uid } = metadata
  return { apiVersion, kind, name, ...(namespace === undefined ? {} : { namespace }), ...(uid === undefined ? {} : { uid }) }
}

/** `namespace/name`, as upstream's sentences have it. */
export const keyOf = ({ metadata }: KubeObject): string => `${metadata.namespace}/${metadata.name}`
