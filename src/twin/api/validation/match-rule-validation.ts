// Which requests a webhook or a policy is for: what its rules, selectors and conditions must not be.
import { boolType } from '#kube/cel/cel-types.ts'
import { duplicate, type FieldError, invalid, notSupported, required, tooMany } from '#kube/objects/field-error.ts'
import { qualifiedNameProblems } from '#kube/objects/names.ts'
import { type Draft, fieldsAt, itemsAt, listAt, textAt } from '../../json-value.ts'
import { pathSegmentProblems } from './metadata-validation.ts'
import { expressionProblems } from './policies/policy-expressions.ts'
import { labelSelectorProblems } from './selector-validation.ts'

const operations = ['*', 'CONNECT', 'CREATE', 'DELETE', 'UPDATE']
const scopes = ['*', 'Cluster', 'Namespaced']
const matchPolicies = ['Equivalent', 'Exact']

/** What is wrong with the rule at `at`: it needs operations, groups, versions and resources, and a star stands alone. */
export function matchRuleProblems(at: string, rule: Draft): readonly FieldError[] {
  const asked = listAt(rule, 'operations').map(String)
  const versions = listAt(rule, 'apiVersions').map(String)
  const scope = textAt(rule, 'scope')
  return [
    ...starProblems(`${at}.operations`, asked, 'operations'),
    ...asked.flatMap((operation, index) =>
      operations.includes(operation) ? [] : [notSupported(`${at}.operations[${index}]`, operation, operations)],
    ),
    ...starProblems(`${at}.apiGroups`, listAt(rule, 'apiGroups').map(String), 'API groups'),
    ...starProblems(`${at}.apiVersions`, versions, 'API versions'),
    ...versions.flatMap((version, index) => (version === '' ? [required(`${at}.apiVersions[${index}]`)] : [])),
    ...(listAt(rule, 'resources').length === 0 ? [required(`${at}.resources`)] : []),
    ...listAt(rule, 'resources').flatMap((resource, index) => (resource === '' ? [required(`${at}.resources[${index}]`)] : [])),
    ...(scope === undefined || scopes.includes(scope) ? [] : [notSupported(`${at}.scope`, scope, scopes)]),
  ]
}

function starProblems(at: string, values: readonly string[], what: string): readonly FieldError[] {
  if (values.length === 0) return [required(at)]
  return values.length > 1 && values.includes('*')
    ? [invalid(at, values, `if '*' is present, must not specify other ${what}`)]
    : []
}

/** What is wrong with what a policy or its binding is for. */
export function matchResourcesProblems(at: string, match: Draft): readonly FieldError[] {
  const policy = textAt(match, 'matchPolicy')
  return [
    ...(policy === undefined || matchPolicies.includes(policy) ? [] : [notSupported(`${at}.matchPolicy`, policy, matchPolicies)]),
    ...labelSelectorProblems(`${at}.namespaceSelector`, fieldsAt(match, 'namespaceSelector')),
    ...labelSelectorProblems(`${at}.objectSelector`, fieldsAt(match, 'objectSelector')),
    ...['resourceRules', 'excludeResourceRules'].flatMap(list =>
      itemsAt(match, list).flatMap((rule, index) => [
        ...nameProblems(`${at}.${list}[${index}].resourceNames`, listAt(rule, 'resourceNames').map(String)),
        ...matchRuleProblems(`${at}.${list}[${index}]`, rule),
      ]),
    ),
  ]
}

function nameProblems(at: string, names: readonly string[]): readonly FieldError[] {
  return names.flatMap((name, index) => [
    ...pathSegmentProblems(name).map(rule => invalid(`${at}[${index}]`, name, rule)),
    ...(names.indexOf(name) < index ? [duplicate(`${at}[${index}]`, name)] : []),
  ])
}

const mostConditions = 64

/** Conditions have names of their own, and ask something. */
export function matchConditionProblems(at: string, conditions: readonly Draft[], hasParams = false): readonly FieldError[] {
  const seen = new Set<string>()
  const excess = conditions.length > mostConditions ? [tooMany(at, conditions.length, mostConditions)] : []
  const each = conditions.flatMap((condition, index) => {
    const place = `${at}[${index}]`
    const name = textAt(condition, 'name') ?? ''
    const problems: FieldError[] = []
    const expression = (textAt(condition, 'expression') ?? '').trim()
    if (expression === '') problems.push(required(`${place}.expression`))
    else problems.push(...expressionProblems(`${place}.expression`, expression, { hasParams, wants: boolType }))
    if (name === '') problems.push(required(`${place}.name`))
    else problems.push(...qualifiedNameProblems(name).map(rule => invalid(`${place}.name`, name, rule)))
    if (name !== '' && seen.has(name)) problems.push(duplicate(`${place}.name`, name))
    seen.add(name)
    return problems
  })
  return [...excess, ...each]
}
