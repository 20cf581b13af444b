// What a controller knows that a plan is foretold by: its arbiter, the plans that are kept, the windows.
import type { RebalancePlan, RebalancePolicy } from '../../api.ts'
import type { ArbiterSurroundings } from '../../arbiter/surroundings.ts'
import type { PlanPurpose } from '../../intent.ts'
import { askingOf } from '../names.ts'
import { expectedSeconds } from './expected-seconds.ts'
import type { ForetellContext } from './foretell.ts'
import { opensMs } from './openings.ts'

interface Known {
  readonly arbiter: { surroundings(): ArbiterSurroundings }
  readonly plans: readonly RebalancePlan[]
  readonly policy: RebalancePolicy
  readonly purpose: PlanPurpose
}

export function foretellContext({ arbiter, plans, policy, purpose }: Known): Omit<ForetellContext, 'plan' | 'batch'> {
  const around = arbiter.surroundings()
  const asking = askingOf({ spec: { purpose } })
  return {
    around,
    asking,
    opensMs: ms => opensMs({ policy, arbiter: around.policy, asking }, ms),
    seconds: expectedSeconds(plans, policy.metadata.name),
    canary: purpose === 'move' ? policy.spec.auto?.canary : undefined,
  }
}
