// How deep a JSON text is and how many values it has, counted as its bytes come: what takes a hundred times its length when it is read is
// refused before it is.

export interface JsonLimits {
  /** Objects and lists within each other. */
  readonly deepest: number
  /** Objects, lists and what stands between commas. */
  readonly mostValues: number
}

const quote = 0x22
const backslash = 0x5c
const comma = 0x2c
const openBrace = 0x7b
const openBracket = 0x5b
const closeBrace = 0x7d
const closeBracket = 0x5d

/** Counts; whether the text is JSON is for whoever reads it, but an object it must begin as. */
export class JsonShape {
  readonly #limits: JsonLimits
  #depth = 0
  #values = 1
  #isBegun = false
  #isText = false
  #isEscaped = false

  constructor(limits: JsonLimits) {
    this.#limits = limits
  }

  /** Why the text is refused, now that `bytes` came too; undefined while it is not. */
  next(bytes: Uint8Array): string | undefined {
    let at = 0
    if (!this.#isBegun) {
      while (at < bytes.length && (bytes[at] ?? 0) <= 0x20) at++
      if (at === bytes.length) return undefined
      if (bytes[at] !== openBrace) return 'the body is no JSON object'
      this.#isBegun = true
    }
    for (; at < bytes.length; at++) {
      const byte = bytes[at]
      if (this.#isText) {
        if (this.#isEscaped) this.#isEscaped = false
        else if (byte === backslash) this.#isEscaped = true
        else if (byte === quote) this.#isText = false
      } else if (byte === quote) this.#isText = true
      else if (byte === openBrace || byte === openBracket) {
        this.#values++
        if (++this.#depth > this.#limits.deepest) return `the body is more than ${this.#limits.deepest} deep`
      } else if (byte === closeBrace || byte === closeBracket) this.#depth--
      else if (byte === comma) this.#values++
    }
    return this.#values > this.#limits.mostValues ? `the body has more than ${this.#limits.mostValues} values` : undefined
  }
}
