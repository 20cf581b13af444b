// The step `isolate` of a scenario: the policy that it is about, as the command has it.
import type { ScenarioSteps } from '#cli/simulate/simulate-outside.ts'
import { isolationPolicyFor } from './isolate-policy.ts'

export const isolateStep: ScenarioSteps = {
  isolate: ({ node, policy, keda, exceptions }, cluster) => {
    const wishes = { ...(keda === undefined ? {} : { keda }), ...(exceptions === undefined ? {} : { exceptions }) }
    return { policy: isolationPolicyFor(cluster, { node, policy, wishes }).policy, purpose: 'isolate' }
  },
}
