// All gates, in the order in which they are named. Which classes they hold is the policy's rule.
import type { Intent } from '../intent.ts'
import type { RedGate } from '../policy/question.ts'
import { apiSlow } from './api-slow.ts'
import { foreignDrain } from './foreign-drain.ts'
import type { GateContext } from './gate-context.ts'
import { kubeletVersions, nodeNotReady } from './node-health.ts'
import { pendingPods } from './pending-pods.ts'
import { usageStale } from './usage-stale.ts'

/** The gates that are red as far as they concern `intent`, each with what is wrong. */
export function redGatesFor(intent: Intent, context: GateContext): readonly RedGate[] {
  const asked = [
    pendingPods(intent, context),
    nodeNotReady(context),
    kubeletVersions(context),
    foreignDrain(context),
    apiSlow(context),
    usageStale(intent, context),
  ]
  return asked.flatMap(gate => gate ?? [])
}
