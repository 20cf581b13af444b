// A watch's body: one JSON event a line, split over raw buffers.
import type { KubeObject } from './objects.ts'
import { isStatus, StatusError } from './status.ts'

export interface WatchEvent<T extends KubeObject = KubeObject> {
  /** `ADDED`, `MODIFIED`, `DELETED` or `BOOKMARK`; whatever else a server sends is handed on for the reader to skip. */
  readonly type: string
  readonly object: T
}

/** A line that is no event: the watch cannot be trusted any more and the collection is listed again. */
export class WatchDecodeError extends Error {
  override readonly name = 'WatchDecodeError'
}

const lineLimitBytes = 16 * 1024 * 1024
const newline = 10

/** Lines of a byte stream, without their ends; a last line without an end is not yielded. @throws WatchDecodeError for a line over 16 MiB. */
async function* linesOf(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  let carried: Uint8Array[] = []
  let carriedBytes = 0
  for await (const chunk of chunks) {
    let start = 0
    for (let end = chunk.indexOf(newline); end >= 0; end = chunk.indexOf(newline, start)) {
      const piece = chunk.subarray(start, end)
      start = end + 1
      if (carriedBytes > 0) {
        yield Buffer.concat([...carried, piece])
        carried = []
        carriedBytes = 0
      } else if (piece.length > 0) yield piece
    }
    if (start === chunk.length) continue
    carried.push(chunk.subarray(start))
    carriedBytes += chunk.length - start
    if (carriedBytes > lineLimitBytes) throw new WatchDecodeError(`a watch line is longer than ${lineLimitBytes} bytes`)
  }
}

/** Events of a watch's body. @throws StatusError for an ERROR event; WatchDecodeError for a line that is no event. */
export async function* eventsOf<T extends KubeObject>(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<WatchEvent<T>> {
  for await (const line of linesOf(chunks)) yield parseEvent<T>(line)
}

function parseEvent<T extends KubeObject>(line: Uint8Array): WatchEvent<T> {
  let value: unknown
  try {
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(line))
  } catch (error) {
    throw new WatchDecodeError(`a watch line of ${line.length} bytes is not JSON`, { cause: error })
  }
  if (typeof value !== 'object' || value === null || !('type' in value) || !('object' in value)) {
    throw new WatchDecodeError(`a watch line of ${line.length} bytes has no type and object`)
  }
  const { type, object } = value
  if (typeof type !== 'string' || typeof object !== 'object' || object === null) {
    throw new WatchDecodeError(`a watch line of ${line.length} bytes has no type and object`)
  }
  if (type === 'ERROR') {
    if (isStatus(object)) throw new StatusError(object)
    throw new WatchDecodeError('an ERROR event carries no Status')
  }
  return { type, object: object as T }
}
