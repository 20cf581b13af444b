// The rollout of one workload by its template's restart annotation: the only writer of pod templates.

import type { KubeObject } from '#kube/objects.ts'
import { builtIn, type GroupVersionResource } from '#kube/resource.ts'
import { isConflict, isInvalid, isNotFound } from '#kube/status.ts'
import type { Permission } from '../capability.ts'
import type { Target } from '../intent.ts'
import type { Permit } from '../ledger.ts'
import { assertPermitted, type EffectContext, effectOptions } from './effect-context.ts'

/** The right this effect takes. */
export const restartPermission: Permission = {
  groups: ['apps'],
  resources: ['deployments', 'statefulsets', 'daemonsets'],
  verbs: ['patch'],
  because: 'starts a rollout',
}

/** What `kubectl rollout restart` writes too. */
export const restartedAtAnnotation = 'kubectl.kubernetes.io/restartedAt'

type RestartOutcome =
  | { readonly kind: 'restarted'; readonly generation: number }
  | { readonly kind: 'gone' }
  /** Another object has the name, or a policy forbids the change. */
  | { readonly kind: 'refused'; readonly message: string }

const resourceOfKind: Readonly<Record<string, GroupVersionResource>> = {
  Deployment: builtIn.deployments,
  StatefulSet: builtIn.statefulsets,
  DaemonSet: builtIn.daemonsets,
}

/** What the template of a restarted workload says: the permit's own time, so that a second call changes nothing. */
function restartMark(permit: Permit): string {
  return new Date(permit.record.grant.atMs).toISOString()
}

/**
 * Starts a rollout of `workload` (Deployment, StatefulSet, DaemonSet), with its UID as precondition. Safe to call twice.
 * @throws Error for another kind, an uncovered or expired permit, a lost Lease, and what the server did not foresee.
 */
export async function restart(
  context: EffectContext,
  permit: Permit,
  workload: Target,
  signal: AbortSignal,
): Promise<RestartOutcome> {
  assertPermitted(context, permit, workload)
  const resource = resourceOfKind[workload.kind]
  if (resource === undefined)
    throw new Error(`restart ${workload.kind}: only a Deployment, StatefulSet or DaemonSet has rollouts`)
  const body = {
    ...(workload.uid === undefined ? {} : { metadata: { uid: workload.uid } }),
    spec: { template: { metadata: { annotations: { [restartedAtAnnotation]: restartMark(permit) } } } },
  }
  try {
    const options = effectOptions(permit.record.requester, workload.namespace, signal)
    const stored = await context.api.resource<KubeObject>(resource).patch(workload.name, { type: 'merge', body }, options)
    return { kind: 'restarted', generation: stored.metadata.generation ?? 0 }
  } catch (error) {
    if (isNotFound(error)) return { kind: 'gone' }
    if (isConflict(error) || isInvalid(error)) return { kind: 'refused', message: error.message }
    throw error
  }
}
