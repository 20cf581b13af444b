// Rules of PriorityClasses: what users may call them, how high they reach, and what never changes.
import { type FieldError, forbidden, invalid, notSupported } from '#kube/objects/field-error.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { type Draft, isSame, numberAt, textAt } from '../../json-value.ts'

const highestOfUsers = 1_000_000_000
const systemPrefix = 'system-'
/** The classes that every cluster has. */
export const systemPriorities: ReadonlyMap<string, number> = new Map([
  ['system-cluster-critical', 2_000_000_000],
  ['system-node-critical', 2_000_001_000],
])

export function priorityClassProblems(draft: Draft): readonly FieldError[] {
  const name = textAt(draft, 'metadata', 'name') ?? ''
  const policy = textAt(draft, 'preemptionPolicy')
  const choices = ['PreemptLowerPriority', 'Never']
  return [
    ...(name.startsWith(systemPrefix) ? systemProblems(name, draft) : heightProblems(draft)),
    ...(policy === undefined || choices.includes(policy) ? [] : [notSupported('preemptionPolicy', policy, choices)]),
  ]
}

function systemProblems(name: string, draft: Draft): readonly FieldError[] {
  const value = systemPriorities.get(name)
  if (value !== undefined && numberAt(draft, 'value') === value) return []
  const why =
    value === undefined ? `${name} is not a known system priority class` : `value of ${name} PriorityClass must be ${value}`
  const reserved = `priority class names with '${systemPrefix}' prefix are reserved for system use only. error: ${why}`
  return [forbidden('metadata.name', reserved)]
}

function heightProblems(draft: Draft): readonly FieldError[] {
  if ((numberAt(draft, 'value') ?? 0) <= highestOfUsers) return []
  return [forbidden('value', `maximum allowed value of a user defined priority is ${highestOfUsers}`)]
}

export function priorityClassUpdateProblems(draft: Draft, existing: KubeObject): readonly FieldError[] {
  const policy = draft['preemptionPolicy']
  return [
    ...(isSame(draft['value'], existing['value']) ? [] : [forbidden('value', 'may not be changed in an update.')]),
    ...(isSame(policy, existing['preemptionPolicy']) ? [] : [invalid('preemptionPolicy', policy, 'field is immutable')]),
  ]
}
