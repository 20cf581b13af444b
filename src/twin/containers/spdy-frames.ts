// The frames of SPDY/3.1 that streams of kubectl use, as bytes: the protocol is dead but for Kubernetes, and no kept library speaks it.
import { createInflate, type Inflate } from 'node:zlib'

/** Clients of kubectl send pieces of 32 KiB. */
const largestData = 1024 * 1024
/** A stream of Kubernetes has three short headers. */
const largestHeaderBlock = 16 * 1024
const largestHeaders = 64 * 1024

export const types = { open: 1, reply: 2, reset: 3, settings: 4, ping: 6, goAway: 7, headers: 8, window: 9 } as const
const version = 3
const finFlag = 1

/** Reasons of a reset. */
export const resets = { protocolError: 1, invalidStream: 2, refused: 3, cancel: 5 } as const

/** Sent where the client breaks the protocol, or sends too much: the connection ends. */
export class SpdyFault extends Error {
  override readonly name = 'SpdyFault'
}

type SpdyFrame =
  | { readonly kind: 'data'; readonly stream: number; readonly isLast: boolean; readonly bytes: Buffer }
  | { readonly kind: 'control'; readonly type: number; readonly isLast: boolean; readonly body: Buffer }

/** The first frame of `bytes`, and how long it is; undefined while it is not whole. @throws SpdyFault */
export function frameOf(bytes: Buffer): { readonly frame: SpdyFrame; readonly length: number } | undefined {
  if (bytes.length < 8) return undefined
  const first = bytes.readUInt32BE(0)
  const isLast = (bytes.readUInt8(4) & finFlag) !== 0
  const size = bytes.readUIntBE(5, 3)
  const isControl = first >= 0x80000000
  if (size > (isControl ? largestHeaderBlock : largestData)) throw new SpdyFault(`a frame is ${size} bytes long`)
  if (isControl && ((first >>> 16) & 0x7fff) !== version) throw new SpdyFault('a frame is not of version 3')
  if (bytes.length < 8 + size) return undefined
  const body = bytes.subarray(8, 8 + size)
  const frame: SpdyFrame = isControl
    ? { kind: 'control', type: first & 0xffff, isLast, body }
    : { kind: 'data', stream: first, isLast, bytes: body }
  return { frame, length: 8 + size }
}

export function dataFrame(stream: number, bytes: Uint8Array, isLast: boolean): Buffer {
  return Buffer.concat([head(stream, isLast, bytes.length), bytes])
}

export function controlFrame(type: number, body: Uint8Array): Buffer {
  return Buffer.concat([head(0x80000000 + (version << 16) + type, false, body.length), body])
}

function head(first: number, isLast: boolean, length: number): Buffer {
  const bytes = Buffer.alloc(8)
  bytes.writeUInt32BE(first, 0)
  bytes.writeUInt8(isLast ? finFlag : 0, 4)
  bytes.writeUIntBE(length, 5, 3)
  return bytes
}

/** Big-endian words of 32 bits: what control frames mostly are. */
export function words(...values: readonly number[]): Buffer {
  const bytes = Buffer.alloc(4 * values.length)
  for (const [at, value] of values.entries()) bytes.writeUInt32BE(value, 4 * at)
  return bytes
}

/** Replies carry no headers: each is the same, deflated without a look at the ones before. */
export class EmptyHeaders {
  #isFirst = true

  /** The next header block of the connection: none, stored, and flushed as zlib's readers want it. */
  next(): Buffer {
    const stored = [0, 4, 0, 0xfb, 0xff, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff]
    const block = Buffer.from(this.#isFirst ? [0x78, 0x01, ...stored] : stored)
    this.#isFirst = false
    return block
  }
}

/** Header blocks of a connection, which are one deflated stream. They are read one after the other. */
export class HeaderBlocks implements Disposable {
  readonly #inflate: Inflate
  readonly #failed = Promise.withResolvers<never>()

