// Selectors of nodes, by labels and by name.
import { type FieldError, forbidden, invalid, required } from '#kube/objects/field-error.ts'
import { dns1123SubdomainProblems, labelValueProblems, qualifiedNameProblems } from '#kube/objects/names.ts'
import { type Draft, itemsAt, listAt, textAt } from '../../../json-value.ts'

const operators = ['In', 'NotIn', 'Exists', 'DoesNotExist', 'Gt', 'Lt']

/** Everything that is wrong with a selector of nodes at `at`, values that no label can have included. */
export function nodeSelectorProblems(at: string, selector: Draft): readonly FieldError[] {
  const place = `${at}.nodeSelectorTerms`
  const terms = itemsAt(selector, 'nodeSelectorTerms')
  if (terms.length === 0) return [required(place, 'must have at least one node selector term')]
  return terms.flatMap((term, index) => termProblems(term, `${place}[${index}]`, true))
}

/** What is wrong with one term; `checksValues`: with values that no label can have as well. */
export function termProblems(term: Draft, place: string, checksValues = false): readonly FieldError[] {
  return [
    ...itemsAt(term, 'matchExpressions').flatMap((one, index) =>
      expressionProblems(one, `${place}.matchExpressions[${index}]`, checksValues),
    ),
    ...itemsAt(term, 'matchFields').flatMap((one, index) => fieldProblems(one, `${place}.matchFields[${index}]`)),
  ]
}

/** A node is told by one name. */
function fieldProblems(requirement: Draft, at: string): readonly FieldError[] {
  const [operator, key] = [textAt(requirement, 'operator') ?? '', textAt(requirement, 'key') ?? '']
  const isKnown = operator === 'In' || operator === 'NotIn'
  const values = listAt(requirement, 'values').map(String)
  const rule = "must be only one value when `operator` is 'In' or 'NotIn' for node field selector"
  return [
    ...(isKnown ? [] : [invalid(`${at}.operator`, operator, 'not a valid selector operator')]),
    ...(isKnown && values.length !== 1 ? [required(`${at}.values`, rule)] : []),
    ...(key === 'metadata.name'
      ? values.flatMap((value, index) =>
          dns1123SubdomainProblems(value).map(why => invalid(`${at}.values[${index}]`, value, why)),
        )
      : [invalid(`${at}.key`, key, 'not a valid field selector key')]),
  ]
}

function expressionProblems(expression: Draft, at: string, checksValues: boolean): readonly FieldError[] {
  const operator = textAt(expression, 'operator') ?? ''
  const values = listAt(expression, 'values').map(String)
  const problems: FieldError[] = []
  if ((operator === 'In' || operator === 'NotIn') && values.length === 0)
    problems.push(required(`${at}.values`, "must be specified when `operator` is 'In' or 'NotIn'"))
  else if ((operator === 'Exists' || operator === 'DoesNotExist') && values.length > 0)
    problems.push(forbidden(`${at}.values`, "may not be specified when `operator` is 'Exists' or 'DoesNotExist'"))
  else if ((operator === 'Gt' || operator === 'Lt') && values.length !== 1)
    problems.push(required(`${at}.values`, "must be specified single value when `operator` is 'Lt' or 'Gt'"))
  else if (!operators.includes(operator)) problems.push(invalid(`${at}.operator`, operator, 'not a valid selector operator'))
  const key = textAt(expression, 'key') ?? ''
  problems.push(...qualifiedNameProblems(key).map(rule => invalid(`${at}.key`, key, rule)))
  if (checksValues)
    for (const [index, value] of values.entries())
      problems.push(...labelValueProblems(value).map(rule => invalid(`${at}.values[${index}]`, value, rule)))
  return problems
}
