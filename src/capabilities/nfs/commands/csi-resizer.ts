// `ballast csi-resizer`: upstream's external-resizer with its flags and Lease, beside any CSI driver.

import type { DefineCommand } from '#cli/command-line.ts'
import { resizerSettings } from '../flags/job-flags.ts'
import { runJobProgram, standardHelp } from './sidecar-program.ts'

export const defineCsiResizer: DefineCommand = (program, surroundings, about) => {
  program
    .command('csi-resizer')
    .description(about)
    .argument('[words...]', "upstream's flags")
    .allowUnknownOption()
    .helpOption('-h, --help', 'what it takes')
    .addHelpText(
      'after',
      [
        "\nUpstream's flags, with one dash or two, and their defaults:",
        '  -csi-address /run/csi/socket, -timeout 10s, -retry-interval-start 1s, -retry-interval-max 5m, -workers 10,',
        '  -handle-volume-inuse-error (on), -resync-period 10m;',
        standardHelp,
        'Volumes are grown; VolumeAttributesClasses are not applied.',
        'Exit codes: 0 stopped, 1 failed, 2 bad flag.',
        'Example: ballast csi-resizer -csi-address /csi/csi.sock -leader-election -handle-volume-inuse-error=false',
      ].join('\n'),
    )
    .action((words: readonly string[]) => {
      const settings = resizerSettings(words)
      return runJobProgram(
        { program: 'csi-resizer', settings, address: settings.address, config: { resize: settings.job } },
        surroundings,
      )
    })
}
