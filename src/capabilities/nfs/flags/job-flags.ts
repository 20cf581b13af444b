// The command lines of the four sidecars that are jobs, as values: csi-provisioner 6.3, csi-resizer 2.2, csi-snapshotter and snapshot-controller 8.6.

import type { ProvisionSettings } from '../jobs/provision/settings.ts'
import { standardProvision } from '../jobs/provision/settings.ts'
import type { ResizeSettings } from '../jobs/resize/settings.ts'
import { standardResize } from '../jobs/resize/settings.ts'
import type { SnapshotControllerSettings, SnapshotSettings } from '../jobs/snapshot/settings.ts'
import { standardSnapshot, standardSnapshotController } from '../jobs/snapshot/settings.ts'
import {
  type ProgramFlags,
  positive,
  readSidecarFlags,
  retriesOf,
  type SidecarSettings,
  sidecarSettings,
  socketOf,
  standardSocket,
  uidLength,
} from './sidecar-flags.ts'

interface JobSettings<Job> extends SidecarSettings {
  readonly address: string
  readonly job: Job
}

const retryForms = { 'retry-interval-start': 'duration', 'retry-interval-max': 'duration' } as const

// biome-ignore format: tables
const provisioner: ProgramFlags = {
  program: 'csi-provisioner',
  forms: {
    'csi-address': 'text', timeout: 'duration', ...retryForms, 'worker-threads': 'whole', 'cloning-protection-threads': 'whole',
    'volume-name-prefix': 'text', 'volume-name-uuid-length': 'whole', 'default-fstype': 'text', 'extra-create-metadata': 'bool',
    'controller-publish-readonly': 'bool', 'prevent-volume-mode-conversion': 'bool', 'snapshot-orphan-sweep-interval': 'duration',
    'enable-capacity': 'bool', 'node-deployment': 'bool',
  },
  unused: {
    'strict-topology': 'bool', 'immediate-topology': 'bool', 'capacity-threads': 'whole', 'capacity-for-immediate-binding': 'bool',
    'capacity-poll-interval': 'duration', 'capacity-ownerref-level': 'whole', 'kube-api-capacity-qps': 'number', 'kube-api-capacity-burst': 'whole',
    'node-deployment-immediate-binding': 'bool', 'node-deployment-base-delay': 'duration', 'node-deployment-max-delay': 'duration',
  },
  gates: {
    Topology: undefined, VolumeAttributesClass: undefined, ReleaseLeaderElectionOnExit: undefined, HonorPVReclaimPolicy: undefined,
    CrossNamespaceVolumeDataSource: 'sources in other namespaces are external-provisioner\'s',
  },
  refused: {
    'enable-capacity': 'CSIStorageCapacity objects are external-provisioner\'s',
    'node-deployment': 'a provisioner on each node is external-provisioner\'s',
  },
}

/** @throws InputError with everything that is wrong */
export function provisionerSettings(words: readonly string[]): JobSettings<ProvisionSettings> {
  const read = readSidecarFlags(words, provisioner)
  const { given } = read
  const standard = standardProvision
  const settings = {
    ...sidecarSettings(read),
    address: socketOf(given, standardSocket),
    job: {
      ...retriesOf(given),
      timeoutMs: positive(given, 'timeout', standard.timeoutMs, 'ms'),
      atOnce: positive(given, 'worker-threads', standard.atOnce),
      protectionAtOnce: positive(given, 'cloning-protection-threads', standard.protectionAtOnce),
      namePrefix: given.text('volume-name-prefix', standard.namePrefix),
      nameUidLength: uidLength(given, 'volume-name-uuid-length'),
      defaultFsType: given.text('default-fstype'),
      tellsNames: given.flag('extra-create-metadata'),
      publishesReadOnly: given.flag('controller-publish-readonly'),
      keepsVolumeMode: given.flag('prevent-volume-mode-conversion', true),
      sweepMs: given.number('snapshot-orphan-sweep-interval', standard.sweepMs),
    },
  }
  if (settings.job.namePrefix === '')
    given.refuse('--volume-name-prefix', '', 'a text', 'volume name prefix cannot be of length 0')
  read.assertWell()
  return settings
}

