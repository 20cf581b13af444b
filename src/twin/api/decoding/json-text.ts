// JSON texts into values, read as Go reads them: its words for what is malformed, its limit of nesting, repeated keys noted, and
// numbers kept exactly where a double would not hold them.
import { isFields, OddNumber, setField } from '../../json-value.ts'

/** Nesting that upstream's reader still follows. */
const deepestNesting = 10_000

export interface ReadJson {
  readonly value: unknown
  /** Paths of keys that occur twice in one object, in order. */
  readonly duplicates: readonly string[]
  /** Whether `value` has an {@link OddNumber} somewhere. */
  readonly hasOddNumbers: boolean
}

type JsonReading = { readonly ok: true; readonly read: ReadJson } | { readonly ok: false; readonly why: string }

/** Reads a text. Integers beyond 2^53 that int64 holds are `bigint`; objects under a repeated key are one object if asked. */
export function readJson(text: string, { mergesRepeated = false }: { readonly mergesRepeated?: boolean } = {}): JsonReading {
  const read = canonical(text)
  return read === undefined ? new Reader(text, mergesRepeated).read() : { ok: true, read }
}

/**
 * The common case at native speed: a text that is what its value is written as has no repeated keys and no odd numbers.
 * Undefined for all others, malformed ones among them.
 */
function canonical(text: string): ReadJson | undefined {
  if (text.includes('\\ud')) return undefined
  let value: unknown
  try {
    value = JSON.parse(text)
    if (JSON.stringify(value) !== (text.endsWith('\n') ? text.slice(0, -1) : text)) return undefined
  } catch {
    // Malformed, or nested too deep for writing: the reader below says what it is.
    return undefined
  }
  return { value, duplicates: [], hasOddNumbers: false }
}

interface Frame {
  readonly container: unknown[] | { [key: string]: unknown }
  readonly path: string
  key: string
}

class Malformed extends Error {}

