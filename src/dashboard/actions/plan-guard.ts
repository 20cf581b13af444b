// Whether a plan may be approved, stepped, withdrawn or paused as it is now, by somebody who saw it as the body says. Pure.
import type { RebalancePlan, RebalancePolicy } from '#coordination/api.ts'
import { approvedByAnnotation, runUntilAnnotation } from '#coordination/plans/names.ts'
import { isApproved, isFinal, isOver, nextMove, stepOf } from '#coordination/plans/plan-progress.ts'
import type { ActionBody } from '../contract.ts'
import { type ActionRefusal, refusal } from './refusal.ts'

type GuardedAction = 'approve' | 'step' | 'withdraw' | 'pause' | 'resume'

interface Seen {
  /** Revision of the picture that the body is compared with: `<epoch>.<sequence>`. */
  readonly revision: string
  readonly policy: RebalancePolicy | undefined
}

/** The body with the plan's resourceVersion and move, if `action` may be tried; else why not. The API server has the last word. */
export function guarded(
  action: GuardedAction,
  body: ActionBody,
  plan: RebalancePlan,
  seen: Seen,
): { readonly ok: true; readonly body: ActionBody } | { readonly ok: false; readonly refusal: ActionRefusal } {
  const why = isOver(plan) ? overRefusal(plan, seen) : refusalOf(action, body, plan, seen)
  if (why !== undefined) return { ok: false, refusal: why }
  // Freezes are for whatever the plan has become meanwhile.
  if (action === 'pause' || action === 'resume') return { ok: true, body }
  const { resourceVersion } = plan.metadata
  const move = action === 'step' ? (body.move ?? nextMove(plan)?.id) : undefined
  return {
    ok: true,
    body: {
      ...body,
      ...(resourceVersion === undefined ? {} : { resourceVersion }),
      ...(move === undefined ? {} : { move }),
    },
  }
}

function overRefusal(plan: RebalancePlan, { revision }: Seen): ActionRefusal {
  const { name } = plan.metadata
  const by = plan.status?.conditions?.find(({ type, status }) => type === 'Superseded' && status === 'True')?.message
  if (by !== undefined)
    return refusal('plan-changed', {
      status: 409,
      message: `Plan ${name} was replaced ${by}.`,
      remedy: 'look at the new plan',
      revision,
    })
  return plan.status?.phase === 'Expired'
    ? refusal('plan-expired', {
        status: 409,
        message: `Plan ${name} has expired${plan.status.message === undefined ? '' : `: ${plan.status.message}`}.`,
        remedy: 'ask for a new plan',
        revision,
      })
    : refusal('plan-over', {
        status: 409,
        message: `Plan ${name} is over: ${plan.status?.phase}.`,
        remedy: 'ask for a new plan',
        revision,
      })
}

function refusalOf(action: GuardedAction, body: ActionBody, plan: RebalancePlan, seen: Seen): ActionRefusal | undefined {
  if (action === 'pause' || action === 'resume') return undefined
  const changed = (message: string) =>
    refusal('plan-changed', { status: 409, message, remedy: 'look at the plan as it is now', revision: seen.revision })
  const { name, annotations, resourceVersion } = plan.metadata
  if (!isAsSeen(body, resourceVersion, seen.revision)) return changed(`Plan ${name} has changed since you saw it.`)
  if (action === 'withdraw') {
    if (plan.status?.phase === 'Running')
      return refusal('plan-running', {
        status: 409,
        message: `Plan ${name} is running: what is under way is not called back.`,
        remedy: 'pause it first',
        revision: seen.revision,
      })
    return plan.spec.approved ? undefined : changed(`Plan ${name} is not approved.`)
  }
  if (body.snapshotHash !== plan.spec.snapshotHash) return changed(`Plan ${name} is another than the one you saw.`)
  if (seen.policy?.spec.mode === 'Report')
    return refusal('policy-reports', {
      status: 409,
      message: `Policy ${plan.spec.policyRef.name} only reports: none of its plans is carried out.`,
      remedy: 'set spec.mode of the policy to Approve',
      revision: seen.revision,
    })
  if (action === 'step') {
    const isKnown = body.move === undefined ? nextMove(plan) !== undefined : plan.spec.moves.some(({ id }) => id === body.move)
    const isOpen = body.move === undefined || !isFinal(stepOf(plan, body.move))
    return isKnown && isOpen ? undefined : changed(`Plan ${name} has no such move left.`)
  }
  const isHeld = annotations?.[runUntilAnnotation] !== undefined
  const by = annotations?.[approvedByAnnotation]
  return isApproved(plan) && !isHeld
    ? changed(`Plan ${name} is approved already${by === undefined ? '' : `, by ${by}`}.`)
    : undefined
}

/** A viewer that names no resourceVersion has seen what their revision shows: the same as now, or they look again. */
function isAsSeen(body: ActionBody, resourceVersion: string | undefined, revision: string): boolean {
  return body.resourceVersion === undefined ? body.revision === revision : body.resourceVersion === resourceVersion
}
