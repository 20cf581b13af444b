// Schemas of CustomResourceDefinitions: whether they are structural, and whether their patterns, rules, lists and defaults mean something.
import { type FieldError, forbidden, invalid, notSupported, required } from '#kube/objects/field-error.ts'
import { parsePattern } from '#kube/values/regex.ts'
import { type Draft, fieldsAt, isFields, itemsAt, listAt, textAt, valueAt } from '../../json-value.ts'
import { schemaProblems } from '../custom/custom-schema.ts'
import { isFieldPath } from './definition-field-path.ts'
import { definitionRuleProblems } from './definition-rules.ts'

const types = ['array', 'boolean', 'integer', 'number', 'object', 'string']
const combinators = ['allOf', 'anyOf', 'oneOf'] as const

/** What is wrong: with the form, so that rules mean nothing, or with single parts. */
interface Faults {
  readonly form: FieldError[]
  readonly parts: FieldError[]
}

/** Everything that is wrong with a version's schema. `isUnchanged`: it was let pass before, whatever its rules may cost. */
export function structuralProblems(schema: Draft, place: string, isUnchanged = false): readonly FieldError[] {
  const type = textAt(schema, 'type') ?? ''
  const faults: Faults = { form: [], parts: [] }
  if (type === '') faults.form.push(required(`${place}.type`, 'must not be empty at the root'))
  else if (type !== 'object') faults.form.push(invalid(`${place}.type`, type, 'must be object at the root'))
  if (type !== '' && !types.includes(type)) faults.parts.push(notSupported(`${place}.type`, type, types))
  const metadata = fieldsAt(schema, 'properties', 'metadata')
  const restricted = Object.keys(fieldsAt(metadata, 'properties') ?? {})
  if (restricted.some(name => name !== 'name' && name !== 'generateName'))
    faults.form.push(
      forbidden(
        `${place}.properties[metadata]`,
        'must not specify anything other than name and generateName, but metadata is implicitly specified',
      ),
    )
  if (type !== '') nodeProblems(schema, place, faults, { isRoot: true, isInMetadata: false })
  const found = [...faults.form, ...faults.parts]
  if (faults.form.length > 0) return found
  const isFaulty = (part: string) => faults.parts.some(({ field }) => field.startsWith(part))
  return [...found, ...definitionRuleProblems(schema, place, { isUnchanged, isFaulty })]
}

interface Where {
  readonly isRoot: boolean
  /** Within the kind, the version or the metadata of an object. */
  readonly isInMetadata: boolean
}

function nodeProblems(schema: Draft, place: string, faults: Faults, where: Where): void {
  if (schema['$ref'] !== undefined) {
    faults.form.push(forbidden(`${place}.$ref`, '$ref is not supported'))
    return
  }
  if (schema['uniqueItems'] === true)
    faults.form.push(
      forbidden(`${place}.uniqueItems`, 'uniqueItems cannot be set to true since the runtime complexity becomes quadratic'),
    )
  const additional = schema['additionalProperties']
  if (fieldsAt(schema, 'properties') !== undefined && additional !== undefined && additional !== false)
    faults.parts.push(forbidden(`${place}.additionalProperties`, 'additionalProperties and properties are mutual exclusive'))
  const isEmbedded = schema['x-kubernetes-embedded-resource'] === true
  if (isEmbedded && where.isInMetadata)
    faults.parts.push(forbidden(`${place}.x-kubernetes-embedded-resource`, 'must not be used inside of resource meta'))
  if (isEmbedded) faults.form.push(...embeddedProblems(schema, place))
  if (isEmbedded || where.isRoot) faults.form.push(...identityProblems(schema, place))
  faults.form.push(...patternProblems(schema, place), ...extensionProblems(schema, place))
  faults.parts.push(...ruleTextProblems(schema, place), ...mapProblems(schema, place), ...listProblems(schema, place))
  faults.form.push(...defaultProblems(schema, place), ...combinatorProblems(schema, place))
  if (schema['type'] === 'array' && !isFields(schema['items']) && schema['x-kubernetes-preserve-unknown-fields'] !== true)
    faults.form.push(required(`${place}.items`, 'must be specified'))
  const within: Where = { isRoot: false, isInMetadata: where.isInMetadata }
  for (const [name, property] of Object.entries(fieldsAt(schema, 'properties') ?? {})) {
    if (!isFields(property)) continue
    const isInMetadata = where.isInMetadata || ((where.isRoot || isEmbedded) && identityFields.has(name))
    memberProblems(property, `${place}.properties[${name}]`, faults, { ...within, isInMetadata, holder: 'object fields' })
  }
  if (isFields(schema['items'])) memberProblems(schema['items'], `${place}.items`, faults, { ...within, holder: 'array items' })
  if (isFields(additional))
    memberProblems(additional, `${place}.additionalProperties`, faults, { ...within, holder: 'object fields' })
}

