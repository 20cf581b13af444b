// The plan at hand in two lines.
import type { Overview, PlanHead } from '../../contract.ts'
import { until } from '../../words/age.ts'
import { noPlansText } from '../../words/en-empty.ts'
import { planPath } from '../../words/links.ts'
import { element, type Markup, type Surroundings } from './markup.ts'
import { sentenceMarkup } from './sentence.ts'

/** Name, phase, how far it is, and of its sentences those that the verdict does not say already. */
export function planHeadMarkup(
  { plan, verdict, sources }: Pick<Overview, 'plan' | 'verdict' | 'sources'>,
  surroundings: Surroundings,
): Markup {
  if (plan === null) return element('p', { class: 'drawn-quiet' }, noPlansText(sources))
  const told = new Set(verdict.sentences.flatMap(({ code }) => [code, ...(alsoTold[code] ?? [])]))
  return element(
    'div',
    { class: 'drawn-plan' },
    element(
      'p',
      { class: 'drawn-plan-line' },
      element('a', { class: 'drawn-plan-name', href: surroundings.link(planPath(plan.name)) }, plan.name),
      element('span', { class: 'drawn-phase' }, phaseWords(plan, surroundings.nowMs)),
      plan.done + plan.failed === 0 ? undefined : element('span', { class: 'drawn-muted' }, progressText(plan)),
    ),
    element(
      'p',
      {},
      plan.sentences
        .filter(({ code }) => !told.has(code))
        .flatMap((sentence, index) => [...(index === 0 ? [] : [' ']), ...sentenceMarkup(sentence, surroundings)]),
    ),
  )
}

/** What a sentence of the verdict says of the plan beside itself: how many goals it reaches. */
const alsoTold: Readonly<Record<string, readonly string[]>> = { 'plan-proposed': ['plan-goals'] }

function phaseWords({ phase, expiresAt }: PlanHead, nowMs: number): string {
  if (phase !== 'Proposed') return phase.toLowerCase()
  return expiresAt === null ? 'waiting for approval' : `waiting for approval, expires ${until(Date.parse(expiresAt) - nowMs)}`
}

function progressText({ done, failed, moves }: PlanHead): string {
  return failed === 0 ? `${done} of ${moves} done` : `${done} of ${moves} done, ${failed} failed`
}
