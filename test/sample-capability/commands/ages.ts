// `ballast ages`: the command of the worked example. It prints what its page shows.
import type { DefineCommand } from '#cli/command-line.ts'
import { loadCluster, type SourceOptions, withSource } from '#cli/source/cluster-source.ts'
import { table } from '#cli/terminal/terminal.ts'
import { systemClock } from '#kube/clock.ts'
import { refreshes } from '../decision.ts'

export const defineAges: DefineCommand = (program, surroundings, about) => {
  withSource(program.command('ages'))
    .description(about)
    .addHelpText('after', '\nExample: ballast ages --cluster examples/talos-homelab')
    .action(async (options: SourceOptions) => {
      const { state } = await loadCluster(options, surroundings)
      const rows = refreshes(state, systemClock.now()).map(({ workload, outcome, reason }) => [
        `${workload.namespace}/${workload.name}`,
        outcome,
        reason,
      ])
      surroundings.terminal.write(table([{ title: 'deployment' }, { title: 'outcome' }, { title: 'because' }], rows))
    })
}
