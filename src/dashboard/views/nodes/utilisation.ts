// How full nodes were: of thousands the chosen ones or the worst, with the pods that left them and came to them.
import type { RebalancePlan } from '#coordination/api.ts'
import { moveKey } from '#coordination/plans/move-run.ts'
import { nearestName } from '#kube/values/nearest-name.ts'
import type {
  NodeRow,
  Sentence,
  Utilisation,
  UtilisationLine,
  UtilisationMark,
  UtilisationNode,
  UtilisationRange,
  UtilisationSpan,
} from '../../contract.ts'
import type { Picture } from '../../picture.ts'
import { type Series, utilisationSpans } from '../../source/utilisation-history.ts'
import { sharesOf } from '../../source/utilisation-keeper.ts'
import * as words from '../../words/en-rebalancing.ts'
import { rfc3339 } from '../../words/time.ts'
import { evictionsOf } from '../plans/evictions.ts'
import { missedGoals } from '../plans/goals.ts'
import { permitsByKey } from '../plans/plan-against.ts'
import { newestFirst } from '../plans/plan-at-hand.ts'
import { type PolicyGoal, policyGoals } from '../plans/policy-goals.ts'
import type { Sees } from '../viewing.ts'
import { nodeRows } from './nodes.ts'

/** Nodes that are drawn at once, chosen or not. */
export const mostDrawn = 12
/** Most marks for pods that left a node or came to it. */
const mostMarks = 40
/** Plans whose moves are marked, the newest of them. */
const mostPlans = 50

export interface UtilisationQuery {
  readonly span: UtilisationSpan
  /** Names; empty: those that matter most. */
  readonly nodes: readonly string[]
  /** Its nodes come before those that are only full. */
  readonly plan: RebalancePlan | undefined
}

export function utilisationOf(picture: Picture, { span, nodes, plan }: UtilisationQuery, sees: Sees): Utilisation {
  const { nowMs, utilisation } = picture
  const { stepMs, steps } = utilisationSpans[span]
  const fromMs = Math.max(0, Math.floor(nowMs / stepMs) - steps + 1) * stepMs
  const rows = nodeRows(picture)
  const shown = nodes.length > 0 ? chosen(rows, nodes) : worst(picture, rows, plan)
  const marks = marksOf(picture, fromMs, sees)
  const goals = policyGoals(picture)
  const since = utilisation?.sinceMs
  return {
    span,
    from: rfc3339(fromMs),
    stepMs,
    steps: Math.floor(nowMs / stepMs) - fromMs / stepMs + 1,
    since: since === undefined ? null : rfc3339(since),
    nodes: shown.nodes.map(({ row, because }): UtilisationNode => {
      const series = utilisation?.series(row.name, span, nowMs)
      const own = marks.get(row.name) ?? noMarks
      return {
        node: row.name,
        because,
        cpu: lineOf(row, 'cpu', series, goals, picture.past === undefined),
        memory: lineOf(row, 'memory', series, goals, picture.past === undefined),
        marks: own.slice(-mostMarks),
        left: own.filter(({ way }) => way === 'left').length,
        came: own.filter(({ way }) => way === 'came').length,
      }
    }),
    nodeCount: rows.length,
    sentences: [...shown.sentences, since === undefined ? words.nobodyNotes() : words.notedSince({ time: rfc3339(since) })],
  }
}

interface Shown {
  readonly nodes: readonly { readonly row: NodeRow; readonly because: Sentence }[]
  readonly sentences: readonly Sentence[]
}

/** In the order in which they were asked for. */
function chosen(rows: readonly NodeRow[], names: readonly string[]): Shown {
  const byName = new Map(rows.map(row => [row.name, row]))
  const wanted = [...new Set(names)]
  const missing = wanted.filter(name => !byName.has(name))
  const [first] = missing
  const found = wanted.flatMap(name => byName.get(name) ?? [])
  return {
    nodes: found.slice(0, mostDrawn).map(row => ({ row, because: words.chosenNode() })),
    sentences: [
      ...(first === undefined
        ? []
        : [words.noSuchNodes({ names: missing, meant: first.length > 253 ? undefined : nearestName(first, byName.keys()) })]),
      ...(found.length > mostDrawn ? [words.chosenTooMany({ most: mostDrawn })] : []),
    ],
  }
}

