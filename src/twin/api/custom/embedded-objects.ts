// Objects within custom objects (`x-kubernetes-embedded-resource`): they have a version, a kind, and metadata that make sense.
import { type FieldError, fieldErrorText, invalid, required } from '#kube/objects/field-error.ts'
import { dns1035LabelProblems } from '#kube/objects/names.ts'
import { copyOf, type Draft, fieldsAt, isFields } from '../../json-value.ts'
import { structSchema } from '../../schema/schema-table.ts'
import { settleFields } from '../decoding/settled-fields.ts'
import { goKind } from '../go-words.ts'
import { embeddedMetadataProblems } from '../validation/metadata-validation.ts'

type Visit = (object: Draft, place: string) => void

/** Goes through the objects that a schema says are in a value. */
function visitEmbedded(schema: Draft | undefined, value: unknown, place: string, visit: Visit): void {
  if (schema === undefined) return
  if (Array.isArray(value)) {
    const items = fieldsAt(schema, 'items')
    for (const [index, item] of value.entries()) visitEmbedded(items, item, `${place}[${index}]`, visit)
    return
  }
  if (!isFields(value)) return
  if (schema['x-kubernetes-embedded-resource'] === true) visit(value, place)
  const properties = fieldsAt(schema, 'properties') ?? {}
  const additional = fieldsAt(schema, 'additionalProperties')
  for (const [name, item] of Object.entries(value)) {
    const property = Object.hasOwn(properties, name) ? fieldsAt(properties, name) : undefined
    if (property !== undefined) visitEmbedded(property, item, place === '' ? name : `${place}.${name}`, visit)
    else visitEmbedded(additional, item, `${place}[${name}]`, visit)
  }
}

const known = new WeakMap<Draft, boolean>()

/** Whether a schema says of anything in it that it is an object. */
function hasEmbedded(schema: Draft): boolean {
  let found = known.get(schema)
  if (found === undefined) {
    const parts = [...Object.values(fieldsAt(schema, 'properties') ?? {}), schema['items'], schema['additionalProperties']]
    found = schema['x-kubernetes-embedded-resource'] === true || parts.some(part => isFields(part) && hasEmbedded(part))
    known.set(schema, found)
  }
  return found
}

/** Why an object cannot be read because of what is within it; metadata that is null becomes empty. */
export function embeddedFault(schema: Draft, draft: Draft): string | undefined {
  if (!hasEmbedded(schema)) return undefined
  const faults: FieldError[] = []
  visitEmbedded(schema, draft, '', (object, place) => {
    for (const name of ['apiVersion', 'kind'])
      if (Object.hasOwn(object, name) && typeof object[name] !== 'string')
        faults.push(invalid(`${place}.${name}`, object[name], 'must be a string'))
    if (object['metadata'] === null) object['metadata'] = {}
    const why = metadataFault(object['metadata'])
    if (why !== undefined) faults.push(invalid(`${place}.metadata`, object['metadata'], why))
  })
  return faults[0] === undefined ? undefined : fieldErrorText(faults[0])
}

function metadataFault(metadata: unknown): string | undefined {
  if (metadata === undefined) return undefined
  if (!isFields(metadata)) return `json: cannot unmarshal ${goKind(metadata)} into Go value of type v1.ObjectMeta`
  return settleFields(structSchema('V1ObjectMeta'), copyOf(metadata)).fault
}

/** Everything that is wrong with objects within an object. */
export function embeddedProblems(schema: Draft, draft: Draft): readonly FieldError[] {
  if (!hasEmbedded(schema)) return []
  const problems: FieldError[] = []
  visitEmbedded(schema, draft, '', (object, place) => {
    problems.push(
      ...versionProblems(object['apiVersion'], `${place}.apiVersion`),
      ...kindProblems(object['kind'], `${place}.kind`),
    )
    const metadata = fieldsAt(object, 'metadata')
    if (metadata !== undefined) problems.push(...embeddedMetadataProblems(metadata, `${place}.metadata`))
  })
  return problems
}

function versionProblems(version: unknown, place: string): readonly FieldError[] {
  if (version === undefined) return [required(place)]
  if (version === '') return [invalid(place, version, 'must not be empty')]
  return String(version).split('/').length > 2
    ? [invalid(place, version, `unexpected GroupVersion string: ${String(version)}`)]
    : []
}

function kindProblems(kind: unknown, place: string): readonly FieldError[] {
  if (kind === undefined) return [required(place)]
  if (kind === '') return [invalid(place, kind, 'must not be empty')]
  return dns1035LabelProblems(String(kind).toLowerCase()).map(rule =>
    invalid(place, kind, `may have mixed case, but should otherwise match: ${rule}`),
  )
}
