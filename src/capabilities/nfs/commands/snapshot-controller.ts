// `ballast snapshot-controller`: upstream's snapshot-controller with its flags and Lease: one for a cluster, for all drivers.

import type { DefineCommand } from '#cli/command-line.ts'
import { snapshotControllerSettings } from '../flags/job-flags.ts'
import { runJobProgram, standardHelp } from './sidecar-program.ts'

export const defineSnapshotController: DefineCommand = (program, surroundings, about) => {
  program
    .command('snapshot-controller')
    .description(about)
    .argument('[words...]', "upstream's flags")
    .allowUnknownOption()
    .helpOption('-h, --help', 'what it takes')
    .addHelpText(
      'after',
      [
        "\nUpstream's flags, with one dash or two, and their defaults:",
        '  -worker-threads 10, -retry-interval-start 1s, -retry-interval-max 5m, -resync-period 15m, -prevent-volume-mode-conversion (on);',
        standardHelp,
        'Refused by name: -enable-distributed-snapshotting, and groups of snapshots. Kinds of snapshots that are not there yet are waited for.',
        'Exit codes: 0 stopped, 1 failed, 2 bad flag.',
        'Example: ballast snapshot-controller -leader-election -leader-election-namespace kube-system',
      ].join('\n'),
    )
    .action((words: readonly string[]) => {
      const settings = snapshotControllerSettings(words)
      return runJobProgram(
        { program: 'snapshot-controller', settings, config: { snapshotController: settings.job } },
        surroundings,
      )
    })
}
