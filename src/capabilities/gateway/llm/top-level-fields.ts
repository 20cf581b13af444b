// Single fields at the top of a JSON object of which only the beginning may be there. Nested values are passed over, however deep.

/** What was found of one field: its value, or that it begins and is not to be seen whole. */
type Seen = { readonly isWhole: true; readonly value: string | number | boolean | null | object } | { readonly isWhole: false }

/** In place of objects and lists, which are not read. */
const nested = Object.freeze({})

/** Bytes of a key that is looked at: every character may be written as six. */
const longestKey = 96

const quote = 0x22
const backslash = 0x5c
const comma = 0x2c
const colon = 0x3a
const openBrace = 0x7b
const closeBrace = 0x7d
const openBracket = 0x5b
const closeBracket = 0x5d

/**
 * The fields of `names` that stand at the top of the object of which `bytes` is the beginning. Of a field that is there twice the last one
 * counts, as for JSON.parse. What is no JSON ends the search: fields before it are told.
 */
export function topLevelFields(bytes: Uint8Array, names: readonly string[]): ReadonlyMap<string, Seen> {
  const found = new Map<string, Seen>()
  const longestName = Math.min(longestKey, Math.max(0, ...names.map(({ length }) => length)) * 6 + 2)
  let at = afterSpace(bytes, 0)
  if (bytes[at] !== openBrace) return found
  for (;;) {
    at = afterSpace(bytes, at + 1)
    const keyEnd = stringEnd(bytes, at)
    if (keyEnd === undefined) return found
    const key = keyEnd - at <= longestName ? primitive(bytes, at, keyEnd) : undefined
    at = afterSpace(bytes, keyEnd)
    if (bytes[at] !== colon) return found
    at = afterSpace(bytes, at + 1)
    const end = valueEnd(bytes, at)
    if (typeof key === 'string' && names.includes(key)) found.set(key, seenAt(bytes, at, end))
    if (end === undefined) return found
    at = afterSpace(bytes, end)
    if (bytes[at] !== comma) return found
  }
}

function seenAt(bytes: Uint8Array, at: number, end: number | undefined): Seen {
  if (end === undefined) return { isWhole: false }
  if (bytes[at] === openBrace || bytes[at] === openBracket) return { isWhole: true, value: nested }
  const value = primitive(bytes, at, end)
  return value === undefined ? { isWhole: false } : { isWhole: true, value }
}

/** A text, number or word; undefined: it is none. */
function primitive(bytes: Uint8Array, at: number, end: number): string | number | boolean | null | undefined {
  try {
    return JSON.parse(decoder.decode(bytes.subarray(at, end)))
  } catch (error) {
    if (error instanceof SyntaxError) return undefined
    throw error
  }
}

/** As Buffer and Go read it: bytes that are no UTF-8 become U+FFFD. */
const decoder = new TextDecoder('utf-8', { ignoreBOM: true })

function afterSpace(bytes: Uint8Array, from: number): number {
  let at = from
  while (bytes[at] === 0x20 || bytes[at] === 0x0a || bytes[at] === 0x0d || bytes[at] === 0x09) at++
  return at
}

/** Where the text that begins at `at` has ended; undefined: it is none, or not whole. */
function stringEnd(bytes: Uint8Array, at: number): number | undefined {
  if (bytes[at] !== quote) return undefined
  for (let end = at + 1; end < bytes.length; end++) {
    if (bytes[end] === backslash) end++
    else if (bytes[end] === quote) return end + 1
  }
  return undefined
}

/** Where the value that begins at `at` has ended; undefined: it is none, or not whole. */
function valueEnd(bytes: Uint8Array, at: number): number | undefined {
  const first = bytes[at]
  if (first === quote) return stringEnd(bytes, at)
  if (first === openBrace || first === openBracket) return nestedEnd(bytes, at)
  for (let end = at; end < bytes.length; end++) {
    const byte = bytes[end] ?? 0
    if (byte === comma || byte === closeBrace || byte <= 0x20) return end === at ? undefined : end
  }
  return undefined
}

function nestedEnd(bytes: Uint8Array, at: number): number | undefined {
  let depth = 0
  for (let end = at; end < bytes.length; end++) {
    const byte = bytes[end]
    if (byte === quote) {
      const after = stringEnd(bytes, end)
      if (after === undefined) return undefined
      end = after - 1
    } else if (byte === openBrace || byte === openBracket) depth++
    else if ((byte === closeBrace || byte === closeBracket) && --depth === 0) return end + 1
  }
  return undefined
}
