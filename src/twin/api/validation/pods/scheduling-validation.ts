// Where a pod may run: affinities, tolerations, how pods are spread; in upstream's order and words.
import { duplicate, type FieldError, forbidden, invalid, notSupported, required } from '#kube/objects/field-error.ts'
import { dns1123LabelProblems, labelValueProblems, qualifiedNameProblems } from '#kube/objects/names.ts'
import { type Draft, fieldsAt, itemsAt, listAt, numberAt, textAt, textsAt } from '../../../json-value.ts'
import { labelSelectorProblems } from '../selector-validation.ts'
import { nodeSelectorProblems, termProblems } from './node-selector-validation.ts'

/** What is wrong with where the pod at `path` wants to be. */
export function affinityProblems(spec: Draft, path: string): readonly FieldError[] {
  const problems: FieldError[] = []
  const at = `${path}.affinity`
  const needed = fieldsAt(spec, 'affinity', 'nodeAffinity', 'requiredDuringSchedulingIgnoredDuringExecution')
  const neededAt = `${at}.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution`
  if (needed !== undefined) problems.push(...nodeSelectorProblems(neededAt, needed))
  const preferredAt = `${at}.nodeAffinity.preferredDuringSchedulingIgnoredDuringExecution`
  for (const [index, weighted] of itemsAt(
    spec,
    'affinity',
    'nodeAffinity',
    'preferredDuringSchedulingIgnoredDuringExecution',
  ).entries()) {
    problems.push(...weightProblems(weighted, `${preferredAt}[${index}]`))
    problems.push(...termProblems(fieldsAt(weighted, 'preference') ?? {}, `${preferredAt}[${index}].preference`))
  }
  for (const kind of ['podAffinity', 'podAntiAffinity'] as const) {
    const affinity = fieldsAt(spec, 'affinity', kind)
    const requiredAt = `${at}.${kind}.requiredDuringSchedulingIgnoredDuringExecution`
    for (const [index, term] of itemsAt(affinity, 'requiredDuringSchedulingIgnoredDuringExecution').entries())
      problems.push(...topologyProblems(term, `${requiredAt}[${index}]`))
    for (const [index, weighted] of itemsAt(affinity, 'preferredDuringSchedulingIgnoredDuringExecution').entries()) {
      const place = `${at}.${kind}.preferredDuringSchedulingIgnoredDuringExecution[${index}]`
      problems.push(...weightProblems(weighted, place))
      problems.push(...topologyProblems(fieldsAt(weighted, 'podAffinityTerm') ?? {}, `${place}.podAffinityTerm`))
    }
  }
  return problems
}

function weightProblems(weighted: Draft, place: string): readonly FieldError[] {
  const weight = typeof weighted['weight'] === 'number' ? weighted['weight'] : 0
  return weight >= 1 && weight <= 100 ? [] : [invalid(`${place}.weight`, weight, 'must be in the range 1-100')]
}

function topologyProblems(term: Draft, place: string): readonly FieldError[] {
  const key = textAt(term, 'topologyKey') ?? ''
  return [
    ...labelSelectorProblems(`${place}.labelSelector`, fieldsAt(term, 'labelSelector')),
    ...labelSelectorProblems(`${place}.namespaceSelector`, fieldsAt(term, 'namespaceSelector')),
    ...listAt(term, 'namespaces').flatMap(name =>
      dns1123LabelProblems(String(name)).map(rule => invalid(`${place}.namespace`, name, rule)),
    ),
    ...labelKeyProblems(term, place),
    ...(key === '' ? [required(`${place}.topologyKey`, 'can not be empty')] : []),
    ...qualifiedNameProblems(key).map(rule => invalid(`${place}.topologyKey`, key, rule)),
  ]
}

/** Labels of the pod itself that are added to the selector at `place`. */
function labelKeyProblems(holder: Draft, place: string): readonly FieldError[] {
  const selector = fieldsAt(holder, 'labelSelector')
  const [matched, mismatched] = [listAt(holder, 'matchLabelKeys').map(String), listAt(holder, 'mismatchLabelKeys').map(String)]
  const keysOf = (keys: readonly string[], at: string): readonly FieldError[] => {
    if (keys.length === 0) return []
    if (selector === undefined) return [forbidden(at, 'must not be specified when labelSelector is not set')]
    return keys.flatMap((key, index) => qualifiedNameProblems(key).map(rule => invalid(`${at}[${index}]`, key, rule)))
  }
  // A key is in a selector already where it comes there a second time.
  const seen = new Set(Object.keys(textsAt(selector, 'matchLabels')))
  const repeated = itemsAt(selector, 'matchExpressions').flatMap((expression): readonly FieldError[] => {
    const key = textAt(expression, 'key') ?? ''
    const isTaken = seen.has(key) && matched.includes(key)
    seen.add(key)
    const rule = 'exists in both matchLabelKeys and labelSelector'
    return isTaken ? [invalid(`${place}[${matched.lastIndexOf(key)}]`, key, rule)] : []
  })
  return [
    ...keysOf(matched, `${place}.matchLabelKeys`),
    ...keysOf(mismatched, `${place}.mismatchLabelKeys`),
    ...repeated,
    ...matched.flatMap((key, index) =>
      mismatched.includes(key)
        ? [invalid(`${place}.matchLabelKeys[${index}]`, key, 'exists in both matchLabelKeys and mismatchLabelKeys')]
        : [],
    ),
  ]
}

