// What the rows of the terminal's table are made from: nodes, and where there are many their zones or pools, with what each is held to.

import { isUsual } from '#planning/goals/resources.ts'
import type { Amount, Goal, NodeRow, Overview, PodCount } from '../contract.ts'
import { poolLabels } from '../views/nodes/pool-labels.ts'
import { age } from '../words/age.ts'
import { printable } from '../words/names.ts'
import { exactPercent, nearGoal, percentText, unknownText } from '../words/percent.ts'
import { count } from '../words/quantity.ts'
import type { Piece } from './lines.ts'

export const resourceNames = ['cpu', 'memory', 'pods', 'watts'] as const
export type ResourceName = (typeof resourceNames)[number]

/** Labels of nodes that are shown as columns or that nodes are grouped by. */
export type LabelsOf = (node: string) => Readonly<Record<string, string>>

/** A node, or the sum of several. */
export interface ViewRow {
  readonly name: string
  readonly cpu: Amount
  readonly memory: Amount
  readonly pods: PodCount
  readonly watts: NodeRow['watts']
  readonly after: NodeRow['after']
  readonly zone: string | null
  readonly goals: readonly Goal[]
  readonly isReady: boolean
  readonly state: Piece
}

/** Requested, used and all there is of one resource, in its unit. */
interface Share {
  readonly allocatable: number
  readonly requested: number | null
  readonly used: number | null
}

/** Every node of the overview, whichever form it came in. */
export function nodesOf({ nodes, columns }: Overview): readonly NodeRow[] {
  if (columns === null) return nodes
  return columns.name.flatMap((_, index) => {
    const row = rowAt(columns, index)
    return row === undefined ? [] : [row]
  })
}

function rowAt(columns: NonNullable<Overview['columns']>, index: number): NodeRow | undefined {
  const { name, role, ready, cordoned, draining, cpu, memory, pods, watts } = columns
  const given = {
    name: name[index],
    role: role[index],
    ready: ready[index],
    cordoned: cordoned[index],
    draining: draining[index],
    cpu: cpu[index],
    memory: memory[index],
    pods: pods[index],
    watts: watts[index],
  }
  if (given.name === undefined || given.cpu === undefined || given.memory === undefined || given.pods === undefined)
    return undefined
  return {
    name: given.name,
    role: given.role ?? 'worker',
    ready: given.ready ?? false,
    readySince: columns.readySince[index] ?? null,
    cordoned: given.cordoned ?? false,
    draining: given.draining ?? false,
    cpu: given.cpu,
    memory: given.memory,
    pods: given.pods,
    watts: given.watts ?? { now: null, source: null },
    goals: columns.goals[index] ?? [],
    after: columns.after[index] ?? null,
    zone: columns.zone[index] ?? null,
    taints: columns.taints[index] ?? [],
  }
}

/** A node as a row, with the goals that it is held to. */
export function viewRow(node: NodeRow, goals: ReadonlyMap<string, Goal>, nowMs: number): ViewRow {
  return {
    name: printable(node.name),
    cpu: node.cpu,
    memory: node.memory,
    pods: node.pods,
    watts: node.watts,
    after: node.after,
    zone: node.zone,
    goals: node.goals.flatMap(name => goals.get(name) ?? []),
    isReady: node.ready !== false,
    state: stateOf(node, nowMs),
  }
}

function stateOf({ ready, readySince, draining, cordoned }: NodeRow, nowMs: number): Piece {
  if (ready === false) {
    const since = readySince === null ? '' : ` for ${age(nowMs - Date.parse(readySince))}`
    return { text: `Not ready${since} !`, tone: 'over' }
  }
  if (draining) return { text: 'Draining', tone: 'under' }
  if (cordoned) return { text: 'Cordoned', tone: 'under' }
  return { text: ready === null || cordoned === null ? unknownText : 'Ready' }
}

/** More nodes than this are shown by zone or pool first. */
export const mostWithoutGroups = 60

/** Sums by zone, else by pool, else by role; none where that is one group only. */
export function groupRows(nodes: readonly NodeRow[], labelsOf: LabelsOf | undefined): readonly ViewRow[] {
  const keys: readonly ((node: NodeRow) => string | null)[] = [
    node => node.zone,
    ...poolLabels.map(label => (node: NodeRow) => labelsOf?.(node.name)[label] ?? null),
    node => node.role,
  ]
  for (const key of keys) {
    const groups = Map.groupBy(nodes, node => key(node) ?? '(none)')
    if (groups.size > 1)
      return [...groups].sort(([one], [other]) => (one < other ? -1 : 1)).map(([name, of]) => groupRow(name, of))
  }
  return []
}

