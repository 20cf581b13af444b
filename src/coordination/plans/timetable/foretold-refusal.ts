// Whether a plan that is approved can still be carried out as a whole: played once more before its first move.
import type { ClusterState } from '#cluster/cluster-state.ts'
import type { PlanPolicy } from '#planning/goals/policy.ts'
import type { StayReason } from '#planning/plan-record.ts'
import { staySentence } from '#planning/sentences.ts'
import type { RebalancePlan, RebalancePolicy } from '../../api.ts'
import { objectionReasons } from '../../arbiter/sentences.ts'
import type { ArbiterSurroundings } from '../../arbiter/surroundings.ts'
import { tableInput } from './foretell.ts'
import { foretellContext } from './foretell-context.ts'
import { timetableOf } from './timetable.ts'

interface Given {
  readonly arbiter: { surroundings(): ArbiterSurroundings }
  readonly plans: readonly RebalancePlan[]
  readonly policy: RebalancePolicy
  readonly planPolicy: PlanPolicy
  readonly state: ClusterState
  readonly nowMs: number
}

/** Which move of `plan` the arbiter would refuse by now, and why; `undefined`: the whole of it can be carried out. */
export function foretoldRefusal({ metadata, spec }: RebalancePlan, given: Given): string | undefined {
  const { arbiter, plans, policy, planPolicy, state, nowMs } = given
  const known = foretellContext({ arbiter, plans, policy, purpose: spec.purpose })
  const isTried = spec.rollsBack === undefined
  const context = { ...known, ...(isTried ? {} : { canary: undefined }), plan: metadata.name, batch: spec.batch ?? metadata.name }
  const refused = timetableOf(tableInput({ state, policy: planPolicy, nowMs }, context, spec)).entries.find(
    entry => entry.kind === 'refused' && !isOfCluster(entry.reason),
  )
  if (refused?.kind !== 'refused') return undefined
  return `not begun, since not all of it can be carried out: ${refused.id}: ${staySentence(refused.reason)}`
}

/** What the certificates are about: the move's own check says it better. */
function isOfCluster({ data }: StayReason): boolean {
  return data['reason'] === objectionReasons.stale
}
