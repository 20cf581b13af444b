// A toleration for the pods of one workload: its template's list by server-side apply, never against another manager's word. Or for a
// pod while it is created, by the admission answer.

import { applyFields } from '#kube/client/apply.ts'
import type { KubeObject, Pod, Taint, Toleration } from '#kube/objects/objects.ts'
import { builtIn, type GroupVersionResource } from '#kube/objects/resource.ts'
import { isConflict, isInvalid, isNotFound } from '#kube/objects/status.ts'
import { untoleratedTaint } from '#kube/objects/tolerations.ts'
import type { MutatingAnswer } from '#kube/server/admission.ts'
import type { Target } from '../intent.ts'
import type { Permit } from '../permits/permit.ts'
import { type EffectContext, effectOptions, permittedGuard } from './effect-context.ts'

type TolerateOutcome =
  | { readonly kind: 'applied'; readonly object: KubeObject }
  | { readonly kind: 'gone' }
  /** Somebody else keeps the list (GitOps): it has to be changed there. Or the server refused. */
  | { readonly kind: 'refused'; readonly message: string }

const resourceOfKind: Readonly<Record<string, GroupVersionResource>> = {
  Deployment: builtIn.deployments,
  StatefulSet: builtIn.statefulsets,
  DaemonSet: builtIn.daemonsets,
}

/**
 * The admission answer that lets a pod being created tolerate `taints`. Asked again about the same pod it changes nothing. A pod that has
 * its node already (a mirror of a static one) passes: no scheduler looks at its tolerations.
 */
export function tolerateAtCreation(pod: Pod, taints: readonly Taint[]): MutatingAnswer {
  if (pod.spec.nodeName !== undefined && pod.spec.nodeName !== '') return { kind: 'allowed' }
  const tolerations = [...(pod.spec.tolerations ?? [])]
  const before = tolerations.length
  for (const { key, effect } of taints.filter(taint => untoleratedTaint(tolerations, [taint]) !== undefined))
    tolerations.push({ key, operator: 'Exists', effect })
  if (tolerations.length === before) return { kind: 'allowed' }
  return { kind: 'patched', patch: [{ op: 'add', path: '/spec/tolerations', value: tolerations }] }
}

/**
 * Makes `tolerations` the whole list of the workload's template, which rolls it out. Safe to call twice.
 * @throws Error for another kind, an uncovered or expired permit, a lost Lease, and what the server did not foresee.
 */
export async function tolerate(
  context: EffectContext,
  permit: Permit,
  change: { readonly workload: Target; readonly tolerations: readonly Toleration[] },
  signal: AbortSignal,
): Promise<TolerateOutcome> {
  const { workload, tolerations } = change
  const guard = permittedGuard(context, permit, workload)
  const resource = resourceOfKind[workload.kind]
  if (resource === undefined)
    throw new Error(`tolerate ${workload.kind}: only a Deployment, StatefulSet or DaemonSet has a template`)
  const { apiVersion, kind, namespace, name, uid } = workload
  const object: KubeObject = {
    apiVersion,
    kind,
    metadata: { name, ...(namespace === undefined ? {} : { namespace }), ...(uid === undefined ? {} : { uid }) },
    spec: { template: { spec: { tolerations } } },
  }
  try {
    const options = {
      ...effectOptions(permit.record.requester, namespace, { guard, signal }),
      fieldManager: `ballast-${permit.record.requester}`,
    }
    const outcome = await applyFields(context.api.resource<KubeObject>(resource), object, options)
    if (outcome.kind === 'applied') return outcome
    const owners = [...new Set(outcome.conflicts.map(({ manager }) => manager))].join(', ')
    return { kind: 'refused', message: `its tolerations are kept by ${owners}: add this one there` }
  } catch (error) {
    if (isNotFound(error)) return { kind: 'gone' }
    if (isConflict(error) || isInvalid(error)) return { kind: 'refused', message: error.message }
    throw error
  }
}
