// What OpenAPI has and a CustomResourceDefinition may not, at every part of a schema: in parts of `allOf` and its like as well.
import { type FieldError, forbidden, invalid, notSupported, required } from '#kube/objects/field-error.ts'
import { type Draft, fieldsAt, isEmpty, isFields, itemsAt, listAt, textAt, valueAt } from '../../../json-value.ts'
import { isFieldPath } from '../definition-field-path.ts'

const schemaTypes = ['array', 'boolean', 'integer', 'number', 'object', 'string']
export const combinators = ['allOf', 'anyOf', 'oneOf'] as const

/** Fields whose parts are schemas, and whether an empty one counts as there. */
const unsupported: readonly (readonly [name: string, countsEmpty: boolean])[] = [
  ['id', false],
  ['additionalItems', true],
  ['patternProperties', false],
  ['definitions', false],
  ['dependencies', true],
  ['$ref', true],
]

/** The parts of a kind, its version or its metadata. */
const identityFields = new Set(['apiVersion', 'kind', 'metadata'])

interface Where {
  readonly isRoot: boolean
  /** Within the kind, the version or the metadata of an object. */
  readonly isInMetadata: boolean
  /** Why no default may be here. */
  readonly noDefault: string | undefined
}

/** What is wrong with a schema and all its parts, each by itself. */
export function standardProblems(schema: Draft, place: string): readonly FieldError[] {
  return partProblems(schema, place, { isRoot: true, isInMetadata: false, noDefault: undefined })
}

function partProblems(schema: Draft, place: string, where: Where): readonly FieldError[] {
  return [
    ...supportProblems(schema, place, where),
    ...(schema['uniqueItems'] === true
      ? [forbidden(`${place}.uniqueItems`, 'uniqueItems cannot be set to true since the runtime complexity becomes quadratic')]
      : []),
    ...memberProblems(schema, place, where),
    ...(schema['x-kubernetes-preserve-unknown-fields'] === false
      ? [invalid(`${place}.x-kubernetes-preserve-unknown-fields`, false, 'must be true or undefined')]
      : []),
    ...mapProblems(schema, place),
    ...listProblems(schema, place),
    ...ruleTextProblems(schema, place),
  ]
}

function supportProblems(schema: Draft, place: string, { isInMetadata, noDefault }: Where): readonly FieldError[] {
  const type = textAt(schema, 'type') ?? ''
  const items = schema['items']
  return [
    ...(type !== '' && !schemaTypes.includes(type) ? [notSupported(`${place}.type`, type, schemaTypes)] : []),
    ...(noDefault !== undefined && schema['default'] !== undefined
      ? [forbidden(`${place}.default`, `must not be set ${noDefault}`)]
      : []),
    ...unsupported.flatMap(([name, countsEmpty]) =>
      has(schema, name, countsEmpty) ? [forbidden(`${place}.${name}`, `${name} is not supported`)] : [],
    ),
    ...(type === 'null' ? [forbidden(`${place}.type`, 'type cannot be set to null, use nullable as an alternative')] : []),
    ...(Array.isArray(items) && items.length > 0
      ? [forbidden(`${place}.items`, 'items must be a schema object and not an array')]
      : []),
    ...(isInMetadata && schema['x-kubernetes-embedded-resource'] === true
      ? [forbidden(`${place}.x-kubernetes-embedded-resource`, 'must not be used inside of resource meta')]
      : []),
  ]
}

function has(schema: Draft, name: string, countsEmpty: boolean): boolean {
  const value = schema[name] ?? null
  return value !== null && value !== '' && (countsEmpty || !isEmpty(value))
}

/** The name of a field that no structural form has, within `part`: one of the first that is there. */
export function unsupportedName(part: Draft): string | undefined {
  const order = ['id', '$schema', '$ref', 'patternProperties', 'dependencies', 'additionalItems', 'definitions']
  return order.find(name => has(part, name, name === 'additionalItems'))
}

