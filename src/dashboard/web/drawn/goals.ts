// The goals, one a row: met or not, now, the bound, by how much it is missed, and what the plan brings.
import type { Goal, Overview, WideGoal } from '../../contract.ts'
import { measureName } from '../../words/en.ts'
import { listed } from '../../words/grammar.ts'
import { nearGoal } from '../../words/percent.ts'
import { element, type Markup, type Surroundings } from './markup.ts'
import { sentenceMarkup } from './sentence.ts'

/** As a table; without goals the sentence that says so. */
export function goalsMarkup(
  { goals, wideGoals = [], goalsEmpty }: Pick<Overview, 'goals' | 'goalsEmpty'> & Partial<Pick<Overview, 'wideGoals'>>,
  surroundings: Surroundings,
): Markup {
  if (goals.length + wideGoals.length === 0)
    return element('p', { class: 'drawn-quiet' }, goalsEmpty === null ? '–' : sentenceMarkup(goalsEmpty, surroundings))
  const hasAfter = [...goals, ...wideGoals].some(({ after }) => after !== null)
  return element(
    'table',
    { class: 'drawn-goals' },
    element('caption', { class: 'frame-unseen' }, 'Goals'),
    element(
      'thead',
      { class: 'frame-unseen' },
      element(
        'tr',
        {},
        headings(hasAfter).map(text => element('th', { scope: 'col', key: text }, text)),
      ),
    ),
    element(
      'tbody',
      {},
      goals.map(goal => goalRow(goal, hasAfter, surroundings)),
      wideGoals.map(goal => wideRow(goal, hasAfter, surroundings)),
    ),
  )
}

const headings = (hasAfter: boolean): readonly string[] => [
  'Goal',
  'Nodes',
  'Measure',
  'Now',
  'Bound',
  'Distance',
  ...(hasAfter ? ['After the plan'] : []),
]

function goalRow(goal: Goal, hasAfter: boolean, surroundings: Surroundings): Markup {
  const { name, nodes, resource, stat, now, after, met, because } = goal
  const state = met ? 'met' : now === null ? 'unknown' : 'unmet'
  return element(
    'tr',
    { key: name, class: `drawn-goal drawn-goal-${state}` },
    nameCell(name, state),
    element('td', { title: nodes.join(', ') }, nodes.length > 3 ? `${nodes.length} nodes` : listed(nodes)),
    element('td', {}, measureName(resource, stat)),
    element('td', { class: 'drawn-number' }, nearGoal(now, goal)),
    element('td', {}, boundText(goal)),
    element('td', { class: 'drawn-distance' }, sentenceMarkup(because, surroundings)),
    hasAfter
      ? element('td', { class: 'drawn-after' }, after === null ? '' : `after the plan ${nearGoal(after, { ...goal, met: true })}`)
      : undefined,
  )
}

/** A goal over several nodes: its words go across the columns of figures. */
function wideRow({ name, state, after, because }: WideGoal, hasAfter: boolean, surroundings: Surroundings): Markup {
  return element(
    'tr',
    { key: name, class: `drawn-goal drawn-goal-${state}` },
    nameCell(name, state),
    element('td', { class: 'drawn-distance', colspan: 5 }, sentenceMarkup(because, surroundings)),
    hasAfter ? element('td', { class: 'drawn-after' }, after === null ? '' : `${after} after the plan`) : undefined,
  )
}

function nameCell(name: string, state: WideGoal['state']): Markup {
  return element(
    'th',
    { scope: 'row' },
    element('span', { class: 'drawn-sign', 'aria-hidden': 'true' }, state === 'met' ? '✓' : state === 'unmet' ? '✕' : '?'),
    element('span', { class: 'frame-unseen' }, `${state}: `),
    name,
  )
}

/** `at most 70`. */
function boundText({ min, max }: Pick<Goal, 'min' | 'max'>): string {
  if (min !== null && max !== null) return `${min} to ${max}`
  return max === null ? `at least ${min ?? 0}` : `at most ${max}`
}
