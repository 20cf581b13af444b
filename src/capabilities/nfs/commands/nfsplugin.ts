// `ballast nfsplugin`: the driver with the flags of csi-driver-nfs, for Deployments and DaemonSets that have it.

import { type DefineCommand, exitAtOnce, type Surroundings } from '#cli/command-line.ts'
import { systemClock } from '#kube/clock.ts'
import { endedInOrder } from '#process/drop-ins/ended-in-order.ts'
import { klog } from '#process/drop-ins/klog.ts'
import { preferSmallHeap } from '#process/drop-ins/small-heap.ts'
import { processFaults } from '#process/parts/process-faults.ts'
import { startDriver } from '../driver/driver.ts'
import { ShareFiles } from '../driver/share-files.ts'
import { FileWorkers } from '../files/file-workers.ts'
import { driverFlags } from '../flags/driver-flags.ts'
import { driverSettings } from './driver-settings.ts'

export const defineNfsplugin: DefineCommand = (program, surroundings, about) => {
  program
    .command('nfsplugin')
    .description(about)
    .argument('[words...]', "upstream's flags")
    .allowUnknownOption()
    .helpOption('-h, --help', 'what it takes')
    .addHelpText(
      'after',
      [
        "\nUpstream's flags, with one dash or two, and their defaults:",
        '  -endpoint unix://tmp/csi.sock, -nodeid NAME, -drivername nfs.csi.k8s.io',
        '  -mount-permissions 0 (decimal), -working-mount-dir /tmp',
        '  -default-ondelete-policy delete|retain|archive, -remove-archived-volume-path',
        '  -use-tar-command-in-snapshot, -enable-snapshot-compression=true',
        '  -vol-stats-cache-expire-in-minutes 10, -v 0',
        'Ours: -list-shares SERVER:/SHARE,... serves ListVolumes, ListSnapshots, GetSnapshot and GetCapacity of them.',
        'It mounts by the programs mount and mount.nfs of its machine or image.',
        'Exit codes: 0 stopped, 1 failed, 2 bad flag.',
        'Example: ballast nfsplugin -endpoint unix:///run/csi.sock -nodeid node-1',
      ].join('\n'),
    )
    .action((words: readonly string[]) => run(words, surroundings))
}

async function run(words: readonly string[], { terminal, signal, ending }: Surroundings): Promise<void> {
  preferSmallHeap()
  const flags = driverFlags(words)
  const log = klog({
    program: 'nfsplugin',
    format: 'text',
    verbosity: flags.verbosity + 2,
    clock: systemClock,
    processId: process.pid,
    write: line => terminal.say(line),
  }).machinery
  for (const warning of flags.warnings) log.warn({}, warning)
  if (flags.nodeId === '') log.warn({}, 'nodeid is empty')
  using faults = processFaults(exitAtOnce, ending)
  const onFault = (why: string) => log.error({ why }, 'a fault that nobody owns: the process ends in order')
  await endedInOrder({ faults, signal, ending, onFault }, async until => {
    await using workers = new FileWorkers({ clock: systemClock })
    const settings = driverSettings(flags, new ShareFiles(workers, systemClock))
    await using _driver = await startDriver({ ...settings, clock: systemClock, log })
    const { promise, resolve } = Promise.withResolvers<void>()
    if (until.aborted) resolve()
    else until.addEventListener('abort', () => resolve(), { once: true })
    await promise
  })
}
