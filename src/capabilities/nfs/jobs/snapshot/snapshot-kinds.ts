// Snapshots as snapshot.storage.k8s.io/v1 has them, and the keys on them that are contracts between snapshot controller, sidecars and users. The kinds may
// be absent, and may come and go while a job runs.

import type { KubeObject } from '#kube/objects/objects.ts'

export const snapshotGroup = 'snapshot.storage.k8s.io'
const version = { group: snapshotGroup, version: 'v1' } as const
export const snapshots = { ...version, resource: 'volumesnapshots' } as const
export const contents = { ...version, resource: 'volumesnapshotcontents' } as const
export const snapshotClasses = { ...version, resource: 'volumesnapshotclasses' } as const

interface SnapshotError {
  readonly time?: string
  readonly message?: string
}

export interface Snapshot extends KubeObject {
  readonly spec: {
    readonly source: { readonly persistentVolumeClaimName?: string; readonly volumeSnapshotContentName?: string }
    readonly volumeSnapshotClassName?: string
  }
  readonly status?: {
    readonly boundVolumeSnapshotContentName?: string
    readonly creationTime?: string
    readonly readyToUse?: boolean
    readonly restoreSize?: string | number
    readonly error?: SnapshotError
    readonly volumeGroupSnapshotName?: string
  }
}

export interface Content extends KubeObject {
  readonly spec: {
    readonly volumeSnapshotRef: {
      readonly apiVersion?: string
      readonly kind?: string
      readonly name?: string
      readonly namespace?: string
      readonly uid?: string
      readonly resourceVersion?: string
    }
    readonly deletionPolicy: string
    readonly driver: string
    readonly volumeSnapshotClassName?: string
    readonly source: { readonly volumeHandle?: string; readonly snapshotHandle?: string }
    readonly sourceVolumeMode?: string
  }
  readonly status?: {
    readonly snapshotHandle?: string
    /** Nanoseconds since 1970. */
    readonly creationTime?: number
    readonly restoreSize?: number
    readonly readyToUse?: boolean
    readonly error?: SnapshotError
    readonly volumeGroupSnapshotHandle?: string
  }
}

export interface SnapshotClass extends KubeObject {
  readonly driver: string
  readonly deletionPolicy: string
  readonly parameters?: Readonly<Record<string, string>>
}

const own = 'snapshot.storage.kubernetes.io'

export const snapshotFinalizers = {
  asSource: `${own}/volumesnapshot-as-source-protection`,
  bound: `${own}/volumesnapshot-bound-protection`,
  inGroup: `${own}/volumesnapshot-in-group-protection`,
  content: `${own}/volumesnapshotcontent-bound-protection`,
  claim: `${own}/pvc-as-source-protection`,
} as const

export const snapshotAnnotations = {
  isDefaultClass: `${own}/is-default-class`,
  beingCreated: `${own}/volumesnapshot-being-created`,
  beingDeleted: `${own}/volumesnapshot-being-deleted`,
  deletionSecretName: `${own}/deletion-secret-name`,
  deletionSecretNamespace: `${own}/deletion-secret-namespace`,
  allowModeChange: `${own}/allow-volume-mode-change`,
  /** A member of a group of snapshots, which is another controller's matter. */
  groupHandle: 'groupsnapshot.storage.k8s.io/volumeGroupSnapshotHandle',
} as const

export const snapshotKind = 'VolumeSnapshot'

export const isReady = ({ status }: Pick<Snapshot | Content, 'status'>): boolean => status?.readyToUse === true
export const boundContentName = ({ status }: Snapshot): string => status?.boundVolumeSnapshotContentName ?? ''

/** The content that is made for a snapshot has this name and no other. */
export const contentNameFor = ({ metadata }: Snapshot): string => `snapcontent-${metadata.uid ?? ''}`

/** Whether a content names just this snapshot. */
export function pointsTo({ spec }: Content, { metadata }: Snapshot): boolean {
  const { name, namespace, uid } = spec.volumeSnapshotRef
  return name === metadata.name && namespace === metadata.namespace && uid === metadata.uid
}
