// A list's body, read item by item: no response is ever one string or one tree. The bytes are scanned once for the bounds of
// the items; each item is parsed and handed on before the next.
import { type ParseOptions, parseObjectText } from '../informers/object-text.ts'
import type { KubeList, KubeObject } from '../objects/objects.ts'
import { OutsideError } from '../outside-error.ts'

/** The list without its items. */
export type ListHead = Omit<KubeList, 'items'>

const itemLimitBytes = 16 * 1024 * 1024
const headLimitBytes = 1024 * 1024

const quote = 0x22
const backslash = 0x5c
const openBrace = 0x7b
const closeBrace = 0x7d
const openBracket = 0x5b
const closeBracket = 0x5d
const colon = 0x3a
const comma = 0x2c
const space = 0x20

/** An answer that is not a list, or breaks off. */
export class ListDecodeError extends OutsideError {
  override readonly name = 'ListDecodeError'
}

/**
 * Feeds bytes in any cuts and calls `visit` with the bytes of each item. What is outside of the items is kept and parsed
 * by `head()`. Bytes given to `visit` are valid during the call only.
 */
class ItemScanner {
  readonly #visit: (item: Uint8Array) => void
  readonly #overwrites: boolean
  readonly #key: string
  readonly #mostItemBytes: number
  #depth = 0
  #isString = false
  #isEscaped = false
  /** Where an item lies over several chunks: its pieces so far. */
  #pieces: Uint8Array[] = []
  #piecesBytes = 0
  #isInItems = false
  /** Bytes outside of items, with `[]` in their place. */
  #outside: number[] = []
  /** The last string at depth 1, while it may be the key `items`. */
  #string: number[] = []
  #isKey = false
  #isItemsKey = false
  /** Something stands among the items that is no object. */
  #hasOdd = false

  /** With `overwrites`, bytes of items that were copied are overwritten where they came. `key` has less than eight letters. */
  constructor(visit: (item: Uint8Array) => void, { overwrites = false, key = 'items', mostItemBytes = itemLimitBytes } = {}) {
    this.#visit = visit
    this.#overwrites = overwrites
    this.#key = key
    this.#mostItemBytes = mostItemBytes
  }

  push(chunk: Uint8Array): void {
    let index = 0
    while (index < chunk.length) index = this.#isInItems ? this.#scanItems(chunk, index) : this.#scanOutside(chunk, index)
  }

  /** The list without items. @throws ListDecodeError where the bytes do not make a list. */
  head(): ListHead {
    const value = this.rest()
    if (!isListHead(value)) throw new ListDecodeError('the answer is not a list')
    this.assertWhole()
    return { ...value, metadata: value.metadata ?? {} }
  }

