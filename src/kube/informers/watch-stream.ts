// A watch's body: one JSON event a line, split over raw buffers.

import type { KubeObject } from '../objects/objects.ts'
import { isStatus, StatusError } from '../objects/status.ts'
import { OutsideError } from '../outside-error.ts'
import { type ParseOptions, parseObjectText } from './object-text.ts'

export interface WatchEvent<T extends KubeObject = KubeObject> {
  /** `ADDED`, `MODIFIED`, `DELETED` or `BOOKMARK`; whatever else a server sends is handed on for the reader to skip. */
  readonly type: string
  readonly object: T
}

/** A line that is no event: the watch cannot be trusted any more and the collection is listed again. */
export class WatchDecodeError extends OutsideError {
  override readonly name = 'WatchDecodeError'
}

const lineLimitBytes = 16 * 1024 * 1024
const newline = 10

/** Lines of a byte stream, without their ends; a last line without an end is none. */
class Lines {
  #carried: Uint8Array[] = []
  #carriedBytes = 0
  readonly #overwrites: boolean

  /** With `overwrites`, bytes that were copied are overwritten where they came. */
  constructor(overwrites: boolean) {
    this.#overwrites = overwrites
  }

  /** Those that are whole with this chunk. @throws WatchDecodeError for a line over 16 MiB */
  push(chunk: Uint8Array): readonly Uint8Array[] {
    const lines: Uint8Array[] = []
    let start = 0
    for (let end = chunk.indexOf(newline); end >= 0; end = chunk.indexOf(newline, start)) {
      const piece = chunk.subarray(start, end)
      start = end + 1
      if (this.#carriedBytes > 0) {
        lines.push(Buffer.concat([...this.#carried, piece]))
        if (this.#overwrites) for (const copied of [...this.#carried, piece]) copied.fill(0)
        this.#carried = []
        this.#carriedBytes = 0
      } else if (piece.length > 0) lines.push(piece)
    }
    if (start === chunk.length) return lines
    this.#carried.push(chunk.subarray(start))
    this.#carriedBytes += chunk.length - start
    if (this.#carriedBytes > lineLimitBytes) throw new WatchDecodeError(`a watch line is longer than ${lineLimitBytes} bytes`)
    return lines
  }
}

/** Events of a watch's body. @throws StatusError for an ERROR event; WatchDecodeError for a line that is no event. */
export async function* eventsOf<T extends KubeObject>(
  chunks: AsyncIterable<Uint8Array>,
  options: ParseOptions = {},
): AsyncGenerator<WatchEvent<T>> {
  const lines = new Lines(options.annotations !== undefined)
  for await (const chunk of chunks) for (const line of lines.push(chunk)) yield parseEvent<T>(line, options)
}

function parseEvent<T extends KubeObject>(line: Uint8Array, options: ParseOptions): WatchEvent<T> {
  let value: unknown
  try {
    value = parseObjectText(line, options)
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
