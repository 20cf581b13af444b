// Whether what was expected holds: bounds strictly, on exact fractions, as goals are judged.

import type { ClusterState } from '#cluster/cluster-state.ts'
import { leastAbove, mostBelow, requestedOn } from '../goals/bounds.ts'
import type { DeschedulerSummary, ExpectationOutcome, PlanSummary, SimulationGoal } from './report.ts'
import type { Expectation, ScenarioGoal } from './scenario.ts'

/** What there is to be judged. */
export interface Judged {
  readonly state: ClusterState
  readonly pending: number
  readonly refusals: number
  readonly lost: number
  readonly plan: PlanSummary | undefined
  readonly descheduler: DeschedulerSummary | undefined
  readonly watts: number | undefined
  /** UID of the one workload of a name; `undefined` where there is none. */
  readonly workloadUid: (key: string) => string | undefined
}

export function judge(expected: Expectation, judged: Judged, where: string): ExpectationOutcome {
  const { found, holds } = outcomeOf(expected, judged)
  return { where, expected, found, holds }
}

function outcomeOf(expected: Expectation, judged: Judged): { readonly found: string; readonly holds: boolean } {
  if ('pending' in expected) return counted('pending', judged.pending, expected.pending)
  if ('refusals' in expected) return counted('refused', judged.refusals, expected.refusals)
  if ('lost' in expected) return counted('lost', judged.lost, expected.lost)
  if ('moves' in expected)
    return judged.plan === undefined ? { found: 'no plan', holds: false } : counted('moved', judged.plan.moves, expected.moves)
  if ('evicted' in expected || 'evictedAgain' in expected || 'settled' in expected)
    return descheduled(expected, judged.descheduler)
  if ('watts' in expected) {
    const { watts } = judged
    if (watts === undefined) return { found: 'no node whose watts are known', holds: false }
    const { above, below } = expected.watts
    return { found: `${watts} W`, holds: (above === undefined || watts > above) && (below === undefined || watts < below) }
  }
  if ('workload' in expected) return placed(expected, judged)
  return filled(expected, judged)
}

function counted(what: string, found: number, wanted: number): { readonly found: string; readonly holds: boolean } {
  return { found: `${found} ${what}`, holds: found === wanted }
}

function descheduled(
  expected: Extract<
    Expectation,
    { readonly evicted: number } | { readonly evictedAgain: number } | { readonly settled: boolean }
  >,
  summary: DeschedulerSummary | undefined,
): { readonly found: string; readonly holds: boolean } {
  if (summary === undefined) return { found: 'no descheduler', holds: false }
  if ('evicted' in expected) return counted('evicted', summary.evicted, expected.evicted)
  if ('evictedAgain' in expected) return counted('evicted again', summary.evictedAgain, expected.evictedAgain)
  const last = summary.cycles.at(-1)
  return {
    found: `${last?.evicted.length ?? 0} evicted in cycle ${last?.cycle ?? 0}`,
    holds: summary.settled === expected.settled,
  }
}

function placed(
  { workload, nodes }: Extract<Expectation, { readonly workload: string }>,
  { state, workloadUid }: Judged,
): { readonly found: string; readonly holds: boolean } {
  const uid = workloadUid(workload)
  if (uid === undefined) return { found: 'no such workload', holds: false }
  const pods = state.podsOf(uid).filter(pod => !pod.isFinished)
  const places = [...new Set(pods.map(({ nodeName }) => nodeName ?? 'no node'))].sort()
  return {
    found: places.length === 0 ? 'no pods' : `on ${places.join(', ')}`,
    holds: pods.length > 0 && places.every(place => nodes.includes(place)),
  }
}

function filled(
  { node, resource, above, below }: Extract<Expectation, { readonly resource: string }>,
  { state }: Judged,
): { readonly found: string; readonly holds: boolean } {
  const names = typeof node === 'string' ? [node] : node
  const shares = names.map(name => {
    const allocatable = state.nodes.get(name)?.allocatable[resource]
    if (allocatable === undefined) return { text: `${name} has no ${resource}`, holds: false }
    const used = requestedOn(state, name)[resource] ?? 0
    const holds =
      (below === undefined || used <= mostBelow(below, allocatable)) &&
      (above === undefined || used >= leastAbove(above, allocatable))
    return { text: `${name} ${percentText(used, allocatable)}`, holds }
  })
  return { found: shares.map(({ text }) => text).join(', '), holds: shares.every(({ holds }) => holds) }
}

function percentText(used: number, allocatable: number): string {
  return `${(allocatable === 0 ? 0 : (100 * used) / allocatable).toFixed(1)} %`
}

/** Each goal on each of its nodes, before and after. */
export function judgeGoals(goals: readonly ScenarioGoal[], before: ClusterState, after: ClusterState): readonly SimulationGoal[] {
  return goals.flatMap(goal =>
    goal.nodes.flatMap(node =>
      (['max', 'min'] as const).flatMap((bound): SimulationGoal[] => {
        const wanted = goal[bound]
        if (wanted === undefined) return []
        const share = (state: ClusterState) => {
          const allocatable = state.nodes.get(node)?.allocatable[goal.resource] ?? 0
          const used = requestedOn(state, node)[goal.resource] ?? 0
          return { used, allocatable, percent: allocatable === 0 ? 0 : Math.round((10_000 * used) / allocatable) / 100 }
        }
        const now = share(after)
        const isThere = after.nodes.has(node)
        const holds =
          isThere &&
          (bound === 'max' ? now.used <= mostBelow(wanted, now.allocatable) : now.used >= leastAbove(wanted, now.allocatable))
        return [
          {
            goal: goal.name,
            node,
            resource: goal.resource,
            bound,
            wanted,
            before: share(before).percent,
            after: now.percent,
            holds,
          },
        ]
      }),
    ),
  )
}
