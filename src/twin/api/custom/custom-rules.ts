// `x-kubernetes-validations` of custom kinds: CEL rules on `self` and, where there is one, `oldSelf`.

import { evaluateCel, mentions } from '#kube/cel/cel.ts'
import { durationNanos, timestampNanos } from '#kube/cel/cel-literals.ts'
import { CelDuration, CelTime } from '#kube/cel/cel-times.ts'
import { Optional } from '#kube/cel/cel-values.ts'
import { duplicate, type FieldError, forbidden, invalid, required } from '#kube/objects/field-error.ts'
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
    isKept && !isOnChanges(rule) ? [] : brokenRule(schema, rule, value, before, path),
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

function brokenRule(schema: Draft, rule: Draft, value: unknown, before: unknown, path: string): FieldError[] {
  const expression = textAt(rule, 'rule') ?? ''
  if (isOnChanges(rule) && before === undefined && rule['optionalOldSelf'] !== true) return []
  const scope = scopeOf(schema, rule, value, before)
  const outcome = evaluateCel(expression, scope)
  if (outcome.ok && outcome.value === true) return []
  const ownPath = textAt(rule, 'fieldPath') ?? ''
  // A rule on the object as a whole names no field.
  const field = `${path}${path === '' ? ownPath.replace(/^\./, '') : ownPath}` || '<nil>'
  const type = textAt(schema, 'type') ?? ''
  if (!outcome.ok) return [invalid(path === '' ? '<nil>' : path, type, runtimeWords(outcome.problem, rule))]
  const detail = messageOf(rule, expression, scope)
  const isPart = type !== 'object' && type !== 'array'
  return [errorOf(textAt(rule, 'reason'), field, isPart ? { value } : undefined, detail)]
}

/** The variables of a rule: an old value that may be absent is an optional where the rule says so. */
function scopeOf(schema: Draft, rule: Draft, value: unknown, before: unknown): Readonly<Record<string, unknown>> {
  const self = typedValue(schema, value)
  const old = before === undefined ? undefined : typedValue(schema, before)
  if (rule['optionalOldSelf'] === true) return { self, oldSelf: new Optional(old, before !== undefined) }
  return before === undefined ? { self } : { self, oldSelf: old }
}

const timed = new WeakMap<Draft, boolean>()

/** Whether a schema has durations or times in it. */
function hasTimes(schema: Draft): boolean {
  let found = timed.get(schema)
  if (found === undefined) {
    const parts = [...Object.values(fieldsAt(schema, 'properties') ?? {}), schema['items'], schema['additionalProperties']]
    found = ['duration', 'date', 'date-time'].includes(textAt(schema, 'format') ?? '')
    found ||= parts.some(part => isFields(part) && hasTimes(part))
    timed.set(schema, found)
  }
  return found
}

/** A value with the durations and times that its schema says are in it. */
function typedValue(schema: Draft | undefined, value: unknown): unknown {
  if (schema === undefined || !hasTimes(schema)) return value
  if (Array.isArray(value)) return value.map(item => typedValue(fieldsAt(schema, 'items'), item))
  if (isFields(value)) {
    const properties = fieldsAt(schema, 'properties') ?? {}
    const additional = fieldsAt(schema, 'additionalProperties')
    const typed = Object.entries(value).map(([name, item]): readonly [string, unknown] => {
      const member = Object.hasOwn(properties, name) ? fieldsAt(properties, name) : additional
      return [name, typedValue(member, item)]
    })
    return Object.fromEntries(typed)
  }
  return typeof value === 'string' ? typedText(textAt(schema, 'format') ?? '', value) : value
}

/** A text that is none of its format was refused before: it stays what it is. */
function typedText(format: string, text: string): unknown {
  const nanos = format === 'duration' ? durationNanos(text) : undefined
  if (nanos !== undefined) return new CelDuration(nanos)
  const isTime = format === 'date' || format === 'date-time'
  const time = isTime ? timestampNanos(format === 'date' ? `${text}T00:00:00Z` : text) : undefined
  return time === undefined ? text : new CelTime(time)
}

function messageOf(rule: Draft, expression: string, scope: Readonly<Record<string, unknown>>): string {
  const computed = textAt(rule, 'messageExpression')
  if (computed !== undefined) {
    const outcome = evaluateCel(computed, scope)
    if (outcome.ok && typeof outcome.value === 'string' && outcome.value.trim() !== '' && !outcome.value.includes('\n'))
      return outcome.value
  }
  return textAt(rule, 'message') ?? `failed rule: ${expression.trim()}`
}

/** What is said of a rule that ended in an error. */
function runtimeWords(problem: string, rule: Draft): string {
  const text = (name: string) => (textAt(rule, name) ?? '').trim()
  const words = text('message') === '' ? text('rule') : text('message')
  if (problem.startsWith('validation failed')) return problem
  if (problem.startsWith('no such overload'))
    return `'no such overload': call arguments did not match a supported operator, function or macro signature for rule: ${words}`
  return `${problem} evaluating rule: ${words}`
}

/** The refusal by a rule; `shown` has the value where it is shown: objects and lists are not. */
function errorOf(
  reason: string | undefined,
  field: string,
  shown: { readonly value: unknown } | undefined,
  detail: string,
): FieldError {
  switch (reason) {
    case 'FieldValueForbidden':
      return forbidden(field, detail)
    case 'FieldValueRequired':
      return required(field, detail)
    case 'FieldValueDuplicate':
      return shown === undefined ? { type: 'FieldValueDuplicate', field, body: 'Duplicate value' } : duplicate(field, shown.value)
    default:
      return shown === undefined
        ? { type: 'FieldValueInvalid', field, body: `Invalid value: ${detail}` }
        : invalid(field, shown.value, detail)
  }
}
