// Custom objects against the structural schema of their definition: defaults, and everything that is wrong with them.
import { type FieldError, invalid, notSupported, required, tooMany, typeInvalid } from '#kube/objects/field-error.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import {
  copyOf,
  type Draft,
  fieldsAt,
  isFields,
  isSame,
  itemsAt,
  jsonText,
  listAt,
  numberAt,
  setField,
  textAt,
  valueAt,
} from '../../json-value.ts'
import { compilePattern } from '../patterns.ts'
import { ruleProblems } from './custom-rules.ts'
import { embeddedProblems } from './embedded-objects.ts'

/** Fills in the schema's defaults. Null where null is not allowed is treated as absent. */
export function setCustomDefaults(schema: Draft, draft: Draft): void {
  fillIn(schema, draft)
}

function fillIn(schema: Draft, value: unknown): void {
  if (Array.isArray(value)) {
    const items = fieldsAt(schema, 'items')
    if (items !== undefined) for (const item of value) fillIn(items, item)
    return
  }
  if (!isFields(value)) return
  const properties = fieldsAt(schema, 'properties') ?? {}
  for (const [name, property] of Object.entries(properties)) {
    if (!isFields(property)) continue
    const isNull = value[name] === null && property['nullable'] !== true
    if (isNull) delete value[name]
    if (!Object.hasOwn(value, name) && property['default'] !== undefined) setField(value, name, copyOf(property['default']))
    if (Object.hasOwn(value, name)) fillIn(property, value[name])
  }
  const additional = fieldsAt(schema, 'additionalProperties')
  if (additional !== undefined)
    for (const [name, item] of Object.entries(value)) if (!Object.hasOwn(properties, name)) fillIn(additional, item)
}

/** Problems after which rules would only meet what they cannot expect. */
const blocking: ReadonlySet<FieldError['type']> = new Set([
  'FieldValueNotSupported',
  'FieldValueRequired',
  'FieldValueTooLong',
  'FieldValueTooMany',
  'FieldValueTypeInvalid',
])

const rulesUnchecked: FieldError = {
  type: 'FieldValueInvalid',
  field: '<nil>',
  body: 'Invalid value: null: some validation rules were not checked because the object was invalid; correct the existing errors to complete validation',
}

function hasRules(schema: Draft): boolean {
  const parts = [...Object.values(fieldsAt(schema, 'properties') ?? {}), schema['items'], schema['additionalProperties']]
  return itemsAt(schema, 'x-kubernetes-validations').length > 0 || parts.some(part => isFields(part) && hasRules(part))
}

/** Every problem of a custom object. What was wrong before and did not change is let pass. */
export function validateCustom(schema: Draft, draft: Draft, existing: KubeObject | undefined): readonly FieldError[] {
  const found = problemsOf(schema, draft, '', existing).filter(problem => !/^metadata(\.|$)/.test(problem.field))
  const problems = [...found, ...embeddedProblems(schema, draft)]
  if (!problems.some(problem => blocking.has(problem.type))) return [...problems, ...ruleProblems(schema, draft, existing)]
  return hasRules(schema) ? [...problems, rulesUnchecked] : problems
}

/** Everything that is wrong with a value by itself, without rules. */
export function schemaProblems(schema: Draft, value: unknown): readonly FieldError[] {
  return problemsOf(schema, value, '', undefined)
}

function problemsOf(schema: Draft, value: unknown, path: string, before: unknown): readonly FieldError[] {
  if (before !== undefined && isSame(value, before)) return []
  const problems = [...typeProblems(schema, value, path)]
  if (problems.length > 0) return value === null ? problems : [...problems, ...choiceProblems(schema, value, path)]
  if (value === null) return []
  problems.push(...valueProblems(schema, value, path), ...combinationProblems(schema, value, path))
  if (Array.isArray(value)) problems.push(...listProblems(schema, value, path, before))
  else if (isFields(value)) problems.push(...objectProblems(schema, value, path, before))
  return problems
}

const jsonTypes: Readonly<Record<string, (value: unknown) => boolean>> = {
  object: isFields,
  array: Array.isArray,
  string: value => typeof value === 'string',
  integer: value => isInt64(value),
  number: value => typeof value === 'number' || typeof value === 'bigint',
  boolean: value => typeof value === 'boolean',
}

function isInt64(value: unknown): boolean {
  return typeof value === 'bigint' || (Number.isInteger(value) && Math.abs(Number(value)) < 2 ** 63)
}

