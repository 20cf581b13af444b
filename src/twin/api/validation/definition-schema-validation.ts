// Schemas of CustomResourceDefinitions: whether they are structural, and whether their patterns, rules, lists and defaults mean something.
import { type FieldError, fieldErrorText, forbidden, invalid, required } from '#kube/objects/field-error.ts'
import { parsePattern } from '#kube/values/regex.ts'
import { type Draft, fieldsAt, isEmpty, isFields, isSame, itemsAt, textAt } from '../../json-value.ts'
import { schemaProblems } from '../custom/custom-schema.ts'
import { definitionRuleProblems } from './definition-rules.ts'
import { combinators, standardProblems, unsupportedName } from './definitions/standard-schema.ts'

/** Everything that is wrong with a version's schema. `isUnchanged`: it was let pass before, whatever its rules may cost. */
export function structuralProblems(schema: Draft, place: string, isUnchanged = false): readonly FieldError[] {
  const atRoot = schema['nullable'] === true ? [forbidden(`${place}.nullable`, 'nullable cannot be true at the root')] : []
  const standard = [...atRoot, ...standardProblems(schema, place)]
  const unformed = unformedReason(schema)
  if (unformed !== undefined) return standard.length > 0 ? standard : [invalid(place, '', unformed)]
  const form = structuralFormProblems(schema, place)
  if (form.length > 0) return [...form, ...standard]
  const defaults = defaultsProblems(schema, place)
  if (defaults.length > 0) return [...defaults, ...standard]
  const isFaulty = (part: string) => standard.some(({ field }) => field.startsWith(part))
  return [...standard, ...definitionRuleProblems(schema, place, { isUnchanged, isFaulty })]
}

/** Why a schema cannot be brought into the structural form at all: nothing can be said of its form then. */
function unformedReason(schema: Draft): string | undefined {
  const name = unsupportedName(schema)
  if (name !== undefined) return `OpenAPIV3Schema '${name === '$schema' ? 'schema' : name}' is not supported`
  if (schema['x-kubernetes-preserve-unknown-fields'] === false)
    return "internal error: 'x-kubernetes-preserve-unknown-fields' must be true or undefined"
  if (Array.isArray(schema['items']) && schema['items'].length > 0)
    return "OpenAPIV3Schema 'items' must be a schema, but is an array"
  const not = fieldsAt(schema, 'not')
  const parts = [...(not === undefined ? [] : [not]), ...combinators.flatMap(part => itemsAt(schema, part)), ...membersOf(schema)]
  for (const part of parts) {
    const reason = unformedReason(part)
    if (reason !== undefined) return reason
  }
  return undefined
}

/** Schemas of items, properties and further properties. */
function membersOf(schema: Draft): readonly Draft[] {
  const named = Object.values(fieldsAt(schema, 'properties') ?? {})
  return [schema['items'], ...named, schema['additionalProperties']].filter(isFields)
}

type Level = 'root' | 'item' | 'field'

/** In the order of their words, as upstream sorts them. */
function structuralFormProblems(schema: Draft, place: string): readonly FieldError[] {
  const found = [...formProblems(schema, place, 'root'), ...completenessProblems(schema, schema, place, place)]
  const key = (problem: FieldError) => fieldErrorText(problem)
  return found.toSorted((one, other) => (key(one) < key(other) ? -1 : key(one) > key(other) ? 1 : 0))
}

function formProblems(schema: Draft, place: string, level: Level): readonly FieldError[] {
  const problems: FieldError[] = []
  const items = fieldsAt(schema, 'items')
  const additional = schema['additionalProperties'] ?? undefined
  if (schema['type'] === 'array' && items === undefined) problems.push(required(`${place}.items`, 'must be specified'))
  if (items !== undefined) problems.push(...formProblems(items, `${place}.items`, 'item'))
  for (const [name, property] of Object.entries(fieldsAt(schema, 'properties') ?? {}))
    if (isFields(property)) problems.push(...formProblems(property, `${place}.properties[${name}]`, 'field'))
  if (additional !== undefined && level === 'root')
    problems.push(forbidden(`${place}.additionalProperties`, 'must not be used at the root'))
  if (isFields(additional)) problems.push(...formProblems(additional, `${place}.additionalProperties`, 'field'))
  problems.push(...extensionProblems(schema, place), ...combinatorProblems(schema, place))
  const isEmbedded = schema['x-kubernetes-embedded-resource'] === true
  problems.push(...(isEmbedded ? embeddedProblems(schema, place) : typeProblems(schema, place, level)))
  if (isEmbedded || level === 'root') problems.push(...identityProblems(schema, place))
  const metadata = fieldsAt(schema, 'properties', 'metadata')
  if (level === 'root' && metadata !== undefined && !saysNamesAlone(metadata))
    problems.push(
      forbidden(
        `${place}.properties[metadata]`,
        'must not specify anything other than name and generateName, but metadata is implicitly specified',
      ),
    )
  return problems
}

/** Whether a schema of metadata says nothing but what a name may be. */
function saysNamesAlone({ type: _type, default: _default, properties, ...rest }: Draft): boolean {
  const names = isFields(properties) ? Object.keys(properties) : []
  return (
    names.every(name => name === 'name' || name === 'generateName') && Object.values(rest).every(value => isEmpty(value ?? {}))
  )
}

