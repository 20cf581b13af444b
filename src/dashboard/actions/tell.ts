// What is told of an action by an Event on the object, in the name of whoever asked.
import type { EmittedEvent } from '#kube/event-object.ts'
import type { ObjectReference } from '#kube/objects.ts'
import type { ActionBody, ActionName } from '../contract.ts'

const reasons: Partial<Readonly<Record<ActionName, readonly [reason: string, action: string]>>> = {
  approve: ['PlanApproved', 'Approve'],
  step: ['PlanApproved', 'ApproveOneMove'],
  withdraw: ['PlanWithdrawn', 'Withdraw'],
  pause: ['PlanPaused', 'Pause'],
  resume: ['Thawed', 'Resume'],
  freeze: ['Frozen', 'Freeze'],
  thaw: ['Thawed', 'Thaw'],
}

/** The Event of `action`; `undefined` where none is written. */
export function eventOf(
  action: ActionName,
  { reason = '' }: Pick<ActionBody, 'reason'>,
  { viewer, regarding }: { readonly viewer: string; readonly regarding: ObjectReference },
): EmittedEvent | undefined {
  const words = reasons[action]
  if (words === undefined) return undefined
  return {
    type: 'Normal',
    reason: words[0],
    action: words[1],
    regarding,
    note: `by ${viewer}${reason.trim() === '' ? '' : `: ${reason.trim()}`}`,
    controller: 'ballast.dev/dashboard',
  }
}