function groupRow(name: string, nodes: readonly NodeRow[]): ViewRow {
  const notReady = nodes.filter(({ ready }) => ready === false).length
  const words = `${count(nodes.length)} ${nodes.length === 1 ? 'node' : 'nodes'}`
  return {
    name: printable(name),
    cpu: sumOf(nodes.map(({ cpu }) => cpu)),
    memory: sumOf(nodes.map(({ memory }) => memory)),
    pods: {
      allocatable: nodes.reduce((sum, { pods }) => sum + pods.allocatable, 0),
      count: added(nodes.map(({ pods }) => pods.count)),
    },
    watts: { now: added(nodes.map(({ watts }) => watts.now)), source: nodes[0]?.watts.source ?? null },
    after: null,
    zone: null,
    goals: [],
    isReady: notReady === 0,
    state: notReady === 0 ? { text: words } : { text: `${words}, ${count(notReady)} not ready !`, tone: 'over' },
  }
}

function sumOf(amounts: readonly Amount[]): Amount {
  return {
    allocatable: amounts.reduce((sum, { allocatable }) => sum + allocatable, 0),
    requested: added(amounts.map(({ requested }) => requested)),
    used: added(amounts.map(({ used }) => used)),
    usedAt: null,
  }
}

/** Unknown as soon as one is. */
function added(amounts: readonly (number | null)[]): number | null {
  return amounts.reduce((sum, amount) => (sum === null || amount === null ? null : sum + amount), 0)
}

/** How full `row` is of `resource`. Watts have no bound: `mostWatts` stands for it. */
export function shareOf(row: ViewRow, resource: ResourceName, mostWatts = 0): Share {
  switch (resource) {
    case 'cpu':
    case 'memory':
      return row[resource]
    case 'pods':
      return { allocatable: row.pods.allocatable, requested: row.pods.count, used: null }
    case 'watts':
      return { allocatable: mostWatts, requested: null, used: row.watts.now }
  }
}

/** A bound of a goal on one row. */
interface HeldTo {
  readonly goal: Goal
  /** `undefined`: not known. */
  readonly isMet: boolean | undefined
}

/** The goals of `row` on `resource`, judged on exact values. */
export function heldTo(row: ViewRow, resource: ResourceName): readonly HeldTo[] {
  return row.goals
    .filter(goal => goal.resource === resource)
    .map(goal => ({ goal, isMet: goal.met ? true : isMet(goal, row, resource) }))
}

function isMet(goal: Goal, row: ViewRow, resource: ResourceName): boolean | undefined {
  if (goal.now === null) return undefined
  if (goal.nodes.length === 1) return false
  const { allocatable, requested, used } = shareOf(row, resource)
  const amount = goal.stat === 'requests' ? requested : used
  if (amount === null || allocatable <= 0) return undefined
  return (
    (goal.max === null || amount * 100 <= goal.max * allocatable) && (goal.min === null || amount * 100 >= goal.min * allocatable)
  )
}

/** `93%`; near a goal that is not met with the decimals that tell it. */
export function percentCell(row: ViewRow, resource: ResourceName, stat: Goal['stat']): string {
  const { allocatable, requested, used } = shareOf(row, resource)
  const amount = stat === 'requests' ? requested : used
  const unmet = heldTo(row, resource).find(held => held.isMet === false && held.goal.stat === stat)
  if (unmet === undefined) return percentText(amount, allocatable)
  const { min, max } = unmet.goal
  return nearGoal(exactPercent(amount, allocatable), { min, max, met: false })
}

/** `<=70 !`, `>=30`, `use<=80 ?`: the goal that is furthest from good; `undefined` without one. */
export function goalCell(row: ViewRow, resource: ResourceName): Piece {
  const held = heldTo(row, resource)
  const worst = held.find(one => one.isMet === false) ?? held.find(one => one.isMet === undefined) ?? held[0]
  if (worst === undefined) return { text: '' }
  const { min, max, stat } = worst.goal
  const bounds = min !== null && max !== null ? `${min}..${max}` : min === null ? `<=${max}` : `>=${min}`
  const text = `${stat === 'usage' ? 'use' : ''}${bounds}`
  const more = held.length > 1 ? ` +${held.length - 1}` : ''
  if (worst.isMet === true) return { text: `${text}${more}`, tone: 'good' }
  return worst.isMet === undefined ? { text: `${text} ?${more}`, tone: 'under' } : { text: `${text} !${more}`, tone: 'over' }
}

/** Percentage points that `row` lacks to its goals. */
export function shortfallOf(row: ViewRow): number {
  return row.goals.reduce((most, goal) => {
    // No column is of further resources; the goal says how far its worst node is from it.
    if (!isUsual(goal.resource)) return Math.max(most, goal.nodes.length === 1 ? goal.shortfallPoints : 0)
    const { allocatable, requested, used } = shareOf(row, goal.resource)
    const now = exactPercent(goal.stat === 'requests' ? requested : used, allocatable)
    if (now === null) return most
    return Math.max(most, goal.max === null ? 0 : now - goal.max, goal.min === null ? 0 : goal.min - now)
  }, 0)
}
