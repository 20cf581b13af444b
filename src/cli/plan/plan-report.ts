// `ballast plan report`: what a policy's plans foretold in the last month, and what came of it, day by day.
import type { Command } from 'commander'
import { rebalancePolicyStatus } from '#coordination/api.ts'
import type { DayRow } from '#coordination/plans/progress/day-rows.ts'
import { InputError } from '#kube/problem.ts'
import { CommandRefused } from '#process/surroundings.ts'
import type { Surroundings } from '../command-line.ts'
import { type LoadedCluster, loadCluster, type SourceOptions, withSource } from '../source/cluster-source.ts'
import { table } from '../terminal/terminal.ts'

const formats = ['table', 'json'] as const

interface ReportOptions extends SourceOptions {
  readonly output: string
}

/** Adds the command to `plan`. */
export function addReport(plan: Command, surroundings: Surroundings): void {
  withSource(plan.command('report [policy]'))
    .description("a policy's last 31 days: what its plans foretold, and what came of it")
    .addHelpText(
      'after',
      `
PLANS ended on the day; BEGUN of them moved pods or tried to, and after MET of them all goals were met. MOVES to REAL are of plans that were begun:
their moves, those that landed where foretold, elsewhere, or not at all, and how long the plans were to take and took. PROPOSED counts moves of plans that were never begun; AS-FORETOLD and OTHERWISE those whose pod somebody else moved
meanwhile, to where the plan would have or to another node. Days are by UTC. -o json prints the rows as the policy's status has them.
Example: ballast plan report mine --cluster dump.yaml`,
    )
    .action(async (name: string | undefined, _options: SourceOptions, command: Command) => {
      // The parent command has the same options, and takes them first.
      const options = command.optsWithGlobals<ReportOptions>()
      if (!formats.some(format => format === options.output))
        throw new CommandRefused(`plan report knows --output ${formats.join(' and ')}, not ${options.output}`)
      const rows = daysOf(await loadCluster(options, surroundings), name)
      const { terminal } = surroundings
      if (options.output === 'json') terminal.write(JSON.stringify(rows, undefined, 2))
      else terminal.write(rows.length === 0 ? 'no plan of it has ended yet' : dayTable(rows))
    })
}

/** The rows of the policy that is asked for. @throws CommandRefused when there is none, or several and none is named; InputError for rows that are none */
function daysOf({ objects, shown }: Pick<LoadedCluster, 'objects' | 'shown'>, wanted: string | undefined): readonly DayRow[] {
  const all = objects.filter(({ kind }) => kind === 'RebalancePolicy')
  const names = all.map(({ metadata }) => metadata.name).join(', ')
  const chosen = all.filter(({ metadata }) => wanted === undefined || metadata.name === wanted)
  const [policy] = chosen
  if (policy === undefined)
    throw new CommandRefused(
      `no RebalancePolicy ${wanted === undefined ? '' : `${wanted} `}in ${shown}${names === '' ? '' : `; there are ${names}`}`,
    )
  if (chosen.length > 1) throw new CommandRefused(`${chosen.length} RebalancePolicies in ${shown}: name one of ${names}`)
  const read = rebalancePolicyStatus.pick({ days: true }).safeParse(policy['status'] ?? {})
  if (read.success) return read.data.days ?? []
  throw new InputError(
    read.error.issues.map(({ path, code, message }) => ({
      code: 'policy-shape',
      where: `${shown}: RebalancePolicy ${policy.metadata.name}: ${['status', ...path.map(String)].join('.')}`,
      found: code,
      expected: message,
    })),
  )
}

/** The days, newest first, and their sum. */
function dayTable(rows: readonly DayRow[]): string {
  const titles = 'PLANS BEGUN MET MOVES LANDED ELSEWHERE LEFT EXPECTED REAL PROPOSED AS-FORETOLD OTHERWISE'.split(' ')
  const cells = (row: Omit<DayRow, 'day'>) => [
    ...[row.plans, row.begun, row.goalsMet, row.moves, row.landed, row.elsewhere, row.left].map(String),
    ...[row.expectedSeconds, row.realSeconds].map(seconds => `${Math.round(seconds / 60)} min`),
    ...[row.proposed, row.asForetold, row.otherwise].map(String),
  ]
  const sum = (of: Exclude<keyof DayRow, 'day'>) => rows.reduce((total, row) => total + row[of], 0)
  const all = {
    ...{ plans: sum('plans'), begun: sum('begun'), goalsMet: sum('goalsMet'), moves: sum('moves'), landed: sum('landed') },
    ...{
      elsewhere: sum('elsewhere'),
      left: sum('left'),
      expectedSeconds: sum('expectedSeconds'),
      realSeconds: sum('realSeconds'),
    },
    ...{ proposed: sum('proposed'), asForetold: sum('asForetold'), otherwise: sum('otherwise') },
  }
  return table(
    [{ title: 'DAY' }, ...titles.map(title => ({ title, align: 'right' as const }))],
    [...rows.toReversed().map(row => [row.day, ...cells(row)]), ['all', ...cells(all)]],
  )
}
