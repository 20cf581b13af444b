// What may go wrong for the users of what a plan moves: read before it is approved, the gravest first.
import type { PlanRisk } from '../../contract.ts'
import { counted } from '../../words/grammar.ts'
import { element, type Markup } from './markup.ts'

const signs = { high: '■ high', medium: '▲ medium', low: '· low' } as const satisfies Readonly<Record<PlanRisk['grade'], string>>

/** Workloads that a line names. */
const namedWorkloads = 5

/** A line a risk: grade, how many moves, what it is, and whose. */
export function risksMarkup(risks: readonly PlanRisk[]): Markup {
  return element(
    'ul',
    { class: 'drawn-risks' },
    risks.map(({ risk, grade, moves, workloads, message }) =>
      element(
        'li',
        { key: `${risk} ${grade}`, class: `drawn-risk drawn-risk-${grade}` },
        element('b', {}, signs[grade]),
        ` · ${counted(moves, 'move')}: ${message} `,
        element('span', { class: 'drawn-muted' }, namesOf(workloads)),
      ),
    ),
  )
}

function namesOf(workloads: readonly string[]): string {
  const names = workloads.slice(0, namedWorkloads).map(name => name.replace(/\/[^/]*\//, '/'))
  const rest = workloads.length - names.length
  return `(${names.join(', ')}${rest > 0 ? ` and ${rest} more` : ''})`
}
