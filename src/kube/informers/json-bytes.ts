// JSON read byte by byte, in any cuts, without making text of what nobody asks for: strings that are asked for are handed on decoded,
// as bytes, piece by piece. Nothing of a value is kept here.
import { OutsideError } from '../outside-error.ts'

const quote = 0x22
const backslash = 0x5c
const openBrace = 0x7b
const closeBrace = 0x7d
const openBracket = 0x5b
const closeBracket = 0x5d
const comma = 0x2c
const colon = 0x3a
const longestNameBytes = 4096
const deepestNesting = 64

/** Bytes that are no JSON, or nest too deep. */
export class JsonBytesError extends OutsideError {
  override readonly name = 'JsonBytesError'
}

/** Takes the decoded bytes of one string. */
export interface ByteSink {
  push(byte: number): void
  end(): void
}

interface Level {
  readonly isObject: boolean
  /** Place of the present item in a list. */
  index: number
}

/**
 * Walks over JSON. `wanted` is asked for each string value, with the names (and places in lists) that lead to it; what it yields is given
 * the value's bytes, decoded as UTF-8. `opened` is told of each object and list.
 */
export class JsonBytes {
  readonly #wanted: (path: readonly string[]) => ByteSink | undefined
  readonly #levels: Level[] = []
  readonly #path: string[] = []
  #sink: ByteSink | undefined
  #isName = false
  #name: number[] = []
  #state: 'value' | 'name' | 'colon' | 'after' | 'string' | 'escape' | 'unicode' | 'literal' | 'end' = 'value'
  #unicode = 0
  #unicodeDigits = 0
  /** The first half of a pair of surrogates. */
  #high = 0
  /** An empty object or list may end where it has begun. */
  #mayClose = false

  constructor(wanted: (path: readonly string[]) => ByteSink | undefined) {
    this.#wanted = wanted
  }

  /** @throws JsonBytesError */
  push(chunk: Uint8Array): void {
    for (let at = 0; at < chunk.length; at++) {
      // Most bytes of most objects are in strings that nobody reads.
      if (this.#state === 'string' && this.#sink === undefined && !this.#isName) {
        while (at < chunk.length && chunk[at] !== quote && chunk[at] !== backslash) at++
        if (at === chunk.length) return
      }
      this.#take(chunk[at] ?? 0)
    }
  }

  /** @throws JsonBytesError where the value is not whole */
  end(): void {
    if (this.#state !== 'end' && !(this.#state === 'literal' && this.#levels.length === 0))
      throw new JsonBytesError('the JSON breaks off')
  }

  #take(byte: number): void {
    switch (this.#state) {
      case 'string':
        this.#inString(byte)
        return
      case 'escape':
        this.#escaped(byte)
        return
      case 'unicode':
        this.#hexDigit(byte)
        return
      case 'literal':
        if (isLiteral(byte)) return
        this.#valueEnded()
        this.#take(byte)
        return
      default:
        if (byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09) return
        this.#structure(byte)
        return
    }
  }

