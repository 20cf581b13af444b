// What each job watches and may, so that roles are made of it. Rules are those of upstream's roles, without what is not asked for.

import type { Need, Permission } from '#coordination/needs.ts'
import { builtIn } from '#kube/objects/resource.ts'
import { attachJob } from './attach/attach-job.ts'
import { attachments } from './attach/attachment-decision.ts'
import type { JobsConfig } from './jobs.ts'
import { provisionJob } from './provision/provision-job.ts'
import { resizeJob } from './resize/resize-job.ts'
import { snapshotControllerJob } from './snapshot/snapshot-controller-job.ts'
import { snapshotJob } from './snapshot/snapshot-job.ts'
import { contents, snapshotClasses, snapshotGroup, snapshots } from './snapshot/snapshot-kinds.ts'
import { attributesClasses } from './storage-kinds.ts'

const kinds: Readonly<Record<string, string>> = {
  [builtIn.persistentvolumeclaims.resource]: 'PersistentVolumeClaim',
  [builtIn.persistentvolumes.resource]: 'PersistentVolume',
  [builtIn.storageclasses.resource]: 'StorageClass',
  [attributesClasses.resource]: 'VolumeAttributesClass',
  [builtIn.pods.resource]: 'Pod',
  [attachments.resource]: 'VolumeAttachment',
  [snapshots.resource]: 'VolumeSnapshot',
  [contents.resource]: 'VolumeSnapshotContent',
  [snapshotClasses.resource]: 'VolumeSnapshotClass',
}

/** What is watched for the jobs that are on. Kinds of snapshots may be absent. */
export function jobNeeds({ provision, resize, attach, snapshot, snapshotController }: JobsConfig): readonly Need[] {
  const on = [
    ...(provision === undefined ? [] : [provisionJob(provision)]),
    ...(resize === undefined ? [] : [resizeJob(resize)]),
    ...(attach === undefined ? [] : [attachJob(attach)]),
    ...(snapshot === undefined ? [] : [snapshotJob(snapshot)]),
    ...(snapshotController === undefined ? [] : [snapshotControllerJob(snapshotController)]),
  ]
  return on.flatMap(({ needs }) =>
    needs.map(({ group, version, resource, mode = 'full', fields }) => ({
      group,
      version,
      resource,
      kind: kinds[resource] ?? resource,
      mode,
      ...(fields === undefined ? {} : { fields }),
      ...(group === snapshotGroup || resource === attributesClasses.resource ? { optional: true } : {}),
    })),
  )
}

const ofStorage = { groups: ['storage.k8s.io'] } as const
const core = { groups: [''] } as const
const ofSnapshots = { groups: [snapshotGroup] } as const

const provisionRights: readonly Permission[] = [
  {
    ...core,
    resources: ['persistentvolumes'],
    verbs: ['create', 'delete', 'patch'],
    because: 'writes the volumes of claims, holds them while their data is there, and takes them away after it',
  },
  { ...core, resources: ['persistentvolumeclaims'], verbs: ['patch'], because: 'holds a claim while a copy of it is made' },
  {
    ...ofSnapshots,
    resources: ['volumesnapshots'],
    verbs: ['get', 'list', 'patch'],
    because: 'restores snapshots, and holds them meanwhile',
  },
  {
    ...ofSnapshots,
    resources: ['volumesnapshotcontents'],
    verbs: ['get'],
    because: 'learns by which name the driver knows a snapshot',
  },
  {
    groups: ['storage.k8s.io'],
    resources: ['volumeattachments'],
    verbs: ['list'],
    because: 'deletes no volume that a node has attached, where the driver attaches any',
  },
]

const attributesRights: readonly Permission[] = [
  {
    groups: [attributesClasses.group],
    resources: [attributesClasses.resource],
    verbs: ['get'],
    because: 'hands the driver what a class of attributes says of a new volume',
  },
]

