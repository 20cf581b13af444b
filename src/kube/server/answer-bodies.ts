// The bytes of an answer in the form that was asked for: JSON, YAML or protobuf. Long lists are written piece by piece, so that neither the
// objects nor the event loop have to stand still for all of them.
import { stringify } from 'yaml'
import { encodeFrame } from '../client/protobuf.ts'
import type { KubeObject } from '../objects/objects.ts'
import type { Status } from '../objects/status.ts'
import { emptyListMeta, encodeStatus } from './meta-messages.ts'

export type AnswerFormat = 'json' | 'yaml' | 'protobuf'

export const contentTypes: Readonly<Record<AnswerFormat, string>> = {
  json: 'application/json',
  yaml: 'application/yaml',
  protobuf: 'application/vnd.kubernetes.protobuf',
}

/** A list, whose items are made while they are written. Undefined is none: the loop may have a turn there. */
interface AnsweredList<Item> {
  readonly apiVersion: string
  readonly kind: string
  readonly items: Iterable<Item | undefined>
}

interface Pace {
  /** Waited for now and then, so that the loop has its turns. */
  readonly breathe: () => Promise<void>
}

/** Items between two looks at the time; in YAML each takes a hundred times as long. */
const itemsAtOnce = { json: 64, yaml: 1, protobuf: 64 } as const
/** Looks at what is not in the list between two looks at the time. */
const passedOverAtOnce = 256
/** Characters or bytes of a piece. */
const pieceLength = 65_536
const largestPiece = 262_144

/** One object or document. */
export function objectBody(value: object, format: AnswerFormat): Buffer {
  return Buffer.from(format === 'yaml' ? yamlOf(value) : `${JSON.stringify(value)}\n`)
}

/** One object as protobuf: the envelope says its kind. */
export function protobufBody(kind: Pick<KubeObject, 'apiVersion' | 'kind'>, raw: Uint8Array): Buffer {
  return Buffer.from(encodeFrame({ apiVersion: kind.apiVersion, kind: kind.kind, raw }))
}

export function statusBytes(status: Status, format: AnswerFormat): Buffer {
  return format === 'protobuf' ? protobufBody(status, encodeStatus(status)) : objectBody(status, format)
}

/** A list in pieces, each made when it is asked for. */
export async function* listBody(
  { apiVersion, kind, items }: AnsweredList<object>,
  { format, breathe }: { readonly format: 'json' | 'yaml' } & Pace,
): AsyncGenerator<Buffer, undefined> {
  if (format === 'json') {
    const head = `{"kind":${JSON.stringify(kind)},"apiVersion":${JSON.stringify(apiVersion)},"metadata":{},"items":[`
    yield* piecesOf({ head, items, separator: ',', tail: ']}\n' }, { write: item => JSON.stringify(item), format, breathe })
    return
  }
  const texts = { head: `apiVersion: ${apiVersion}\nitems:\n`, emptyHead: `apiVersion: ${apiVersion}\nitems: []\n` }
  const tail = `kind: ${kind}\nmetadata: {}\n`
  yield* piecesOf({ ...texts, items, separator: '', tail }, { write: item => yamlOf([item]), format, breathe })
}

/** A table in pieces: its head, then row by row. */
export async function* tableBody(
  { head, rows }: { readonly head: object; readonly rows: Iterable<object | undefined> },
  { format, breathe }: { readonly format: AnswerFormat } & Pace,
): AsyncGenerator<Buffer, undefined> {
  if (format === 'yaml') {
    const before = yamlOf(head)
    const texts = { head: `${before}rows:\n`, emptyHead: `${before}rows: []\n` }
    const write = (row: object) => yamlOf({ rows: [row] }).slice('rows:\n'.length)
    return yield* piecesOf({ ...texts, items: rows, separator: '', tail: '' }, { write, format, breathe })
  }
  const before = `${JSON.stringify(head).slice(0, -1)},"rows":[`
  const write = (row: object) => JSON.stringify(row)
  yield* piecesOf({ head: before, items: rows, separator: ',', tail: ']}\n' }, { write, format: 'json', breathe })
}

