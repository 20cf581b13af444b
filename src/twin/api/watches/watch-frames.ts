// A watch in protobuf: its lines as frames, each with its length before it. The lines go through all that a watch can suffer on its way, so
// they become frames at its end. What many watchers are told is the same bytes, and becomes a frame once.

import { bytes, message, nested, text } from '#kube/protobuf-message.ts'
import { contentTypes } from '#kube/server/answer-bodies.ts'
import { fieldsAt, jsonTree, textAt } from '../../json-value.ts'
import { framedObject } from '../answers/protobuf-object.ts'

type Chunk = string | Uint8Array

export const framesType = `${contentTypes.protobuf};stream=watch`

const raw = message({ raw: bytes(1) })
const watchEvent = message({ type: text(1), object: nested(2, raw) })
const known = new WeakMap<Uint8Array, Uint8Array>()
const lineFeed = 10

/** The lines of a watch as frames. A line that was cut off stays as it is: nobody can read it. */
export async function* asFrames(chunks: AsyncIterable<Chunk>): AsyncGenerator<Uint8Array, void, undefined> {
  let partial = ''
  for await (const chunk of chunks) {
    const isWhole = partial === '' && typeof chunk !== 'string' && chunk[chunk.length - 1] === lineFeed
    if (isWhole) {
      yield framesOfShared(chunk)
      continue
    }
    const lines = (partial + Buffer.from(chunk).toString()).split('\n')
    partial = lines.pop() ?? ''
    if (lines.length > 0) yield Buffer.concat(lines.map(frameOf))
  }
  if (partial !== '') yield Buffer.from(partial)
}

function framesOfShared(chunk: Uint8Array): Uint8Array {
  let frames = known.get(chunk)
  if (frames === undefined) {
    const lines = Buffer.from(chunk).toString().trimEnd().split('\n')
    frames = Buffer.concat(lines.map(frameOf))
    known.set(chunk, frames)
  }
  return frames
}

/** `length, WatchEvent { 1 type, 2 object { 1 raw } }`; `raw` is the object's own frame. */
function frameOf(line: string): Uint8Array {
  const event = { event: jsonTree(line) }
  const object = fieldsAt(event, 'event', 'object') ?? {}
  const encoded = watchEvent.encode({ type: textAt(event, 'event', 'type') ?? '', object: { raw: framedObject(object) } })
  const length = Buffer.alloc(4)
  length.writeUInt32BE(encoded.length)
  return Buffer.concat([length, encoded])
}
