// How long plans take, how good they are and what memory they hold: the example homelab, and 200 nodes with 6,000 pods of which 30
// nodes are hot. Run it alone: `node bench/plan.ts`.

import { readdirSync, readFileSync } from 'node:fs'
import { buildClusterState } from '#cluster/cluster-state.ts'
import { readDocuments } from '#cluster/documents.ts'
import { defaultSettings } from '#cluster/scheduler-settings.ts'
import { systemClock } from '#kube/clock.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { type Goal, policyWithDefaults } from '#planning/goals/policy.ts'
import { makePlan } from '#planning/plan.ts'
import { type Solve, solveInChild } from '#planning/solving/solve.ts'
import { verifyPlan } from '#planning/verifier/verify.ts'
import { crowdedCluster } from './crowded-cluster.ts'
import type { Figure } from './scheduler-model.ts'

const settings = defaultSettings('1.34')

interface Subject {
  readonly name: string
  readonly objects: readonly KubeObject[]
  readonly goals: readonly Goal[]
  readonly perPlan: number
  readonly mostSeconds: number
  readonly largestGap: number
}

/** The example as it is committed, with its two goals. */
function homelab(): Subject {
  const folder = new URL('../examples/talos-homelab/cluster/', import.meta.url)
  const budgets = new URL('../examples/talos-homelab/config/pod-disruption-budgets.yaml', import.meta.url)
  const files = [
    ...readdirSync(folder)
      .sort()
      .map(name => new URL(name, folder)),
    budgets,
  ]
  const objects = files.flatMap(file =>
    readDocuments(file.pathname, readFileSync(file, 'utf8')).objects.map(({ object }) => object),
  )
  const common = { resource: 'cpu', stat: 'requests', margin: 1, hard: false } as const
  const goals = [
    { ...common, name: 'cp-light', nodes: ['talos00'], max: 70 },
    { ...common, name: 'use-talos03', nodes: ['talos03'], min: 30 },
  ]
  return { name: 'homelab', objects, goals, perPlan: 30, mostSeconds: 2, largestGap: 0 }
}

function crowd(): Subject {
  return {
    name: '200 nodes, 6,000 pods',
    ...crowdedCluster({ nodes: 200, pods: 6_000, hot: 30, seed: 7 }),
    perPlan: 1_000,
    mostSeconds: 10,
    largestGap: 0.02,
  }
}

/** Plans `subject` as a command would, the solver's process started anew; the plan has to pass the verifier. */
async function measure(subject: Subject): Promise<readonly Figure[]> {
  let childKilobytes = 0
  const start = systemClock.elapsed()
  const { state } = buildClusterState(subject.objects)
  const policy = policyWithDefaults({
    name: 'bench',
    objective: 'moves',
    goals: subject.goals,
    limits: { perPlan: subject.perPlan },
  })
  using session = solveInChild.session()
  const solve: Solve = async (model, options, signal) => {
    const solution = await session.solve(model, options, signal)
    childKilobytes = Math.max(childKilobytes, solution.peakKilobytes)
    return solution
  }
  const plan = await makePlan({ state, policy, settings, nowMs: 0 }, solve, new AbortController().signal)
  const seconds = (systemClock.elapsed() - start) / 1000
  const findings = verifyPlan(plan, subject.objects, settings)
  if (plan.outcome !== 'met' || findings.length > 0)
    throw new Error(`${subject.name}: the plan is ${plan.outcome} with ${findings.length} findings`)
  const figure = (name: string, value: number, unit: string): Figure => ({
    name: `plan of ${subject.name}: ${name}`,
    value,
    unit,
  })
  return [
    { ...figure('time', seconds, `s (at most ${subject.mostSeconds})`) },
    figure('moves', plan.objective.moves, `(at least ${Math.ceil(plan.objective.lowerBound - 1e-6)})`),
    figure('gap', plan.objective.gap * 100, `% (at most ${subject.largestGap * 100})`),
    figure('peak memory of this process', process.resourceUsage().maxRSS / 1024, 'MiB'),
    figure("peak memory of the solver's process", childKilobytes / 1024, 'MiB'),
  ]
}

/** All figures, the small cluster first, so that its memory is its own. */
export async function planFigures(): Promise<readonly Figure[]> {
  return [...(await measure(homelab())), ...(await measure(crowd()))]
}

if (import.meta.main) {
  for (const { name, value, unit } of await planFigures()) process.stdout.write(`${name}: ${value.toFixed(1)} ${unit}\n`)
}
