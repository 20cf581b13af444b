// The values of JSON text that comes in chunks, one item of a list at a time: a dump of a big cluster is longer than any string can be.

export interface JsonItem {
  /** An item of a list, or a whole document that is none. Undefined where `problem` is set. */
  readonly value?: unknown
  /** The document's number from 1, and the item's from 0. */
  readonly document: number
  readonly item: number | undefined
  /** The list's own fields that stand before its items. */
  readonly head: Readonly<Record<string, unknown>>
  /** Why it is no JSON. */
  readonly problem?: string
}

const quote = 0x22
const backslash = 0x5c
const openBrace = 0x7b
const closeBrace = 0x7d
const openBracket = 0x5b
const closeBracket = 0x5d
const itemsName = Buffer.from('items')
const shownCharacters = 80
/** Deeper than anything: what follows the items of a list. */
const afterItems = Number.POSITIVE_INFINITY

/** Reads on where the last chunk ended. Items are found by their brackets alone, so that a broken one does not spoil the next. */
export class JsonItems {
  #document = 0
  #item = 0
  #depth = 0
  #isInString = false
  #isEscaped = false
  /** At which depth the items of the present document are; 0 while it is not known to be a list. */
  #itemsDepth = 0
  #head: Readonly<Record<string, unknown>> = {}
  /** What was read of an item that is not whole yet, or of a document before its items. */
  readonly #pieces: Uint8Array[] = []
  #name: number[] = []

  /** What is left at the end of the text: what is not whole. */
  end(): readonly JsonItem[] {
    if (this.#depth === 0) return []
    return [{ ...this.#place(this.#itemsDepth === 0 ? undefined : this.#item), problem: 'the text ends within it' }]
  }

  /** What became whole with `chunk`. */
  *read(chunk: Uint8Array): Generator<JsonItem, void, undefined> {
    // Locals: this loop sees every byte of gigabytes.
    let [depth, isInString, isEscaped] = [this.#depth, this.#isInString, this.#isEscaped]
    let start = 0
    for (let at = 0; at < chunk.length; at++) {
      if (isInString && depth !== 1) {
        // Most bytes are within texts: only the end of one is of interest.
        if (isEscaped) {
          isEscaped = false
          at++
        }
        while (at < chunk.length && chunk[at] !== quote) at += chunk[at] === backslash ? 2 : 1
        if (at < chunk.length) isInString = false
        else isEscaped = at > chunk.length
        continue
      }
      const byte = chunk[at]
      if (isInString) {
        if (isEscaped) isEscaped = false
        else if (byte === backslash) isEscaped = true
        else if (byte === quote) isInString = false
        else if (this.#name.length <= itemsName.length) this.#name.push(byte ?? 0)
      } else if (byte === quote) {
        isInString = true
        if (depth === 1) this.#name = []
      } else if (byte === openBrace || byte === openBracket) {
        if (depth === 0) this.#document++
        if (depth === 0 || depth === this.#itemsDepth) start = at
        depth++
        if (this.#itemsDepth === 0 && this.#beginsItems(byte, depth)) {
          this.#head = headOf([...this.#pieces.splice(0), chunk.subarray(start, at + 1)])
          this.#itemsDepth = depth
          this.#item = 0
        }
      } else if ((byte === closeBrace || byte === closeBracket) && depth > 0) {
        depth--
        if (depth === this.#itemsDepth) yield this.#whole(chunk.subarray(start, at + 1), depth === 0 ? undefined : this.#item++)
        // What follows the items is of no interest but for its end.
        else if (depth === this.#itemsDepth - 1) this.#itemsDepth = afterItems
        if (depth === 0) {
          this.#itemsDepth = 0
          this.#head = {}
        }
      }
    }
    this.#depth = depth
    this.#isInString = isInString
    this.#isEscaped = isEscaped
    // A copy: whoever fills the chunk may fill it again.
    if (depth > this.#itemsDepth) this.#pieces.push(Buffer.from(chunk.subarray(start)))
  }

  /** The list's bracket: of a document that is an array itself, or of the field `items`. */
  #beginsItems(byte: number, depth: number): boolean {
    if (byte !== openBracket) return false
    return depth === 1 || (depth === 2 && Buffer.from(this.#name).equals(itemsName))
  }

  #place(item: number | undefined) {
    return { document: this.#document, item, head: this.#head }
  }

  #whole(last: Uint8Array, item: number | undefined): JsonItem {
    // Most items are whole within a chunk, and need not be copied.
    const bytes = this.#pieces.length === 0 ? last : Buffer.concat([...this.#pieces.splice(0), last])
    const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString()
    try {
      const value: unknown = JSON.parse(text)
      return { ...this.#place(item), value }
    } catch (error) {
      if (!(error instanceof SyntaxError)) throw error
      return { ...this.#place(item), problem: `${error.message}: ${text.slice(0, shownCharacters)}` }
    }
  }
}

/** The fields before `"items": [`, when what stands there is JSON as far as it goes. */
function headOf(pieces: readonly Uint8Array[]): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(`${Buffer.concat(pieces).toString()}]}`)
    return typeof value === 'object' && value !== null ? { ...value } : {}
  } catch (error) {
    if (error instanceof SyntaxError) return {} // a document that is an array has no head
    throw error
  }
}
