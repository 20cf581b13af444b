// Annotations that nobody reads, cut out of an object's JSON before it is text: `kubectl apply` keeps the whole content of a Secret in one.
// A quote inside of a string is written `\"`: a quoted name that follows another byte than a backslash is a name.

const quote = 0x22
const backslash = 0x5c
const comma = 0x2c
const colon = 0x3a
const openBrace = 0x7b
const closeBrace = 0x7d
const name = Buffer.from('"annotations"')

/**
 * A copy of `bytes` in which every object under the name `annotations` has only the members of `kept`; `bytes` are overwritten with zeros.
 * Where such an object is not one of strings by name, all of it goes.
 */
export function keepAnnotations(bytes: Uint8Array, kept: readonly string[]): Uint8Array {
  const source = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const pieces: Uint8Array[] = []
  let doneTo = 0
  for (let at = source.indexOf(name); at >= 0; at = source.indexOf(name, Math.max(doneTo, at + name.length))) {
    const colonAt = skipSpace(source, at + name.length)
    const open = skipSpace(source, colonAt + 1)
    if (source[colonAt] !== colon || source[open] !== openBrace) continue
    const cut = members(source, open, kept)
    pieces.push(source.subarray(doneTo, open + 1), ...cut.kept)
    doneTo = cut.end
  }
  pieces.push(source.subarray(doneTo))
  const sieved = Buffer.concat(pieces)
  source.fill(0)
  return sieved
}

interface Members {
  /** What stands between the braces, with commas. */
  readonly kept: readonly Uint8Array[]
  /** Where the closing brace is. */
  readonly end: number
}

const separator = Buffer.from(',')

function members(source: Buffer, open: number, wanted: readonly string[]): Members {
  const kept: Uint8Array[] = []
  let at = skipSpace(source, open + 1)
  while (source[at] === quote) {
    const keyEnd = stringEnd(source, at)
    const colonAt = skipSpace(source, keyEnd)
    const start = skipSpace(source, colonAt + 1)
    if (source[colonAt] !== colon || source[start] !== quote) return { kept: [], end: objectEnd(source, open) }
    const end = stringEnd(source, start)
    if (wanted.includes(source.toString('latin1', at + 1, keyEnd - 1))) {
      if (kept.length > 0) kept.push(separator)
      kept.push(source.subarray(at, end))
    }
    at = skipSpace(source, end)
    if (source[at] === comma) at = skipSpace(source, at + 1)
  }
  return source[at] === closeBrace ? { kept, end: at } : { kept: [], end: objectEnd(source, open) }
}

function skipSpace(source: Buffer, from: number): number {
  let at = from
  while (source[at] === 0x20 || source[at] === 0x0a || source[at] === 0x0d || source[at] === 0x09) at++
  return at
}

/** Behind the string that begins at `from`; the end of `source` where it has none. */
function stringEnd(source: Buffer, from: number): number {
  for (let at = source.indexOf(quote, from + 1); at >= 0; at = source.indexOf(quote, at + 1)) {
    let first = at
    while (source[first - 1] === backslash) first--
    if ((at - first) % 2 === 0) return at + 1
  }
  return source.length
}

/** Where the object that begins at `from` has its closing brace; the end of `source` where it has none. */
function objectEnd(source: Buffer, from: number): number {
  let depth = 0
  let at = from
  while (at < source.length) {
    const byte = source[at]
    if (byte === quote) {
      at = stringEnd(source, at)
      continue
    }
    if (byte === openBrace) depth++
    if (byte === closeBrace && --depth === 0) return at
    at++
  }
  return source.length
}
