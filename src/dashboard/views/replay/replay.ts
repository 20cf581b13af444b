// A plan as a film: what stood where before it, and each of its moves with what it changes, as planned or as it happened. Pure.
import type { RebalancePlan } from '#coordination/api.ts'
import { shownGoals } from '#coordination/plans/goal-policy.ts'
import type { Goal } from '#planning/goals/policy.ts'
import { isMeasured } from '#planning/goals/resources.ts'
import type { Sentence } from '../../contract.ts'
import type { ReplayBox, ReplayStep, ReplayTile, ReplayView } from '../../contract-replay.ts'
import type { Picture } from '../../picture.ts'
import { planGoals } from '../../words/en-plan.ts'
import * as words from '../../words/en-replay.ts'
import { exactPercent } from '../../words/percent.ts'
import { rfc3339 } from '../../words/time.ts'
import { goalTally, isEnded, madeAtMs, phaseOf, policyOf } from '../plans/plan-facts.ts'
import type { Viewing } from '../viewing.ts'
import { type Group, groupsOf } from './grouping.ts'
import { type Amounts, type NodeStart, restTile, Starts, sumOf } from './starts.ts'
import { stepsOf } from './steps.ts'

const usual = ['cpu', 'memory', 'pods'] as const
/** Resources that can be shown. */
const mostResources = 6
/** Rows of goals that are told before the first step. */
const mostGoalRows = 8

interface ReplayQuery {
  /** A pool to look into; undefined: all. */
  readonly pool?: string | undefined
}

/** `undefined`: there is no such pool, or there are so few nodes that there are no pools. */
export function replayOf(picture: Picture, plan: RebalancePlan, { pool }: ReplayQuery, viewing: Viewing): ReplayView | undefined {
  const policy = policyOf(picture, plan)
  const { goals, fleetGoals } = shownGoals(policy, picture.state)
  const resources = resourcesOf(plan, goals)
  const starts = new Starts(picture, plan, resources, viewing)
  const { nodes } = starts
  const groups = groupsOf({
    nodes,
    labelsOf: node => picture.state.nodes.get(node)?.object.metadata.labels ?? {},
    told: new Set([...plan.spec.moves.flatMap(({ from, to }) => [from, to]), ...goals.flatMap(goal => goal.nodes)]),
    pairs: plan.spec.moves.map(({ from, to }) => [from, to] as const),
    pool,
  })
  if (groups === undefined) return undefined
  const drawn = groups.map(group => drawnGroup(group, starts, resources, goals))
  const boxes = drawn.map(({ box }) => box)
  const boxByNode = new Map(groups.flatMap(({ name, nodes: names }) => names.map(node => [node, name] as const)))
  const facts = { picture, plan, resources, boxes, boxOf: (node: string) => boxByNode.get(node) }
  const steps = stepsOf({ ...facts, missedBy: (box, requested) => missedBy(box, requested, resources) })
  const { moves } = plan.spec
  const unknownNodes = drawn.reduce((sum, { unknown }) => sum + unknown, 0)
  const recorded = drawn.reduce((sum, { fromRecord }) => sum + fromRecord, 0)
  const withoutLine = [...goals.filter(isMeasured), ...fleetGoals].map(({ name }) => name)
  return {
    plan: plan.metadata.name,
    cluster: picture.cluster,
    phase: phaseOf(plan),
    madeAt: rfc3339(madeAtMs(plan)),
    pool: pool ?? null,
    resources: [...resources],
    boxes,
    tiles: drawn.flatMap(({ tiles }) => tiles),
    steps,
    moves: moves.length,
    before: beforeOf(plan, boxes, resources),
    afterwards: afterwardsOf(plan, steps),
    notes: [
      ...(policy === undefined ? [words.policyNotThere({ policy: plan.spec.policyRef.name })] : []),
      ...(withoutLine.length === 0 ? [] : [words.goalsNotDrawn({ goals: withoutLine })]),
      ...(recorded === 0 ? [] : [words.drawnFromRecord({ nodes: recorded })]),
      ...(unknownNodes === 0 ? [] : [words.nodesNotKept({ nodes: unknownNodes })]),
      ...(pool === undefined || steps.length === moves.length
        ? []
        : [words.movesNotDrawn({ moves: moves.length - steps.length, pool })]),
    ],
  }
}

/** That of the first goal first; those only that the plan has figures of, where it has any. */
function resourcesOf({ status }: RebalancePlan, goals: readonly Goal[]): readonly string[] {
  const told = new Set((status?.before ?? []).map(({ resource }) => resource))
  const wished = [...goals.filter(goal => !isMeasured(goal)).map(({ resource }) => resource), ...usual]
  return [...new Set(wished)]
    .filter(resource => told.size === 0 || told.has(resource) || usual.some(one => one === resource))
    .slice(0, mostResources)
}