interface Texts {
  readonly head: string
  /** The head of what has no items, where that is another. */
  readonly emptyHead?: string
  readonly items: Iterable<object | undefined>
  readonly separator: string
  readonly tail: string
}

async function* piecesOf(
  { head, emptyHead = head, items, separator, tail }: Texts,
  { write, format, breathe }: { readonly write: (item: object) => string; readonly format: 'json' | 'yaml' } & Pace,
): AsyncGenerator<Buffer, undefined> {
  const atOnce = itemsAtOnce[format]
  let text = ''
  let [written, passedOver] = [0, 0]
  for (const item of items) {
    if (item === undefined) {
      if (++passedOver % passedOverAtOnce === 0) await breathe()
      continue
    }
    text += written === 0 ? head + write(item) : separator + write(item)
    if (++written % atOnce !== 0) continue
    if (text.length >= pieceLength) {
      yield Buffer.from(text)
      text = ''
    }
    await breathe()
  }
  yield Buffer.from(`${written === 0 ? emptyHead : text}${tail}`)
}

const itemsTag = 0x12
const longestVarint = 5
const firstPiece = 16_384

/** A list as protobuf, whole: its length stands before it. What `encode` gives is good until it is called again. */
export async function protobufList<Item extends object>(
  { apiVersion, kind, items }: AnsweredList<Item>,
  { encode, breathe }: { readonly encode: (item: Item) => Uint8Array } & Pace,
): Promise<readonly Buffer[]> {
  const pieces: Buffer[] = [emptyListMeta]
  let piece = Buffer.allocUnsafe(firstPiece)
  let [at, length, written, passedOver] = [0, emptyListMeta.length, 0, 0]
  for (const item of items) {
    if (item === undefined) {
      if (++passedOver % passedOverAtOnce === 0) await breathe()
      continue
    }
    const bytes = encode(item)
    const needed = bytes.length + 1 + longestVarint
    if (at + needed > piece.length) {
      pieces.push(piece.subarray(0, at))
      length += at
      piece = Buffer.allocUnsafeSlow(Math.max(Math.min(piece.length * 2, largestPiece), needed))
      at = 0
    }
    piece[at++] = itemsTag
    at = writeVarint(piece, at, bytes.length)
    piece.set(bytes, at)
    at += bytes.length
    if (++written % itemsAtOnce.protobuf === 0) await breathe()
  }
  pieces.push(piece.subarray(0, at))
  const [head, tail] = frameAround({ apiVersion, kind }, length + at)
  return [head, ...pieces, tail]
}

function writeVarint(bytes: Uint8Array, from: number, value: number): number {
  let at = from
  let rest = value
  for (; rest > 0x7f; rest >>>= 7) bytes[at++] = (rest & 0x7f) | 0x80
  bytes[at++] = rest
  return at
}

function varint(value: number): readonly number[] {
  const bytes: number[] = []
  let rest = value
  for (; rest > 0x7f && bytes.length < longestVarint; rest = Math.floor(rest / 128)) bytes.push((rest % 128) | 0x80)
  return [...bytes, rest]
}

const rawTag = 0x1a - 0x08

/** The envelope without its content: what stands before `length` bytes and what behind them. */
function frameAround(kind: Pick<KubeObject, 'apiVersion' | 'kind'>, length: number): readonly [Buffer, Buffer] {
  const empty = Buffer.from(encodeFrame({ ...kind, raw: new Uint8Array() }))
  // Type first, then content, then two empty texts of two bytes each.
  const tail = empty.subarray(empty.length - 4)
  return [Buffer.concat([empty.subarray(0, empty.length - 4), Uint8Array.from([rawTag, ...varint(length)])]), tail]
}

function yamlOf(value: object): string {
  return stringify(value, { sortMapEntries: true, lineWidth: 0, aliasDuplicateObjects: false })
}
