// How many replicas a workload has: the only writer of `spec.replicas`, up and down to zero, through the scale sub-resource.

import type { KubeObject } from '#kube/objects/objects.ts'
import { builtIn, type GroupVersionResource } from '#kube/objects/resource.ts'
import { isConflict, isForbidden, isInvalid, isNotFound } from '#kube/objects/status.ts'
import type { Target } from '../intent.ts'
import type { Permission } from '../needs.ts'
import type { Permit } from '../permits/permit.ts'
import { type EffectContext, effectOptions, permittedGuard } from './effect-context.ts'

/** The right this effect takes. */
export const scalePermission: Permission = {
  groups: ['apps'],
  resources: ['deployments/scale', 'statefulsets/scale', 'replicasets/scale'],
  verbs: ['get', 'update'],
  because: 'scales a workload',
}

type ScaleOutcome =
  | { readonly kind: 'scaled'; readonly from: number }
  | { readonly kind: 'unchanged' }
  /** It is not there, or another object has its name. */
  | { readonly kind: 'gone' }
  | { readonly kind: 'refused'; readonly message: string }

interface Scale extends KubeObject {
  readonly spec?: { readonly replicas?: number }
}

const resourceOfKind: Readonly<Record<string, GroupVersionResource>> = {
  Deployment: builtIn.deployments,
  StatefulSet: builtIn.statefulsets,
  ReplicaSet: builtIn.replicasets,
}
const conflictTries = 5

/**
 * Gives `workload` (Deployment, StatefulSet, ReplicaSet) as many replicas as its permit says, under the version that was read and only where
 * that has the UID that was meant. Safe to call twice.
 * @throws Error for another kind, a permit that names no number, as `evict` does, and what the server did not foresee.
 */
export async function scale(
  context: EffectContext,
  permit: Permit,
  workload: Target,
  signal: AbortSignal,
): Promise<ScaleOutcome> {
  const { requester, replicas, name: permitName } = permit.record
  const resource = resourceOfKind[workload.kind]
  if (resource === undefined)
    throw new Error(`scale ${workload.kind}: only a Deployment, StatefulSet or ReplicaSet can be scaled`)
  if (replicas === undefined) throw new Error(`permit ${permitName} does not say how many replicas are wanted`)
  const workloads = context.api.resource<KubeObject>(resource)
  for (let attempt = 1; ; attempt++) {
    const guard = permittedGuard(context, permit, workload)
    const options = effectOptions(requester, workload.namespace, { guard, signal })
    try {
      const found = await workloads.sub<Scale>(workload.name, 'scale', 'GET', undefined, options)
      const { uid, resourceVersion, namespace } = found.metadata
      if (workload.uid !== undefined && uid !== workload.uid) return { kind: 'gone' }
      const from = found.spec?.replicas ?? 0
      if (from === replicas) return { kind: 'unchanged' }
      const body = {
        apiVersion: 'autoscaling/v1',
        kind: 'Scale',
        metadata: { name: workload.name, namespace, uid, resourceVersion },
        spec: { replicas },
      }
      await workloads.sub(workload.name, 'scale', 'PUT', body, options)
      return { kind: 'scaled', from }
    } catch (error) {
      if (isNotFound(error)) return { kind: 'gone' }
      if (isInvalid(error) || isForbidden(error)) return { kind: 'refused', message: error.message }
      if (!isConflict(error) || attempt >= conflictTries) throw error
    }
  }
}