function typeNameOf(value: unknown): string {
  if (value === null) return 'null'
  if (Array.isArray(value)) return 'array'
  if (typeof value === 'bigint') return 'integer'
  if (typeof value === 'number') return Number.isInteger(value) && isInt64(value) ? 'integer' : 'number'
  return typeof value
}

function typeProblems(schema: Draft, value: unknown, path: string): readonly FieldError[] {
  if (value === null)
    return schema['nullable'] === true || schema['type'] === undefined
      ? []
      : [wrongType(path, value, textAt(schema, 'type') ?? '')]
  if (schema['x-kubernetes-int-or-string'] === true) {
    return typeof value === 'string' || isInt64(value) ? [] : [wrongType(path, value, 'integer,string')]
  }
  const type = textAt(schema, 'type')
  if (type === undefined) return []
  if (jsonTypes[type]?.(value) !== false) return []
  if (type !== 'integer' || typeof value !== 'number') return [wrongType(path, value, type)]
  // A number that is no integer is said twice.
  const format = textAt(schema, 'format')
  const checked = format === undefined ? 'integer (default format)' : `integer with format ${format}`
  const again = `Invalid value: "": Checked value must be of type ${checked} in ${path}`
  const isTooBig = Number.isInteger(value)
  // Whether it is in the range of its format is asked of Go's kind, and what it is of JSON's.
  const wrong = isTooBig ? wrongKind(path, 'float64', format ?? type) : wrongType(path, value, type)
  return [wrong, { type: 'FieldValueInvalid', field: '<nil>', body: again }]
}

function wrongType(path: string, value: unknown, type: string): FieldError {
  return wrongKind(path, typeNameOf(value), type)
}

function wrongKind(path: string, name: string, type: string): FieldError {
  return typeInvalid(path, name, `${path} in body must be of type ${type}: ${jsonText(name)}`)
}

function choiceProblems(schema: Draft, value: unknown, path: string): readonly FieldError[] {
  const choices = listAt(schema, 'enum')
  if (choices.length === 0 || choices.some(choice => isSame(choice, value))) return []
  const texts = choices.map(choice => (typeof choice === 'string' ? choice : jsonText(choice)))
  return [notSupported(path, value, texts)]
}

function valueProblems(schema: Draft, value: unknown, path: string): readonly FieldError[] {
  const problems: FieldError[] = [...choiceProblems(schema, value, path)]
  if (typeof value === 'number') problems.push(...numberProblems(schema, value, path))
  if (typeof value === 'string') problems.push(...textProblems(schema, value, path))
  return problems
}

function numberProblems(schema: Draft, value: number, path: string): readonly FieldError[] {
  const problems: FieldError[] = []
  const least = numberAt(schema, 'minimum')
  const most = numberAt(schema, 'maximum')
  const step = numberAt(schema, 'multipleOf')
  const isOpenBelow = schema['exclusiveMinimum'] === true
  const isOpenAbove = schema['exclusiveMaximum'] === true
  if (least !== undefined && (value < least || (isOpenBelow && value === least))) {
    problems.push(invalid(path, value, `${path} in body should be greater than ${isOpenBelow ? '' : 'or equal to '}${least}`))
  }
  if (most !== undefined && (value > most || (isOpenAbove && value === most))) {
    problems.push(invalid(path, value, `${path} in body should be less than ${isOpenAbove ? '' : 'or equal to '}${most}`))
  }
  if (step !== undefined && step > 0 && !Number.isInteger(value / step))
    problems.push(invalid(path, value, `${path} in body should be a multiple of ${step}`))
  return problems
}

function textProblems(schema: Draft, value: string, path: string): readonly FieldError[] {
  const length = [...value].length
  const least = numberAt(schema, 'minLength')
  const most = numberAt(schema, 'maxLength')
  const pattern = textAt(schema, 'pattern')
  const format = textAt(schema, 'format')
  // Only the first of them is reported.
  if (most !== undefined && length > most)
    return [{ type: 'FieldValueTooLong', field: path, body: `Too long: may not be more than ${most} bytes` }]
  if (least !== undefined && length < least)
    return [invalid(path, value, `${path} in body should be at least ${least} chars long`)]
  if (pattern !== undefined && !compilePattern(pattern).test(value))
    return [invalid(path, value, `${path} in body should match '${pattern}'`)]
  if (format !== undefined && !hasFormat(format, value))
    return [invalid(path, value, `${path} in body must be of type ${format}: ${jsonText(value)}`)]
  return []
}

