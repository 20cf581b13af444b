// What a written status must say: conditions with their parts, addresses where the kind has them.
import { duplicate, type FieldError, forbidden, invalid, notSupported, required } from '#kube/objects/field-error.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { type Draft, itemsAt, textAt } from '../../../json-value.ts'
import { typeCheckingProblems } from '../admission-policy-validation.ts'
import { quotaStatusProblems } from '../content-validation.ts'
import { claimStatusProblems } from '../devices/claim-status-validation.ts'
import { namespaceStatusProblems } from '../namespace-validation.ts'
import { ingressStatusProblems } from '../networking/ingress-validation.ts'
import { nodeStatusProblems } from '../nodes/node-validation.ts'
import { podStatusProblems } from '../pods/pod-status-validation.ts'
import { jobStatusProblems } from '../workloads/job-status-validation.ts'
import { volumeClaimStatusProblems } from './claim-status-validation.ts'
import { conditionListProblems, statuses } from './condition-list.ts'
import { replicaCountProblems } from './replica-counts.ts'

const at = 'status.conditions'

/** Kind → what is wrong with a status that was written to it. */
const rules: Readonly<Record<string, (draft: Draft, existing: KubeObject) => readonly FieldError[]>> = {
  'certificatesigningrequests.certificates.k8s.io': (draft, existing) => requestConditions(draft, existing, false),
  'flowschemas.flowcontrol.apiserver.k8s.io': flowConditions,
  'ingresses.networking.k8s.io': ingressStatusProblems,
  'jobs.batch': jobStatusProblems,
  namespaces: namespaceStatusProblems,
  nodes: nodeStatusProblems,
  pods: podStatusProblems,
  persistentvolumeclaims: volumeClaimStatusProblems,
  'poddisruptionbudgets.policy': conditions,
  'prioritylevelconfigurations.flowcontrol.apiserver.k8s.io': flowConditions,
  'resourceclaims.resource.k8s.io': claimStatusProblems,
  resourcequotas: quotaStatusProblems,
  services: balancerProblems,
  'validatingadmissionpolicies.admissionregistration.k8s.io': draft => [...typeCheckingProblems(draft), ...conditions(draft)],
}

/** Everything that is wrong with a status that was written. */
export function statusProblems(key: string, draft: Draft, existing: KubeObject): readonly FieldError[] {
  const own = Object.hasOwn(rules, key) ? (rules[key]?.(draft, existing) ?? []) : []
  return [...replicaCountProblems(key, draft, existing), ...own]
}

/** Everything that is wrong with a verdict on a request for a certificate. */
export function verdictProblems(draft: Draft, existing: KubeObject): readonly FieldError[] {
  return requestConditions(draft, existing, true)
}

/** Conditions as all kinds of today have them. */
function conditions(draft: Draft): readonly FieldError[] {
  return conditionListProblems(at, itemsAt(draft, 'status', 'conditions'))
}

/** Conditions of a request for a certificate: verdicts are not taken back, nor are they opposites of each other. */
function requestConditions(draft: Draft, existing: KubeObject, isApproval: boolean): readonly FieldError[] {
  const seen = new Set<string>()
  const after = itemsAt(draft, 'status', 'conditions')
  const problems = after.flatMap((condition, index) => {
    const place = `${at}[${index}]`
    const [type, status] = [textAt(condition, 'type') ?? '', textAt(condition, 'status') ?? '']
    const taken = ['Approved', 'Denied', 'Failed'].includes(type) ? ['True'] : statuses
    const isRepeated = seen.has(type)
    const isTorn = (type === 'Approved' && seen.has('Denied')) || (type === 'Denied' && seen.has('Approved'))
    seen.add(type)
    return [
      ...(type === '' ? [required(`${place}.type`)] : []),
      ...(status === ''
        ? [required(`${place}.status`)]
        : taken.includes(status)
          ? []
          : [notSupported(`${place}.status`, status, taken)]),
      ...(isTorn ? [invalid(at, type, 'Approved and Denied conditions are mutually exclusive')] : []),
      ...(isRepeated ? [duplicate(`${place}.type`, type)] : []),
    ]
  })
  const before = itemsAt(existing, 'status', 'conditions')
  const count = (conditions: readonly Draft[], type: string) => conditions.filter(one => textAt(one, 'type') === type).length
  const gone = ['Approved', 'Denied', 'Failed'].filter(type => count(after, type) < count(before, type))
  const added = ['Approved', 'Denied'].filter(type => !isApproval && count(after, type) > count(before, type))
  return [
    ...problems,
    ...gone.map(type => forbidden(at, `updates may not remove a condition of type "${type}"`)),
    ...added.map(type => forbidden(at, `updates may not add a condition of type "${type}"`)),
  ]
}

function flowConditions(draft: Draft): readonly FieldError[] {
  const seen = new Set<string>()
  return itemsAt(draft, 'status', 'conditions').flatMap((condition, index) => {
    const type = textAt(condition, 'type') ?? ''
    const isRepeated = seen.has(type)
    seen.add(type)
    return [
      ...(isRepeated ? [duplicate(`${at}[${index}].type`, type)] : []),
      ...(type === '' ? [required(`${at}[${index}].type`)] : []),
    ]
  })
}

function balancerProblems(draft: Draft): readonly FieldError[] {
  const hasAddresses = itemsAt(draft, 'status', 'loadBalancer', 'ingress').length > 0
  if (!hasAddresses || textAt(draft, 'spec', 'type') === 'LoadBalancer') return []
  return [forbidden('status.loadBalancer.ingress', "may only be used when `spec.type` is 'LoadBalancer'")]
}
