// Reads answers of HTTP/1.1 from the bytes of a target, as RFC 9112 frames them. What two readers could take for two things is refused.

/** Bytes of a head, of trailers, and of the line before a chunk. */
const mostHeadBytes = 256 * 1024
const mostTrailerBytes = 64 * 1024
const mostChunkLineBytes = 4 * 1024
/** Digits of a length: what JavaScript counts whole. */
const mostDigits = 15

export interface AnswerHead {
  readonly status: number
  readonly reason: string
  /** Names and values by turns, as they came; headers of this connection alone are among them. */
  readonly headers: readonly string[]
  /** Value of `Upgrade`. */
  readonly upgrade: string | undefined
  /** Milliseconds for which the target keeps the connection when nobody uses it; 0: it does not; undefined: it does not say. */
  readonly keptMs: number | undefined
}

interface AnswerListener {
  /** An interim answer or the head of the final one; more of either may follow in the same bytes. */
  onHead(head: AnswerHead): void
  onData(bytes: Buffer): void
}

/** What the target said is no answer. */
export class AnswerError extends Error {
  override readonly name = 'AnswerError'
}

type State = 'head' | 'length' | 'until-close' | 'chunk-line' | 'chunk' | 'chunk-end' | 'trailers' | 'whole'

const lineEnd = Buffer.from('\r\n')
const headEnd = Buffer.from('\r\n\r\n')
const nothing = Buffer.alloc(0)

const tokenPattern = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/
const statusPattern = /^HTTP\/1\.([01]) ([1-9]\d\d)(?: (.*))?$/
/** Without control characters other than a tab: a line end that is half of one is among them. */
const plainPattern = /^[\t\x20-\x7e\x80-\xff]*$/

/** One final answer after another, each with interim ones before it. */
export class AnswerReader {
  readonly #listener: AnswerListener
  #isHead = false
  #state: State = 'whole'
  /** Bytes that are no whole head or line yet. */
  #rest: Buffer = nothing
  /** Bytes of the body or chunk that are to come. */
  #left = 0
  #trailers: readonly string[] = []

  constructor(listener: AnswerListener) {
    this.#listener = listener
  }

  /** The next answer is expected. `isHead`: of a HEAD, which has no body. */
  begin(isHead: boolean): void {
    this.#isHead = isHead
    this.#state = 'head'
    this.#rest = nothing
    this.#trailers = []
  }

  get isWhole(): boolean {
    return this.#state === 'whole'
  }

  /** Fields after the body of a whole answer: names and values by turns. */
  get trailers(): readonly string[] {
    return this.#trailers
  }

  /** Nothing came of it yet. */
  get isSilent(): boolean {
    return this.#state === 'head' && this.#rest.length === 0
  }

