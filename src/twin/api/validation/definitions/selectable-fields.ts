// `selectableFields` of definitions: each a way by names to a text, a number or a yes or no.
import { duplicate, type FieldError, invalid, required, tooMany } from '#kube/objects/field-error.ts'
import { type Draft, fieldsAt, textAt } from '../../../json-value.ts'

const mostSelectable = 8
const selectableTypes = ['string', 'boolean', 'integer']

/** @param schema undefined where the server keeps the fields apart from the schemas, which differ by version */
export function selectableFieldProblems(
  fields: readonly Draft[],
  schema: Draft | undefined,
  place: string,
): readonly FieldError[] {
  if (fields.length === 0) return []
  if (schema === undefined) return [invalid(place, '', 'may only be set when validations.schema is included')]
  const problems: FieldError[] = []
  const known = new Set<string>()
  for (const [index, field] of fields.entries()) {
    const at = `${place}[${index}].jsonPath`
    const path = textAt(field, 'jsonPath') ?? ''
    if (path === '') {
      problems.push(required(at))
      continue
    }
    const found = followed(path, schema)
    if (typeof found === 'string') {
      problems.push(invalid(at, path, `is an invalid path: ${found}`))
      continue
    }
    if (/^\.metadata(\.|$)/.test(path)) problems.push(invalid(at, path, 'must not point to fields in metadata'))
    if (!selectableTypes.includes(textAt(found, 'type') ?? ''))
      problems.push(
        invalid(
          at,
          path,
          'must point to a field of type string, boolean or integer. Enum string fields and strings with formats are allowed.',
        ),
      )
    if (known.has(path)) problems.push(duplicate(at, path))
    known.add(path)
  }
  if (known.size > mostSelectable) problems.push(tooMany(place, known.size, mostSelectable))
  return problems
}

/** The schema that a path leads to, or why it leads nowhere. */
function followed(path: string, root: Draft): Draft | string {
  const tokens = path.match(/[.[\]]|[^.[\]]+/g) ?? []
  let schema = root
  for (let at = 0; at < tokens.length; at += 2) {
    const [token = '', name] = tokens.slice(at, at + 2)
    if (token === '[') return 'array notation is not allowed'
    if (token !== '.') return `expected [ or . but got: ${token}`
    if (name === undefined) return 'unexpected end of JSON path'
    const properties = fieldsAt(schema, 'properties')
    const next = properties === undefined ? fieldsAt(schema, 'additionalProperties') : fieldsAt(properties, name)
    if (next === undefined) return 'does not refer to a valid field'
    schema = next
  }
  return schema
}
