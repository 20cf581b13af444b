// The server's end of a WebSocket (RFC 6455) on a connection that was upgraded: whole binary messages in and out, bounded.
import { createHash } from 'node:crypto'
import type { Duplex } from 'node:stream'

const acceptSalt = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11'
/** Clients of kubectl send pieces of 32 KiB. */
const largestMessage = 1024 * 1024

/** `Sec-WebSocket-Accept` for the key that the client sent. */
export function acceptKey(key: string): string {
  return createHash('sha1')
    .update(key + acceptSalt)
    .digest('base64')
}

interface Frame {
  readonly isLast: boolean
  readonly opcode: number
  readonly payload: Buffer
}

const opcodes = { more: 0, text: 1, binary: 2, close: 8, ping: 9, pong: 10 } as const

/** Sent where the client breaks the protocol, or sends too much. */
class SocketFault extends Error {
  override readonly name = 'SocketFault'
  readonly code: number
  constructor(code: number, message: string) {
    super(message)
    this.code = code
  }
}

export class ServerSocket {
  readonly #wire: Duplex
  #isClosed = false

  constructor(wire: Duplex) {
    this.#wire = wire
    // A client that goes away is no fault of the server; reading and writing end by it.
    wire.on('error', () => wire.destroy())
  }

  /** Messages until the client closes or goes; read no faster than they are taken. `head` was read with the request. */
  async *messages(head: Uint8Array): AsyncGenerator<Buffer, void, undefined> {
    let parts: Buffer[] = []
    let size = 0
    try {
      for await (const { isLast, opcode, payload } of this.#frames(head)) {
        if (opcode === opcodes.close) return await this.close(1000)
        if (opcode === opcodes.ping) await this.#write(opcodes.pong, payload)
        if (opcode >= opcodes.close) continue
        size += payload.length
        if (size > largestMessage) throw new SocketFault(1009, `a message is longer than ${largestMessage} bytes`)
        parts.push(payload)
        if (!isLast) continue
        yield Buffer.concat(parts)
        parts = []
        size = 0
      }
    } catch (error) {
      if (!(error instanceof SocketFault)) throw error
      await this.close(error.code)
    }
  }

  /** Resolves when the client can take more, or is gone. */
  async send(message: Uint8Array): Promise<void> {
    await this.#write(opcodes.binary, message)
  }

  async close(code: number): Promise<void> {
    if (this.#isClosed) return
    const payload = Buffer.alloc(2)
    payload.writeUInt16BE(code)
    await this.#write(opcodes.close, payload)
    this.#isClosed = true
    this.#wire.end()
  }

  async #write(opcode: number, payload: Uint8Array): Promise<void> {
    if (this.#isClosed || this.#wire.destroyed || !this.#wire.writable) return
    const length = payload.length
    const head = length < 126 ? Buffer.alloc(2) : length < 65_536 ? Buffer.alloc(4) : Buffer.alloc(10)
    head[0] = 0x80 | opcode
    if (length < 126) head[1] = length
    else if (length < 65_536) {
      head[1] = 126
      head.writeUInt16BE(length, 2)
    } else {
      head[1] = 127
      head.writeBigUInt64BE(BigInt(length), 2)
    }
    if (this.#wire.write(Buffer.concat([head, payload]))) return
    const { promise, resolve } = Promise.withResolvers<void>()
    const done = () => resolve()
    this.#wire.once('drain', done).once('close', done)
    await promise
    this.#wire.off('drain', done).off('close', done)
  }

  async *#frames(head: Uint8Array): AsyncGenerator<Frame, void, undefined> {
    let pending = Buffer.from(head)
    for (;;) {
      const read = frameOf(pending)
      if (read !== undefined) {
        pending = pending.subarray(read.length)
        yield read.frame
        continue
      }
      const chunk = await this.#chunk()
      if (chunk === undefined) return
      pending = Buffer.concat([pending, chunk])
    }
  }

  /** What came next; undefined where nothing comes any more. */
  async #chunk(): Promise<Buffer | undefined> {
    for (;;) {
      const chunk: unknown = this.#wire.read()
      if (chunk instanceof Uint8Array) return Buffer.from(chunk)
      if (this.#wire.readableEnded || this.#wire.destroyed) return undefined
      const { promise, resolve } = Promise.withResolvers<void>()
      const done = () => resolve()
      this.#wire.once('readable', done).once('end', done).once('close', done)
      await promise
      this.#wire.off('readable', done).off('end', done).off('close', done)
    }
  }
}

/** The first frame of `bytes`, and how long it is; undefined while it is not whole. @throws SocketFault */
function frameOf(bytes: Buffer): { readonly frame: Frame; readonly length: number } | undefined {
  if (bytes.length < 2) return undefined
  const first = bytes.readUInt8(0)
  const second = bytes.readUInt8(1)
  if ((first & 0x70) !== 0) throw new SocketFault(1002, 'reserved bits are set')
  if ((second & 0x80) === 0) throw new SocketFault(1002, 'a client masks what it sends')
  const short = second & 0x7f
  const start = short === 126 ? 4 : short === 127 ? 10 : 2
  if (bytes.length < start + 4) return undefined
  const size = short === 126 ? bytes.readUInt16BE(2) : short === 127 ? Number(bytes.readBigUInt64BE(2)) : short
  if (size > largestMessage) throw new SocketFault(1009, `a frame is longer than ${largestMessage} bytes`)
  const length = start + 4 + size
  if (bytes.length < length) return undefined
  const mask = bytes.subarray(start, start + 4)
  const payload = Buffer.alloc(size)
  for (let at = 0; at < size; at++) payload[at] = bytes.readUInt8(start + 4 + at) ^ mask.readUInt8(at % 4)
  return { frame: { isLast: (first & 0x80) !== 0, opcode: first & 0x0f, payload }, length }
}
