// Roles and what binds them: rules that give something, references that name something.
import { type FieldError, notSupported, required } from '#kube/objects/field-error.ts'
import { type Draft, itemsAt, listAt, textAt } from '../../json-value.ts'

/** Everything that is wrong with a Role or ClusterRole. */
export function roleProblems(draft: Draft, isNamespaced: boolean): readonly FieldError[] {
  return itemsAt(draft, 'rules').flatMap((rule, index): FieldError[] => {
    const at = `rules[${index}]`
    const problems: FieldError[] = []
    if (listAt(rule, 'verbs').length === 0) problems.push(required(`${at}.verbs`, 'verbs must contain at least one value'))
    if (listAt(rule, 'nonResourceURLs').length > 0 && !isNamespaced) return problems
    if (listAt(rule, 'apiGroups').length === 0)
      problems.push(required(`${at}.apiGroups`, 'resource rules must supply at least one api group'))
    if (listAt(rule, 'resources').length === 0)
      problems.push(required(`${at}.resources`, 'resource rules must supply at least one resource'))
    return problems
  })
}

const subjectKinds = ['ServiceAccount', 'User', 'Group']

/** Everything that is wrong with a RoleBinding or ClusterRoleBinding. */
export function bindingProblems(draft: Draft, isNamespaced: boolean): readonly FieldError[] {
  const problems: FieldError[] = []
  const kinds = isNamespaced ? ['Role', 'ClusterRole'] : ['ClusterRole']
  const kind = textAt(draft, 'roleRef', 'kind') ?? ''
  if (!kinds.includes(kind)) problems.push(notSupported('roleRef.kind', kind, kinds))
  if ((textAt(draft, 'roleRef', 'name') ?? '') === '') problems.push(required('roleRef.name'))
  for (const [index, subject] of itemsAt(draft, 'subjects').entries()) {
    const at = `subjects[${index}]`
    const subjectKind = textAt(subject, 'kind') ?? ''
    if ((textAt(subject, 'name') ?? '') === '') problems.push(required(`${at}.name`))
    if (!subjectKinds.includes(subjectKind)) problems.push(notSupported(`${at}.kind`, subjectKind, subjectKinds))
    if (subjectKind === 'ServiceAccount' && (textAt(subject, 'namespace') ?? '') === '')
      problems.push(required(`${at}.namespace`))
  }
  return problems
}
