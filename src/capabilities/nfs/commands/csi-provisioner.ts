// `ballast csi-provisioner`: upstream's external-provisioner with its flags and Lease, beside any CSI driver of files.

import type { DefineCommand } from '#cli/command-line.ts'
import { provisionerSettings } from '../flags/job-flags.ts'
import { runJobProgram, standardHelp } from './sidecar-program.ts'

export const defineCsiProvisioner: DefineCommand = (program, surroundings, about) => {
  program
    .command('csi-provisioner')
    .description(about)
    .argument('[words...]', "upstream's flags")
    .allowUnknownOption()
    .helpOption('-h, --help', 'what it takes')
    .addHelpText(
      'after',
      [
        "\nUpstream's flags, with one dash or two, and their defaults:",
        '  -csi-address /run/csi/socket, -timeout 10s, -retry-interval-start 1s, -retry-interval-max 5m, -worker-threads 100,',
        '  -cloning-protection-threads 1, -volume-name-prefix pvc, -volume-name-uuid-length -1, -default-fstype TYPE, -extra-create-metadata (off),',
        '  -controller-publish-readonly (off), -prevent-volume-mode-conversion (on), -snapshot-orphan-sweep-interval 5m;',
        standardHelp,
        'Refused by name: -enable-capacity, -node-deployment, and drivers that want to be told the topology of the cluster.',
        'Exit codes: 0 stopped, 1 failed, 2 bad flag.',
        'Example: ballast csi-provisioner -csi-address /csi/csi.sock -leader-election',
      ].join('\n'),
    )
    .action((words: readonly string[]) => {
      const settings = provisionerSettings(words)
      return runJobProgram(
        { program: 'csi-provisioner', settings, address: settings.address, config: { provision: settings.job } },
        surroundings,
      )
    })
}
