// The cycles of a descheduler as a person reads them; such that say the same one after the other are told once.
import type { DeschedulerCycle, DeschedulerEviction, DeschedulerPlugin, DeschedulerSummary } from '#planning/simulation/report.ts'
import { table } from '../terminal/terminal.ts'

/** Lines for the terminal; of each cycle at most `mostRows` evictions. */
export function cycleLines({ cycles }: DeschedulerSummary, mostRows: number): readonly string[] {
  const lines: string[] = []
  for (let at = 0; at < cycles.length; at++) {
    const cycle = cycles[at]
    if (cycle === undefined) continue
    const first = at
    const body = bodyLines(cycle, mostRows)
    while (at + 1 < cycles.length && isSame(body, cycles[at + 1], mostRows)) at++
    const count = first === at ? `cycle ${first + 1}` : `cycles ${first + 1} to ${at + 1}, each`
    const refused = cycle.refused === 0 ? '' : `, ${cycle.refused} refused`
    const limited = cycle.limited.length === 0 ? '' : `, ${cycle.limited.length} stopped by limits`
    lines.push(`${count}: ${cycle.evicted.length} evicted${refused}${limited}`, ...body)
  }
  return lines
}

function isSame(body: readonly string[], next: DeschedulerCycle | undefined, mostRows: number): boolean {
  return next !== undefined && next.evicted.length === 0 && bodyLines(next, mostRows).join('\n') === body.join('\n')
}

function bodyLines(cycle: DeschedulerCycle, mostRows: number): readonly string[] {
  const limits = [...new Set(cycle.limited.map(({ limit, strategy }) => `${strategy}: ${limit}`))]
  const nodes = cycle.nodes.slice(0, mostRows).map(({ node, cpu, memory, pods }) => `${node} ${cpu}/${memory} % ${pods}`)
  const more = cycle.nodes.length > nodes.length ? `, and ${cycle.nodes.length - nodes.length} more` : ''
  return [
    ...(cycle.skipped === undefined ? [] : [`  nothing is done: ${cycle.skipped}`]),
    ...cycle.plugins.map(pluginLine),
    ...limits.map(limit => `  limit of ${limit}`),
    ...(cycle.evicted.length === 0 ? [] : [evictionSheet(cycle.evicted, mostRows)]),
    `  afterwards (cpu/memory, pods): ${nodes.join(', ')}${more}`,
  ]
}

function pluginLine({ profile, strategy, evicted, nodes, sources, ended, error }: DeschedulerPlugin): string {
  const judged = Object.entries(nodes ?? {})
    .filter(([category]) => category !== 'appropriately utilized')
    .map(([category, names]) => `; ${category} ${shortList(names)}`)
  const order = sources === undefined || sources.length < 2 ? '' : `; first ${shortList(sources)}`
  const end = error ?? ended
  return `  ${profile}/${strategy}: ${evicted} evicted${judged.join('')}${order}${end === undefined ? '' : `; ${end}`}`
}

function evictionSheet(evicted: readonly DeschedulerEviction[], mostRows: number): string {
  const rows = evicted
    .slice(0, mostRows)
    .map(({ pod, from, to, replacedBy, strategy, reason, again }) => [
      `  ${pod}${again === true ? ' (again)' : ''}`,
      from,
      to ?? (replacedBy === undefined ? '-' : 'pending'),
      strategy,
      reason,
    ])
  const columns = ['  POD', 'FROM', 'LANDS ON', 'BY', 'WHY'].map(title => ({ title }))
  const sheet = table(columns, rows)
  return evicted.length <= mostRows ? sheet : `${sheet}\n  ... and ${evicted.length - mostRows} more`
}

function shortList(names: readonly string[]): string {
  return names.length > 8 ? `${names.slice(0, 8).join(', ')} and ${names.length - 8} more` : names.join(', ')
}