const resizeRights: readonly Permission[] = [
  {
    ...core,
    resources: ['persistentvolumes'],
    verbs: ['patch'],
    because: 'says how big a volume has become, and what attributes it has',
  },
  {
    ...core,
    resources: ['persistentvolumeclaims/status'],
    verbs: ['patch'],
    because: 'says on a claim how growing or changing its volume goes',
  },
]

const attachRights: readonly Permission[] = [
  {
    ...ofStorage,
    resources: ['volumeattachments'],
    verbs: ['patch'],
    because: 'holds an attachment until its node has lost the volume',
  },
  {
    ...ofStorage,
    resources: ['volumeattachments/status'],
    verbs: ['patch'],
    because: 'says that a node has a volume, or why it has it not',
  },
  {
    ...ofStorage,
    resources: ['csinodes'],
    verbs: ['get'],
    because: 'learns which nodes there are, and how the driver calls them',
  },
  { ...core, resources: ['persistentvolumes'], verbs: ['patch'], because: 'holds a volume while it is attached' },
]

const snapshotRights: readonly Permission[] = [
  {
    ...ofSnapshots,
    resources: ['volumesnapshotcontents'],
    verbs: ['patch'],
    because: 'marks contents whose snapshot is being made, and lets go those whose snapshot is deleted',
  },
  {
    ...ofSnapshots,
    resources: ['volumesnapshotcontents/status'],
    verbs: ['patch'],
    because: 'says what the driver says of a snapshot',
  },
]

const snapshotControllerRights: readonly Permission[] = [
  {
    ...ofSnapshots,
    resources: ['volumesnapshots'],
    verbs: ['patch'],
    because: 'holds snapshots until their content is gone, and gives them the default class',
  },
  {
    ...ofSnapshots,
    resources: ['volumesnapshots/status'],
    verbs: ['patch', 'update'],
    because: 'says on a snapshot what its content says',
  },
  {
    ...ofSnapshots,
    resources: ['volumesnapshotcontents'],
    verbs: ['create', 'delete', 'patch'],
    because: 'makes and binds the contents of snapshots, and deletes them along',
  },
  { ...core, resources: ['persistentvolumes'], verbs: ['get'], because: 'learns of which volume a snapshot is to be' },
  { ...core, resources: ['persistentvolumeclaims'], verbs: ['patch'], because: 'holds a claim until its snapshot is made' },
]

/** What the jobs that are on may beyond reading what they watch. */
export function jobPermissions({
  provision,
  resize,
  attach,
  snapshot,
  snapshotController,
  election,
}: JobsConfig): readonly Permission[] {
  const speaksToDriver = provision !== undefined || resize !== undefined || attach !== undefined || snapshot !== undefined
  return [
    ...(provision === undefined ? [] : provisionRights),
    ...(provision?.attributes === 'applied' ? attributesRights : []),
    ...(resize === undefined ? [] : resizeRights),
    ...(attach === undefined ? [] : attachRights),
    ...(snapshot === undefined ? [] : snapshotRights),
    ...(snapshotController === undefined ? [] : snapshotControllerRights),
    // Classes name Secrets wherever they like, and are written by whoever may write for the whole cluster.
    ...(speaksToDriver
      ? [
          {
            ...core,
            resources: ['secrets'],
            verbs: ['get'],
            because: 'hands the driver the Secret that a class or a volume names',
          } satisfies Permission,
        ]
      : []),
    {
      ...core,
      resources: ['events'],
      verbs: ['create', 'patch'],
      because: 'tells on claims, volumes and snapshots what became of them',
    },
    ...(election === undefined
      ? []
      : [
          {
            groups: ['coordination.k8s.io'],
            resources: ['leases'],
            verbs: ['get', 'create', 'update'],
            // The jobs' pod is where all pods of ours are that mount.
            scope: 'agent-namespace',
            because: 'stands for the Leases by which upstream keeps its sidecars to one of each',
          } satisfies Permission,
        ]),
  ]
}
