// Roles and what binds them: rules that give something, references that name something.
import { type FieldError, invalid, notSupported, required } from '#kube/objects/field-error.ts'
import { dns1123SubdomainProblems } from '#kube/objects/names.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { type Draft, draftOf, fieldsAt, isSame, itemsAt, listAt, textAt } from '../../json-value.ts'
import { labelSelectorProblems } from './selector-validation.ts'

/** Everything that is wrong with a Role or ClusterRole. */
export function roleProblems(draft: Draft, isNamespaced: boolean): readonly FieldError[] {
  return [...ruleProblems(draft, isNamespaced), ...(isNamespaced ? [] : aggregationProblems(draft))]
}

/** A ClusterRole that takes its rules from others selects them. */
function aggregationProblems(draft: Draft): readonly FieldError[] {
  const rule = fieldsAt(draft, 'aggregationRule')
  if (rule === undefined) return []
  const at = 'aggregationRule.clusterRoleSelectors'
  const selectors = itemsAt(rule, 'clusterRoleSelectors')
  if (selectors.length === 0) return [required(at, 'at least one clusterRoleSelector required if aggregationRule is non-nil')]
  return selectors.flatMap((selector, index) => {
    const problems = labelSelectorProblems(`${at}[${index}]`, selector)
    // Upstream shows what it made of the selector, which is nothing.
    return problems.length === 0 ? [] : [...problems, invalid(`${at}[${index}]`, null, 'invalid label selector.')]
  })
}

function ruleProblems(draft: Draft, isNamespaced: boolean): readonly FieldError[] {
  return itemsAt(draft, 'rules').flatMap((rule, index): FieldError[] => {
    const at = `rules[${index}]`
    const problems: FieldError[] = []
    if (listAt(rule, 'verbs').length === 0) problems.push(required(`${at}.verbs`, 'verbs must contain at least one value'))
    const paths = listAt(rule, 'nonResourceURLs')
    const hasResources = ['apiGroups', 'resources', 'resourceNames'].some(name => listAt(rule, name).length > 0)
    if (paths.length > 0) {
      const place = `${at}.nonResourceURLs`
      if (isNamespaced) problems.push(invalid(place, paths, 'namespaced rules cannot apply to non-resource URLs'))
      if (hasResources) problems.push(invalid(place, paths, 'rules cannot apply to both regular resources and non-resource URLs'))
      return problems
    }
    if (listAt(rule, 'apiGroups').length === 0)
      problems.push(required(`${at}.apiGroups`, 'resource rules must supply at least one api group'))
    if (listAt(rule, 'resources').length === 0)
      problems.push(required(`${at}.resources`, 'resource rules must supply at least one resource'))
    return problems
  })
}

const rbac = 'rbac.authorization.k8s.io'
/** Kinds of subjects with the group that each is of. */
const groupOfSubject = new Map([
  ['ServiceAccount', ''],
  ['User', rbac],
  ['Group', rbac],
])

/** Everything that is wrong with a RoleBinding or ClusterRoleBinding. */
export function bindingProblems(draft: Draft, isNamespaced: boolean): readonly FieldError[] {
  const problems: FieldError[] = []
  const kinds = isNamespaced ? ['Role', 'ClusterRole'] : ['ClusterRole']
  const group = textAt(draft, 'roleRef', 'apiGroup') ?? ''
  if (group !== rbac) problems.push(notSupported('roleRef.apiGroup', group, [rbac]))
  const kind = textAt(draft, 'roleRef', 'kind') ?? ''
  if (!kinds.includes(kind)) problems.push(notSupported('roleRef.kind', kind, kinds))
  if ((textAt(draft, 'roleRef', 'name') ?? '') === '') problems.push(required('roleRef.name'))
  for (const [index, subject] of itemsAt(draft, 'subjects').entries())
    problems.push(...subjectProblems(subject, `subjects[${index}]`, isNamespaced))
  return problems
}

function subjectProblems(subject: Draft, at: string, isNamespaced: boolean): readonly FieldError[] {
  const problems: FieldError[] = []
  const name = textAt(subject, 'name') ?? ''
  const kind = textAt(subject, 'kind') ?? ''
  const isAccount = kind === 'ServiceAccount'
  if (name === '') problems.push(required(`${at}.name`))
  else if (isAccount) problems.push(...dns1123SubdomainProblems(name).map(problem => invalid(`${at}.name`, name, problem)))
  const group = groupOfSubject.get(kind)
  if (group === undefined) return [...problems, notSupported(`${at}.kind`, kind, [...groupOfSubject.keys()])]
  const given = textAt(subject, 'apiGroup') ?? ''
  if (given !== group) problems.push(notSupported(`${at}.apiGroup`, given, [group]))
  // A RoleBinding's own namespace holds where none is said.
  if (isAccount && !isNamespaced && (textAt(subject, 'namespace') ?? '') === '') problems.push(required(`${at}.namespace`))
  return problems
}

/** A binding stays with its role. */
export function roleRefUpdateProblems(draft: Draft, existing: KubeObject): readonly FieldError[] {
  const role = fieldsAt(draft, 'roleRef') ?? {}
  if (isSame(role, fieldsAt(draftOf(existing), 'roleRef'))) return []
  const { apiGroup, kind, name } = role
  return [invalid('roleRef', { APIGroup: apiGroup, Kind: kind, Name: name }, 'cannot change roleRef')]
}