/** The parts of a schema, each with its place. */
function memberProblems(schema: Draft, place: string, where: Where): readonly FieldError[] {
  const problems: FieldError[] = []
  const within: Where = { ...where, isRoot: false }
  const properties = fieldsAt(schema, 'properties') ?? {}
  const additional = schema['additionalProperties'] ?? undefined
  if (!isEmpty(properties) && additional !== undefined && additional !== true)
    problems.push(forbidden(`${place}.additionalProperties`, 'additionalProperties and properties are mutual exclusive'))
  if (isFields(additional)) {
    const noDefault = where.isInMetadata ? 'inside additionalProperties applying to object metadata' : within.noDefault
    problems.push(...partProblems(additional, `${place}.additionalProperties`, { ...within, noDefault }))
  }
  const isObject = where.isRoot || schema['x-kubernetes-embedded-resource'] === true
  for (const [name, property] of Object.entries(properties)) {
    if (!isFields(property)) continue
    const isIdentity = isObject && identityFields.has(name)
    problems.push(
      ...partProblems(property, `${place}.properties[${name}]`, {
        isRoot: false,
        isInMetadata: where.isInMetadata || isIdentity,
        noDefault: isIdentity && where.isRoot ? `in top-level ${name}` : where.noDefault,
      }),
    )
  }
  const not = fieldsAt(schema, 'not')
  if (not !== undefined) problems.push(...partProblems(not, `${place}.not`, within))
  for (const name of ['allOf', 'oneOf', 'anyOf'] as const)
    for (const [index, part] of itemsAt(schema, name).entries())
      problems.push(...partProblems(part, `${place}.${name}[${index}]`, within))
  problems.push(...namedProblems(schema, 'definitions', place, within))
  const items = schema['items']
  if (isFields(items)) problems.push(...partProblems(items, `${place}.items`, within))
  for (const [index, item] of itemsAt(schema, 'items').entries())
    problems.push(...partProblems(item, `${place}.items[${index}]`, within))
  problems.push(...namedProblems(schema, 'dependencies', place, within))
  return problems
}

function namedProblems(schema: Draft, field: string, place: string, within: Where): readonly FieldError[] {
  return Object.entries(fieldsAt(schema, field) ?? {}).flatMap(([name, part]) =>
    isFields(part) ? partProblems(part, `${place}.${field}[${name}]`, within) : [],
  )
}

const reasons = ['FieldValueDuplicate', 'FieldValueForbidden', 'FieldValueInvalid', 'FieldValueRequired']

/** What is wrong with rules as texts. */
function ruleTextProblems(schema: Draft, place: string): readonly FieldError[] {
  return itemsAt(schema, 'x-kubernetes-validations').flatMap((rule, index): FieldError[] => {
    const at = `${place}.x-kubernetes-validations[${index}]`
    const text = (name: string) => textAt(rule, name) ?? ''
    const problems = [...messageProblems(at, text('rule'), text('message'))]
    if (text('messageExpression') !== '' && text('messageExpression').trim() === '')
      problems.push(required(`${at}.messageExpression`, 'messageExpression must be non-empty if specified'))
    const reason = rule['reason'] ?? null
    if (reason !== null && !reasons.includes(String(reason))) problems.push(notSupported(`${at}.reason`, String(reason), reasons))
    const path = text('fieldPath')
    if (path !== '' && path.trim() === '') problems.push(invalid(`${at}.fieldPath`, path, 'must be non-empty if specified'))
    if (hasBreak(path)) problems.push(invalid(`${at}.fieldPath`, path, 'must not contain line breaks'))
    if (path !== '' && !isFieldPath(path, schema)) problems.push(invalid(`${at}.fieldPath`, path, 'must be a valid path'))
    return problems
  })
}

function messageProblems(at: string, rule: string, message: string): readonly FieldError[] {
  if (rule.trim() === '') return [required(`${at}.rule`, 'rule is not specified')]
  if (message !== '' && message.trim() === '') return [invalid(`${at}.message`, message, 'must be non-empty if specified')]
  if (hasBreak(message.trim())) return [invalid(`${at}.message`, message, 'must not contain line breaks')]
  if (hasBreak(rule.trim()) && message.trim() === '')
    return [required(`${at}.message`, 'message must be specified if rule contains line breaks')]
  return []
}

function hasBreak(text: string): boolean {
  return /[\r\n]/.test(text)
}

function wrongHolder(place: string, type: string, why: string): FieldError {
  return type === '' ? required(place, why) : invalid(place, type, why)
}

function mapProblems(schema: Draft, place: string): readonly FieldError[] {
  const kind = textAt(schema, 'x-kubernetes-map-type')
  if (kind === undefined) return []
  const type = textAt(schema, 'type') ?? ''
  return [
    ...(type === 'object' ? [] : [wrongHolder(`${place}.type`, type, 'must be object if x-kubernetes-map-type is specified')]),
    ...(kind === 'atomic' || kind === 'granular'
      ? []
      : [notSupported(`${place}.x-kubernetes-map-type`, kind, ['atomic', 'granular'])]),
  ]
}

