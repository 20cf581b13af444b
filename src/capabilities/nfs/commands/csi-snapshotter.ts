// `ballast csi-snapshotter`: upstream's sidecar for snapshots with its flags and Lease, beside any CSI driver.

import type { DefineCommand } from '#cli/command-line.ts'
import { snapshotterSettings } from '../flags/job-flags.ts'
import { runJobProgram, standardHelp } from './sidecar-program.ts'

export const defineCsiSnapshotter: DefineCommand = (program, surroundings, about) => {
  program
    .command('csi-snapshotter')
    .description(about)
    .argument('[words...]', "upstream's flags")
    .allowUnknownOption()
    .helpOption('-h, --help', 'what it takes')
    .addHelpText(
      'after',
      [
        "\nUpstream's flags, with one dash or two, and their defaults:",
        '  -csi-address /run/csi/socket, -timeout 1m, -retry-interval-start 1s, -retry-interval-max 5m, -worker-threads 10,',
        '  -snapshot-name-prefix snapshot, -snapshot-name-uuid-length -1, -resync-period 15m, -extra-create-metadata (off);',
        standardHelp,
        'Refused by name: -node-deployment, and groups of snapshots.',
        'Exit codes: 0 stopped, 1 failed, 2 bad flag.',
        'Example: ballast csi-snapshotter -csi-address /csi/csi.sock -leader-election',
      ].join('\n'),
    )
    .action((words: readonly string[]) => {
      const settings = snapshotterSettings(words)
      return runJobProgram(
        { program: 'csi-snapshotter', settings, address: settings.address, config: { snapshot: settings.job } },
        surroundings,
      )
    })
}
