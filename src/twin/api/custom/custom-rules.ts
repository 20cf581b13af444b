// `x-kubernetes-validations` of custom kinds: CEL rules on `self` and, where there is one, `oldSelf`.

import { evaluateCel, mentions } from '#kube/cel/cel.ts'
import { duplicate, type FieldError, forbidden, required } from '#kube/objects/field-error.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { type Draft, fieldsAt, isFields, isSame, itemsAt, textAt, valueAt } from '../../json-value.ts'

/** The rules that an object breaks. */
export function ruleProblems(schema: Draft, draft: Draft, existing: KubeObject | undefined): readonly FieldError[] {
  return check(schema, draft, { before: existing, isSameAbove: false }, '')
}

interface Past {
  /** `undefined`: there was none, or nobody knows which. */
  readonly before: unknown
  /** What holds the value did not change at all. */
  readonly isSameAbove: boolean
}

/** What did not change is held to rules on changes only, as the API server does since 1.30. */
function check(schema: Draft, value: unknown, { before, isSameAbove }: Past, path: string): readonly FieldError[] {
  if (value === undefined || value === null) return []
  const isKept = isSameAbove || (before !== undefined && isSame(value, before))
  const problems = itemsAt(schema, 'x-kubernetes-validations').flatMap(rule =>
    isKept && !isOnChanges(rule) ? [] : brokenRule(rule, value, before, path),
  )
  const past = (found: unknown): Past => ({ before: found, isSameAbove: isKept })
  if (Array.isArray(value)) {
    const items = fieldsAt(schema, 'items')
    if (items !== undefined)
      for (const [index, item] of value.entries())
        problems.push(...check(items, item, past(matching(schema, before, item)), `${path}[${index}]`))
  } else if (isFields(value)) {
    const properties = fieldsAt(schema, 'properties') ?? {}
    const additional = fieldsAt(schema, 'additionalProperties')
    for (const [name, item] of Object.entries(value)) {
      const member = Object.hasOwn(properties, name) ? fieldsAt(properties, name) : additional
      if (member !== undefined)
        problems.push(...check(member, item, past(valueAt(before, name)), path === '' ? name : `${path}.${name}`))
    }
  }
  return problems
}

/** The old item that an item of a keyed list goes back to. */
function matching(schema: Draft, before: unknown, item: unknown): unknown {
  const keys = schema['x-kubernetes-list-map-keys']
  if (!Array.isArray(before) || !Array.isArray(keys)) return undefined
  return before.find(candidate => keys.every(key => isSame(valueAt(candidate, String(key)), valueAt(item, String(key)))))
}

function isOnChanges(rule: Draft): boolean {
  return mentions(textAt(rule, 'rule') ?? '', 'oldSelf')
}

function brokenRule(rule: Draft, value: unknown, before: unknown, path: string): FieldError[] {
  const expression = textAt(rule, 'rule') ?? ''
  if (isOnChanges(rule) && before === undefined && rule['optionalOldSelf'] !== true) return []
  const outcome = evaluateCel(expression, { self: value, ...(before === undefined ? {} : { oldSelf: before }) })
  if (outcome.ok && outcome.value === true) return []
  const ownPath = textAt(rule, 'fieldPath') ?? ''
  // A rule on the object as a whole names no field.
  const field = `${path}${path === '' ? ownPath.replace(/^\./, '') : ownPath}` || '<nil>'
  const detail = outcome.ok
    ? messageOf(rule, expression, value, before)
    : `rule compile or run-time error: ${outcome.problem}: evaluating rule: ${expression}`
  return [errorOf(textAt(rule, 'reason'), field, value, detail)]
}

function messageOf(rule: Draft, expression: string, self: unknown, oldSelf: unknown): string {
  const computed = textAt(rule, 'messageExpression')
  if (computed !== undefined) {
    const outcome = evaluateCel(computed, { self, ...(oldSelf === undefined ? {} : { oldSelf }) })
    if (outcome.ok && typeof outcome.value === 'string' && !outcome.value.includes('\n')) return outcome.value
  }
  return textAt(rule, 'message') ?? `failed rule: ${expression.trim()}`
}

function errorOf(reason: string | undefined, field: string, value: unknown, detail: string): FieldError {
  switch (reason) {
    case 'FieldValueForbidden':
      return forbidden(field, detail)
    case 'FieldValueRequired':
      return required(field, detail)
    case 'FieldValueDuplicate':
      return duplicate(field, value)
    default:
      return { type: 'FieldValueInvalid', field, body: `Invalid value: ${detail}` }
  }
}
