// A plan that undoes moves: it has nothing to choose, since each pod goes to the node that it came from or stays where it is. The moves are played
// and certified as those of any plan. Goals and headroom have no say in it: what is undone was worse for the goals by intention. Pure.
import { Budgets } from './candidates/budgets.ts'
import type { Candidate } from './candidates/candidate.ts'
import { sortPods } from './candidates/movable.ts'
import { isSurge } from './candidates/move-action.ts'
import { StaticFit } from './candidates/static-fit.ts'
import { nodeShares } from './goals/goals.ts'
import { prefixOf } from './plan.ts'
import type { PlanInput } from './plan-input.ts'
import type { Plan, Unmovable } from './plan-record.ts'
import type { Intent } from './sequence/move-intent.ts'
import { type Blocked, playWhatGoes } from './sequence/sequence.ts'
import { snapshotHash } from './snapshot-hash.ts'

/** A pod, and the node that it came from. */
export interface WayBack {
  /** `namespace/name`. */
  readonly pod: string
  readonly to: string
}

/**
 * The plan that takes the pods of `ways` back, in that order and as many of them as go; the others are among its `unmovable`, each with its
 * reason. A pod that is not in `input.state` is passed over.
 */
export async function planRollBack(input: PlanInput, ways: readonly WayBack[]): Promise<Plan> {
  const { state, nowMs } = input
  const targets = new Map(ways.map(({ pod, to }) => [pod, to]))
  const ungoaled: PlanInput = { ...input, waysBack: targets, policy: { ...input.policy, goals: [], fleetGoals: [] } }
  const hash = snapshotHash(state)
  const budgets = Budgets.of(state, nowMs)
  const fit = new StaticFit(state, input.settings)
  const pods = [...targets.keys()].flatMap(key => state.pods.get(key) ?? [])
  const { candidates, unmovable } = sortPods(ungoaled, { budgets, fit }, pods)
  const sorted = candidates.map(candidate => ({ candidate, to: targets.get(candidate.pod.key) ?? '' }))
  const isOpen = ({ candidate, to }: (typeof sorted)[number]) => candidate.destinations.includes(to)
  const closed = sorted
    .filter(way => !isOpen(way))
    .map(({ candidate, to }) => stays(candidate, to, whyClosed(fit, candidate, to)))
  const intents = sorted.filter(isOpen).map((way): Intent => ({ ...way, action: actionOf(input, way.candidate) }))
  const { moves, blocked } = await playWhatGoes(ungoaled, intents, { budgets, snapshotHash: hash })
  const all = [...unmovable, ...closed, ...blocked.map(stopped)]
  const before = nodeShares(state)
  const plan: Plan = {
    policyName: input.policy.name,
    snapshotHash: hash,
    landing: input.policy.landing,
    moves,
    unmovable: all,
    objective: { moves: moves.length, cost: 0, lowerBound: 0, gap: 0 },
    before,
    after: before,
    goals: [],
    wishes: [],
    outcome: 'not-met',
    method: 'none',
    stages: [],
    lp: '',
    problems: [],
  }
  // What the moves bring, by the goals as they are.
  return prefixOf(input, plan, moves.length)
}

function actionOf({ state, policy }: PlanInput, candidate: Candidate): Intent['action'] {
  return isSurge(state, policy, candidate) ? 'surge' : 'evict'
}

function whyClosed(fit: StaticFit, { pod }: Candidate, to: string): string {
  const refusal = fit.refusals(pod).get(to)
  return refusal === undefined
    ? 'it takes no pods of this policy: it is cordoned, not ready, leaving, or out of scope'
    : refusal.reason
}

function stopped({ intent: { candidate, to }, why, detail }: Blocked): Unmovable {
  if (why === 'landing') return stays(candidate, to, detail, 'LandsElsewhere')
  return stays(candidate, to, why === 'order' ? `no room for its ${detail}` : detail)
}

function stays(
  { pod, workload, from }: Candidate,
  to: string,
  detail: string,
  code: 'NoFeasibleNode' | 'LandsElsewhere' = 'NoFeasibleNode',
): Unmovable {
  const data = code === 'NoFeasibleNode' ? { nodes: '1', reasons: detail, back: to } : { to, detail }
  return { pod: { namespace: pod.namespace, name: pod.name, uid: pod.uid }, node: from, workload, code, data, also: [] }
}
