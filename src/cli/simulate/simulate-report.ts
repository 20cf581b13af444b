// A simulation as a person reads it: each step with what landed where, what waits and why, and how full the nodes are.
import type { Landing, SimulatedNode, SimulationReport, StepReport } from '#planning/simulation/report.ts'
import { type Terminal, table } from '../terminal/terminal.ts'
import { cycleLines } from './simulate-cycles.ts'

/** So many rows of one kind are printed a step; `-o json` has them all. */
const mostRows = 40
const barCells = 20

/** Lines for the terminal. */
export function simulationLines(report: SimulationReport, colour: Terminal['colour']): readonly string[] {
  const lines: string[] = [
    `scheduler of Kubernetes ${report.server}, seed ${report.seed}${report.scenario === '' ? '' : `: ${report.scenario}`}`,
    '',
  ]
  let before = report.start.nodes
  lines.push(nodeSheet(before, before), '')
  for (const step of report.steps) {
    lines.push(...stepLines(step, before, colour), '')
    before = step.nodes
  }
  for (const goal of report.goals)
    lines.push(
      `goal ${goal.goal}: ${goal.node} ${goal.resource} ${goal.bound === 'max' ? 'below' : 'above'} ${goal.wanted} %: ${goal.before.toFixed(1)} % before, ${goal.after.toFixed(1)} % after: ${verdict(goal.holds, colour)}`,
    )
  for (const each of report.expectations)
    lines.push(`expected ${JSON.stringify(each.expected)}: ${each.found}: ${verdict(each.holds, colour)}`)
  const asked =
    report.goals.length + report.expectations.length + report.steps.reduce((sum, step) => sum + step.expectations.length, 0)
  if (asked > 0) lines.push(report.holds ? colour.green('everything holds') : colour.red('not everything holds'))
  while (lines.at(-1) === '') lines.pop()
  return lines
}

function verdict(holds: boolean, colour: Terminal['colour']): string {
  return holds ? colour.green('holds') : colour.red('does not hold')
}

function stepLines(step: StepReport, before: readonly SimulatedNode[], colour: Terminal['colour']): readonly string[] {
  const lines = [
    colour.bold(
      `${step.step}. ${step.op}: ${step.say ?? step.what}${step.say === undefined ? '' : ` (${step.what})`}${step.seconds === 0 ? '' : `, ${step.seconds} s`}`,
    ),
  ]
  if (step.descheduler !== undefined) lines.push(...cycleLines(step.descheduler, mostRows))
  else if (step.landings.length > 0) lines.push(landingSheet(step.landings))
  lines.push(...shortened(step.pending.map(({ pod, message }) => `pending ${pod}: ${message}`)))
  lines.push(
    ...shortened(
      step.refusals.map(
        ({ pod, code, message, cause }) =>
          `refused ${pod}: ${code === 0 ? '' : `${code} `}${message}${cause === undefined ? '' : ` ${cause}`}`,
      ),
    ),
  )
  lines.push(...shortened(step.lost.map(pod => `lost ${pod}: nobody makes it anew`)))
  lines.push(...shortened(step.notes))
  lines.push(nodeSheet(before, step.nodes))
  if (step.watts !== undefined) lines.push(`${step.watts} W`)
  for (const each of step.expectations)
    lines.push(`expected ${JSON.stringify(each.expected)}: ${each.found}: ${verdict(each.holds, colour)}`)
  return lines
}

function shortened(lines: readonly string[]): readonly string[] {
  return lines.length <= mostRows ? lines : [...lines.slice(0, mostRows), `... and ${lines.length - mostRows} more`]
}

function landingSheet(landings: readonly Landing[]): string {
  const rows = landings.slice(0, mostRows).map(({ pod, from, node, landing, landingSize }) => {
    const others = landing.filter(other => other !== node)
    const more = landingSize - landing.length
    return [pod, from ?? '-', node, others.length === 0 ? '' : `or ${others.join(', ')}${more > 0 ? ` and ${more} more` : ''}`]
  })
  const sheet = table([{ title: 'POD' }, { title: 'FROM' }, { title: 'LANDS ON' }, { title: 'AS GOOD' }], rows)
  return landings.length <= mostRows ? sheet : `${sheet}\n... and ${landings.length - mostRows} more`
}

/** The nodes with what changed, each drawn: `█` requested before and still, `+` what came, `-` what went. */
function nodeSheet(before: readonly SimulatedNode[], after: readonly SimulatedNode[]): string {
  const then = new Map(before.map(node => [node.node, node]))
  const shown = after.length <= mostRows ? after : after.filter(node => isChanged(then.get(node.node), node)).slice(0, mostRows)
  const hasWatts = after.some(({ watts }) => watts !== undefined)
  const rows = shown.map(node => {
    const old = then.get(node.node)
    const change = (from: number | undefined, to: number) =>
      from === undefined || from === to ? `${to} %` : `${from} % -> ${to} %`
    return [
      node.node,
      node.state,
      bar(old?.cpu.percent ?? 0, node.cpu.percent),
      change(old?.cpu.printed, node.cpu.printed),
      change(old?.memory.printed, node.memory.printed),
      old === undefined || old.pods === node.pods ? String(node.pods) : `${old.pods} -> ${node.pods}`,
      ...(hasWatts ? [node.watts === undefined ? '-' : `${node.watts} W`] : []),
    ]
  })
  const columns = [
    { title: 'NODE' },
    { title: 'STATE' },
    { title: 'CPU REQUESTED' },
    { title: 'CPU', align: 'right' as const },
    { title: 'MEMORY', align: 'right' as const },
    { title: 'PODS', align: 'right' as const },
    ...(hasWatts ? [{ title: 'WATTS', align: 'right' as const }] : []),
  ]
  const sheet = table(columns, rows)
  return shown.length === after.length ? sheet : `${sheet}\n${after.length} nodes, ${shown.length} that changed`
}

function isChanged(before: SimulatedNode | undefined, after: SimulatedNode): boolean {
  return (
    before === undefined ||
    before.pods !== after.pods ||
    before.state !== after.state ||
    before.cpu.requested !== after.cpu.requested
  )
}

function bar(before: number, after: number): string {
  const cells = (percent: number) => Math.round((Math.min(100, percent) / 100) * barCells)
  const [old, now] = [cells(before), cells(after)]
  const changed = old <= now ? '+'.repeat(now - old) : '-'.repeat(old - now)
  return `${'█'.repeat(Math.min(old, now))}${changed}${'░'.repeat(barCells - Math.max(old, now))}`
}