interface DrawnGroup {
  readonly box: ReplayBox
  readonly tiles: readonly ReplayTile[]
  /** Nodes of which nothing is kept, and such of which pods that stay are known by their sum. */
  readonly unknown: number
  readonly fromRecord: number
}

function drawnGroup(
  { name, kind, nodes }: Group,
  starts: Starts,
  resources: readonly string[],
  goals: readonly Goal[],
): DrawnGroup {
  const count = resources.length
  const known = nodes.flatMap(node => starts.of(node, kind !== 'node') ?? [])
  const parts = kind === 'node' ? known.flatMap(({ tiles }) => tiles) : pooledTiles(name, known, count)
  const { amounts: requested, pods } = sumOf(parts, count)
  const lines = kind !== 'node' ? [] : linesOf(name, goals)
  const allocatable = sumOf(
    known.map(start => ({ amounts: start.allocatable, pods: 0 })),
    count,
  ).amounts
  const box: ReplayBox = { name, kind, nodes: nodes.length, allocatable, requested, pods, lines, missed: [] }
  return {
    box: { ...box, missed: missedBy(box, requested, resources) },
    tiles: parts.map(tile => ({ ...tile, box: name })),
    unknown: nodes.length - known.length,
    fromRecord: kind === 'node' ? known.filter(({ isFromRecord }) => isFromRecord).length : 0,
  }
}

/** Only what moves is drawn one by one. */
function pooledTiles(name: string, known: readonly NodeStart[], count: number): NodeStart['tiles'] {
  const tiles = known.flatMap(start => start.tiles)
  const movers = tiles.filter(({ kind }) => kind === 'moves')
  const staying = tiles.filter(({ kind }) => kind !== 'moves')
  const { pods, amounts } = sumOf(staying, count)
  return [...restTile(name, pods === 0 ? [] : [{ pods, amounts, reasons: ['pool'] }], count), ...movers]
}

function linesOf(node: string, goals: readonly Goal[]): ReplayBox['lines'] {
  return goals
    .filter(goal => goal.nodes.includes(node) && !isMeasured(goal))
    .map(({ name: goal, resource, min, max }) => ({ goal, resource, min: min ?? null, max: max ?? null }))
}

/** Goals hold strictly within their bounds, by exact figures. */
function missedBy({ lines, allocatable }: ReplayBox, requested: Amounts, resources: readonly string[]): readonly string[] {
  return lines
    .filter(({ resource, min, max }) => {
      const at = resources.indexOf(resource)
      const [share, all] = [(requested[at] ?? 0) * 100, allocatable[at] ?? 0]
      if (at < 0 || all <= 0) return false
      return (max !== null && share >= max * all) || (min !== null && share <= min * all)
    })
    .map(({ goal }) => goal)
}

/** How each node stands to its goals before the first step: what the plan's status says of its goals is how they are to be after it. */
function beforeOf(
  { spec: { moves } }: RebalancePlan,
  boxes: readonly ReplayBox[],
  resources: readonly string[],
): readonly Sentence[] {
  const rows = boxes.flatMap(({ name: node, lines, allocatable, requested, missed }) =>
    lines.flatMap(({ goal, resource, min, max }) => {
      const at = resources.indexOf(resource)
      const percent = at < 0 ? null : exactPercent(requested[at] ?? null, allocatable[at] ?? null)
      return percent === null ? [] : [words.replayGoal({ goal, node, resource, percent, min, max, met: !missed.includes(goal) })]
    }),
  )
  return [
    words.replayBefore({ moves: moves.length, nodes: new Set(moves.map(({ from }) => from)).size }),
    ...rows.slice(0, mostGoalRows),
  ]
}

function afterwardsOf(plan: RebalancePlan, steps: readonly ReplayStep[]): readonly Sentence[] {
  const tally = goalTally(plan)
  const isOver = isEnded(plan)
  const count = (...states: readonly ReplayStep['state'][]) => steps.filter(({ state }) => states.includes(state)).length
  const refused = count('skipped', 'failed')
  const made = count('done', 'elsewhere')
  const end = !isOver ? 'open' : phaseOf(plan) === 'Succeeded' || phaseOf(plan) === 'Incomplete' ? 'done' : 'given-up'
  return [
    words.replayAfter({ moves: isOver ? steps.length : steps.length - refused, made, refused, isOver }),
    ...(tally.goals === 0 ? [] : [planGoals({ ...tally, end })]),
  ]
}
