// Makes the plan of a cluster whose best plan is known, and says where the two differ.

import { buildClusterState } from '#cluster/cluster-state.ts'
import { defaultSettings } from '#cluster/scheduler-settings.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { makePlan } from '../plan.ts'
import type { Plan } from '../plan-record.ts'
import type { SolveOnce } from '../solving/solve.ts'
import { verifyPlan } from '../verifier/verify.ts'
import { disagreements, dumpHash, type KnownOptimum } from './optima.ts'
import { optimumCluster } from './optimum-clusters.ts'

const settings = defaultSettings('1.34')

/** What was moved before is dearer, which the other model does not know. */
const wasMoved = ({ metadata }: KubeObject) => metadata.annotations?.['ballast.dev/last-move'] !== undefined

interface Checked {
  readonly plan: Plan
  readonly differences: readonly string[]
}

export async function checkOptimum(known: KnownOptimum, solve: SolveOnce): Promise<Checked> {
  const cluster = optimumCluster(known.family, known.seed)
  const { state, problems } = buildClusterState(cluster.objects)
  const { policy, nowMs, quarantined } = cluster
  const plan = await makePlan({ state, policy, settings, nowMs, quarantined }, solve, new AbortController().signal)
  const differences = [
    ...(dumpHash(cluster) === known.hash ? [] : ['the seed makes another cluster than the one that was asked about']),
    ...problems.map(({ code }) => `problem ${code}`),
    ...verifyPlan(plan, cluster.objects, settings).map(({ code, field }) => `verifier: ${code} ${field}`),
    ...disagreements(plan, policy, { ...known, hasPast: policy.objective === 'cost' && cluster.objects.some(wasMoved) }),
  ]
  return { plan, differences: differences.map(each => `${known.family} ${known.seed}: ${each}`) }
}
