// Whether landings can be held at the gate just now, and what a landing without the gate means. Pure: the tables beside it are the rules.
import type { Pod } from '#kube/objects/objects.ts'
import { acceptance } from '#planning/sequence/acceptance.ts'
import type { PlanMove, RebalancePlan } from '../../api.ts'
import type { Landing } from '../../permits/permit-record.ts'
import { eventReasons } from '../names.ts'

/** What came of asking the API server whether a pod made now would be gated. */
export type GateAnswer = { readonly kind: 'gated' } | { readonly kind: 'ungated'; readonly why: string }

/** `held`: go on; `wait`: ask again after so many milliseconds; `prefer`: steer by the taint of `prefer` until the gate is back. */
type HoldDecision =
  | { readonly kind: 'held' }
  | { readonly kind: 'wait'; readonly ms: number }
  | { readonly kind: 'prefer'; readonly why: string }

export const holdLimits = {
  /** How long an answer holds: shorter than an eviction takes to make a replacement. */
  freshMs: 2_000,
  /** Between two questions while nobody answers. */
  askAgainMs: 1_000,
  /** How long a wave waits for its webhook: a Service finds another replica, a process is started anew. */
  patienceMs: 20_000,
  /** After so many landings without the gate its batch goes on under `prefer`: who answers us does not answer for pods. */
  mostUnheld: 3,
} as const

/** What to do about `answer`, when nobody has answered for `silentMs` so far. Patience that was in vain once is not had again. */
export function holdDecision(answer: GateAnswer, so: { readonly silentMs: number; readonly wasInVain: boolean }): HoldDecision {
  if (answer.kind === 'gated') return { kind: 'held' }
  const isPatient = !so.wasInVain && so.silentMs < holdLimits.patienceMs
  return isPatient ? { kind: 'wait', ms: holdLimits.askAgainMs } : { kind: 'prefer', why: answer.why }
}

/**
 * What a replacement that stands on `pod.spec.nodeName` says about its move. `unheld`: it landed elsewhere because it was never bound to
 * the node of the plan, whoever failed to gate it; the model said nothing about that landing and was not wrong.
 */
export function landingOf(
  pod: Pod,
  move: PlanMove,
  plan: { readonly spec: Pick<RebalancePlan['spec'], 'closedNodes'> & { readonly landing: string } },
): Exclude<Landing, 'pending'> {
  const node = pod.spec.nodeName ?? ''
  if (acceptance(plan.spec, move)(node)) return 'expected'
  if (plan.spec.landing === 'hold' && !isBound(pod, move.to)) return 'unheld'
  return node === move.from ? 'back' : 'other'
}

/** Whether the gate was opened towards `node`: every required term names it. */
function isBound(pod: Pod, node: string): boolean {
  const terms = pod.spec.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution?.nodeSelectorTerms ?? []
  const names = (term: (typeof terms)[number]) =>
    (term.matchFields ?? []).some(field => field.key === 'metadata.name' && (field.values ?? []).includes(node))
  return terms.length > 0 && terms.every(names)
}

/** How often a replacement of the batch was born without its gate and landed elsewhere, over all plans of it. */
export function unheldLandings(plans: readonly RebalancePlan[], batch: string): number {
  return plans
    .filter(plan => (plan.spec.batch ?? plan.metadata.name) === batch)
    .flatMap(plan => plan.status?.steps ?? [])
    .filter(isUnheld).length
}

/** Whether a recorded step landed elsewhere for want of its gate. */
export function isUnheld(step: { readonly state: string; readonly reason?: string }): boolean {
  return step.state === 'Mismatch' && step.reason === eventReasons.unheld
}
