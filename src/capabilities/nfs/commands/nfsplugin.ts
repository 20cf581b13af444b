// `ballast nfsplugin`: the driver with the flags of csi-driver-nfs, for Deployments and DaemonSets that have it.

import type { Surroundings } from '#cli/command-line.ts'
import { defineDropIn, klogOf, untilAborted, untilEnded } from '#cli/drop-ins/drop-in.ts'
import { systemClock } from '#kube/clock.ts'
import { preferSmallHeap } from '#process/drop-ins/small-heap.ts'
import { startDriver } from '../driver/driver.ts'
import { ShareFiles } from '../driver/share-files.ts'
import { FileWorkers } from '../files/file-workers.ts'
import { driverFlags } from '../flags/driver-flags.ts'
import { driverSettings } from './driver-settings.ts'

export const defineNfsplugin = defineDropIn({
  name: 'nfsplugin',
  help: [
    "Upstream's flags, with one dash or two, and their defaults:",
    '  -endpoint unix://tmp/csi.sock, -nodeid NAME, -drivername nfs.csi.k8s.io',
    '  -mount-permissions 0 (decimal), -working-mount-dir /tmp',
    '  -default-ondelete-policy delete|retain|archive, -remove-archived-volume-path',
    '  -use-tar-command-in-snapshot, -enable-snapshot-compression=true',
    '  -vol-stats-cache-expire-in-minutes 10, -v 0',
    'Ours: -list-shares SERVER:/SHARE,... serves ListVolumes, ListSnapshots, GetSnapshot and GetCapacity of them;',
    '  -stage-volumes mounts a volume once for all pods of its node;',
    '  -modify-volumes has VolumeAttributesClasses change mountPermissions of volumes that are there;',
    '  -attach-volumes NODE,... has ControllerPublishVolume hold volumes for a single node to one of these nodes;',
    '  -max-volumes-per-node 0 is how many volumes a node may have at once, 0 any number;',
    '  -group-snapshots snapshots several volumes at one point in time, or none where one is written to meanwhile;',
    '  -node-expansion has NodeExpandVolume say whether a node sees the new size of a volume.',
    'It mounts by the programs mount and mount.nfs of its machine or image.',
    'Exit codes: 0 stopped, 1 failed, 2 bad flag.',
    'Example: ballast nfsplugin -endpoint unix:///run/csi.sock -nodeid node-1',
  ],
  run,
})

async function run(words: readonly string[], surroundings: Surroundings): Promise<void> {
  preferSmallHeap()
  const flags = driverFlags(words)
  const log = klogOf({ program: 'nfsplugin', verbosity: flags.verbosity, warnings: flags.warnings }, surroundings)
  if (flags.nodeId === '') log.warn({}, 'nodeid is empty')
  await untilEnded(surroundings, log, async until => {
    await using workers = new FileWorkers({ clock: systemClock })
    const settings = driverSettings(flags, new ShareFiles(workers, systemClock))
    await using _driver = await startDriver({ ...settings, clock: systemClock, log })
    await untilAborted(until)
  })
}