/** Those that miss a goal, those that the plan speaks of, then the fullest; where all find room, all of them by name. */
function worst(picture: Picture, rows: readonly NodeRow[], plan: RebalancePlan | undefined): Shown {
  const missed = missedGoals(picture)
  const planned = new Set((plan?.spec.moves ?? []).flatMap(({ from, to }) => [from, to]))
  const isAll = rows.length <= mostDrawn
  const rank = (row: NodeRow) => (missed.has(row.name) ? 2 : planned.has(row.name) ? 1 : 0)
  const becauseOf = ({ name }: NodeRow): Sentence => {
    const goal = missed.get(name)?.goal
    if (goal !== undefined) return words.missesGoal({ goal })
    if (plan !== undefined && planned.has(name)) return words.nodeOfPlan({ plan: plan.metadata.name })
    return isAll ? words.oneOfAll() : words.fullNode()
  }
  const order = isAll
    ? rows
    : rows.toSorted(
        (a, b) =>
          rank(b) - rank(a) ||
          (missed.get(b.name)?.beyond ?? 0) - (missed.get(a.name)?.beyond ?? 0) ||
          fullness(b) - fullness(a) ||
          (a.name < b.name ? -1 : 1),
      )
  const nodes = order.slice(0, mostDrawn).map(row => ({ row, because: becauseOf(row) }))
  return { nodes, sentences: isAll ? [] : [words.worstShown({ shown: nodes.length, nodes: rows.length })] }
}

function fullness({ cpu, memory }: NodeRow): number {
  const of = ({ requested, allocatable }: NodeRow['cpu']) => (allocatable > 0 ? (requested ?? 0) / allocatable : 0)
  return Math.max(of(cpu), of(memory))
}

/** `isNow`: the last figure is that of the node's row, as on every other page; what was noted last may be ten seconds old. */
function lineOf(
  row: NodeRow,
  resource: 'cpu' | 'memory',
  series: Series | undefined,
  goals: readonly PolicyGoal[],
  isNow: boolean,
): UtilisationLine {
  const requested = series?.[`${resource}Requested`] ?? []
  const used = series?.[`${resource}Used`] ?? []
  const now = isNow ? sharesOf(row, { requested: true, used: true }) : undefined
  return {
    requested,
    used,
    requestedRange: rangeOf(requested, now?.[`${resource}Requested`]),
    usedRange: rangeOf(used, now?.[`${resource}Used`]),
    goals: goals
      .filter(goal => goal.resource === resource && goal.nodes.includes(row.name))
      .map(({ shownName, stat, min, max }) => ({ name: shownName, stat, min: min ?? null, max: max ?? null })),
  }
}

/** `now` takes the place of what was noted last, where that is still known. */
function rangeOf(values: readonly (number | null)[], now: number | null | undefined): UtilisationRange | null {
  const isKnown = now !== undefined && now !== null && typeof values.at(-1) === 'number'
  const known = (isKnown ? values.with(-1, now) : values).filter(value => value !== null)
  const [first] = known
  const last = known.at(-1)
  if (first === undefined || last === undefined) return null
  return { first, least: Math.min(...known), most: Math.max(...known), last }
}

const noMarks: readonly UtilisationMark[] = []

/** By node, oldest first: moves of plans whose permits are kept, and evictions of the descheduler. */
function marksOf(
  picture: Picture,
  fromMs: number,
  { viewing, plans, permits: seesPermits }: Sees,
): ReadonlyMap<string, readonly UtilisationMark[]> {
  const marks = new Map<string, { readonly atMs: number; readonly mark: UtilisationMark }[]>()
  const put = (node: string, atMs: number, mark: Omit<UtilisationMark, 'at'>) => {
    const list = marks.get(node) ?? []
    list.push({ atMs, mark: { at: rfc3339(atMs), ...mark } })
    marks.set(node, list)
  }
  if (!seesPermits) return new Map()
  const permits = permitsByKey(picture)
  for (const plan of plans ? newestFirst(picture).slice(0, mostPlans) : []) {
    const landed = new Map((plan.status?.steps ?? []).map(step => [step.id, step.landedOn]))
    for (const move of plan.spec.moves) {
      const landedOn = landed.get(move.id)
      const atMs = permits.get(moveKey(plan, move))?.record.releasedAtMs
      if (landedOn === undefined || atMs === undefined || atMs < fromMs || atMs > picture.nowMs) continue
      const { namespace, name } = move.pod
      const pod = viewing.sees(namespace) ? { kind: 'Pod', namespace, name } : null
      const of = { pod, plan: plan.metadata.name }
      if (landedOn === move.from) continue
      put(move.from, atMs, { ...of, way: 'left', other: landedOn })
      put(landedOn, atMs, { ...of, way: 'came', other: move.from })
    }
  }
  for (const { atMs, pod, node, result } of evictionsOf(picture)) {
    if (node === undefined || result !== 'evicted' || atMs < fromMs || atMs > picture.nowMs) continue
    const named = viewing.sees(pod.namespace) ? { kind: 'Pod', namespace: pod.namespace, name: pod.name } : null
    put(node, atMs, { way: 'left', pod: named, other: null, plan: null })
  }
  return new Map(
    Array.from(marks, ([node, list]) => [node, list.toSorted((a, b) => a.atMs - b.atMs).map(({ mark }) => mark)] as const),
  )
}