  /**
   * Takes what came. Listeners are told before it returns.
   * @returns what came after the end of the answer, or after the head of one with the status 101
   * @throws AnswerError where it is no answer
   */
  read(bytes: Buffer): Buffer {
    let rest = bytes
    if (this.#rest.length > 0) {
      rest = Buffer.concat([this.#rest, bytes])
      this.#rest = nothing
    }
    while (rest.length > 0 && this.#state !== 'whole') {
      const before = rest
      rest = this.#step(rest)
      if (rest === before) {
        // The memory is the caller's.
        this.#rest = Buffer.from(rest)
        return nothing
      }
    }
    return rest
  }

  /** The target sends no more. @throws AnswerError where something is missing */
  close(): void {
    if (this.#state === 'whole') return
    if (this.#state !== 'until-close') throw new AnswerError('the connection was closed within the answer')
    this.#state = 'whole'
  }

  /** @returns what is left; the same value where more has to come first */
  #step(bytes: Buffer): Buffer {
    switch (this.#state) {
      case 'head':
        return this.#head(bytes)
      case 'length':
        return this.#body(bytes)
      case 'until-close':
        this.#listener.onData(bytes)
        return nothing
      case 'chunk-line':
        return this.#chunkLine(bytes)
      case 'chunk':
        return this.#body(bytes)
      case 'chunk-end':
        if (bytes.length < lineEnd.length) return bytes
        if (bytes[0] !== 0x0d || bytes[1] !== 0x0a) throw new AnswerError('a chunk is longer than its line says')
        this.#state = 'chunk-line'
        return bytes.subarray(lineEnd.length)
      case 'trailers':
        return this.#fields(bytes)
      case 'whole':
        return bytes
    }
  }

  #body(bytes: Buffer): Buffer {
    const piece = bytes.length > this.#left ? bytes.subarray(0, this.#left) : bytes
    this.#left -= piece.length
    this.#listener.onData(piece)
    if (this.#left > 0) return nothing
    this.#state = this.#state === 'length' ? 'whole' : 'chunk-end'
    return bytes.subarray(piece.length)
  }

  #chunkLine(bytes: Buffer): Buffer {
    const end = bytes.indexOf(lineEnd)
    if (end === -1 ? bytes.length > mostChunkLineBytes : end > mostChunkLineBytes)
      throw new AnswerError(`the line before a chunk is longer than ${mostChunkLineBytes} bytes`)
    if (end === -1) return bytes
    const line = bytes.toString('latin1', 0, end)
    const size = /^([0-9a-fA-F]{1,12})(?:[ \t]*;[\t\x20-\x7e\x80-\xff]*)?$/.exec(line)?.[1]
    if (size === undefined) throw new AnswerError(`a chunk begins with ${JSON.stringify(line.slice(0, 32))}, expected its length`)
    this.#left = Number.parseInt(size, 16)
    this.#state = this.#left === 0 ? 'trailers' : 'chunk'
    return bytes.subarray(end + lineEnd.length)
  }

  #fields(bytes: Buffer): Buffer {
    if (bytes.length < lineEnd.length) return bytes
    if (bytes[0] === 0x0d && bytes[1] === 0x0a) {
      this.#state = 'whole'
      return bytes.subarray(lineEnd.length)
    }
    const end = endOf(bytes, mostTrailerBytes, 'the fields after the body are')
    if (end === -1) return bytes
    this.#trailers = fieldsOf(bytes.toString('latin1', 0, end).split('\r\n'))
    this.#state = 'whole'
    return bytes.subarray(end + headEnd.length)
  }

  #head(bytes: Buffer): Buffer {
    const end = endOf(bytes, mostHeadBytes, 'the head of the answer is')
    if (end === -1) {
      // What will never become an answer is not waited for.
      if (bytes.length >= 5 && bytes.toString('latin1', 0, 5) !== 'HTTP/') throw notHttp(bytes)
      return bytes
    }
    const [first = '', ...lines] = bytes.toString('latin1', 0, end).split('\r\n')
    const said = statusPattern.exec(first)
    if (said === null || !plainPattern.test(first)) throw notHttp(bytes)
    const [, minor, code, reason = ''] = said
    const status = Number(code)
    const headers = fieldsOf(lines)
    const framing = framingOf(headers)
    const keepsAlive = minor === '1' || framing.isKeptAlive
    const keptMs = framing.isClosed || !keepsAlive ? 0 : framing.keptMs
    const after = bytes.subarray(end + headEnd.length)
    if (status < 200 && status !== 101) {
      this.#listener.onHead({ status, reason, headers, upgrade: undefined, keptMs: undefined })
      return after
    }
    this.#state = this.#bodyState(status, framing)
    const isUntilClose = this.#state === 'until-close'
    this.#listener.onHead({ status, reason, headers, upgrade: framing.upgrade, keptMs: isUntilClose ? 0 : keptMs })
    return after
  }

