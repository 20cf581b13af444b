// The programs of four sidecars that are jobs: external-provisioner, external-resizer, csi-snapshotter and snapshot-controller with their flags and Leases,
// beside any CSI driver.

import type { DefineCommand } from '#cli/command-line.ts'
import { defineDropIn } from '#cli/drop-ins/drop-in.ts'
import {
  type JobSettings,
  provisionerSettings,
  resizerSettings,
  snapshotControllerSettings,
  snapshotterSettings,
} from '../flags/job-flags.ts'
import { type JobProgram, runJobProgram, standardHelp } from './sidecar-program.ts'

interface Program<Job> {
  readonly name: string
  readonly help: readonly string[]
  /** @throws InputError with everything that is wrong */
  readonly settingsOf: (words: readonly string[]) => JobSettings<Job>
  readonly jobsOf: (job: Job) => JobProgram['config']
}

function defineJobProgram<Job>({ name, help, settingsOf, jobsOf }: Program<Job>): DefineCommand {
  return defineDropIn({
    name,
    help,
    run(words, surroundings) {
      const { address, job, ...settings } = settingsOf(words)
      return runJobProgram({ program: name, settings, address, config: jobsOf(job) }, surroundings)
    },
  })
}

/** Makes and deletes volumes, for drivers of files. */
export const defineCsiProvisioner = defineJobProgram({
  name: 'csi-provisioner',
  help: [
    "Upstream's flags, with one dash or two, and their defaults:",
    '  -csi-address /run/csi/socket, -timeout 10s, -retry-interval-start 1s, -retry-interval-max 5m, -worker-threads 100,',
    '  -cloning-protection-threads 1, -volume-name-prefix pvc, -volume-name-uuid-length -1, -default-fstype TYPE, -extra-create-metadata (off),',
    '  -controller-publish-readonly (off), -prevent-volume-mode-conversion (on), -snapshot-orphan-sweep-interval 5m;',
    standardHelp,
    'Refused by name: -enable-capacity, -node-deployment, and drivers that want to be told the topology of the cluster.',
    'Exit codes: 0 stopped, 1 failed, 2 bad flag.',
    'Example: ballast csi-provisioner -csi-address /csi/csi.sock -leader-election',
  ],
  settingsOf: provisionerSettings,
  jobsOf: job => ({ provision: job }),
})

/** Grows volumes. */
export const defineCsiResizer = defineJobProgram({
  name: 'csi-resizer',
  help: [
    "Upstream's flags, with one dash or two, and their defaults:",
    '  -csi-address /run/csi/socket, -timeout 10s, -retry-interval-start 1s, -retry-interval-max 5m, -workers 10,',
    '  -handle-volume-inuse-error (on), -resync-period 10m, -extra-modify-metadata (off);',
    standardHelp,
    'Volumes are grown, and changed as VolumeAttributesClasses of claims say, where the driver can: -feature-gates=VolumeAttributesClass=false leaves that out.',
    'Exit codes: 0 stopped, 1 failed, 2 bad flag.',
    'Example: ballast csi-resizer -csi-address /csi/csi.sock -leader-election -handle-volume-inuse-error=false',
  ],
  settingsOf: resizerSettings,
  jobsOf: job => ({ resize: job }),
})

/** Makes and deletes snapshots. */
export const defineCsiSnapshotter = defineJobProgram({
  name: 'csi-snapshotter',
  help: [
    "Upstream's flags, with one dash or two, and their defaults:",
    '  -csi-address /run/csi/socket, -timeout 1m, -retry-interval-start 1s, -retry-interval-max 5m, -worker-threads 10,',
    '  -snapshot-name-prefix snapshot, -snapshot-name-uuid-length -1, -resync-period 15m, -extra-create-metadata (off);',
    standardHelp,
    'Refused by name: -node-deployment, and groups of snapshots.',
    'Exit codes: 0 stopped, 1 failed, 2 bad flag.',
    'Example: ballast csi-snapshotter -csi-address /csi/csi.sock -leader-election',
  ],
  settingsOf: snapshotterSettings,
  jobsOf: job => ({ snapshot: job }),
})

/** Binds snapshots to their contents: one for a cluster, for all drivers. */
export const defineSnapshotController = defineJobProgram({
  name: 'snapshot-controller',
  help: [
    "Upstream's flags, with one dash or two, and their defaults:",
    '  -worker-threads 10, -retry-interval-start 1s, -retry-interval-max 5m, -resync-period 15m, -prevent-volume-mode-conversion (on);',
    standardHelp,
    'Refused by name: -enable-distributed-snapshotting, and groups of snapshots. Kinds of snapshots that are not there yet are waited for.',
    'Exit codes: 0 stopped, 1 failed, 2 bad flag.',
    'Example: ballast snapshot-controller -leader-election -leader-election-namespace kube-system',
  ],
  settingsOf: snapshotControllerSettings,
  jobsOf: job => ({ snapshotController: job }),
})
