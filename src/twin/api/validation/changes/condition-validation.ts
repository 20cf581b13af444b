// What a written status must say: conditions with their parts, addresses where the kind has them.
import { duplicate, type FieldError, forbidden, invalid, notSupported, required } from '#kube/objects/field-error.ts'
import { qualifiedNameProblems } from '#kube/objects/names.ts'
import { type Draft, itemsAt, numberAt, textAt } from '../../../json-value.ts'

const at = 'status.conditions'
const statuses = ['False', 'True', 'Unknown']
const reasonPattern = '[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?'
const reasonRule = `a condition reason must start with alphabetic character, optionally followed by a string of alphanumeric characters or '_,:', and must end with an alphanumeric character or '_' (e.g. 'my_name',  or 'MY_NAME',  or 'MyName',  or 'ReasonA,ReasonB',  or 'ReasonA:ReasonB', regex used for validation is '${reasonPattern}')`

/** Kind → what is wrong with a status that was written to it. */
const rules: Readonly<Record<string, (draft: Draft) => readonly FieldError[]>> = {
  'certificatesigningrequests.certificates.k8s.io': requestConditions,
  'flowschemas.flowcontrol.apiserver.k8s.io': flowConditions,
  'poddisruptionbudgets.policy': conditions,
  'prioritylevelconfigurations.flowcontrol.apiserver.k8s.io': flowConditions,
  services: balancerProblems,
  'validatingadmissionpolicies.admissionregistration.k8s.io': conditions,
}

/** Everything that is wrong with a status that was written. */
export function statusProblems(key: string, draft: Draft): readonly FieldError[] {
  return Object.hasOwn(rules, key) ? (rules[key]?.(draft) ?? []) : []
}

/** Conditions as all kinds of today have them. */
function conditions(draft: Draft): readonly FieldError[] {
  const seen = new Set<string>()
  return itemsAt(draft, 'status', 'conditions').flatMap((condition, index) => {
    const place = `${at}[${index}]`
    const [type, reason] = [textAt(condition, 'type') ?? '', textAt(condition, 'reason') ?? '']
    const status = textAt(condition, 'status') ?? ''
    const generation = numberAt(condition, 'observedGeneration') ?? 0
    const isRepeated = seen.has(type)
    seen.add(type)
    return [
      ...(isRepeated ? [duplicate(`${place}.type`, type)] : []),
      ...qualifiedNameProblems(type).map(rule => invalid(`${place}.type`, type, rule)),
      ...(statuses.includes(status) ? [] : [notSupported(`${place}.status`, status, statuses)]),
      ...(generation < 0 ? [invalid(`${place}.observedGeneration`, generation, 'must be greater than or equal to zero')] : []),
      ...(textAt(condition, 'lastTransitionTime') === undefined ? [required(`${place}.lastTransitionTime`)] : []),
      ...(reason === ''
        ? [required(`${place}.reason`)]
        : new RegExp(`^${reasonPattern}$`).test(reason)
          ? []
          : [invalid(`${place}.reason`, reason, reasonRule)]),
    ]
  })
}

function requestConditions(draft: Draft): readonly FieldError[] {
  const seen = new Set<string>()
  return itemsAt(draft, 'status', 'conditions').flatMap((condition, index) => {
    const place = `${at}[${index}]`
    const [type, status] = [textAt(condition, 'type') ?? '', textAt(condition, 'status') ?? '']
    const taken = ['Approved', 'Denied', 'Failed'].includes(type) ? ['True'] : statuses
    const isRepeated = seen.has(type)
    seen.add(type)
    return [
      ...(type === '' ? [required(`${place}.type`)] : []),
      ...(status === ''
        ? [required(`${place}.status`)]
        : taken.includes(status)
          ? []
          : [notSupported(`${place}.status`, status, taken)]),
      ...(isRepeated ? [duplicate(`${place}.type`, type)] : []),
    ]
  })
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
