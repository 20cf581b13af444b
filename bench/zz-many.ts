import { buildClusterState } from '#cluster/cluster-state.ts'
import { defaultSettings } from '#cluster/scheduler-settings.ts'
import { systemClock } from '#kube/clock.ts'
import { policyWithDefaults } from '#planning/goals/policy.ts'
import { planObject } from '#coordination/plans/plan-object.ts'
import { makePlan } from '#planning/plan.ts'
import { type Solve, solveInChild } from '#planning/solving/solve.ts'
import { verifyPlan } from '#planning/verifier/verify.ts'
import { crowdedCluster } from './crowded-cluster.ts'
const [nodes = 200, pods = 6000, hot = 30, perPlan = 1000] = process.argv.slice(2).map(Number)
const settings = defaultSettings('1.34')
const { objects, goals } = crowdedCluster({ nodes, pods, hot, seed: 7 })
console.log('objects made', process.resourceUsage().maxRSS / 1024)
const start = systemClock.elapsed()
const { state } = buildClusterState(objects)
console.log('state', (systemClock.elapsed() - start) / 1000, process.resourceUsage().maxRSS / 1024)
const policy = policyWithDefaults({ name: 'bench', objective: 'moves', goals, limits: { perPlan } })
let child = 0
using session = solveInChild.session()
const solve: Solve = async (model, options, signal) => {
  const t = systemClock.elapsed()
  const solution = await session.solve(model, options, signal)
  child = Math.max(child, solution.peakKilobytes)
  console.log('solve', model.columns?.length, (systemClock.elapsed() - t) / 1000, solution.stages.map(s => `${s.name}:${s.status}`).join(' '))
  return solution
}
const plan = await makePlan({ state, policy, settings, nowMs: 0 }, solve, new AbortController().signal)
console.log('plan', (systemClock.elapsed() - start) / 1000, 's', process.resourceUsage().maxRSS / 1024, 'MiB child', child / 1024, plan.outcome, plan.moves.length, plan.objective.lowerBound, plan.objective.gap, plan.method)
console.log('waves', plan.moves.at(-1)?.wave, 'closed', plan.closedNodes?.length, 'likely', plan.moves.reduce((p, m) => p * (m.certificate.landing.likely ?? 1), 1))
console.log('explanation', JSON.stringify(plan.explanation)?.slice(0, 400))
const object = planObject(plan, { name: 'x', policyUid: 'x', nowMs: 0 })
console.log('bytes', JSON.stringify(object).length, 'moves', JSON.stringify(object.spec.moves).length)
if (nodes <= 500) { const t = systemClock.elapsed(); console.log('findings', verifyPlan(plan, objects, settings).slice(0, 3), (systemClock.elapsed() - t) / 1000) }
