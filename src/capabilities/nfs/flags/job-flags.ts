// The command lines of the four sidecars that are jobs, as values: csi-provisioner 6.3, csi-resizer 2.2, csi-snapshotter and snapshot-controller 8.6.

import type { GivenFlags } from '#process/drop-ins/aggregated-flags.ts'
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

export interface JobSettings<Job> extends SidecarSettings {
  /** The driver's socket; undefined for a program that is for all drivers. */
  readonly address: string | undefined
  readonly job: Job
}

type Times = ReturnType<typeof retriesOf>

/** Reads the words of a program. What is wrong in `jobOf` is noted there. @throws InputError with everything that is wrong */
function settingsOf<Job>(
  words: readonly string[],
  program: ProgramFlags,
  jobOf: (given: GivenFlags) => Omit<Job, keyof Times>,
): JobSettings<Times & Omit<Job, keyof Times>> {
  const read = readSidecarFlags(words, program)
  const { given } = read
  const settings = {
    ...sidecarSettings(read),
    address: Object.hasOwn(program.forms, 'csi-address') ? socketOf(given, standardSocket) : undefined,
    job: { ...retriesOf(given), ...jobOf(given) },
  }
  read.assertWell()
  return settings
}

/** What names begin with. `what`: as upstream calls them. */
function prefixOf(given: GivenFlags, name: string, standard: string, what: string): string {
  const prefix = given.text(name, standard)
  if (prefix === '') given.refuse(`--${name}`, '', 'a text', `${what} prefix cannot be of length 0`)
  return prefix
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
export const provisionerSettings = (words: readonly string[]): JobSettings<ProvisionSettings> =>
  settingsOf<ProvisionSettings>(words, provisioner, given => ({
    timeoutMs: positive(given, 'timeout', standardProvision.timeoutMs, 'ms'),
    atOnce: positive(given, 'worker-threads', standardProvision.atOnce),
    protectionAtOnce: positive(given, 'cloning-protection-threads', standardProvision.protectionAtOnce),
    namePrefix: prefixOf(given, 'volume-name-prefix', standardProvision.namePrefix, 'volume name'),
    nameUidLength: uidLength(given, 'volume-name-uuid-length'),
    defaultFsType: given.text('default-fstype'),
    tellsNames: given.flag('extra-create-metadata'),
    publishesReadOnly: given.flag('controller-publish-readonly'),
    keepsVolumeMode: given.flag('prevent-volume-mode-conversion', true),
    attributes: given.gate('VolumeAttributesClass', true) ? 'applied' : 'ignored',
    sweepMs: given.number('snapshot-orphan-sweep-interval', standardProvision.sweepMs),
  }))

const resizer: ProgramFlags = {
  program: 'csi-resizer',
  forms: {
    'csi-address': 'text',
    timeout: 'duration',
    ...retryForms,
    workers: 'whole',
    'handle-volume-inuse-error': 'bool',
    'resync-period': 'duration',
    'extra-modify-metadata': 'bool',
  },
  unused: {},
  gates: {
    AnnotateFsResize: 'the size before is noted on volumes by external-resizer',
    RecoverVolumeExpansionFailure: undefined,
    VolumeAttributesClass: undefined,
    ReleaseLeaderElectionOnExit: undefined,
  },
}

/** @throws InputError with everything that is wrong */
export const resizerSettings = (words: readonly string[]): JobSettings<ResizeSettings> =>
  settingsOf<ResizeSettings>(words, resizer, given => ({
    timeoutMs: positive(given, 'timeout', standardResize.timeoutMs, 'ms'),
    atOnce: positive(given, 'workers', standardResize.atOnce),
    heedsUse: given.flag('handle-volume-inuse-error', true),
    resyncMs: positive(given, 'resync-period', standardResize.resyncMs, 'ms'),
    attributes: given.gate('VolumeAttributesClass', true) ? 'applied' : 'ignored',
    tellsNames: given.flag('extra-modify-metadata'),
  }))

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
export const snapshotterSettings = (words: readonly string[]): JobSettings<SnapshotSettings> =>
  settingsOf<SnapshotSettings>(words, snapshotter, given => ({
    timeoutMs: positive(given, 'timeout', standardSnapshot.timeoutMs, 'ms'),
    atOnce: positive(given, 'worker-threads', standardSnapshot.atOnce),
    namePrefix: prefixOf(given, 'snapshot-name-prefix', standardSnapshot.namePrefix, 'Snapshot name'),
    nameUidLength: uidLength(given, 'snapshot-name-uuid-length'),
    resyncMs: positive(given, 'resync-period', standardSnapshot.resyncMs, 'ms'),
    tellsNames: given.flag('extra-create-metadata'),
  }))

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
export const snapshotControllerSettings = (words: readonly string[]): JobSettings<SnapshotControllerSettings> =>
  settingsOf<SnapshotControllerSettings>(words, snapshotController, given => ({
    atOnce: positive(given, 'worker-threads', standardSnapshotController.atOnce),
    resyncMs: positive(given, 'resync-period', standardSnapshotController.resyncMs, 'ms'),
    keepsVolumeMode: given.flag('prevent-volume-mode-conversion', true),
  }))
