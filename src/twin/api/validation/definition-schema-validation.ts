// Schemas of CustomResourceDefinitions: whether they are structural, and whether their patterns, rules, lists and defaults mean something.

import { CelError, parseCel } from '#kube/cel/cel-syntax.ts'
import { type FieldError, forbidden, invalid, notSupported, required } from '#kube/objects/field-error.ts'
import { parsePattern } from '#kube/values/regex.ts'
import { type Draft, fieldsAt, isFields, itemsAt, listAt, textAt, valueAt } from '../../json-value.ts'
import { schemaProblems } from '../custom/custom-schema.ts'

const types = ['array', 'boolean', 'integer', 'number', 'object', 'string']
const combinators = ['allOf', 'anyOf', 'oneOf'] as const

/** Everything that is wrong with a version's schema. */
export function structuralProblems(schema: Draft, place: string): readonly FieldError[] {
  const type = textAt(schema, 'type') ?? ''
  const problems: FieldError[] = []
  if (type === '') problems.push(required(`${place}.type`, 'must not be empty at the root'))
  else if (type !== 'object') problems.push(invalid(`${place}.type`, type, 'must be object at the root'))
  if (type !== '' && !types.includes(type)) problems.push(notSupported(`${place}.type`, type, types))
  const metadata = fieldsAt(schema, 'properties', 'metadata')
  const restricted = Object.keys(fieldsAt(metadata, 'properties') ?? {})
  if (restricted.some(name => name !== 'name' && name !== 'generateName'))
    problems.push(
      forbidden(
        `${place}.properties[metadata]`,
        'must not specify anything other than name and generateName, but metadata is implicitly specified',
      ),
    )
  if (type === '') return problems
  problems.push(...nodeProblems(schema, place))
  return problems
}

function nodeProblems(schema: Draft, place: string): readonly FieldError[] {
  const problems: FieldError[] = []
  if (schema['$ref'] !== undefined) return [forbidden(`${place}.$ref`, '$ref is not supported')]
  if (schema['uniqueItems'] === true)
    problems.push(
      forbidden(`${place}.uniqueItems`, 'uniqueItems cannot be set to true since the runtime complexity becomes quadratic'),
    )
  const additional = schema['additionalProperties']
  if (fieldsAt(schema, 'properties') !== undefined && additional !== undefined && additional !== false)
    problems.push(forbidden(`${place}.additionalProperties`, 'additionalProperties and properties are mutual exclusive'))
  problems.push(...patternProblems(schema, place), ...ruleProblems(schema, place), ...listProblems(schema, place))
  problems.push(...defaultProblems(schema, place), ...combinatorProblems(schema, place))
  if (schema['type'] === 'array' && !isFields(schema['items']) && schema['x-kubernetes-preserve-unknown-fields'] !== true)
    problems.push(required(`${place}.items`, 'must be specified'))
  for (const [name, property] of Object.entries(fieldsAt(schema, 'properties') ?? {}))
    if (isFields(property)) problems.push(...memberProblems(property, `${place}.properties[${name}]`, 'object fields'))
  if (isFields(schema['items'])) problems.push(...memberProblems(schema['items'], `${place}.items`, 'array items'))
  if (isFields(additional)) problems.push(...memberProblems(additional, `${place}.additionalProperties`, 'object fields'))
  return problems
}

function memberProblems(schema: Draft, place: string, holder: string): readonly FieldError[] {
  const type = textAt(schema, 'type') ?? ''
  const isFree =
    schema['x-kubernetes-int-or-string'] === true ||
    schema['x-kubernetes-preserve-unknown-fields'] === true ||
    schema['$ref'] !== undefined
  const problems = [...nodeProblems(schema, place)]
  if (type === '' && !isFree) problems.push(required(`${place}.type`, `must not be empty for specified ${holder}`))
  else if (type !== '' && !types.includes(type)) problems.push(notSupported(`${place}.type`, type, types))
  return problems
}

function combinatorProblems(schema: Draft, place: string): readonly FieldError[] {
  const isIntOrString = schema['x-kubernetes-int-or-string'] === true
  const problems: FieldError[] = []
  for (const name of combinators) {
    for (const [index, part] of itemsAt(schema, name).entries()) {
      if (part['type'] !== undefined && !isIntOrString)
        problems.push(forbidden(`${place}.${name}[${index}].type`, 'must be empty to be structural'))
    }
  }
  return problems
}