const holders = { root: 'at the root', item: 'for specified array items', field: 'for specified object fields' } as const

function typeProblems(schema: Draft, place: string, level: Level): readonly FieldError[] {
  const type = textAt(schema, 'type') ?? ''
  const isFree = schema['x-kubernetes-int-or-string'] === true || schema['x-kubernetes-preserve-unknown-fields'] === true
  if (type === '') return isFree ? [] : [required(`${place}.type`, `must not be empty ${holders[level]}`)]
  return level === 'root' && type !== 'object' ? [invalid(`${place}.type`, type, 'must be object at the root')] : []
}

/** What parts of `allOf` and its like speak of is in the schema itself as well. */
function completenessProblems(part: Draft, schema: Draft | undefined, place: string, at: string): readonly FieldError[] {
  if (schema === undefined) return [required(place, `because it is defined in ${at}`)]
  const not = fieldsAt(part, 'not')
  const nested = [
    ...(not === undefined ? [] : [[not, `${at}.not`] as const]),
    ...combinators.flatMap(name => itemsAt(part, name).map((one, index) => [one, `${at}.${name}[${index}]`] as const)),
  ]
  return nested.flatMap(([one, where]) => nestedProblems(one, schema, place, where))
}

function nestedProblems(part: Draft, schema: Draft | undefined, place: string, at: string): readonly FieldError[] {
  if (schema === undefined) return [required(place, `because it is defined in ${at}`)]
  const items = fieldsAt(part, 'items')
  return [
    ...completenessProblems(part, schema, place, at),
    ...(items === undefined ? [] : nestedProblems(items, fieldsAt(schema, 'items'), `${place}.items`, `${at}.items`)),
    ...Object.entries(fieldsAt(part, 'properties') ?? {}).flatMap(([name, property]) =>
      isFields(property)
        ? nestedProblems(
            property,
            fieldsAt(schema, 'properties', name),
            `${place}.properties[${name}]`,
            `${at}.properties[${name}]`,
          )
        : [],
    ),
  ]
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
  ['type', 'must be empty to be structural'],
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

/** What counts as said where nothing is in it. */
const evenEmpty: ReadonlySet<string> = new Set(['default', 'x-kubernetes-list-type', 'x-kubernetes-map-type'])

/** `anyOf` with an integer and a text is how either is said. */
function isEither(parts: readonly Draft[]): boolean {
  return isSame(parts, [{ type: 'integer' }, { type: 'string' }])
}

function combinatorProblems(schema: Draft, place: string, isRoot = true, isEitherTaken = false): readonly FieldError[] {
  const not = fieldsAt(schema, 'not')
  const [first] = itemsAt(schema, 'allOf')
  const isFirstEither = isRoot && isEither(itemsAt(first, 'anyOf'))
  const isSkipped = isRoot ? isEither(itemsAt(schema, 'anyOf')) : isEitherTaken
  return [
    ...(isSkipped ? [] : itemsAt(schema, 'anyOf')).flatMap((part, index) => partProblems(part, `${place}.anyOf[${index}]`)),
    ...itemsAt(schema, 'allOf').flatMap((part, index) =>
      partProblems(part, `${place}.allOf[${index}]`, isFirstEither && index === 0),
    ),
    ...itemsAt(schema, 'oneOf').flatMap((part, index) => partProblems(part, `${place}.oneOf[${index}]`)),
    ...(not === undefined ? [] : partProblems(not, `${place}.not`)),
    ...patternProblems(schema, place),
  ]
}

function partProblems(part: Draft, place: string, isEitherTaken = false): readonly FieldError[] {
  const problems: FieldError[] = [...combinatorProblems(part, place, false, isEitherTaken)]
  const items = fieldsAt(part, 'items')
  if (items !== undefined) problems.push(...partProblems(items, `${place}.items`))
  for (const [name, property] of Object.entries(fieldsAt(part, 'properties') ?? {}))
    if (isFields(property)) problems.push(...partProblems(property, `${place}.properties[${name}]`))
  for (const [name, words] of forbiddenInParts) {
    const value = part[name] ?? null
    const isAbsent = value === null || (!evenEmpty.has(name) && (value === '' || value === false))
    if (!isAbsent && !(Array.isArray(value) && value.length === 0)) problems.push(forbidden(`${place}.${name}`, words))
  }
  if (fieldsAt(part, 'properties', 'metadata') !== undefined)
    problems.push(forbidden(`${place}.properties[metadata]`, 'must not be specified in a nested context'))
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

/** What is wrong with the defaults of a schema and its members. */
function defaultsProblems(schema: Draft, place: string): readonly FieldError[] {
  const [items, additional] = [schema['items'], schema['additionalProperties']]
  return [
    ...defaultProblems(schema, place),
    ...(isFields(items) ? defaultsProblems(items, `${place}.items`) : []),
    ...Object.entries(fieldsAt(schema, 'properties') ?? {}).flatMap(([name, property]) =>
      isFields(property) ? defaultsProblems(property, `${place}.properties[${name}]`) : [],
    ),
    ...(isFields(additional) ? defaultsProblems(additional, `${place}.additionalProperties`) : []),
  ]
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
