// Functions of sprig on strings, as node-feature-discovery's templates have them (sprig 3.3).

import { createHash } from 'node:crypto'
import { posix } from 'node:path'
import { RuleFailure } from '../matching/rule-failure.ts'
import { any, fn, type GoFunction, integer, ofAll, text, variadic } from './functions.ts'
import { printed, quoted } from './printing.ts'
import { byBytes, GoMap, type GoValue, isList } from './values.ts'

/** Characters of a string that a function makes: labels have 63. */
const longestMade = 65_536

/** A value as sprig makes a string of it. */
function stringOf(value: GoValue): string {
  return typeof value === 'string' ? value : printed(value)
}

/** A value as a list of strings; nil is left out. */
function stringsOf(value: GoValue): readonly string[] {
  if (value === null) return []
  return isList(value) ? value.filter(element => element !== null).map(stringOf) : [stringOf(value)]
}

function bounded(made: string): string {
  if (made.length > longestMade) throw new RuleFailure(`it makes a string of more than ${longestMade} characters`)
  return made
}

function repeated(count: bigint, piece: string): string {
  if (count < 0n) throw new RuleFailure('a negative count cannot be repeated')
  if (count * BigInt(Math.max(piece.length, 1)) > BigInt(longestMade)) bounded('x'.repeat(longestMade + 1))
  return piece.repeat(Number(count))
}

function trimmed(text: string, set: string): string {
  const characters = new Set(set)
  const points = [...text]
  let [start, end] = [0, points.length]
  while (start < end && characters.has(points[start] ?? '')) start += 1
  while (end > start && characters.has(points[end - 1] ?? '')) end -= 1
  return points.slice(start, end).join('')
}

/** Sizes count bytes; a negative one takes from the end. */
function truncated(size: bigint, whole: string): string {
  const bytes = Buffer.from(whole)
  if (size < 0n) return BigInt(bytes.length) + size > 0n ? bytes.subarray(bytes.length + Number(size)).toString('utf8') : whole
  return size < BigInt(bytes.length) ? bytes.subarray(0, Number(size)).toString('utf8') : whole
}

function substring(start: bigint, end: bigint, whole: string): string {
  const bytes = Buffer.from(whole)
  const length = BigInt(bytes.length)
  const from = start < 0n ? 0n : start
  const to = start >= 0n && (end < 0n || end > length) ? length : end
  if (from > to || to < 0n || to > length) throw new RuleFailure(`a part from ${start} to ${end} of ${length} bytes`)
  return bytes.subarray(Number(from), Number(to)).toString('utf8')
}

/** A string split to a map with `_0`, `_1` and so on. */
function splitToMap(parts: readonly string[]): GoMap {
  return new GoMap(
    parts.map((part, index) => [`_${index}`, part]),
    '',
  )
}

/** Go splits an empty separator to characters, and keeps what is left in the last of `most`. */
function splitText(separator: string, whole: string, most = -1): readonly string[] {
  if (most === 0) return []
  const parts = separator === '' ? [...whole] : whole.split(separator)
  if (most < 0 || parts.length <= most) return parts
  return [...parts.slice(0, most - 1), parts.slice(most - 1).join(separator)]
}

function indented(spaces: bigint, lines: string): string {
  const pad = repeated(spaces, ' ')
  return bounded(pad + lines.replaceAll('\n', `\n${pad}`))
}