  #bodyState(status: number, { encoding, length }: Framing): State {
    if (status === 101) return 'whole'
    const isBare = this.#isHead || status === 204 || status === 304
    if (encoding !== undefined && length !== undefined)
      throw new AnswerError('the answer has Content-Length beside Transfer-Encoding')
    if (isBare) return 'whole'
    if (encoding !== undefined) {
      if (encoding.toLowerCase() === 'chunked') return 'chunk-line'
      throw new AnswerError(`the answer has Transfer-Encoding ${JSON.stringify(encoding)}, expected chunked`)
    }
    if (length === undefined) return 'until-close'
    this.#left = length
    return length === 0 ? 'whole' : 'length'
  }
}

/** Where the empty line begins; -1: it has not come. */
function endOf(bytes: Buffer, most: number, what: string): number {
  const end = bytes.indexOf(headEnd)
  if (end === -1 ? bytes.length > most : end > most) throw new AnswerError(`${what} longer than ${most} bytes`)
  return end
}

function notHttp(bytes: Buffer): AnswerError {
  return new AnswerError(
    `the answer begins with ${JSON.stringify(bytes.toString('latin1', 0, 32))}, expected HTTP/1.1 and a status`,
  )
}

/** Names and values by turns. A value that goes on in the next line is one. @throws AnswerError for a line that is no field */
function fieldsOf(lines: readonly string[]): string[] {
  const fields: string[] = []
  for (const line of lines) {
    if (!plainPattern.test(line))
      throw new AnswerError(`a field of the answer has a control character: ${JSON.stringify(line.slice(0, 64))}`)
    const first = line.charCodeAt(0)
    if (first === 0x20 || first === 0x09) {
      if (fields.length === 0) throw new AnswerError('the answer begins with a space')
      fields.push(`${fields.pop()} ${line.trim()}`.trim())
      continue
    }
    const colon = line.indexOf(':')
    const name = line.slice(0, Math.max(0, colon))
    if (!tokenPattern.test(name)) throw new AnswerError(`a field of the answer has no name: ${JSON.stringify(line.slice(0, 64))}`)
    fields.push(name, line.slice(colon + 1).trim())
  }
  return fields
}

interface Framing {
  encoding: string | undefined
  length: number | undefined
  isClosed: boolean
  isKeptAlive: boolean
  keptMs: number | undefined
  upgrade: string | undefined
}

function framingOf(headers: readonly string[]): Framing {
  const found: Framing = {
    encoding: undefined,
    length: undefined,
    isClosed: false,
    isKeptAlive: false,
    keptMs: undefined,
    upgrade: undefined,
  }
  for (let at = 0; at + 1 < headers.length; at += 2) {
    const name = headers[at] ?? ''
    // Most names are passed over by their length.
    if (name.length !== 7 && name.length !== 10 && name.length !== 14 && name.length !== 17) continue
    const value = headers[at + 1] ?? ''
    switch (name.toLowerCase()) {
      case 'content-length':
        found.length = lengthOf(value, found.length)
        break
      case 'transfer-encoding':
        if (found.encoding !== undefined) throw new AnswerError('the answer has more than one Transfer-Encoding')
        found.encoding = value
        break
      case 'connection':
        found.isClosed ||= /(?:^|,)[ \t]*close[ \t]*(?:,|$)/i.test(value)
        found.isKeptAlive ||= /(?:^|,)[ \t]*keep-alive[ \t]*(?:,|$)/i.test(value)
        break
      case 'keep-alive': {
        const seconds = /(?:^|[,\s])timeout=(\d{1,6})/i.exec(value)?.[1]
        // A moment less: what is sent when the time is over reaches nobody.
        if (seconds !== undefined) found.keptMs = Math.max(0, Number(seconds) - 1) * 1_000
        break
      }
      case 'upgrade':
        found.upgrade = value
        break
    }
  }
  return found
}

function lengthOf(value: string, known: number | undefined): number {
  if (!/^\d+$/.test(value) || value.length > mostDigits)
    throw new AnswerError(`the answer has Content-Length ${JSON.stringify(value.slice(0, 32))}, expected a number of bytes`)
  const length = Number(value)
  if (known !== undefined && known !== length) throw new AnswerError('the answer has two Content-Lengths that differ')
  return length
}
