// Lists as Go's pflag reads them: one CSV record a flag, further flags append.

/**
 * The fields of `text`: commas part them, double quotes group and are doubled inside, and nothing is trimmed. The empty text has none.
 * `undefined` where a quote stands in the wrong place.
 */
export function parseStringSlice(text: string): readonly string[] | undefined {
  if (text === '') return []
  // What follows the first record is not looked at.
  const record = firstRecord(text)
  const fields: string[] = []
  for (let at = 0; ; ) {
    const field = record[at] === '"' ? quotedField(record, at) : plainField(record, at)
    if (field === undefined) return undefined
    fields.push(field.value)
    if (field.end >= record.length) return fields
    at = field.end + 1
  }
}

/** Up to the first end of a line that is not in quotes. */
function firstRecord(text: string): string {
  let isQuoted = false
  for (let at = 0; at < text.length; at++) {
    if (text[at] === '"') isQuoted = !isQuoted
    else if (text[at] === '\n' && !isQuoted) return text.slice(0, at).replace(/\r$/, '')
  }
  return text
}

interface Field {
  readonly value: string
  /** Where the comma after it stands, or the end. */
  readonly end: number
}

function plainField(record: string, start: number): Field | undefined {
  const comma = record.indexOf(',', start)
  const end = comma < 0 ? record.length : comma
  const value = record.slice(start, end)
  return value.includes('"') ? undefined : { value, end }
}

function quotedField(record: string, start: number): Field | undefined {
  let value = ''
  for (let at = start + 1; at < record.length; at++) {
    if (record[at] !== '"') value += record[at]
    else if (record[at + 1] === '"') {
      value += '"'
      at++
    } else if (at + 1 === record.length || record[at + 1] === ',') return { value, end: at + 1 }
    else return undefined
  }
  return undefined
}