  constructor() {
    // What the types of Node do not know is a Transform's.
    const options = { dictionary: dictionary(), readableHighWaterMark: largestHeaders + 1 }
    this.#inflate = createInflate(options)
    this.#inflate.on('error', error => this.#failed.reject(new SpdyFault(`headers are not well deflated: ${error.message}`)))
    // The next block tells it.
    this.#failed.promise.catch(() => undefined)
  }

  /** Names in lower case. @throws SpdyFault */
  async read(block: Uint8Array): Promise<ReadonlyMap<string, string>> {
    const isDone = Promise.withResolvers<void>()
    this.#inflate.write(block, () => isDone.resolve())
    const isFull = Promise.withResolvers<void>()
    // What is more than the reader holds back stops it, and it never says that it is done.
    const look = () => {
      if (this.#inflate.readableLength > largestHeaders) isFull.resolve()
    }
    this.#inflate.on('readable', look)
    await Promise.race([isDone.promise, isFull.promise, this.#failed.promise])
    this.#inflate.off('readable', look)
    const pieces: Buffer[] = []
    for (;;) {
      const piece: unknown = this.#inflate.read()
      if (!(piece instanceof Uint8Array)) break
      pieces.push(Buffer.from(piece))
    }
    const bytes = Buffer.concat(pieces)
    if (bytes.length > largestHeaders) throw new SpdyFault(`headers are longer than ${largestHeaders} bytes`)
    return headersOf(bytes)
  }

  [Symbol.dispose](): void {
    this.#inflate.destroy()
  }
}

/** @throws SpdyFault */
function headersOf(bytes: Buffer): ReadonlyMap<string, string> {
  const headers = new Map<string, string>()
  let at = 0
  const number = () => {
    if (at + 4 > bytes.length) throw new SpdyFault('headers are cut')
    at += 4
    return bytes.readUInt32BE(at - 4)
  }
  const text = () => {
    const length = number()
    if (at + length > bytes.length) throw new SpdyFault('headers are cut')
    at += length
    return bytes.toString('latin1', at - length, at)
  }
  const count = number()
  for (let done = 0; done < count; done++) {
    const name = text().toLowerCase()
    headers.set(name, text())
  }
  return headers
}

/** What both ends know of headers before the first (SPDY/3, section 2.6.10.1). Its Adler-32 sum is e3c6a7c2. */
function dictionary(): Buffer {
  const names =
    'options head post put delete trace accept accept-charset accept-encoding accept-language accept-ranges age allow authorization cache-control connection content-base content-encoding content-language content-length content-location content-md5 content-range content-type date etag expect expires from host if-match if-modified-since if-none-match if-range if-unmodified-since last-modified location max-forwards pragma proxy-authenticate proxy-authorization range referer retry-after server te trailer transfer-encoding upgrade user-agent vary via warning www-authenticate method get status'
  const known = [...names.split(' '), '200 OK', 'version', 'HTTP/1.1', 'url', 'public', 'set-cookie', 'keep-alive', 'origin']
  const codes = '100101201202205206300302303304305306307402405406407408409410411412413414415416417502504505'
  const told =
    '203 Non-Authoritative Information204 No Content301 Moved Permanently400 Bad Request401 Unauthorized403 Forbidden404 Not Found500 Internal Server Error501 Not Implemented503 Service Unavailable'
  const rest =
    'Jan Feb Mar Apr May Jun Jul Aug Sept Oct Nov Dec 00:00:00 Mon, Tue, Wed, Thu, Fri, Sat, Sun, GMTchunked,text/html,image/png,image/jpg,image/gif,application/xml,application/xhtml+xml,text/plain,text/javascript,publicprivatemax-age=gzip,deflate,sdchcharset=utf-8charset=iso-8859-1,utf-,*,enq=0.'
  return Buffer.concat([...known.flatMap(name => [words(name.length), Buffer.from(name)]), Buffer.from(`${codes}${told}${rest}`)])
}
