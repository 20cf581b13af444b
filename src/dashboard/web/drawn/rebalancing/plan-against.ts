// Plans against what happened: all of them in a table, one of them move by move and node by node, and how often landings were predicted.
import type { LandingRate, MoveOutcome, PlanAgainst, PlanOutcome, RebalancingView, ShareOutcome } from '../../../contract.ts'
import { age } from '../../../words/age.ts'
import { fineShareText, landingWords, resultText } from '../../../words/en-rebalancing.ts'
import { counted, listed } from '../../../words/grammar.ts'
import { apiPath, nodePath, permitsPath, planPath, workloadPath } from '../../../words/links.ts'
import { shortName } from '../../../words/names.ts'
import { count } from '../../../words/quantity.ts'
import { barMarkup } from '../bar.ts'
import { lineMarkup } from '../line.ts'
import { element, type Markup, type Surroundings } from '../markup.ts'
import { momentMarkup, sentenceMarkup } from '../sentence.ts'
import { csvLink, type DrawnColumn, tableMarkup } from '../table.ts'

/** One plan: what it meant, what came of it. `choose`: the address that shows another. */
export function planAgainstMarkup(plan: PlanAgainst, surroundings: Surroundings): Markup {
  const { outcome, sentences, moves, nodes, nodeCount } = plan
  const more = outcome.moves - moves.length
  return element(
    'div',
    { class: 'drawn-against' },
    element(
      'p',
      {},
      element('b', {}, element('a', { href: surroundings.link(planPath(outcome.name)) }, outcome.name)),
      `, ${outcome.phase.toLowerCase()}: `,
      sentences.flatMap((sentence, index) => [...(index === 0 ? [] : [' ']), ...sentenceMarkup(sentence, surroundings)]),
    ),
    tableMarkup({
      caption: `Moves of ${outcome.name} and where they landed`,
      columns: moveColumns(surroundings),
      rows: moves,
      rowKey: ({ id }) => id,
      empty: 'It moves nothing.',
    }),
    more > 0
      ? element('p', { class: 'drawn-muted' }, `${counted(more, 'further move')} of it ${more === 1 ? 'is' : 'are'} in the CSV.`)
      : undefined,
    element('h3', {}, 'Nodes: requests before, as planned, as it came'),
    tableMarkup({
      caption: `Nodes of ${outcome.name}`,
      columns: nodeColumns(surroundings),
      rows: nodes.flatMap(({ node, cpu, memory }): ResourceOutcome[] => [
        { node, resource: 'cpu', ...cpu },
        { node, resource: 'memory', ...memory },
      ]),
      rowKey: ({ node, resource }) => `${node} ${resource}`,
      empty: 'No node loses or gains by it.',
    }),
    nodeCount > nodes.length
      ? element('p', { class: 'drawn-muted' }, `The ${count(nodes.length)} of ${counted(nodeCount, 'node')} that change most.`)
      : undefined,
    element(
      'div',
      { class: 'widgets-tools' },
      csvLink(surroundings.link(apiPath(['export', 'landings.csv'], { plan: outcome.name }))),
    ),
  )
}

function moveColumns(surroundings: Surroundings): readonly DrawnColumn<MoveOutcome>[] {
  const { link } = surroundings
  return [
    { title: 'Move', isHeader: true, cell: ({ id }) => id },
    {
      title: 'Pod',
      cell: ({ pod, workload }) =>
        element(
          'a',
          { href: link(workloadPath(workload)), title: `${pod.namespace}/${pod.name}` },
          `${pod.namespace}/${shortName(pod.name)}`,
        ),
    },
    { title: 'From', cell: ({ from }) => from },
    {
      title: 'Meant',
      cell: ({ meant, meantCount }) => {
        const more = meantCount - meant.length
        const title = `${meant.join(', ')}${more > 0 ? ` and ${count(more)} more` : ''}`
        return element('span', { title }, meantCount > 3 ? counted(meantCount, 'node') : listed(meant))
      },
    },
    { title: 'Landed on', cell: ({ landedOn }) => landedOn ?? '–' },
    {
      title: 'Result',
      cell: ({ result }) => element('span', { class: `drawn-result drawn-result-${result}` }, resultText(result)),
    },
    { title: 'At', cell: ({ at }) => (at === null ? '–' : momentMarkup(at, surroundings)) },
    { title: 'Took', isNumber: true, cell: ({ ms }) => (ms === null ? '–' : age(ms)) },
    {
      title: 'Permit',
      cell: ({ permit, workload: { namespace, kind, name } }) =>
        permit === null
          ? '–'
          : element(
              'a',
              { href: link(permitsPath({ workload: `${namespace ?? ''}/${kind}/${name}` })), title: permit },
              shortName(permit.split('/').at(-1) ?? permit, 24),
            ),
    },
    { title: 'Why, and what followed', cell: ({ because }) => (because === null ? '' : sentenceMarkup(because, surroundings)) },
  ]
}

interface ResourceOutcome extends ShareOutcome {
  readonly node: string
  readonly resource: 'cpu' | 'memory'
}

