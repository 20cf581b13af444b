// Rules of kinds that hold little but names and values: what a Secret of a type must have, what a ResourceQuota may name.
import { type FieldError, invalid, required } from '#kube/objects/field-error.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { int64Value } from '#kube/values/quantity.ts'
import { type Draft, fieldsAt, listAt, textAt } from '../../json-value.ts'

/** Keys that Secrets of a type have. */
const keysOfTypes: Readonly<Record<string, readonly string[]>> = {
  'kubernetes.io/tls': ['tls.crt', 'tls.key'],
  'kubernetes.io/dockerconfigjson': ['.dockerconfigjson'],
  'kubernetes.io/dockercfg': ['.dockercfg'],
  'kubernetes.io/ssh-auth': ['ssh-privatekey'],
}

/** What a Secret lacks for its type. */
export function secretTypeProblems(draft: Draft): readonly FieldError[] {
  const type = textAt(draft, 'type') ?? ''
  const data = fieldsAt(draft, 'data') ?? {}
  if (type === 'kubernetes.io/service-account-token') {
    const account = 'kubernetes.io/service-account.name'
    const isNamed = (textAt(draft, 'metadata', 'annotations', account) ?? '') !== ''
    return isNamed ? [] : [required(`metadata.annotations[${account}]`)]
  }
  if (type === 'kubernetes.io/basic-auth') {
    const keys = ['username', 'password']
    return keys.some(key => Object.hasOwn(data, key)) ? [] : keys.map(key => required(`data[${key}]`))
  }
  const keys = Object.hasOwn(keysOfTypes, type) ? (keysOfTypes[type] ?? []) : []
  return keys.filter(key => !Object.hasOwn(data, key)).map(key => required(`data[${key}]`))
}

const wholeNames = new Set([
  ...['pods', 'resourcequotas', 'services', 'replicationcontrollers', 'secrets', 'configmaps', 'persistentvolumeclaims'],
  ...['services.nodeports', 'services.loadbalancers'],
])
const quotaNames = new Set([
  ...wholeNames,
  ...['cpu', 'memory', 'ephemeral-storage', 'requests.cpu', 'requests.memory', 'requests.storage', 'requests.ephemeral-storage'],
  ...['limits.cpu', 'limits.memory', 'limits.ephemeral-storage'],
])

/** What a quota counts in whole pieces. */
function isCount(name: string): boolean {
  return name.includes('/') || wholeNames.has(name)
}

/** What is wrong with the limits of a ResourceQuota. */
export function quotaProblems(draft: Draft, before?: Draft | KubeObject): readonly FieldError[] {
  const scopes = listAt(draft, 'spec', 'scopes')
  const isOther = before !== undefined && new Set(scopes).symmetricDifference(new Set(listAt(before, 'spec', 'scopes'))).size > 0
  return [
    ...amountProblems(fieldsAt(draft, 'spec', 'hard') ?? {}, 'spec.hard'),
    ...(isOther ? [invalid('spec.scopes', scopes.length === 0 ? null : scopes, 'field is immutable')] : []),
  ]
}

/** What is wrong with the amounts in a status that was written. */
export function quotaStatusProblems(draft: Draft): readonly FieldError[] {
  return ['hard', 'used'].flatMap(list => amountProblems(fieldsAt(draft, 'status', list) ?? {}, `status.${list}`))
}

function amountProblems(amounts: Draft, at: string): readonly FieldError[] {
  return Object.entries(amounts).flatMap(([name, value]) => {
    const field = `${at}[${name}]`
    const isKnown = quotaNames.has(name) || name.includes('/') || /^(requests\.)?hugepages-/.test(name)
    const unknown = ['must be a standard resource type or fully qualified', 'must be a standard resource for quota']
    return [
      ...(isKnown ? [] : unknown.map(problem => invalid(field, name, problem))),
      ...(String(value).startsWith('-') ? [invalid(field, String(value), 'must be greater than or equal to 0')] : []),
      ...(isCount(name) && int64Value(String(value), 3) % 1000n !== 0n
        ? [invalid(field, String(value), 'must be an integer')]
        : []),
    ]
  })
}