function titled(whole: string): string {
  // A word begins after anything but a letter, a digit or an underscore.
  return whole.replace(/(^|[^\p{L}\p{Nd}_'])(\p{L})/gu, (_, before: string, letter: string) => before + letter.toUpperCase())
}

const base32Letters = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'

function base32(whole: string): string {
  let bits = ''
  for (const byte of Buffer.from(whole)) bits += byte.toString(2).padStart(8, '0')
  let written = ''
  for (let at = 0; at < bits.length; at += 5)
    written += base32Letters[Number.parseInt(bits.slice(at, at + 5).padEnd(5, '0'), 2)] ?? ''
  return written.padEnd(Math.ceil(written.length / 8) * 8, '=')
}

function adler32(whole: string): string {
  let [low, high] = [1, 0]
  for (const byte of Buffer.from(whole)) {
    low = (low + byte) % 65_521
    high = (high + low) % 65_521
  }
  return String(high * 65_536 + low)
}

function hashed(algorithm: string): GoFunction {
  return fn(text)(whole => createHash(algorithm).update(whole).digest('hex'))
}

const canonicalBase64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/

function fromBase64(encoded: string): string {
  const one = encoded.replace(/[\r\n]/g, '')
  if (!canonicalBase64.test(one)) throw new RuleFailure('the string is no base64')
  return Buffer.from(one, 'base64').toString('utf8')
}

const onTwo = (body: (first: string, second: string) => GoValue) => fn(text, text)(body)
const onPath = (body: (path: string) => GoValue) => fn(text)(body)

/** `path.Base` of Go: no name is `.`. */
function baseName(path: string): string {
  if (path === '') return '.'
  return posix.basename(path) || '/'
}

function cleaned(path: string): string {
  const normal = posix.normalize(path)
  return normal.length > 1 ? normal.replace(/\/$/, '') : normal
}

function directory(path: string): string {
  return cleaned(path.slice(0, path.lastIndexOf('/') + 1))
}

function extension(path: string): string {
  const name = path.slice(path.lastIndexOf('/') + 1)
  return name.includes('.') ? name.slice(name.lastIndexOf('.')) : ''
}

export const sprigText: readonly (readonly [string, GoFunction])[] = [
  ['hello', fn()(() => 'Hello!')],
  ['trim', fn(text)(whole => whole.trim())],
  ['upper', fn(text)(whole => whole.toUpperCase())],
  ['lower', fn(text)(whole => whole.toLowerCase())],
  ['title', fn(text)(titled)],
  [
    'untitle',
    fn(text)(whole => whole.replace(/(^|\s)(\S)/gu, (_, before: string, letter: string) => before + letter.toLowerCase())),
  ],
  ['trunc', fn(integer, text)(truncated)],
  ['substr', fn(integer, integer, text)(substring)],
  ['repeat', fn(integer, text)(repeated)],
  ['trimall', onTwo((set, whole) => trimmed(whole, set))],
  ['trimAll', onTwo((set, whole) => trimmed(whole, set))],
  ['trimSuffix', onTwo((suffix, whole) => (suffix !== '' && whole.endsWith(suffix) ? whole.slice(0, -suffix.length) : whole))],
  ['trimPrefix', onTwo((prefix, whole) => (whole.startsWith(prefix) ? whole.slice(prefix.length) : whole))],
  ['nospace', fn(text)(whole => whole.replace(/\s/gu, ''))],
  ['contains', onTwo((part, whole) => whole.includes(part))],
  ['hasPrefix', onTwo((prefix, whole) => whole.startsWith(prefix))],
  ['hasSuffix', onTwo((suffix, whole) => whole.endsWith(suffix))],
  [
    'quote',
    ofAll(values =>
      values
        .filter(value => value !== null)
        .map(value => quoted(stringOf(value)))
        .join(' '),
    ),
  ],
  [
    'squote',
    ofAll(values =>
      values
        .filter(value => value !== null)
        .map(value => `'${printed(value)}'`)
        .join(' '),
    ),
  ],
  [
    'cat',
    ofAll(values =>
      values
        .filter(value => value !== null)
        .map(printed)
        .join(' '),
    ),
  ],
  ['indent', fn(integer, text)(indented)],
  ['nindent', fn(integer, text)((spaces, lines) => `\n${indented(spaces, lines)}`)],
  ['replace', fn(text, text, text)((old, fresh, whole) => bounded(whole.replaceAll(old, () => fresh)))],
  ['plural', fn(text, text, integer)((one, many, count) => (count === 1n ? one : many))],
  ['toString', fn(any)(({ value }) => stringOf(value))],
  ['toStrings', fn(any)(({ value }) => stringsOf(value))],
  ['split', onTwo((separator, whole) => splitToMap(splitText(separator, whole)))],
  ['splitList', onTwo((separator, whole) => splitText(separator, whole))],
  ['splitn', fn(text, integer, text)((separator, most, whole) => splitToMap(splitText(separator, whole, Number(most))))],
  ['join', fn(text, any)((separator, { value }) => bounded(stringsOf(value).join(separator)))],
  ['sortAlpha', fn(any)(({ value }) => [...stringsOf(value)].sort(byBytes))],
  ['sha1sum', hashed('sha1')],
  ['sha256sum', hashed('sha256')],
  ['sha512sum', hashed('sha512')],
  ['adler32sum', fn(text)(adler32)],
  ['b64enc', fn(text)(whole => Buffer.from(whole).toString('base64'))],
  ['b64dec', fn(text)(fromBase64)],
  ['b32enc', fn(text)(base32)],
  ['base', onPath(baseName)],
  ['osBase', onPath(baseName)],
  ['dir', onPath(directory)],
  ['osDir', onPath(directory)],
  ['clean', onPath(cleaned)],
  ['osClean', onPath(cleaned)],
  ['ext', onPath(extension)],
  ['osExt', onPath(extension)],
  ['isAbs', onPath(path => path.startsWith('/'))],
  ['osIsAbs', onPath(path => path.startsWith('/'))],
  [
    'fail',
    fn(text)(message => {
      throw new RuleFailure(message)
    }),
  ],
  ['seq', variadic([], integer)((_, bounds) => sequence(bounds))],
  [
    'initials',
    fn(text)(whole =>
      whole
        .split(/\s+/u)
        .map(word => [...word][0] ?? '')
        .join(''),
    ),
  ],
]

/** Numbers with spaces between them; the last belongs to them. */
function sequence(bounds: readonly bigint[]): string {
  if (bounds.length === 0 || bounds.length > 3) return ''
  const [first = 1n, second = 1n, third = 1n] = bounds
  const [start, end] = bounds.length === 1 ? [1n, first] : bounds.length === 2 ? [first, second] : [first, third]
  const down = end < start
  if (bounds.length === 3 && down && second > 0n) return ''
  const step = bounds.length === 3 ? second : down ? -1n : 1n
  if (step === 0n) return ''
  const numbers: bigint[] = []
  for (let number = start; down ? number >= end : number <= end; number += step) {
    if (step > 0n === down) break
    numbers.push(number)
    if (numbers.length > longestMade) bounded('x'.repeat(longestMade + 1))
  }
  return numbers.join(' ')
}
