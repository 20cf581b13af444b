// Label selectors, told by each part that is wrong.
import { type FieldError, forbidden, invalid, required } from '#kube/objects/field-error.ts'
import { labelValueProblems, qualifiedNameProblems } from '#kube/objects/names.ts'
import { type Draft, itemsAt, listAt, textAt, textsAt } from '../../json-value.ts'

/** Everything that is wrong with a label selector at `at`; nothing with one that is not there. */
export function labelSelectorProblems(at: string, selector: Draft | undefined): readonly FieldError[] {
  if (selector === undefined) return []
  const labels = Object.entries(textsAt(selector, 'matchLabels')).flatMap(([key, value]) => [
    ...qualifiedNameProblems(key).map(rule => invalid(`${at}.matchLabels`, key, rule)),
    ...labelValueProblems(value).map(rule => invalid(`${at}.matchLabels`, value, rule)),
  ])
  const expressions = itemsAt(selector, 'matchExpressions').flatMap((expression, index) =>
    requirementProblems(`${at}.matchExpressions[${index}]`, expression),
  )
  return [...labels, ...expressions]
}

/** What is wrong with one requirement on labels; who asks about access may be of a later version, and know further operators. */
export function requirementProblems(
  at: string,
  expression: Draft,
  { takesAnyOperator = false }: { readonly takesAnyOperator?: boolean } = {},
): readonly FieldError[] {
  const key = textAt(expression, 'key') ?? ''
  const values = listAt(expression, 'values').map(String)
  return [
    ...operatorProblems(at, textAt(expression, 'operator') ?? '', values).filter(
      ({ field }) => !takesAnyOperator || !field.endsWith('.operator'),
    ),
    ...qualifiedNameProblems(key).map(rule => invalid(`${at}.key`, key, rule)),
    ...values.flatMap((value, index) => labelValueProblems(value).map(rule => invalid(`${at}.values[${index}]`, value, rule))),
  ]
}

function operatorProblems(at: string, operator: string, values: readonly string[]): readonly FieldError[] {
  switch (operator) {
    case 'In':
    case 'NotIn':
      return values.length > 0 ? [] : [required(`${at}.values`, "must be specified when `operator` is 'In' or 'NotIn'")]
    case 'Exists':
    case 'DoesNotExist':
      return values.length === 0
        ? []
        : [forbidden(`${at}.values`, "may not be specified when `operator` is 'Exists' or 'DoesNotExist'")]
    default:
      return [invalid(`${at}.operator`, operator, 'not a valid selector operator')]
  }
}
