// What questions about access must say, and which selectors of theirs are no selectors.
import { type FieldError, forbidden, invalid, required } from '#kube/objects/field-error.ts'
import { parseFieldSelector } from '#kube/objects/field-selector.ts'
import { labelSelectorOf, parseLabelSelector } from '#kube/objects/selector.ts'
import { type Draft, fieldsAt, isEmpty, itemsAt, listAt, textAt } from '../../json-value.ts'
import { requirementProblems } from '../validation/selector-validation.ts'

/** Everything that is wrong with an access review; `namespace` is that of the path of a local one. */
export function accessReviewProblems(kind: string, review: Draft, namespace: string | undefined): readonly FieldError[] {
  const resource = fieldsAt(review, 'spec', 'resourceAttributes')
  const path = fieldsAt(review, 'spec', 'nonResourceAttributes')
  const isLocal = kind === 'LocalSubjectAccessReview'
  const { namespace: _namespace, ...metadata } = fieldsAt(review, 'metadata') ?? {}
  const shownPath = path === undefined ? null : { Path: textAt(path, 'path') ?? '', Verb: textAt(path, 'verb') ?? '' }
  const problems: FieldError[] = []
  if (resource !== undefined && path !== undefined)
    problems.push(invalid('spec.nonResourceAttributes', shownPath, 'cannot be specified in combination with resourceAttributes'))
  if (resource === undefined && path === undefined)
    problems.push(
      invalid('spec.resourceAttributes', null, 'exactly one of nonResourceAttributes or resourceAttributes must be specified'),
    )
  const isNobody = (textAt(review, 'spec', 'user') ?? '') === '' && listAt(review, 'spec', 'groups').length === 0
  if (kind !== 'SelfSubjectAccessReview' && isNobody)
    problems.push(invalid('spec.user', '', 'at least one of user or group must be specified'))
  problems.push(...attributeProblems(resource))
  if (Object.values(metadata).some(value => !isEmpty(value)))
    problems.push(
      invalid('metadata', fieldsAt(review, 'metadata'), isLocal ? 'must be empty except for namespace' : 'must be empty'),
    )
  if (!isLocal) return problems
  const asked = textAt(resource, 'namespace') ?? ''
  if (resource !== undefined && asked !== namespace)
    problems.push(invalid('spec.resourceAttributes.namespace', asked, 'must match metadata.namespace'))
  if (path !== undefined) problems.push(invalid('spec.nonResourceAttributes', shownPath, 'disallowed on this kind of request'))
  return problems
}

const selectors = ['fieldSelector', 'labelSelector'] as const

function attributeProblems(resource: Draft | undefined): readonly FieldError[] {
  return selectors.flatMap(name => {
    const selector = fieldsAt(resource, name)
    if (selector === undefined) return []
    const at = `spec.resourceAttributes.${name}`
    const raw = textAt(selector, 'rawSelector') ?? ''
    const requirements = itemsAt(selector, 'requirements')
    return [
      ...(raw !== '' && requirements.length > 0
        ? [invalid(`${at}.rawSelector`, raw, 'may not specified at the same time as requirements')]
        : []),
      ...(raw === '' && requirements.length === 0
        ? [required(`${at}.requirements`, `when ${at} is specified, requirements or rawSelector is required`)]
        : []),
      ...requirements.flatMap((requirement, index) =>
        name === 'labelSelector'
          ? requirementProblems(`${at}.requirements[${index}]`, requirement, { takesAnyOperator: true })
          : fieldRequirementProblems(`${at}.requirements[${index}]`, requirement),
      ),
    ]
  })
}

function fieldRequirementProblems(at: string, requirement: Draft): readonly FieldError[] {
  const operator = textAt(requirement, 'operator') ?? ''
  const values = listAt(requirement, 'values')
  return [
    ...((textAt(requirement, 'key') ?? '') === '' ? [required(`${at}.key`, 'must be specified')] : []),
    ...(['In', 'NotIn'].includes(operator) && values.length === 0
      ? [required(`${at}.values`, "must be specified when `operator` is 'In' or 'NotIn'")]
      : []),
    ...(['Exists', 'DoesNotExist'].includes(operator) && values.length > 0
      ? [forbidden(`${at}.values`, "may not be specified when `operator` is 'Exists' or 'DoesNotExist'")]
      : []),
  ]
}

/** Names what was left out of a question because it is no selector; empty where nothing was. */
export function evaluationError(review: Draft): string {
  const resource = fieldsAt(review, 'spec', 'resourceAttributes')
  return selectors
    .flatMap(name => {
      const part = understood(name, fieldsAt(resource, name))
      return part === 'all'
        ? []
        : [`spec.resourceAttributes.${name} ${part === 'some' ? 'partially ' : ''}ignored due to parse error`]
    })
    .join('; ')
}

/** How much of a selector says something. */
function understood(name: (typeof selectors)[number], selector: Draft | undefined): 'all' | 'some' | 'none' {
  if (selector === undefined) return 'all'
  const requirements = itemsAt(selector, 'requirements')
  const raw = textAt(selector, 'rawSelector') ?? ''
  if (requirements.length === 0)
    return (name === 'labelSelector' ? parseLabelSelector(raw) : parseFieldSelector(raw)).ok ? 'all' : 'none'
  const good = requirements.filter(name === 'labelSelector' ? isLabelRequirement : isFieldRequirement).length
  return good === requirements.length ? 'all' : good > 0 ? 'some' : 'none'
}

const labelOperators = ['In', 'NotIn', 'Exists', 'DoesNotExist'] as const

function isLabelRequirement(requirement: Draft): boolean {
  const values = listAt(requirement, 'values').map(String)
  const key = textAt(requirement, 'key') ?? ''
  const operator = labelOperators.find(one => one === textAt(requirement, 'operator'))
  return operator !== undefined && labelSelectorOf({ matchExpressions: [{ key, operator, values }] }).ok
}

/** Fields are compared with one value. */
function isFieldRequirement(requirement: Draft): boolean {
  return ['In', 'NotIn'].includes(textAt(requirement, 'operator') ?? '') && listAt(requirement, 'values').length === 1
}
