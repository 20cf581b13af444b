// How many pods of an application may be missing.
import { type FieldError, invalid, notSupported } from '#kube/objects/field-error.ts'
import { type Draft, fieldsAt, textAt } from '../../../json-value.ts'
import { labelSelectorProblems } from '../selector-validation.ts'
import { shareProblems } from './shares.ts'

const policies = ['AlwaysAllow', 'IfHealthyBudget']

/** Everything that is wrong with a PodDisruptionBudget. */
export function budgetProblems(draft: Draft): readonly FieldError[] {
  const spec = fieldsAt(draft, 'spec') ?? {}
  const problems: FieldError[] = []
  if (spec['minAvailable'] !== undefined && spec['maxUnavailable'] !== undefined) {
    const {
      minAvailable,
      selector = null,
      maxUnavailable,
      unhealthyPodEvictionPolicy = null,
    } = { minAvailable: null, maxUnavailable: null, ...spec }
    const value = {
      MinAvailable: minAvailable,
      Selector: selector,
      MaxUnavailable: maxUnavailable,
      UnhealthyPodEvictionPolicy: unhealthyPodEvictionPolicy,
    }
    problems.push(invalid('spec', value, 'minAvailable and maxUnavailable cannot be both set'))
  }
  for (const name of ['minAvailable', 'maxUnavailable'] as const) {
    problems.push(...shareProblems(spec[name], `spec.${name}`, true))
  }
  const policy = textAt(spec, 'unhealthyPodEvictionPolicy')
  if (policy !== undefined && !policies.includes(policy))
    problems.push(notSupported('spec.unhealthyPodEvictionPolicy', policy, policies))
  return [...problems, ...labelSelectorProblems('spec.selector', fieldsAt(spec, 'selector'))]
}
