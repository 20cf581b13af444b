// Case 34 of rebalancing.md 7.2: random clusters, each plan replayed by the verifier, small ones held to exhaustive search.

import { afterAll, expect, test } from 'vitest'
import { buildClusterState, type ClusterState } from '#cluster/cluster-state.ts'
import { defaultSettings } from '#cluster/scheduler-settings.ts'
import { runsOf } from '#test/runs.ts'
import { type PlanPolicy, policyWithDefaults } from './goals/policy.ts'
import { makePlan } from './plan.ts'
import type { Plan } from './plan-record.ts'
import { solveInChild } from './solving/solve.ts'
import { fewestMoves } from './testdata/exhaustive.ts'
import { type RandomCluster, randomCluster } from './testdata/random-cluster.ts'
import { verifyPlan } from './verifier/verify.ts'

const runs = runsOf(100)
const firstSeed = Number(process.env['BALLAST_SEED'] ?? 1)
const settings = defaultSettings('1.34')
const never = new AbortController().signal
const session = solveInChild.session()
afterAll(() => session[Symbol.dispose]())

interface Case {
  readonly cluster: RandomCluster
  readonly state: ClusterState
  readonly policy: PlanPolicy
  readonly plan: Plan
}

async function planned(seed: number, limits: Parameters<typeof randomCluster>[1], given: Partial<PlanPolicy>): Promise<Case> {
  const cluster = randomCluster(seed, limits)
  const { state, problems } = buildClusterState(cluster.objects)
  expect(problems).toEqual([])
  const policy = policyWithDefaults({ name: 'random', objective: 'moves', goals: cluster.goals, ...given })
  const plan = await makePlan({ state, policy, settings, nowMs: 0 }, session.solve, never)
  return { cluster, state, policy, plan }
}

test(`${runs} random clusters: every certificate holds, and no plan is below its own bound`, { timeout: 600_000 }, async () => {
  const outcomes = { met: 0, 'not-met': 0, infeasible: 0 }
  let moves = 0
  for (let seed = firstSeed; seed < firstSeed + runs; seed++) {
    const landing = seed % 3 === 0 ? 'prefer' : 'hold'
    const method = seed % 5 === 0 ? 'greedy' : 'auto'
    const { cluster, plan } = await planned(seed, { nodes: [3, 6], mostPods: 30 }, { landing, method })
    expect(verifyPlan(plan, cluster.objects, settings), `seed ${seed}`).toEqual([])
    expect(plan.moves.length, `seed ${seed}: moves and bound`).toBeGreaterThanOrEqual(Math.ceil(plan.objective.lowerBound - 1e-6))
    if (plan.outcome !== 'met') expect(plan.explanation, `seed ${seed}`).toBeDefined()
    outcomes[plan.outcome]++
    moves += plan.moves.length
  }
  // A generator that makes only trivial or only hopeless clusters would prove nothing.
  if (runs >= 20) {
    expect(moves).toBeGreaterThan(runs)
    expect(outcomes.met).toBeGreaterThan(runs / 4)
  }
})

test(`${runs} clusters of up to 8 pods on 3 nodes: as few moves as exhaustive search`, { timeout: 600_000 }, async () => {
  let compared = 0
  for (let seed = firstSeed; seed < firstSeed + runs; seed++) {
    const { cluster, state, policy, plan } = await planned(seed, { nodes: [3, 3], mostPods: 8 }, { landing: 'hold' })
    const narrow = { ...policy, goals: policy.goals.map(goal => ({ ...goal, margin: 0 })) }
    const least = fewestMoves(cluster.objects, state, narrow, plan)
    // Nothing is done while the goals hold at all, so that their margins count only where one is missed.
    const fewest = least === 0 ? 0 : fewestMoves(cluster.objects, state, policy, plan)
    expect(plan.outcome === 'met', `seed ${seed}: exhaustive search needs ${fewest ?? least} moves`).toBe(least !== undefined)
    if (fewest !== undefined) expect(plan.moves.length, `seed ${seed}`).toBe(fewest)
    // Where margins cannot be had, coming close to them may take more moves than just holding the goals does.
    else if (least !== undefined) expect(plan.moves.length, `seed ${seed}`).toBeGreaterThanOrEqual(least)
    if (fewest !== undefined && fewest > 0) compared++
  }
  if (runs >= 20) expect(compared).toBeGreaterThan(runs / 10)
})
