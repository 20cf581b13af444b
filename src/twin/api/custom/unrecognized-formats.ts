// Warnings of formats in a definition's schemas that upstream does not know for their type: such a format is stored and checks nothing.
import type { KubeObject } from '#kube/objects/objects.ts'
import { type Draft, fieldsAt, isFields, itemsAt } from '../../json-value.ts'

const integerFormats: ReadonlySet<string> = new Set(['int32', 'int64'])
const numberFormats: ReadonlySet<string> = new Set(['float', 'double'])
/** Without their hyphens. */
const textFormats: ReadonlySet<string> = new Set(
  'bsonobjectid uri email hostname ipv4 ipv6 cidr mac uuid uuid3 uuid4 uuid5 isbn isbn10 isbn13 creditcard ssn hexcolor rgbcolor byte password date duration datetime k8sshortname k8slongname'.split(
    ' ',
  ),
)

/** What a write of a definition warns of: formats that `existing` did not have. Upstream does so from 1.34 on. */
export function formatWarnings(definition: Draft, existing: KubeObject | undefined, minor: number): readonly string[] {
  if (minor < 34) return []
  const known = existing === undefined ? new Set<string>() : formatsIn(existing)
  return [...formatsIn(definition)]
    .filter(format => !known.has(format))
    .map(format => `unrecognized format ${JSON.stringify(format)}`)
}

function formatsIn(definition: Draft | KubeObject): ReadonlySet<string> {
  const found = new Set<string>()
  for (const version of itemsAt(definition, 'spec', 'versions')) collect(fieldsAt(version, 'schema', 'openAPIV3Schema'), found)
  return found
}

function collect(schema: unknown, found: Set<string>): void {
  if (!isFields(schema)) return
  const { format, type } = schema
  if (typeof format === 'string' && format !== '' && !isRecognized(format, type)) found.add(format)
  for (const name of ['items', 'not', 'additionalProperties', 'additionalItems']) collect(schema[name], found)
  for (const name of ['allOf', 'anyOf', 'oneOf', 'items']) for (const one of itemsAt(schema, name)) collect(one, found)
  for (const name of ['properties', 'patternProperties', 'definitions', 'dependencies'])
    for (const one of Object.values(fieldsAt(schema, name) ?? {})) collect(one, found)
}

/** Upstream looks at no format of other types. */
function isRecognized(format: string, type: unknown): boolean {
  switch (type ?? '') {
    case '':
    case 'string':
      return textFormats.has(format.replaceAll('-', ''))
    case 'integer':
      return integerFormats.has(format)
    case 'number':
      return numberFormats.has(format)
    default:
      return true
  }
}