const whitespace = /[ \t\n\r]*/y
const plainCharacters = /[^"\\\p{Cc}]*/uy
const digits = /[0-9]*/y
const literals: Readonly<Record<string, readonly [word: string, value: unknown]>> = {
  t: ['true', true],
  f: ['false', false],
  n: ['null', null],
}
const escapes: Readonly<Record<string, string>> = {
  '"': '"',
  '\\': '\\',
  '/': '/',
  b: '\b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
}

class Reader {
  readonly #text: string
  readonly #mergesRepeated: boolean
  readonly #duplicates: string[] = []
  readonly #stack: Frame[] = []
  #at = 0
  #hasOddNumbers = false

  constructor(text: string, mergesRepeated: boolean) {
    this.#text = text
    this.#mergesRepeated = mergesRepeated
  }

  read(): JsonReading {
    try {
      const value = this.#top()
      return { ok: true, read: { value, duplicates: this.#duplicates, hasOddNumbers: this.#hasOddNumbers } }
    } catch (error) {
      if (error instanceof Malformed) return { ok: false, why: error.message }
      throw error
    }
  }

  #top(): unknown {
    let value = this.#value()
    for (let frame = this.#stack.at(-1); frame !== undefined; frame = this.#stack.at(-1)) {
      // `value` is a scalar or a closed container, unless a container was just opened.
      if (value === opened) {
        value = this.#first(frame)
        continue
      }
      this.#put(frame, value)
      value = this.#next(frame)
    }
    this.#skip()
    if (this.#at < this.#text.length) throw this.#unexpected('after top-level value')
    return value
  }

  /** What follows an opening bracket. */
  #first(frame: Frame): unknown {
    this.#skip()
    const isList = Array.isArray(frame.container)
    if (this.#text[this.#at] === (isList ? ']' : '}')) return this.#close()
    if (!isList) this.#key(frame)
    return this.#value()
  }

  /** What follows an element. */
  #next(frame: Frame): unknown {
    this.#skip()
    const isList = Array.isArray(frame.container)
    const character = this.#text[this.#at]
    if (character === (isList ? ']' : '}')) return this.#close()
    if (character !== ',') throw this.#unexpected(isList ? 'after array element' : 'after object key:value pair')
    this.#at++
    if (!isList) this.#key(frame)
    return this.#value()
  }

  #close(): unknown {
    this.#at++
    return this.#stack.pop()?.container
  }

  #put({ container, key, path }: Frame, value: unknown): void {
    if (Array.isArray(container)) {
      container.push(value)
      return
    }
    if (!Object.hasOwn(container, key)) {
      setField(container, key, value)
      return
    }
    this.#duplicates.push(path === '' ? key : `${path}.${key}`)
    const before = container[key]
    const isMerged = this.#mergesRepeated && isFields(before) && isFields(value)
    setField(container, key, isMerged ? { ...before, ...value } : value)
  }

  #key(frame: Frame): void {
    this.#skip()
    if (this.#text[this.#at] !== '"') throw this.#unexpected('looking for beginning of object key string')
    frame.key = this.#string()
    this.#skip()
    if (this.#text[this.#at] !== ':') throw this.#unexpected('after object key')
    this.#at++
  }

  #value(): unknown {
    this.#skip()
    const character = this.#text[this.#at]
    if (character === '{' || character === '[') return this.#open(character)
    if (character === '"') return this.#string()
    if (character === '-' || (character !== undefined && character >= '0' && character <= '9')) return this.#number()
    const literal = character === undefined ? undefined : literals[character]
    if (literal === undefined) throw this.#unexpected('looking for beginning of value')
    return this.#literal(...literal)
  }

  #open(bracket: '{' | '['): typeof opened {
    if (this.#stack.length >= deepestNesting) throw this.#unexpected('exceeded max depth')
    const parent = this.#stack.at(-1)
    this.#stack.push({ container: bracket === '{' ? {} : [], path: parent === undefined ? '' : pathIn(parent), key: '' })
    this.#at++
    return opened
  }

  #literal(word: string, value: unknown): unknown {
    for (let index = 1; index < word.length; index++) {
      this.#at++
      const expected = word[index] ?? ''
      if (this.#text[this.#at] !== expected) throw this.#unexpected(`in literal ${word} (expecting '${expected}')`, ' ')
    }
    this.#at++
    return value
  }

  #string(): string {
    this.#at++
    let value = ''
    for (;;) {
      value += this.#match(plainCharacters)
      const character = this.#text[this.#at]
      if (character === undefined) throw new Malformed('unexpected end of JSON input')
      if (character === '"') break
      if (character !== '\\') throw this.#unexpected('in string literal')
      this.#at++
      value += this.#escape()
    }
    this.#at++
    // Half a surrogate pair is no text.
    return value.toWellFormed()
  }

  #escape(): string {
    const character = this.#text[this.#at] ?? ' '
    const plain = Object.hasOwn(escapes, character) ? escapes[character] : undefined
    if (plain !== undefined) {
      this.#at++
      return plain
    }
    if (character !== 'u') throw this.#unexpected('in string escape code', ' ')
    this.#at++
    const start = this.#at
    for (; this.#at < start + 4; this.#at++) {
      if (!/[0-9a-fA-F]/.test(this.#text[this.#at] ?? ' ')) throw this.#unexpected('in \\u hexadecimal character escape', ' ')
    }
    return String.fromCharCode(Number.parseInt(this.#text.slice(start, this.#at), 16))
  }

  #number(): unknown {
    const start = this.#at
    if (this.#text[this.#at] === '-') this.#at++
    if (this.#text[this.#at] === '0') this.#at++
    else this.#digits('in numeric literal')
    if (this.#text[this.#at] === '.') {
      this.#at++
      this.#digits('after decimal point in numeric literal')
    }
    if (/[eE]/.test(this.#text[this.#at] ?? ' ')) {
      this.#at++
      if (/[+-]/.test(this.#text[this.#at] ?? ' ')) this.#at++
      this.#digits('in exponent of numeric literal')
    }
    return this.#exactly(this.#text.slice(start, this.#at))
  }

  #digits(where: string): void {
    if (this.#match(digits) === '') throw this.#unexpected(where, ' ')
  }

  #exactly(source: string): number | bigint | OddNumber {
    const value = Number(source)
    const isInteger = /^-?\d+$/.test(source)
    if (isInteger && Number.isSafeInteger(value)) return value === 0 ? 0 : value
    if (isInteger && source.length <= longestInt64) {
      const exact = BigInt(source)
      if (BigInt.asIntN(64, exact) === exact) return exact
    }
    if (!isInteger && Number.isFinite(value) && !Number.isInteger(value)) return value
    this.#hasOddNumbers = true
    return new OddNumber(source)
  }

  #skip(): void {
    this.#match(whitespace)
  }

  #match(pattern: RegExp): string {
    pattern.lastIndex = this.#at
    const found = pattern.exec(this.#text)?.[0] ?? ''
    this.#at += found.length
    return found
  }

  /** `atEnd` is the character that Go's scanner is fed at the end; without one the end is what is unexpected. */
  #unexpected(where: string, atEnd?: string): Malformed {
    const character = this.#text[this.#at] ?? atEnd
    if (character === undefined) return new Malformed('unexpected end of JSON input')
    return new Malformed(`invalid character ${quotedByte(Buffer.from(character)[0] ?? 0)} ${where}`)
  }
}

const longestInt64 = '-9223372036854775808'.length

/** A container was opened; its elements follow. */
const opened = Symbol('opened')

function pathIn({ container, path, key }: Frame): string {
  if (Array.isArray(container)) return `${path}[${container.length}]`
  return path === '' ? key : `${path}.${key}`
}

/** Go's scanner sees bytes and prints the one that it does not like. */
/** A byte as Go's reader of JSON names it. */
export function quotedByte(byte: number): string {
  if (byte === 39) return "'\\''"
  if (byte === 34) return "'\"'"
  const named: Readonly<Record<number, string>> = {
    7: '\\a',
    8: '\\b',
    9: '\\t',
    10: '\\n',
    11: '\\v',
    12: '\\f',
    13: '\\r',
    92: '\\\\',
  }
  if (named[byte] !== undefined) return `'${named[byte]}'`
  if (byte < 0x20 || byte === 0x7f) return `'\\x${byte.toString(16).padStart(2, '0')}'`
  if (byte >= 0x80 && (byte < 0xa1 || byte === 0xad)) return `'\\u${byte.toString(16).padStart(4, '0')}'`
  return `'${String.fromCharCode(byte)}'`
}
