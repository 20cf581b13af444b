// What was played as a table, programs side by side.
import { quantile } from './judge.ts'
import type { Played } from './replay.ts'

const columns = [
  'changes',
  'expected',
  'exact',
  'joined',
  'missed',
  'extra',
  'errors',
  'p50 ms',
  'p99 ms',
  'took s',
  'CPU s',
  'reads',
  'writes',
]
const reads = ['get', 'list', 'watch', 'absent']

export function figuresOf(played: Played) {
  const { latenciesMs, requests, expected, exact, joined, missed, unexpected, rollouts, errors } = played
  const count = (isCounted: (verb: string) => boolean) =>
    Object.entries(requests).reduce((sum, [what, of]) => sum + (isCounted(what.split(' ')[0] ?? '') ? of : 0), 0)
  return {
    scenario: played.scenario,
    program: played.program,
    changes: played.changes,
    expected,
    exact,
    joined,
    missed: missed.length,
    unexpected: unexpected.length,
    rollouts,
    errors,
    p50Ms: Math.round(quantile(latenciesMs, 0.5)),
    p99Ms: Math.round(quantile(latenciesMs, 0.99)),
    tookMs: Math.round(played.tookMs),
    cpuMs: played.cpuMs,
    reads: count(verb => reads.includes(verb)),
    writes: count(verb => !reads.includes(verb)),
    pausesMs: played.pausesMs.map(Math.round),
  }
}

export type Figures = ReturnType<typeof figuresOf>

const head = () => `${''.padEnd(5)}${''.padEnd(20)}${columns.map(name => name.padStart(9)).join('')}`

function line(of: Figures): string {
  const cells = [of.changes, of.expected, of.exact, of.joined, of.missed, of.unexpected, of.errors, of.p50Ms, of.p99Ms]
  const seconds = [of.tookMs, of.cpuMs].map(ms => (ms / 1_000).toFixed(1))
  const all = [...cells.map(String), ...seconds, String(of.reads), String(of.writes)]
  return `${of.scenario.padEnd(5)}${of.program.padEnd(20)}${all.map(cell => cell.padStart(9)).join('')}`
}

/** One line a scenario and program. */
export function replayTable(figures: readonly Figures[]): string {
  const ordered = figures.toSorted((a, b) => Number(a.scenario.slice(1)) - Number(b.scenario.slice(1)))
  return [head(), ...ordered.map(line)].join('\n')
}