function listProblems(schema: Draft, place: string): readonly FieldError[] {
  const kind = textAt(schema, 'x-kubernetes-list-type')
  const keys = listAt(schema, 'x-kubernetes-list-map-keys').map(String)
  const why = 'must be map if x-kubernetes-list-map-keys is non-empty'
  if (kind === undefined) return keys.length > 0 ? [required(`${place}.x-kubernetes-list-type`, why)] : []
  const type = textAt(schema, 'type') ?? ''
  return [
    ...(type === 'array'
      ? setProblems(schema, kind, place)
      : [wrongHolder(`${place}.type`, type, 'must be array if x-kubernetes-list-type is specified')]),
    ...(['atomic', 'set', 'map'].includes(kind)
      ? []
      : [notSupported(`${place}.x-kubernetes-list-type`, kind, ['atomic', 'set', 'map'])]),
    ...(keys.length > 0 && kind !== 'map' ? [invalid(`${place}.x-kubernetes-list-type`, kind, why)] : []),
    ...(kind === 'map' ? keyedListProblems(schema, keys, place) : []),
    ...(kind === 'map' || kind === 'set' ? itemProblems(schema, kind, keys, place) : []),
  ]
}

function setProblems(schema: Draft, kind: string, place: string): readonly FieldError[] {
  const items = fieldsAt(schema, 'items')
  if (kind !== 'set' || items === undefined) return []
  const why = 'must be atomic as item of a list with x-kubernetes-list-type=set'
  const [listType, mapType] = [textAt(items, 'x-kubernetes-list-type'), textAt(items, 'x-kubernetes-map-type')]
  if (items['type'] === 'array' && listType !== undefined && listType !== 'atomic')
    return [invalid(`${place}.items.x-kubernetes-list-type`, listType, why)]
  // Upstream shows the list's type in place of the map's.
  if (items['type'] === 'object' && mapType !== 'atomic')
    return [invalid(`${place}.items.x-kubernetes-map-type`, listType ?? null, why)]
  return []
}

function keyedListProblems(schema: Draft, keys: readonly string[], place: string): readonly FieldError[] {
  const problems: FieldError[] = []
  const at = `${place}.x-kubernetes-list-map-keys`
  if (keys.length === 0) problems.push(required(at, 'must not be empty if x-kubernetes-list-type is map'))
  const items = fieldsAt(schema, 'items')
  if (items === undefined) return [...problems, required(`${place}.items`, 'must have a schema if x-kubernetes-list-type is map')]
  const type = textAt(items, 'type') ?? ''
  if (type !== 'object')
    return [...problems, invalid(`${place}.items.type`, type, "must be object if parent array's x-kubernetes-list-type is map")]
  for (const [index, key] of keys.entries()) {
    const property = fieldsAt(items, 'properties', key)
    const of = textAt(property, 'type')
    if (property === undefined) problems.push(invalid(at, keys, 'entries must all be names of item properties'))
    else if (of === 'array' || of === 'object')
      problems.push(
        invalid(
          `${place}.items.properties[${key}].type`,
          type,
          "must be a scalar type if parent array's x-kubernetes-list-type is map",
        ),
      )
    if (keys.indexOf(key) < index) problems.push(invalid(at, keys, 'must not contain duplicate entries'))
  }
  return problems
}

/** Items that are told apart by what they are, or by keys, must have those. */
function itemProblems(schema: Draft, kind: string, keys: readonly string[], place: string): readonly FieldError[] {
  const items = fieldsAt(schema, 'items')
  if (items === undefined) return []
  const why = 'this property is in x-kubernetes-list-map-keys, so it'
  return [
    ...(items['nullable'] === true
      ? [forbidden(`${place}.items.nullable`, `cannot be nullable when x-kubernetes-list-type is ${kind}`)]
      : []),
    ...(kind === 'set' ? [] : keys).flatMap(key => {
      const property = fieldsAt(items, 'properties', key)
      if (property === undefined) return []
      const isGiven = valueAt(property, 'default') !== undefined || listAt(items, 'required').includes(key)
      const at = `${place}.items.properties[${key}]`
      return [
        ...(isGiven ? [] : [required(`${at}.default`, `${why} must have a default or be a required property`)]),
        ...(property['nullable'] === true ? [forbidden(`${at}.nullable`, `${why} cannot be nullable`)] : []),
      ]
    }),
  ]
}