  /** @throws ListDecodeError where something else stands among the items */
  assertWhole(): void {
    if (this.#hasOdd) throw new ListDecodeError('an item is not an object')
  }

  /** Whatever stands around the items. @throws ListDecodeError where that is no JSON, or not whole */
  rest(): unknown {
    if (this.#isInItems || this.#depth !== 0) throw new ListDecodeError('the list breaks off')
    try {
      return JSON.parse(Buffer.from(this.#outside).toString('utf8'))
    } catch (error) {
      throw new ListDecodeError('the answer is not JSON', { cause: error })
    }
  }

  /** What came before the items, where it is a list's beginning already: `kind` stands before `items` in what API servers write. */
  headSoFar(): ListHead | undefined {
    try {
      const value: unknown = JSON.parse(`${Buffer.from(this.#outside).toString('utf8')}]}`)
      const isHead = typeof value === 'object' && value !== null && 'kind' in value && typeof value.kind === 'string'
      return isHead ? (value as ListHead) : undefined
    } catch (error) {
      if (error instanceof SyntaxError) return undefined
      throw error
    }
  }

  #scanOutside(chunk: Uint8Array, from: number): number {
    for (let index = from; index < chunk.length; index++) {
      const byte = chunk[index] ?? 0
      this.#outside.push(byte)
      if (this.#outside.length > headLimitBytes) throw new ListDecodeError('the answer is not a list: no items in its first MiB')
      if (this.#isString) {
        this.#stringByte(byte)
        continue
      }
      if (byte === quote) {
        this.#isString = true
        this.#string = []
      } else if (byte === openBrace || byte === openBracket) {
        if (byte === openBracket && this.#depth === 1 && this.#isItemsKey) {
          this.#isInItems = true
          this.#depth = 2
          return index + 1
        }
        this.#depth++
        this.#isKey = this.#depth === 1
      } else if (byte === closeBrace || byte === closeBracket) this.#depth--
      else if (byte === comma && this.#depth === 1) {
        this.#isKey = true
        this.#isItemsKey = false
      } else if (byte === colon && this.#depth === 1) {
        this.#isItemsKey = this.#isKey && Buffer.from(this.#string).toString('latin1') === this.#key
        this.#isKey = false
      }
    }
    return chunk.length
  }

  #stringByte(byte: number): void {
    if (this.#isEscaped) this.#isEscaped = false
    else if (byte === backslash) this.#isEscaped = true
    else if (byte === quote) {
      this.#isString = false
      return
    }
    if (this.#depth === 1 && this.#isKey && this.#string.length < 8) this.#string.push(byte)
  }

  #scanItems(chunk: Uint8Array, from: number): number {
    let start = this.#depth > 2 ? from : -1
    let index = from
    while (index < chunk.length) {
      if (this.#isString) {
        index = this.#skipString(chunk, index)
        continue
      }
      const byte = chunk[index] ?? 0
      index++
      if (byte === quote) {
        this.#isString = true
        if (this.#depth === 2) this.#hasOdd = true
      } else if (byte === openBrace || byte === openBracket) {
        if (this.#depth === 2) start = index - 1
        this.#depth++
      } else if (this.#depth === 2 && byte !== comma && byte !== closeBracket && byte > space) this.#hasOdd = true
      else if (byte === closeBrace || byte === closeBracket) {
        this.#depth--
        if (this.#depth === 2) {
          this.#emit(chunk.subarray(start, index))
          start = -1
        } else if (this.#depth === 1) {
          this.#isInItems = false
          this.#isItemsKey = false
          this.#outside.push(closeBracket)
          return index
        }
      }
    }
    if (start >= 0) this.#keep(chunk.subarray(start))
    return chunk.length
  }

  #skipString(chunk: Uint8Array, from: number): number {
    for (let index = from; index < chunk.length; index++) {
      const byte = chunk[index]
      if (this.#isEscaped) this.#isEscaped = false
      else if (byte === backslash) this.#isEscaped = true
      else if (byte === quote) {
        this.#isString = false
        return index + 1
      }
    }
    return chunk.length
  }

  #keep(piece: Uint8Array): void {
    this.#pieces.push(piece)
    this.#piecesBytes += piece.length
    if (this.#piecesBytes > this.#mostItemBytes) throw new ListDecodeError(`an item is larger than ${this.#mostItemBytes} bytes`)
  }

  #emit(last: Uint8Array): void {
    if (this.#pieces.length === 0) {
      this.#visit(last)
      return
    }
    const whole = Buffer.concat([...this.#pieces, last])
    if (this.#overwrites) for (const copied of [...this.#pieces, last]) copied.fill(0)
    this.#pieces = []
    this.#piecesBytes = 0
    this.#visit(whole)
  }
}

interface ReadListOptions<T> extends ParseOptions {
  /** Called with each item; `apiVersion` and `kind`, which items of built-in lists lack on the wire, are filled in. */
  readonly visit: (item: T) => void
  /** Called between items now and then; it gives the event loop a turn when enough work was done. */
  readonly breathe: () => Promise<void>
}

/** How much is scanned and parsed before the loop may turn: about a millisecond. */
const stepBytes = 128 * 1024

/** The same of what no API server wrote: where each item has three bytes, some milliseconds. */
const strangeStepBytes = 8 * 1024

/** Parses the items of a list's body one by one and yields the rest of it. @throws ListDecodeError; whatever `chunks` throws. */
export async function readList<T extends KubeObject>(
  chunks: AsyncIterable<Uint8Array>,
  options: ReadListOptions<T>,
): Promise<ListHead> {
  let kinds: Kinds | undefined
  const early: Partial<T>[] = []
  const scanner = new ItemScanner(
    bytes => {
      const item = parseItem<T>(bytes, options)
      kinds ??= kindsOf(scanner.headSoFar())
      if (kinds === undefined) early.push(item)
      else options.visit(withKinds<T>(item, kinds))
    },
    { overwrites: options.annotations !== undefined },
  )
  for await (const chunk of chunks) {
    for (let start = 0; start < chunk.length; start += stepBytes) {
      scanner.push(chunk.subarray(start, start + stepBytes))
      await options.breathe()
    }
  }
  const head = scanner.head()
  const known = kindsOf(head) ?? { apiVersion: '', kind: '' }
  for (const item of early) options.visit(withKinds<T>(item, known))
  return head
}

/**
 * Reads a JSON object that is no list of the API, of which the array at `key` (less than eight letters) may be long: `visit` has each of its
 * objects. Gives the rest of it. @throws ListDecodeError; what `breathe` throws
 */
export async function readItems(
  body: Uint8Array,
  options: {
    readonly key: string
    readonly mostItemBytes: number
    readonly visit: (item: object) => void
    readonly breathe: () => Promise<void>
  },
): Promise<unknown> {
  const scanner = new ItemScanner(bytes => options.visit(parseItem<object>(bytes, {})), options)
  for (let start = 0; start < body.length; start += strangeStepBytes) {
    scanner.push(body.subarray(start, start + strangeStepBytes))
    await options.breathe()
  }
  const rest = scanner.rest()
  scanner.assertWhole()
  return rest
}

/** Its items are read already: an empty list stands in their place. A server without any may say `null`, or nothing. */
function isListHead(value: unknown): value is Omit<ListHead, 'metadata'> & { readonly metadata?: ListHead['metadata'] } {
  if (typeof value !== 'object' || value === null || !('kind' in value)) return false
  const metadata = 'metadata' in value ? value.metadata : {}
  const items = 'items' in value ? value.items : null
  const isOfKind = typeof value.kind === 'string' && value.kind.endsWith('List')
  return isOfKind && typeof metadata === 'object' && metadata !== null && (items === null || Array.isArray(items))
}

interface Kinds {
  readonly apiVersion: string
  readonly kind: string
}

function kindsOf(head: ListHead | undefined): Kinds | undefined {
  return head === undefined ? undefined : { apiVersion: head.apiVersion, kind: head.kind.replace(/List$/, '') }
}

function withKinds<T extends KubeObject>(item: Partial<T>, kinds: Kinds): T {
  return { ...item, apiVersion: item.apiVersion ?? kinds.apiVersion, kind: item.kind ?? kinds.kind } as T
}

function parseItem<T>(bytes: Uint8Array, options: ParseOptions): Partial<T> {
  let value: unknown
  try {
    value = parseObjectText(bytes, options)
  } catch (error) {
    throw new ListDecodeError(`an item of ${bytes.length} bytes is not JSON`, { cause: error })
  }
  if (typeof value !== 'object' || value === null) throw new ListDecodeError('an item is not an object')
  return value as Partial<T>
}
