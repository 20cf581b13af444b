// The policy of a cluster that has none: the goals that were asked for on the command line, else those that stand out in it.

import { ballastApiVersion, type RebalancePolicy } from '#coordination/api.ts'
import { readPolicy } from '#coordination/plans/plan-policy.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { InputError, type Problem } from '#kube/problem.ts'
import { measurementsOf } from '#planning/goals/measurements.ts'
import { type Proposal, proposeGoals } from '#planning/proposals/proposals.ts'
import type { LoadedCluster } from '../source/cluster-source.ts'
import { readGoal } from './goal-text.ts'

interface Proposed {
  readonly policy: RebalancePolicy
  /** The same as a file has it. */
  readonly object: KubeObject
  /** What it is for; empty where the goals were asked for. */
  readonly findings: readonly Proposal[]
}

/** The name of a policy that is on paper only. */
const policyName = 'proposed'

/** `goals`: texts of `--goal`. `undefined`: nothing stands out. @throws InputError with every goal that cannot be read */
export function proposedPolicy(cluster: Pick<LoadedCluster, 'state' | 'objects'>, goals: readonly string[]): Proposed | Nothing {
  if (goals.length > 0) return policyWith(readGoals(cluster, goals), [])
  const findings = proposeGoals(cluster.state, measurementsOf(cluster.objects))
  const proposed = findings.flatMap(({ goal }) => goal ?? [])
  return proposed.length === 0 ? { findings } : policyWith(proposed, findings)
}

/** No goal is worth proposing; `findings` that no move mends. */
interface Nothing {
  readonly policy?: undefined
  readonly findings: readonly Proposal[]
}

function readGoals({ state }: Pick<LoadedCluster, 'state'>, texts: readonly string[]): readonly object[] {
  const problems: Problem[] = []
  const goals = texts.flatMap((text, at) => {
    const read = readGoal(text, at + 1, state)
    if (read.ok) return [read.value]
    problems.push(read.problem)
    return []
  })
  if (problems.length > 0) throw new InputError(problems)
  return goals
}

function policyWith(goals: readonly object[], findings: readonly Proposal[]): Proposed {
  const object = {
    apiVersion: ballastApiVersion,
    kind: 'RebalancePolicy',
    metadata: { name: policyName },
    spec: { trigger: 'manual', mode: 'Report', goals },
  }
  const read = readPolicy(object)
  if (!read.ok) throw new InputError(read.problems)
  return { policy: read.policy, object, findings }
}
