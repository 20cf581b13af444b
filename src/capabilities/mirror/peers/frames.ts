// Messages on a stream: a length (varint), then so many bytes.
import { OutsideError } from '#kube/outside-error.ts'

/** The neighbour breaks the protocol: its stream is given up. */
export class ProtocolFault extends OutsideError {
  override readonly name = 'ProtocolFault'
}

const longestLengthBytes = 4

/** Takes bytes as they come and gives messages. Holds at most one message that is not whole. */
export class FrameReader {
  readonly #limit: number
  #held: Buffer = Buffer.alloc(0)

  /** `limit`: bytes of a message. */
  constructor(limit: number) {
    this.#limit = limit
  }

  /** Bytes of a message that is not whole yet. */
  get held(): number {
    return this.#held.length
  }

  /** Messages that are whole with these bytes. @throws ProtocolFault where one is too long. */
  *push(chunk: Uint8Array): Generator<Uint8Array> {
    const bytes = this.#held.length === 0 ? Buffer.from(chunk) : Buffer.concat([this.#held, chunk])
    let at = 0
    for (;;) {
      const head = this.#head(bytes, at)
      if (head === undefined || head.end > bytes.length) break
      yield bytes.subarray(head.start, head.end)
      at = head.end
    }
    this.#held = bytes.subarray(at)
  }

  #head(bytes: Uint8Array, at: number): { readonly start: number; readonly end: number } | undefined {
    let length = 0
    for (let index = 0; index < longestLengthBytes; index++) {
      const byte = bytes[at + index]
      if (byte === undefined) return undefined
      length |= (byte & 0x7f) << (index * 7)
      if (byte < 0x80) {
        if (length > this.#limit) throw new ProtocolFault(`a message of ${length} bytes, at most ${this.#limit} are read`)
        return { start: at + index + 1, end: at + index + 1 + length }
      }
    }
    throw new ProtocolFault('a length of more than four bytes')
  }
}