const identityFields = new Set(['apiVersion', 'kind', 'metadata'])

function memberProblems(schema: Draft, place: string, faults: Faults, where: Where & { readonly holder: string }): void {
  const type = textAt(schema, 'type') ?? ''
  const isFree =
    schema['x-kubernetes-int-or-string'] === true ||
    schema['x-kubernetes-preserve-unknown-fields'] === true ||
    schema['x-kubernetes-embedded-resource'] === true ||
    schema['$ref'] !== undefined
  nodeProblems(schema, place, faults, where)
  if (type === '' && !isFree) faults.form.push(required(`${place}.type`, `must not be empty for specified ${where.holder}`))
  else if (type !== '' && !types.includes(type)) faults.parts.push(notSupported(`${place}.type`, type, types))
}

/** An embedded resource is an object, and says what is in it or that anything may be. */
function embeddedProblems(schema: Draft, place: string): readonly FieldError[] {
  const type = textAt(schema, 'type') ?? ''
  const problems: FieldError[] = []
  const why = 'must be object if x-kubernetes-embedded-resource is true'
  if (type === '') problems.push(required(`${place}.type`, why))
  else if (type !== 'object') problems.push(invalid(`${place}.type`, type, why))
  if (schema['additionalProperties'] !== undefined)
    problems.push(forbidden(`${place}.additionalProperties`, 'must not be used if x-kubernetes-embedded-resource is set'))
  const isOpen = schema['x-kubernetes-preserve-unknown-fields'] === true
  if (!isOpen && Object.keys(fieldsAt(schema, 'properties') ?? {}).length === 0)
    problems.push(
      required(
        `${place}.properties`,
        'must not be empty if x-kubernetes-embedded-resource is true without x-kubernetes-preserve-unknown-fields',
      ),
    )
  return problems
}

/** What every object has is what Kubernetes has it be. */
function identityProblems(schema: Draft, place: string): readonly FieldError[] {
  const wanted = { kind: 'string', apiVersion: 'string', metadata: 'object' } as const
  return Object.entries(wanted).flatMap(([name, type]) => {
    const property = fieldsAt(schema, 'properties', name)
    const found = textAt(property, 'type') ?? ''
    if (property === undefined || found === type) return []
    return [invalid(`${place}.properties[${name}].type`, found, `must be ${type}`)]
  })
}

function extensionProblems(schema: Draft, place: string): readonly FieldError[] {
  if (schema['x-kubernetes-int-or-string'] !== true) return []
  return ['x-kubernetes-preserve-unknown-fields', 'x-kubernetes-embedded-resource'].flatMap(name =>
    schema[name] === true ? [invalid(`${place}.${name}`, true, 'must be false if x-kubernetes-int-or-string is true')] : [],
  )
}

