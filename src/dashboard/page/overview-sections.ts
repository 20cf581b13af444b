// The sections of the overview, in the places where the script draws them.
import type { Overview, Permit } from '../contract.ts'
import { goalsMarkup } from '../web/drawn/goals.ts'
import { latestMarkup } from '../web/drawn/latest.ts'
import { element, type Markup, type Surroundings } from '../web/drawn/markup.ts'
import { compactRows, legendMarkup, nodeRowsMarkup } from '../web/drawn/node-rows.ts'
import { planHeadMarkup } from '../web/drawn/plan-head.ts'
import { tilesMarkup } from '../web/drawn/tiles.ts'
import { doingMarkup, safetyMarkup, verdictMarkup } from '../web/drawn/verdict.ts'
import { counted } from '../words/grammar.ts'
import { planPath } from '../words/links.ts'
import { count } from '../words/quantity.ts'

/** `permits`: the newest decisions; undefined: they may not be seen. */
export function overviewSections(
  overview: Overview,
  permits: readonly Permit[] | undefined,
  surroundings: Surroundings,
): readonly Markup[] {
  const { plan, doing } = overview
  const sections = [
    element(
      'section',
      { class: 'overview-verdict', 'aria-label': 'How it stands' },
      verdictMarkup(overview, surroundings),
      plan?.phase === 'Proposed' ? safetyMarkup(overview.safety, surroundings) : undefined,
      actionsMarkup(overview, surroundings),
    ),
    section('now', 'Now', 'overview-now', doingMarkup(doing, surroundings)),
    section('goals', 'Goals', '', goalsMarkup(overview, surroundings)),
    nodesSection(overview, surroundings),
    element(
      'div',
      { class: 'overview-pair' },
      section('plan', 'Plan', '', planHeadMarkup(overview, surroundings)),
      element(
        'section',
        { class: 'overview-section overview-latest', 'aria-labelledby': 'latest' },
        element(
          'div',
          { class: 'overview-head' },
          element('h2', { id: 'latest' }, 'Latest decisions'),
          element('span', { class: 'overview-spring' }),
          element('a', { href: surroundings.link('/permits') }, 'All'),
        ),
        permits === undefined ? undefined : latestMarkup({ permits, sources: overview.sources }, surroundings),
      ),
    ),
    element('section', { class: 'overview-section', 'aria-label': 'More' }, tilesMarkup(overview, surroundings)),
    bottomBar(overview, surroundings),
  ]
  return sections.filter(section => section !== undefined)
}

function section(id: string, title: string, className: string, content: Markup): Markup {
  return element(
    'section',
    { class: `overview-section ${className}`.trim(), 'aria-labelledby': id },
    element('h2', { id }, title),
    content,
  )
}

/** Links work at once; what writes waits for the script, and keeps its place. */
function actionsMarkup({ plan, buttons }: Overview, { link }: Surroundings): Markup {
  const shown = buttons.filter(({ action }) => action !== 'thaw' && action !== 'freeze')
  return element(
    'div',
    { class: 'overview-act' },
    plan === null
      ? undefined
      : element('a', { class: 'widgets-button overview-see', href: link(planPath(plan.name)) }, 'See the plan'),
    element(
      'div',
      { class: 'widgets-actions' },
      shown.length === 0
        ? undefined
        : element(
            'div',
            { class: 'widgets-buttons widgets-bottom' },
            shown.map(({ action, label, prominent }) =>
              element(
                'button',
                {
                  key: action,
                  type: 'button',
                  class: prominent ? 'widgets-button widgets-button-prominent' : 'widgets-button',
                  disabled: true,
                },
                label,
              ),
            ),
          ),
      commandsMarkup(shown),
    ),
  )
}

/** What the buttons would write reads without the script too. */
function commandsMarkup(buttons: Overview['buttons']): Markup | undefined {
  const enabled = buttons.filter(({ enabled }) => enabled)
  if (enabled.length === 0) return undefined
  return element(
    'details',
    { class: 'widgets-commands' },
    element('summary', {}, 'kubectl line'),
    enabled.map(({ action, label, kubectl }) =>
      element(
        'div',
        { key: action },
        element('span', { class: 'widgets-kubectl-label' }, label),
        element('pre', { class: 'widgets-kubectl' }, kubectl),
      ),
    ),
  )
}

/** On a phone, under the thumb. */
function bottomBar({ plan }: Overview, { link }: Surroundings): Markup | undefined {
  if (plan === null) return undefined
  const see = element('a', { class: 'widgets-button widgets-button-prominent', href: link(planPath(plan.name)) }, 'See the plan')
  return element('div', { class: 'overview-bar' }, see)
}

function nodesSection(overview: Overview, surroundings: Surroundings): Markup {
  const { nodes, goals, sources, totals } = overview
  const isDrawn = totals.nodes <= compactRows
  return element(
    'section',
    { class: 'overview-section overview-nodes', 'aria-labelledby': 'nodes' },
    element(
      'div',
      { class: 'overview-head' },
      element('h2', { id: 'nodes' }, 'Nodes ', element('span', { class: 'drawn-count' }, count(totals.nodes))),
      element('span', { class: 'drawn-muted' }, counted(totals.pods.count, 'pod')),
      isDrawn ? legendMarkup() : undefined,
    ),
    isDrawn
      ? nodeRowsMarkup({ nodes, goals, sources }, surroundings)
      : element('div', { class: 'nodes-waiting', 'aria-busy': 'true' }, `Loading ${counted(totals.nodes, 'node')}…`),
  )
}
