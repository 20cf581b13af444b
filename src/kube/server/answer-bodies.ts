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

/** A list, whose items are made while they are written. */
interface AnsweredList<Item> {
  readonly apiVersion: string
  readonly kind: string
  readonly items: Iterable<Item>
}

/** Items between two looks at the time. */
const itemsAtOnce = 64

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

/** A list in pieces; `breathe` is waited for now and then. */
export async function listBody<Item extends object>(
  list: AnsweredList<Item>,
  {
    format,
    encode,
    breathe,
  }: {
    readonly format: AnswerFormat
    /** One item as protobuf. */
    readonly encode?: ((item: Item) => Uint8Array) | undefined
    readonly breathe: () => Promise<void>
  },
): Promise<readonly Buffer[]> {
  if (format === 'protobuf') return protobufList(list, encode, breathe)
  const isJson = format === 'json'
  const pieces: Buffer[] = []
  let texts: string[] = []
  let isFirst = true
  const close = () => {
    if (texts.length === 0) return
    const text = texts.join(isJson ? ',' : '')
    pieces.push(Buffer.from(isJson && !isFirst ? `,${text}` : text))
    isFirst = false
    texts = []
  }
  for (const item of list.items) {
    texts.push(isJson ? JSON.stringify(item) : yamlOf([item]))
    if (texts.length < itemsAtOnce) continue
    close()
    await breathe()
  }
  close()
  const { apiVersion, kind } = list
  const [head, tail] = isJson
    ? [`{"kind":${JSON.stringify(kind)},"apiVersion":${JSON.stringify(apiVersion)},"metadata":{},"items":[`, ']}\n']
    : [`apiVersion: ${apiVersion}\nitems:${pieces.length === 0 ? ' []' : ''}\n`, `kind: ${kind}\nmetadata: {}\n`]
  return [Buffer.from(head), ...pieces, Buffer.from(tail)]
}

const itemsTag = 0x12
const longestVarint = 5

async function protobufList<Item>(
  { apiVersion, kind, items }: AnsweredList<Item>,
  encode: ((item: Item) => Uint8Array) | undefined,
  breathe: () => Promise<void>,
): Promise<readonly Buffer[]> {
  if (encode === undefined) throw new Error(`${kind} has no form in protobuf`)
  const pieces: Buffer[] = [emptyListMeta]
  let encoded: Uint8Array[] = []
  const close = () => {
    pieces.push(Buffer.concat(encoded))
    encoded = []
  }
  for (const item of items) {
    const bytes = encode(item)
    encoded.push(tagged(bytes.length), bytes)
    if (encoded.length < itemsAtOnce * 2) continue
    close()
    await breathe()
  }
  close()
  const length = pieces.reduce((sum, piece) => sum + piece.length, 0)
  const [head, tail] = frameAround({ apiVersion, kind }, length)
  return [head, ...pieces, tail]
}

function tagged(length: number): Uint8Array {
  const bytes = [itemsTag, ...varint(length)]
  return Uint8Array.from(bytes)
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