function nodeColumns({ link }: Surroundings): readonly DrawnColumn<ResourceOutcome>[] {
  const share = (title: string, of: (outcome: ResourceOutcome) => number | null): DrawnColumn<ResourceOutcome> => ({
    title,
    isNumber: true,
    cell: outcome => fineShareText(of(outcome)),
  })
  return [
    { title: 'Node', isHeader: true, cell: ({ node }) => element('a', { href: link(nodePath(node)) }, node) },
    { title: 'Requests of', cell: ({ resource }) => (resource === 'cpu' ? 'CPU' : 'memory') },
    share('Before', ({ before }) => before),
    share('Planned', ({ planned }) => planned),
    share('By its moves', ({ landed }) => landed),
    share('At its end', ({ measured }) => measured),
    share('Now', ({ now }) => now),
  ]
}

/** All plans, newest first. `choose`: the address that compares another one. */
export function plansMarkup(
  { plans, planCount }: Pick<RebalancingView, 'plans' | 'planCount'>,
  surroundings: Surroundings,
  choose: (plan: string) => string,
): Markup | undefined {
  if (plans === null) return undefined
  const more = (planCount ?? 0) - plans.length
  return element(
    'div',
    {},
    tableMarkup({
      caption: 'Plans and what became of them, the newest first',
      columns: planColumns(surroundings, choose),
      rows: plans,
      rowKey: ({ name }) => name,
      empty: 'No plan is kept.',
    }),
    more > 0
      ? element('p', { class: 'drawn-muted' }, `${counted(more, 'older plan')} ${more === 1 ? 'is' : 'are'} in the CSV.`)
      : undefined,
    element('div', { class: 'widgets-tools' }, csvLink(surroundings.link(apiPath(['export', 'outcomes.csv'])))),
  )
}

function planColumns(surroundings: Surroundings, choose: (plan: string) => string): readonly DrawnColumn<PlanOutcome>[] {
  const number = (title: string, of: (plan: PlanOutcome) => number): DrawnColumn<PlanOutcome> => ({
    title,
    isNumber: true,
    cell: plan => count(of(plan)),
  })
  return [
    {
      title: 'Plan',
      isHeader: true,
      cell: ({ name }) => element('a', { href: surroundings.link(choose(name)) }, name),
    },
    { title: 'Phase', cell: ({ phase }) => phase },
    { title: 'Began', cell: ({ startedAt }) => (startedAt === null ? '–' : momentMarkup(startedAt, surroundings)) },
    {
      title: 'Took',
      isNumber: true,
      cell: ({ startedAt, finishedAt }) =>
        startedAt === null || finishedAt === null ? '–' : age(Date.parse(finishedAt) - Date.parse(startedAt)),
    },
    number('Moves', ({ moves }) => moves),
    number('As meant', ({ counts }) => counts.expected),
    number('Elsewhere', ({ counts }) => counts.other + counts.back + counts.unheld),
    number('No node', ({ counts }) => counts.pending),
    number('Failed', ({ failed }) => failed),
    number('Left out', ({ skipped }) => skipped),
    { title: 'Landings', cell: ({ landing }) => landingModes[landing] },
    { title: 'Hit rate', isNumber: true, cell: ({ rate }) => fineShareText(rate) },
  ]
}

const landingModes = { observe: 'observed', prefer: 'preferred', hold: 'held' } as const satisfies Readonly<
  Record<PlanOutcome['landing'], string>
>

/** How often landings were predicted: as a bar with its threshold, and over the plans as a line. */
export function landingRateMarkup(landings: LandingRate, plans: readonly PlanOutcome[]): Markup {
  const { rate, counts, threshold } = landings
  const rates = plans.flatMap(plan => (plan.rate === null ? [] : [plan])).toReversed()
  const parts = (['expected', 'other', 'back', 'pending', 'unheld'] as const)
    .filter(name => counts[name] > 0)
    .map(name => `${count(counts[name])} ${landingWords[name]}`)
  return element(
    'div',
    { class: 'drawn-rate' },
    element(
      'div',
      { class: 'drawn-resource' },
      element('span', { class: 'drawn-resource-name' }, 'all'),
      barMarkup({
        name: landings.sentence.text,
        allocatable: 1_000,
        requested: rate,
        used: null,
        after: null,
        goals: [{ min: threshold / 10, max: null }],
        isStale: false,
        isDraining: false,
      }),
      element(
        'span',
        { class: 'drawn-figures' },
        element('b', {}, fineShareText(rate)),
        element('span', { class: 'drawn-word' }, ` at least ${threshold / 10}%`),
      ),
    ),
    rates.length < 2
      ? undefined
      : element(
          'div',
          { class: 'drawn-resource drawn-resource-line' },
          element('span', { class: 'drawn-resource-name' }, 'plans'),
          lineMarkup({
            name: `Hit rate of ${counted(rates.length, 'plan')}, the oldest first: ${rates.map(plan => `${plan.name} ${fineShareText(plan.rate)}`).join(', ')}`,
            requested: rates.map(plan => plan.rate),
            used: [],
            goals: [{ min: threshold / 10, max: null }],
            left: [],
            came: [],
          }),
          element('span', { class: 'drawn-figures drawn-word' }, 'oldest to newest'),
        ),
    parts.length === 0 ? undefined : element('p', { class: 'drawn-muted' }, `Pods landed: ${parts.join(', ')}.`),
  )
}