function patternProblems(schema: Draft, place: string): readonly FieldError[] {
  const pattern = textAt(schema, 'pattern')
  if (pattern === undefined) return []
  const parsed = parsePattern(pattern)
  if (parsed.ok) return []
  const why = /error parsing regexp: .*(?=\)$)/s.exec(parsed.problem.expected)?.[0] ?? parsed.problem.expected
  return [invalid(`${place}.pattern`, pattern, `must be a valid regular expression, but isn't: ${why}`)]
}

function ruleProblems(schema: Draft, place: string): readonly FieldError[] {
  return itemsAt(schema, 'x-kubernetes-validations').flatMap((rule, index): FieldError[] => {
    const at = `${place}.x-kubernetes-validations[${index}]`
    const text = textAt(rule, 'rule') ?? ''
    const message = textAt(rule, 'message')
    const problems: FieldError[] = []
    if (text.trim() === '') problems.push(required(`${at}.rule`, 'rule is not specified'))
    if (message !== undefined && /[\r\n]/.test(message))
      problems.push(invalid(`${at}.message`, message, 'must not contain line breaks'))
    else if (message !== undefined && message.trim() === '')
      problems.push(invalid(`${at}.message`, message, 'message must be non-empty if specified'))
    if (text.trim() === '') return problems
    try {
      parseCel(text)
    } catch (error) {
      if (!(error instanceof CelError)) throw error
      problems.push(invalid(`${at}.rule`, printedRule(rule), `compilation failed: ${error.message}`))
    }
    return problems
  })
}

/** A rule as Go's struct prints it. */
function printedRule(rule: Draft): unknown {
  return {
    Rule: rule['rule'] ?? '',
    Message: rule['message'] ?? '',
    MessageExpression: rule['messageExpression'] ?? '',
    Reason: rule['reason'] ?? null,
    FieldPath: rule['fieldPath'] ?? '',
    OptionalOldSelf: rule['optionalOldSelf'] ?? null,
  }
}

function listProblems(schema: Draft, place: string): readonly FieldError[] {
  const kind = textAt(schema, 'x-kubernetes-list-type')
  const items = fieldsAt(schema, 'items')
  if (kind === undefined) return []
  if (!['atomic', 'set', 'map'].includes(kind))
    return [notSupported(`${place}.x-kubernetes-list-type`, kind, ['atomic', 'set', 'map'])]
  if (kind === 'set') {
    const isObject = items?.['type'] === 'object' && items['x-kubernetes-map-type'] !== 'atomic'
    if (!isObject) return []
    const why = 'must be atomic as item of a list with x-kubernetes-list-type=set'
    return [invalid(`${place}.items.x-kubernetes-map-type`, valueAt(items, 'x-kubernetes-map-type') ?? null, why)]
  }
  if (kind !== 'map') return []
  const keys = listAt(schema, 'x-kubernetes-list-map-keys').map(String)
  if (items !== undefined && items['type'] !== 'object')
    return [invalid(`${place}.items.type`, items['type'] ?? '', "must be object if parent array's x-kubernetes-list-type is map")]
  if (keys.length === 0)
    return [required(`${place}.x-kubernetes-list-map-keys`, 'must not be empty if x-kubernetes-list-type is map')]
  return keys.flatMap(key => {
    const property = fieldsAt(items, 'properties', key)
    if (property === undefined)
      return [invalid(`${place}.x-kubernetes-list-map-keys`, key, 'entries must all be names of item properties')]
    const isGiven = property['default'] !== undefined || listAt(items, 'required').includes(key)
    const why = 'this property is in x-kubernetes-list-map-keys, so it must have a default or be a required property'
    return isGiven ? [] : [required(`${place}.items.properties[${key}].default`, why)]
  })
}

function defaultProblems(schema: Draft, place: string): readonly FieldError[] {
  const value = schema['default']
  if (value === undefined) return []
  const at = `${place}.default`
  if (isFields(value) && hasUnknown(schema, value)) return [invalid(at, value, 'must not have unknown fields')]
  // Upstream checks a default by itself, where it has no name.
  return schemaProblems(schema, value).map(problem => ({
    ...problem,
    field: problem.field === '' ? at : `${at}.${problem.field}`,
  }))
}

function hasUnknown(schema: Draft, value: unknown): boolean {
  if (!isFields(value) || schema['x-kubernetes-preserve-unknown-fields'] === true) return false
  const properties = fieldsAt(schema, 'properties') ?? {}
  const additional = schema['additionalProperties']
  return Object.keys(value).some(name => {
    const member = fieldsAt(properties, name)
    if (member !== undefined) return hasUnknown(member, value[name])
    return isFields(additional) ? hasUnknown(additional, value[name]) : additional !== true
  })
}