/** What parts of `allOf` and its like may not say, and in which words they are told so. */
const forbiddenInParts: readonly (readonly [name: string, words: string])[] = [
  ['default', 'must be undefined to be structural'],
  ['title', 'must be empty to be structural'],
  ['description', 'must be empty to be structural'],
  ['nullable', 'must be false to be structural'],
  ['additionalProperties', 'must be undefined to be structural'],
  ['x-kubernetes-preserve-unknown-fields', 'must be false to be structural'],
  ['x-kubernetes-embedded-resource', 'must be false to be structural'],
  ['x-kubernetes-int-or-string', 'must be false to be structural'],
  ['x-kubernetes-list-map-keys', 'must be empty to be structural'],
  ['x-kubernetes-list-type', 'must be undefined to be structural'],
  ['x-kubernetes-map-type', 'must be undefined to be structural'],
  ['x-kubernetes-validations', 'must be empty to be structural'],
]

function combinatorProblems(schema: Draft, place: string): readonly FieldError[] {
  const isIntOrString = schema['x-kubernetes-int-or-string'] === true
  const not = fieldsAt(schema, 'not')
  return [
    ...combinators.flatMap(name =>
      itemsAt(schema, name).flatMap((part, index) => partProblems(part, `${place}.${name}[${index}]`, isIntOrString)),
    ),
    ...(not === undefined ? [] : partProblems(not, `${place}.not`, false)),
  ]
}

function partProblems(part: Draft, place: string, isIntOrString: boolean): readonly FieldError[] {
  const problems: FieldError[] = []
  if (part['type'] !== undefined && !isIntOrString) problems.push(forbidden(`${place}.type`, 'must be empty to be structural'))
  for (const [name, words] of forbiddenInParts) {
    const value = part[name]
    const isEmpty = value === undefined || value === null || value === '' || value === false
    if (!isEmpty && !(Array.isArray(value) && value.length === 0)) problems.push(forbidden(`${place}.${name}`, words))
  }
  if (fieldsAt(part, 'properties', 'metadata') !== undefined)
    problems.push(forbidden(`${place}.properties[metadata]`, 'must not be specified in a nested context'))
  const items = fieldsAt(part, 'items')
  if (items !== undefined) problems.push(...partProblems(items, `${place}.items`, false))
  for (const [name, property] of Object.entries(fieldsAt(part, 'properties') ?? {}))
    if (isFields(property)) problems.push(...partProblems(property, `${place}.properties[${name}]`, false))
  return [...problems, ...combinatorProblems(part, place)]
}

function patternProblems(schema: Draft, place: string): readonly FieldError[] {
  const pattern = textAt(schema, 'pattern')
  if (pattern === undefined) return []
  const parsed = parsePattern(pattern)
  if (parsed.ok) return []
  const why = /error parsing regexp: .*(?=\)$)/s.exec(parsed.problem.expected)?.[0] ?? parsed.problem.expected
  return [invalid(`${place}.pattern`, pattern, `must be a valid regular expression, but isn't: ${why}`)]
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
  const problems: FieldError[] = []
  if (type !== 'object') problems.push(wrongHolder(`${place}.type`, type, 'must be object if x-kubernetes-map-type is specified'))
  if (kind !== 'atomic' && kind !== 'granular')
    problems.push(notSupported(`${place}.x-kubernetes-map-type`, kind, ['atomic', 'granular']))
  return problems
}

function listProblems(schema: Draft, place: string): readonly FieldError[] {
  const kind = textAt(schema, 'x-kubernetes-list-type')
  const items = fieldsAt(schema, 'items')
  if (kind === undefined) return []
  const type = textAt(schema, 'type') ?? ''
  const ofType =
    type === 'array' ? [] : [wrongHolder(`${place}.type`, type, 'must be array if x-kubernetes-list-type is specified')]
  if (!['atomic', 'set', 'map'].includes(kind))
    return [...ofType, notSupported(`${place}.x-kubernetes-list-type`, kind, ['atomic', 'set', 'map'])]
  if (ofType.length > 0) return ofType
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