  #structure(byte: number): void {
    switch (this.#state) {
      case 'value':
        if (byte === closeBracket && this.#mayClose) {
          this.#close(false)
          return
        }
        this.#beginValue(byte)
        return
      case 'name':
        if (byte === closeBrace && this.#mayClose) {
          this.#close(true)
          return
        }
        if (byte !== quote) throw unexpected(byte, 'a name')
        this.#mayClose = false
        this.#isName = true
        this.#name = []
        this.#state = 'string'
        return
      case 'colon':
        if (byte !== colon) throw unexpected(byte, '":"')
        this.#state = 'value'
        return
      case 'after': {
        const level = this.#levels.at(-1)
        if (level === undefined) throw unexpected(byte, 'the end')
        if (byte === (level.isObject ? closeBrace : closeBracket)) {
          this.#close(level.isObject)
          return
        }
        if (byte !== comma) throw unexpected(byte, '","')
        this.#path.pop()
        if (!level.isObject) this.#path.push(String(++level.index))
        this.#state = level.isObject ? 'name' : 'value'
        return
      }
      default:
        throw unexpected(byte, 'the end')
    }
  }

  #beginValue(byte: number): void {
    this.#mayClose = false
    if (byte === quote) {
      this.#sink = this.#wanted(this.#path)
      this.#state = 'string'
    } else if (byte === openBrace || byte === openBracket) {
      if (this.#levels.length >= deepestNesting) throw new JsonBytesError(`the JSON nests deeper than ${deepestNesting} levels`)
      const isObject = byte === openBrace
      this.#levels.push({ isObject, index: 0 })
      if (!isObject) this.#path.push('0')
      this.#mayClose = true
      this.#state = isObject ? 'name' : 'value'
    } else if (isLiteral(byte)) this.#state = 'literal'
    else throw unexpected(byte, 'a value')
  }

  #close(isObject: boolean): void {
    // An empty object has had no name.
    if (!isObject || !this.#mayClose) this.#path.pop()
    this.#mayClose = false
    this.#levels.pop()
    this.#valueEnded()
  }

  #valueEnded(): void {
    this.#state = this.#levels.length === 0 ? 'end' : 'after'
  }

  #inString(byte: number): void {
    if (byte === backslash) this.#state = 'escape'
    else if (byte === quote) {
      this.#flushHigh()
      this.#stringEnded()
    } else if (byte < 0x20) throw unexpected(byte, 'a character')
    else {
      this.#flushHigh()
      this.#emit(byte)
    }
  }

  #stringEnded(): void {
    if (this.#isName) {
      this.#isName = false
      this.#path.push(Buffer.from(this.#name).toString('utf8'))
      this.#state = 'colon'
      return
    }
    this.#sink?.end()
    this.#sink = undefined
    this.#valueEnded()
  }

  #escaped(byte: number): void {
    if (byte === 0x75) {
      this.#unicode = 0
      this.#unicodeDigits = 0
      this.#state = 'unicode'
      return
    }
    const plain = escapes.get(byte)
    if (plain === undefined) throw unexpected(byte, 'an escape')
    this.#flushHigh()
    this.#emit(plain)
    this.#state = 'string'
  }

  #hexDigit(byte: number): void {
    const digit = hexValue(byte)
    if (digit < 0) throw unexpected(byte, 'a hexadecimal digit')
    this.#unicode = this.#unicode * 16 + digit
    if (++this.#unicodeDigits < 4) return
    this.#state = 'string'
    const unit = this.#unicode
    this.#unicode = 0
    if (unit >= 0xd800 && unit < 0xdc00) {
      this.#flushHigh()
      this.#high = unit
    } else if (unit >= 0xdc00 && unit < 0xe000 && this.#high !== 0) {
      const point = 0x10000 + ((this.#high - 0xd800) << 10) + (unit - 0xdc00)
      this.#high = 0
      this.#emitPoint(point)
    } else {
      this.#flushHigh()
      // Half a pair alone is what Go reads it as: the replacement character.
      this.#emitPoint(unit >= 0xdc00 && unit < 0xe000 ? 0xfffd : unit)
    }
  }

  #flushHigh(): void {
    if (this.#high === 0) return
    this.#high = 0
    this.#emitPoint(0xfffd)
  }

  #emitPoint(point: number): void {
    if (point < 0x80) this.#emit(point)
    else if (point < 0x800) {
      this.#emit(0xc0 | (point >> 6))
      this.#emit(0x80 | (point & 0x3f))
    } else if (point < 0x10000) {
      this.#emit(0xe0 | (point >> 12))
      this.#emit(0x80 | ((point >> 6) & 0x3f))
      this.#emit(0x80 | (point & 0x3f))
    } else {
      this.#emit(0xf0 | (point >> 18))
      this.#emit(0x80 | ((point >> 12) & 0x3f))
      this.#emit(0x80 | ((point >> 6) & 0x3f))
      this.#emit(0x80 | (point & 0x3f))
    }
  }

  #emit(byte: number): void {
    if (!this.#isName) {
      this.#sink?.push(byte)
      return
    }
    if (this.#name.length >= longestNameBytes) throw new JsonBytesError(`a name is longer than ${longestNameBytes} bytes`)
    this.#name.push(byte)
  }
}

const escapes: ReadonlyMap<number, number> = new Map([
  [quote, quote],
  [backslash, backslash],
  [0x2f, 0x2f],
  [0x62, 0x08],
  [0x66, 0x0c],
  [0x6e, 0x0a],
  [0x72, 0x0d],
  [0x74, 0x09],
])

function hexValue(byte: number): number {
  if (byte >= 0x30 && byte <= 0x39) return byte - 0x30
  if (byte >= 0x61 && byte <= 0x66) return byte - 0x57
  return byte >= 0x41 && byte <= 0x46 ? byte - 0x37 : -1
}

/** Whether a byte belongs to a number, true, false or null; which of them is of no interest here. */
function isLiteral(byte: number): boolean {
  return (
    (byte >= 0x30 && byte <= 0x39) ||
    (byte >= 0x61 && byte <= 0x7a) ||
    byte === 0x2d ||
    byte === 0x2b ||
    byte === 0x2e ||
    byte === 0x45
  )
}

function unexpected(byte: number, expected: string): JsonBytesError {
  // The byte itself may be part of a secret.
  const what = byte < 0x20 || byte > 0x7e ? 'a control byte' : 'something else'
  return new JsonBytesError(`the JSON has ${what} where ${expected} is expected`)
}
