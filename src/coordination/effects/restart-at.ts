// The restart of an Argo Rollout without a change of its template: its controller replaces the pods that are older than the time.
import type { KubeObject } from '#kube/objects/objects.ts'
import type { Target } from '../intent.ts'
import type { Permission } from '../needs.ts'
import type { Permit } from '../permits/permit.ts'
import type { PermitRecord } from '../permits/permit-record.ts'
import { type EffectContext, effectOptions, permittedGuard } from './effect-context.ts'
import { type NotDone, notDoneBy } from './foreseen.ts'
import { resourceOfRollout, restartMark } from './restart.ts'

/** The right this effect takes. */
export const restartAtPermission: Permission = {
  groups: ['argoproj.io'],
  resources: ['rollouts'],
  verbs: ['patch'],
  because: 'restarts the pods of an Argo Rollout',
}

type RestartAtOutcome = { readonly kind: 'restarted' } | NotDone

/** What `spec.restartAt` says: the permit's own time, in whole seconds as its controller writes times. */
export function restartAtOf(record: Pick<PermitRecord, 'grant'>): string {
  return restartMark(record).replace(/\.\d+Z$/, 'Z')
}

/**
 * Sets `spec.restartAt` of `rollout`, with its UID as precondition. Safe to call twice: the second patch says the same.
 * @throws Error for an uncovered or expired permit, a lost Lease, and what the server did not foresee.
 */
export async function restartAt(
  context: EffectContext,
  permit: Permit,
  rollout: Target,
  signal: AbortSignal,
): Promise<RestartAtOutcome> {
  const guard = permittedGuard(context, permit, rollout)
  const { record } = permit
  const body = {
    ...(rollout.uid === undefined ? {} : { metadata: { uid: rollout.uid } }),
    spec: { restartAt: restartAtOf(record) },
  }
  try {
    const rollouts = context.api.resource<KubeObject>(resourceOfRollout(rollout))
    await rollouts.patch(rollout.name, { type: 'merge', body }, effectOptions(record, rollout.namespace, { guard, signal }))
    return { kind: 'restarted' }
  } catch (error) {
    return notDoneBy(error)
  }
}
