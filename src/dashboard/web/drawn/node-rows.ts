// The nodes as rows of bars: up to 24 with both figures beside each bar, up to 60 in less height.
import type { Amount, Goal, NodeRow, Source } from '../../contract.ts'
import { asOf, barName, exactCpu, exactMemory, noAllocatable, nodeStateText } from '../../words/en.ts'
import { counted } from '../../words/grammar.ts'
import { nodePath } from '../../words/links.ts'
import { percentText, unknownText } from '../../words/percent.ts'
import { timeOfDay } from '../../words/time.ts'
import { barMarkup } from './bar.ts'
import { element, type Markup, type Surroundings } from './markup.ts'

/** Up to so many bars are drawn; up to so many of less height; more are a map. */
const fullRows = 24
export const compactRows = 60

interface NodeListFacts {
  readonly nodes: readonly NodeRow[]
  readonly goals: readonly Goal[]
  readonly sources: readonly Source[]
}

/** At most `compactRows` nodes. */
export function nodeRowsMarkup(facts: NodeListFacts, surroundings: Surroundings): Markup {
  const { nodes, sources } = facts
  const metrics = sources.find(({ name }) => name === 'metrics')
  const isStale = metrics?.state === 'stale' || metrics?.state === 'down'
  return element(
    'ul',
    { class: nodes.length > fullRows ? 'drawn-nodes drawn-nodes-compact' : 'drawn-nodes' },
    nodes.map(node =>
      nodeRowMarkup(node, { goals: goalsOf(node, facts.goals), isStale, because: metrics?.because ?? null }, surroundings),
    ),
  )
}

/** The goals that a node is held to. */
function goalsOf(node: NodeRow, goals: readonly Goal[]): readonly Goal[] {
  return goals.filter(({ name, nodes }) => node.goals.includes(name) || nodes.includes(node.name))
}

interface NodeContext {
  readonly goals: readonly Goal[]
  readonly isStale: boolean
  readonly because: string | null
}

function nodeRowMarkup(node: NodeRow, context: NodeContext, surroundings: Surroundings): Markup {
  const state = nodeStateText(node, surroundings.nowMs)
  return element(
    'li',
    { class: 'drawn-node', key: node.name, 'data-row': true },
    element(
      'div',
      { class: 'drawn-node-head' },
      element('a', { class: 'drawn-node-name', href: surroundings.link(nodePath(node.name)) }, node.name),
      element('span', { class: 'drawn-muted' }, roleWords[node.role]),
      state === 'Ready' || state === unknownText ? undefined : element('span', { class: 'drawn-node-state' }, `! ${state}`),
      element('span', { class: 'drawn-node-pods' }, counted(node.pods.count, 'pod')),
    ),
    resourceMarkup('cpu', node, context, surroundings),
    resourceMarkup('memory', node, context, surroundings),
  )
}

const roleWords = { 'control-plane': 'control plane', worker: '', virtual: 'virtual' } as const

function resourceMarkup(resource: 'cpu' | 'memory', node: NodeRow, context: NodeContext, surroundings: Surroundings): Markup {
  const amount = node[resource]
  const goals = context.goals.filter(goal => goal.resource === resource)
  const onRequests = goals.filter(({ stat }) => stat === 'requests')
  const bound = onRequests[0]
  const name = barName({
    node: node.name,
    now: null,
    resource,
    stat: 'requests',
    min: bound?.min ?? null,
    max: bound?.max ?? null,
    allocatable: amount.allocatable,
    part: amount.requested,
  })
  return element(
    'div',
    { class: 'drawn-resource' },
    element('span', { class: 'drawn-resource-name' }, resource === 'cpu' ? 'CPU' : 'mem'),
    barMarkup({
      name,
      allocatable: amount.allocatable,
      requested: amount.requested,
      used: amount.used,
      after: node.after === null ? null : node.after[resource],
      goals: onRequests,
      isStale: context.isStale,
      isDraining: node.draining,
    }),
    amount.allocatable > 0
      ? figures(resource, amount, { ...context, goals: onRequests }, surroundings)
      : element('span', { class: 'drawn-figures' }, noAllocatable),
  )
}

function figures(
  resource: 'cpu' | 'memory',
  amount: Amount,
  { goals, isStale, because }: NodeContext,
  surroundings: Surroundings,
): Markup {
  const exact = resource === 'cpu' ? exactCpu : exactMemory
  const isMissed = goals.some(goal => isOutside(amount, goal))
  return element(
    'span',
    { class: 'drawn-figures' },
    element(
      'span',
      {
        class: isMissed ? 'drawn-requested-figure drawn-missed' : 'drawn-requested-figure',
        title: exact(amount.requested, amount.allocatable),
      },
      percentText(amount.requested, amount.allocatable),
      isMissed ? ' !' : undefined,
    ),
    element('span', { class: 'drawn-word' }, ' requested'),
    element(
      'span',
      {
        class: 'drawn-used-figure',
        title: isStale && because !== null ? because : exact(amount.used, amount.allocatable),
      },
      percentText(amount.used, amount.allocatable),
    ),
    element('span', { class: 'drawn-word' }, ' used'),
    isStale && amount.usedAt !== null && amount.used !== null
      ? element(
          'span',
          { class: 'drawn-muted drawn-as-of' },
          asOf(timeOfDay(Date.parse(amount.usedAt), surroundings.zone, surroundings.nowMs)),
        )
      : undefined,
  )
}

/** Whether requests lie outside of what a goal asks for; its own word of being met is about all its nodes. */
function isOutside({ requested, allocatable }: Amount, { min, max }: Goal): boolean {
  if (requested === null || allocatable <= 0) return false
  const share = (requested * 100) / allocatable
  return (max !== null && share > max) || (min !== null && share < min)
}

/** What bars mean, in a line. */
export function legendMarkup(): Markup {
  const swatch = (className: string) =>
    element('svg', { class: 'drawn-swatch', width: 18, height: 12, 'aria-hidden': 'true' }, ...(swatches[className]?.() ?? []))
  const entry = (className: string, text: string) => element('li', { key: className }, swatch(className), text)
  return element(
    'ul',
    { class: 'drawn-legend', 'aria-label': 'What the bars show' },
    entry('requested', 'requested'),
    entry('used', 'used'),
    entry('goal', 'goal'),
    entry('after', 'after the plan'),
  )
}

const swatches: Readonly<Record<string, () => readonly Markup[]>> = {
  requested: () => [element('rect', { class: 'drawn-bar-requested', x: 0, y: 0, width: 18, height: 12 })],
  used: () => [element('rect', { class: 'drawn-bar-used', x: 0, y: 3, width: 18, height: 6 })],
  goal: () => [element('path', { class: 'drawn-bar-goal', d: 'M9 0V8M5 12h8l-4-5z' })],
  after: () => [element('path', { class: 'drawn-bar-after', d: 'M9 0V12' })],
}
