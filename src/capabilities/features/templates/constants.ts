// Constants of Go as templates write them.

import { RuleFailure } from '../matching/rule-failure.ts'

/**
 * A number: an integer of 64 bits as bigint, anything with a point or an exponent as a float.
 *
 * @throws RuleFailure where the text is none, or is too large.
 */
export function numberConstant(text: string): bigint | number {
  const sign = text.startsWith('-') ? '-' : ''
  const digits = text.replace(/^[+-]/, '')
  const plain = digits.replaceAll('_', '')
  if (/^__|__|_$|^_|_[.eEpP]|[.eEpP]_/.test(digits) || (digits.includes('_') && /^0_?\d*[89]/.test(digits))) refuse(text)
  if (/^0[xX][0-9a-fA-F]+$|^0[bB][01]+$|^0[oO][0-7]+$|^(0|[1-9]\d*)$/.test(plain)) return integer(text, sign, BigInt(plain))
  if (/^0[0-7]+$/.test(plain)) return integer(text, sign, BigInt(`0o${plain.slice(1)}`))
  if (/^(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$/.test(plain)) {
    const value = Number(`${sign}${plain}`)
    if (Number.isFinite(value)) return value
  }
  return refuse(text)
}

function integer(text: string, sign: string, value: bigint): bigint {
  const signed = sign === '-' ? -value : value
  return BigInt.asIntN(64, signed) === signed ? signed : refuse(text)
}

function refuse(text: string): never {
  throw new RuleFailure(`bad number ${JSON.stringify(text)} in a template; it may be a whole number of 64 bits or a decimal`)
}

/** The number of a character such as `'a'`. */
export function characterConstant(text: string): bigint {
  const inner = unescaped(text.slice(1, -1), "'")
  const points = [...inner]
  if (points.length !== 1) throw new RuleFailure(`malformed character constant: ${text}`)
  return BigInt(points[0]?.codePointAt(0) ?? 0)
}

/** What a quoted or raw string says. */
export function stringConstant(text: string): string {
  return text.startsWith('`') ? text.slice(1, -1).replaceAll('\r', '') : unescaped(text.slice(1, -1), '"')
}

const simple: Readonly<Record<string, string>> = {
  a: '\x07',
  b: '\b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
  v: '\v',
  '\\': '\\',
}

const escapes = /\\(?:x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|([0-7]{3})|(.))/gs

/** Escaped bytes may be parts of one character, so that the whole is put together as bytes. */
function unescaped(text: string, quote: string): string {
  const pieces: Buffer[] = []
  let at = 0
  for (const match of text.matchAll(escapes)) {
    pieces.push(Buffer.from(text.slice(at, match.index)), unescapedOne(match, quote))
    at = match.index + match[0].length
  }
  return Buffer.concat([...pieces, Buffer.from(text.slice(at))]).toString('utf8')
}

function unescapedOne([whole, hex, short, long, octal, one]: RegExpMatchArray, quote: string): Buffer {
  const byte = hex === undefined ? octal : hex
  if (byte !== undefined) {
    const value = Number.parseInt(byte, hex === undefined ? 8 : 16)
    return value > 255 ? badEscape(whole) : Buffer.from([value])
  }
  const point = short ?? long
  if (point !== undefined) return Buffer.from(codePoint(Number.parseInt(point, 16), whole))
  return Buffer.from(one === quote ? quote : (simple[one ?? ''] ?? badEscape(whole)))
}

function codePoint(point: number, whole: string): string {
  if (point > 0x10ffff || (point >= 0xd800 && point < 0xe000)) badEscape(whole)
  return String.fromCodePoint(point)
}

function badEscape(whole: string): never {
  throw new RuleFailure(`bad escape ${JSON.stringify(whole)} in a string of a template`)
}