/** Formats that are checked; those that are unknown to Kubernetes are ignored. */
function hasFormat(format: string, value: string): boolean {
  switch (format) {
    case 'date-time':
      return /^\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)$/.test(value) && !Number.isNaN(Date.parse(value))
    case 'date':
      return /^\d{4}-\d\d-\d\d$/.test(value) && !Number.isNaN(Date.parse(value))
    case 'byte':
      return /^[A-Za-z0-9+/]*={0,2}$/.test(value)
    case 'uuid':
      return /^[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12}$/i.test(value)
    case 'ipv4':
      return /^(\d{1,3}\.){3}\d{1,3}$/.test(value) && value.split('.').every(part => Number(part) < 256)
    case 'uri':
      return URL.canParse(value)
    default:
      return true
  }
}

function listProblems(schema: Draft, value: readonly unknown[], path: string, before: unknown): readonly FieldError[] {
  const problems: FieldError[] = []
  const least = numberAt(schema, 'minItems')
  const most = numberAt(schema, 'maxItems')
  if (most !== undefined && value.length > most) problems.push(tooMany(path, value.length, most))
  if (least !== undefined && value.length < least)
    problems.push(invalid(path, value.length, `${path} in body should have at least ${least} items`))
  problems.push(...duplicateProblems(schema, value, path))
  const items = fieldsAt(schema, 'items')
  if (items === undefined) return problems
  const previous = Array.isArray(before) ? before : []
  for (const [index, item] of value.entries())
    problems.push(
      ...problemsOf(
        items,
        item,
        `${path}[${index}]`,
        previous.find(candidate => isSame(candidate, item)),
      ),
    )
  return problems
}

function duplicateProblems(schema: Draft, value: readonly unknown[], path: string): readonly FieldError[] {
  const kind = textAt(schema, 'x-kubernetes-list-type')
  if (kind !== 'set' && kind !== 'map') return []
  const keys = listAt(schema, 'x-kubernetes-list-map-keys').map(String)
  const identityOf = (item: unknown) =>
    kind === 'set' || !isFields(item) ? item : Object.fromEntries(keys.map(key => [key, item[key]]))
  return value.flatMap((item, index) => {
    const isRepeated = value.slice(0, index).some(other => isSame(identityOf(other), identityOf(item)))
    return isRepeated
      ? [
          {
            type: 'FieldValueDuplicate' as const,
            field: `${path}[${index}]`,
            body: `Duplicate value: ${jsonText(identityOf(item))}`,
          },
        ]
      : []
  })
}

function objectProblems(schema: Draft, value: Draft, path: string, before: unknown): readonly FieldError[] {
  const problems: FieldError[] = []
  const at = (name: string) => (path === '' ? name : `${path}.${name}`)
  for (const name of listAt(schema, 'required'))
    if (!Object.hasOwn(value, String(name))) problems.push(required(at(String(name))))
  const count = Object.keys(value).length
  const least = numberAt(schema, 'minProperties')
  const most = numberAt(schema, 'maxProperties')
  if (most !== undefined && count > most) problems.push(tooMany(path, count, most))
  if (least !== undefined && count < least)
    problems.push(invalid(path, count, `${path} in body should have at least ${least} properties`))
  const properties = fieldsAt(schema, 'properties') ?? {}
  const additional = fieldsAt(schema, 'additionalProperties')
  for (const [name, item] of Object.entries(value)) {
    const member = isFields(properties[name]) && Object.hasOwn(properties, name) ? fieldsAt(properties, name) : additional
    if (member !== undefined) problems.push(...problemsOf(member, item, at(name), valueAt(before, name)))
  }
  return problems
}

/** allOf, anyOf, oneOf and not: they add no types, only conditions. */
function combinationProblems(schema: Draft, value: unknown, path: string): readonly FieldError[] {
  const problems: FieldError[] = []
  const holds = (part: Draft) => problemsOf(part, value, path, undefined).length === 0
  const where = path === '' ? '<nil>' : path
  for (const part of itemsAt(schema, 'allOf')) problems.push(...problemsOf(part, value, path, undefined))
  const any = itemsAt(schema, 'anyOf')
  if (any.length > 0 && !any.some(holds))
    problems.push(invalid(path, value, `${where} in body must validate at least one schema (anyOf)`))
  const one = itemsAt(schema, 'oneOf')
  if (one.length > 0 && one.filter(holds).length !== 1)
    problems.push(invalid(path, value, `${where} in body must validate one and only one schema (oneOf)`))
  const not = fieldsAt(schema, 'not')
  if (not !== undefined && holds(not)) problems.push(invalid(path, value, `${where} in body must not validate the schema (not)`))
  return problems
}
