// `fieldPath` of rules: a way by names from the schema that has the rule to the field that a refusal names.
import { type Draft, fieldsAt } from '../../json-value.ts'

/** Whether a path such as `.spec['a.b'].c` leads to something that the schema describes. */
export function isFieldPath(path: string, schema: Draft): boolean {
  let found: Draft | undefined = schema
  const step = /\.([^.[\]]+)|\['((?:[^'\\]|\\.)*)'\]/y
  while (step.lastIndex < path.length) {
    const matched = step.exec(path)
    if (matched === null) return false
    const name = matched[1] ?? unescaped(matched[2] ?? '')
    if (name === undefined) return false
    const properties = fieldsAt(found, 'properties')
    found = properties === undefined ? fieldsAt(found, 'additionalProperties') : ownField(properties, name)
    if (found === undefined) return false
  }
  return true
}

function ownField(properties: Draft, name: string): Draft | undefined {
  return Object.hasOwn(properties, name) ? fieldsAt(properties, name) : undefined
}

const escapes: Readonly<Record<string, string>> = {
  a: '\x07',
  b: '\b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
  v: '\v',
  '\\': '\\',
  "'": "'",
  '"': '"',
}

/** A text without its escapes; undefined where one means nothing. */
function unescaped(text: string): string | undefined {
  let isFine = true
  const plain = text.replaceAll(/\\(.)/gs, (_all, character: string) => {
    const meant = escapes[character]
    if (meant === undefined) isFine = false
    return meant ?? ''
  })
  return isFine ? plain : undefined
}
