// The page of rebalancing over time, as the server writes it and the browser draws it: its controls are links and a form, so that they work
// without a script.
import type { RebalancingView, UtilisationSpan } from '../../../contract.ts'
import { spanWords } from '../../../words/en-rebalancing.ts'
import { pagePaths, rebalancingPath } from '../../../words/links.ts'
import { element, type Markup, type Surroundings } from '../markup.ts'
import { sentenceMarkup } from '../sentence.ts'
import { evictionsMarkup } from './evictions.ts'
import { landingRateMarkup, planAgainstMarkup, plansMarkup } from './plan-against.ts'
import { utilisationMarkup } from './utilisation.ts'

/** What the address of the page asks for. */
export interface RebalancingAsked {
  readonly span: UtilisationSpan
  /** Names with commas between; empty: those that the server chooses. */
  readonly nodes: string
  readonly plan: string | undefined
  /** The moment that is shown, RFC 3339; undefined: now. */
  readonly at: string | undefined
}

/** The address that asks for that. */
function pathOf({ span, nodes, plan }: RebalancingAsked): string {
  return rebalancingPath({ span: span === 'hour' ? null : span, nodes: nodes === '' ? null : nodes, plan: plan ?? null })
}

/** Everything below the heading and the controls. */
export function rebalancingSections(
  view: RebalancingView,
  asked: RebalancingAsked,
  surroundings: Surroundings,
): readonly Markup[] {
  const { sentences, utilisation, plan, plans, landings, evictions } = view
  const compared = plan === null ? undefined : planAgainstMarkup(plan, surroundings)
  const sections = [
    sentences.length === 0
      ? undefined
      : element(
          'p',
          { key: 'said' },
          sentences.flatMap((sentence, index) => [...(index === 0 ? [] : [' ']), ...sentenceMarkup(sentence, surroundings)]),
        ),
    section('utilisation', 'Utilisation over time', utilisationMarkup(utilisation, surroundings)),
    compared === undefined ? undefined : section('against', 'Plan against what happened', compared),
    plans === null ? undefined : section('landings', 'Landing hit rate', ...rateOf(view, asked, surroundings)),
    evictions === null
      ? undefined
      : section('evictions', 'Evictions of the descheduler', evictionsMarkup(evictions, surroundings)),
    landings === null || evictions === null
      ? element('p', { class: 'drawn-muted', key: 'hidden' }, 'What your account may not list is left out.')
      : undefined,
  ]
  return sections.filter(part => part !== undefined)
}

function rateOf(
  { landings, plans, planCount }: RebalancingView,
  asked: RebalancingAsked,
  surroundings: Surroundings,
): readonly (Markup | undefined)[] {
  return [
    landings === null || landings.rate === null ? undefined : landingRateMarkup(landings, plans ?? []),
    plansMarkup({ plans, planCount }, surroundings, plan => pathOf({ ...asked, plan })),
  ]
}

function section(id: string, title: string, ...content: readonly (Markup | undefined)[]): Markup {
  return element(
    'section',
    { class: 'overview-section', 'aria-labelledby': id, key: id },
    element('h2', { id }, title),
    ...content,
  )
}

/** Span and nodes. */
export function controlsMarkup(asked: RebalancingAsked, { link }: Pick<Surroundings, 'link'>): Markup {
  const { span, nodes, plan, at } = asked
  return element(
    'div',
    { class: 'drawn-controls' },
    element(
      'ul',
      { class: 'drawn-choices', 'aria-label': 'How far back' },
      (['hour', 'days'] as const).map(one =>
        element(
          'li',
          { key: one },
          element(
            'a',
            { href: link(pathOf({ ...asked, span: one })), 'aria-current': one === span ? 'true' : undefined },
            spanWords[one],
          ),
        ),
      ),
    ),
    element(
      'form',
      { method: 'get', action: link(pagePaths.rebalancing), class: 'drawn-choose', role: 'search', 'aria-label': 'Which nodes' },
      span === 'hour' ? undefined : element('input', { type: 'hidden', name: 'span', value: span }),
      plan === undefined ? undefined : element('input', { type: 'hidden', name: 'plan', value: plan }),
      at === undefined ? undefined : element('input', { type: 'hidden', name: 'at', value: at }),
      element('label', { for: 'nodes-shown' }, 'Nodes'),
      element('input', {
        class: 'widgets-input',
        id: 'nodes-shown',
        type: 'text',
        name: 'nodes',
        value: nodes,
        placeholder: 'the ones that matter most',
        autocomplete: 'off',
        maxlength: 500,
      }),
      element('button', { class: 'widgets-button', type: 'submit' }, 'Show'),
    ),
    nodes === '' ? undefined : element('a', { href: link(pathOf({ ...asked, nodes: '' })) }, 'Those that matter most'),
  )
}