const tolerationEffects = ['NoSchedule', 'PreferNoSchedule', 'NoExecute'] as const
const emptyKeyRule = 'operator must be Exists when `key` is empty, which means "match all values and all keys"'

/** Numbers are compared only where that feature is on, which it is not. */
function operatorsOf(operator: string): readonly string[] {
  return operator === 'Gt' || operator === 'Lt' ? ['Equal', 'Exists', 'Lt', 'Gt'] : ['Equal', 'Exists']
}

function someRules(rules: readonly string[]): readonly string[] {
  return rules.length === 0 ? [] : [rules.join(';')]
}

/** What is wrong with the tolerations of what is at `path`. */
export function tolerationProblems(spec: Draft, path: string): readonly FieldError[] {
  return itemsAt(spec, 'tolerations').flatMap((toleration, index): FieldError[] => {
    const at = `${path}.tolerations[${index}]`
    const operator = textAt(toleration, 'operator') ?? ''
    const effect = textAt(toleration, 'effect') ?? ''
    const value = textAt(toleration, 'value') ?? ''
    const key = textAt(toleration, 'key') ?? ''
    const problems: FieldError[] = key === '' ? [] : qualifiedNameProblems(key).map(rule => invalid(`${at}.key`, key, rule))
    if (key === '' && operator !== 'Exists') problems.push(invalid(`${at}.operator`, operator, emptyKeyRule))
    if (toleration['tolerationSeconds'] !== undefined && effect !== 'NoExecute')
      problems.push(invalid(`${at}.effect`, effect, "effect must be 'NoExecute' when `tolerationSeconds` is set"))
    if (operator === '' || operator === 'Equal')
      problems.push(...someRules(labelValueProblems(value)).map(rule => invalid(`${at}.operator`, value, rule)))
    else if (operator !== 'Exists') problems.push(notSupported(`${at}.operator`, operator, operatorsOf(operator)))
    else if (value !== '') problems.push(invalid(`${at}.operator`, value, "value must be empty when `operator` is 'Exists'"))
    if (effect !== '' && !tolerationEffects.some(known => known === effect))
      problems.push(notSupported(`${at}.effect`, effect, tolerationEffects))
    return problems
  })
}

const inclusions = ['Honor', 'Ignore']

/** What is wrong with how pods like the one at `path` are spread. */
export function spreadProblems(spec: Draft, path: string): readonly FieldError[] {
  const all = itemsAt(spec, 'topologySpreadConstraints')
  const pairOf = (constraint: Draft) =>
    `{${textAt(constraint, 'topologyKey') ?? ''}, ${textAt(constraint, 'whenUnsatisfiable') ?? ''}}`
  return all.flatMap((constraint, index): readonly FieldError[] => {
    const at = `${path}.topologySpreadConstraints[${index}]`
    const [skew, domains] = [numberAt(constraint, 'maxSkew') ?? 0, numberAt(constraint, 'minDomains')]
    const action = textAt(constraint, 'whenUnsatisfiable') ?? ''
    const isRepeated = all.slice(index + 1).some(other => pairOf(other) === pairOf(constraint))
    const needed = `can only use minDomains if whenUnsatisfiable=DoNotSchedule, not ${action}`
    return [
      ...(skew <= 0 ? [invalid(`${at}.maxSkew`, skew, 'must be greater than zero')] : []),
      ...((textAt(constraint, 'topologyKey') ?? '') === '' ? [required(`${at}.topologyKey`, 'can not be empty')] : []),
      ...(['DoNotSchedule', 'ScheduleAnyway'].includes(action)
        ? []
        : [notSupported(`${at}.whenUnsatisfiable`, action, ['DoNotSchedule', 'ScheduleAnyway'])]),
      ...(isRepeated ? [duplicate(`${at}.{topologyKey, whenUnsatisfiable}`, pairOf(constraint))] : []),
      ...(domains !== undefined && domains <= 0 ? [invalid(`${at}.minDomains`, domains, 'must be greater than zero')] : []),
      ...(domains !== undefined && action !== 'DoNotSchedule' ? [invalid(`${at}.minDomains`, domains, needed)] : []),
      ...['nodeAffinityPolicy', 'nodeTaintsPolicy'].flatMap(field => {
        const policy = textAt(constraint, field)
        return policy === undefined || inclusions.includes(policy) ? [] : [notSupported(`${at}.${field}`, policy, inclusions)]
      }),
      ...labelKeyProblems(constraint, at),
      ...labelSelectorProblems(`${at}.labelSelector`, fieldsAt(constraint, 'labelSelector')),
    ]
  })
}