const resizer: ProgramFlags = {
  program: 'csi-resizer',
  forms: {
    'csi-address': 'text',
    timeout: 'duration',
    ...retryForms,
    workers: 'whole',
    'handle-volume-inuse-error': 'bool',
    'resync-period': 'duration',
  },
  unused: { 'extra-modify-metadata': 'bool' },
  gates: {
    AnnotateFsResize: 'the size before is noted on volumes by external-resizer',
    RecoverVolumeExpansionFailure: undefined,
    VolumeAttributesClass: undefined,
    ReleaseLeaderElectionOnExit: undefined,
  },
}

/** @throws InputError with everything that is wrong */
export function resizerSettings(words: readonly string[]): JobSettings<ResizeSettings> {
  const read = readSidecarFlags(words, resizer)
  const { given } = read
  const settings = {
    ...sidecarSettings(read),
    address: socketOf(given, standardSocket),
    job: {
      ...retriesOf(given),
      timeoutMs: positive(given, 'timeout', standardResize.timeoutMs, 'ms'),
      atOnce: positive(given, 'workers', standardResize.atOnce),
      heedsUse: given.flag('handle-volume-inuse-error', true),
      resyncMs: positive(given, 'resync-period', standardResize.resyncMs, 'ms'),
    },
  }
  read.assertWell()
  return settings
}

const groups = {
  CSIVolumeGroupSnapshot: "groups of snapshots are external-snapshotter's",
  ReleaseLeaderElectionOnExit: undefined,
}

const snapshotter: ProgramFlags = {
  program: 'csi-snapshotter',
  forms: {
    'csi-address': 'text',
    timeout: 'duration',
    ...retryForms,
    'worker-threads': 'whole',
    'resync-period': 'duration',
    'snapshot-name-prefix': 'text',
    'snapshot-name-uuid-length': 'whole',
    'extra-create-metadata': 'bool',
    'node-deployment': 'bool',
  },
  unused: { 'groupsnapshot-name-prefix': 'text', 'groupsnapshot-name-uuid-length': 'whole' },
  gates: groups,
  refused: { 'node-deployment': "a sidecar on each node is external-snapshotter's" },
}

/** @throws InputError with everything that is wrong */
export function snapshotterSettings(words: readonly string[]): JobSettings<SnapshotSettings> {
  const read = readSidecarFlags(words, snapshotter)
  const { given } = read
  const settings = {
    ...sidecarSettings(read),
    address: socketOf(given, standardSocket),
    job: {
      ...retriesOf(given),
      timeoutMs: positive(given, 'timeout', standardSnapshot.timeoutMs, 'ms'),
      atOnce: positive(given, 'worker-threads', standardSnapshot.atOnce),
      namePrefix: given.text('snapshot-name-prefix', standardSnapshot.namePrefix),
      nameUidLength: uidLength(given, 'snapshot-name-uuid-length'),
      resyncMs: positive(given, 'resync-period', standardSnapshot.resyncMs, 'ms'),
      tellsNames: given.flag('extra-create-metadata'),
    },
  }
  if (settings.job.namePrefix === '')
    given.refuse('--snapshot-name-prefix', '', 'a text', 'Snapshot name prefix cannot be of length 0')
  read.assertWell()
  return settings
}

const snapshotController: ProgramFlags = {
  program: 'snapshot-controller',
  forms: {
    ...retryForms,
    'worker-threads': 'whole',
    'resync-period': 'duration',
    'prevent-volume-mode-conversion': 'bool',
    'enable-distributed-snapshotting': 'bool',
  },
  // Kinds that are not there yet are waited for.
  unused: { 'retry-crd-interval-max': 'duration' },
  gates: groups,
  refused: { 'enable-distributed-snapshotting': "sidecars on each node are external-snapshotter's" },
}

/** @throws InputError with everything that is wrong */
export function snapshotControllerSettings(
  words: readonly string[],
): SidecarSettings & { readonly job: SnapshotControllerSettings } {
  const read = readSidecarFlags(words, snapshotController)
  const { given } = read
  const settings = {
    ...sidecarSettings(read),
    job: {
      ...retriesOf(given),
      atOnce: positive(given, 'worker-threads', standardSnapshotController.atOnce),
      resyncMs: positive(given, 'resync-period', standardSnapshotController.resyncMs, 'ms'),
      keepsVolumeMode: given.flag('prevent-volume-mode-conversion', true),
    },
  }
  read.assertWell()
  return settings
}
