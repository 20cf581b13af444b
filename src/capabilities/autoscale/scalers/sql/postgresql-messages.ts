// What a server of PostgreSQL says, cut into whole messages that keep to their shape before a library reads them: that library looks for the end
// of a text wherever it may be, and for ever where there is none.
import { AnswerError } from '#kube/outside-error.ts'
import { mostGuardedBytes } from '../guarded-socket.ts'

/** Kind and length. */
const headBytes = 5

/** The bytes of one message after its head. What reads beyond them leaves it broken. */
class Body {
  readonly #bytes: Buffer
  #at = 0

  constructor(bytes: Buffer) {
    this.#bytes = bytes
  }

  get isBroken(): boolean {
    return this.#at > this.#bytes.length
  }

  get isRead(): boolean {
    return this.#at === this.#bytes.length
  }

  skip(count: number): void {
    this.#at += count < 0 ? Number.POSITIVE_INFINITY : count
  }

  rest(): void {
    this.#at = Math.max(this.#at, this.#bytes.length)
  }

  /** -1 where there is none. */
  number(bytes: 1 | 2 | 4): number {
    const from = this.#at
    this.skip(bytes)
    return this.isBroken ? -1 : this.#bytes.readIntBE(from, bytes)
  }

  /** A zero closes it. */
  text(): void {
    const end = this.isBroken ? -1 : this.#bytes.indexOf(0, this.#at)
    this.skip(end < 0 ? -1 : end + 1 - this.#at)
  }

  list(read: () => void): void {
    const count = this.number(2)
    if (count < 0) this.skip(-1)
    for (let index = 0; index < count && !this.isBroken; index++) read()
  }

  /** Texts up to a zero where the next would begin. */
  texts(): void {
    while (!this.isBroken && this.number(1) !== 0) this.text()
  }
}

const empty = () => undefined
const two = (body: Body) => {
  body.text()
  body.text()
}
const copy = (body: Body) => {
  body.skip(1)
  body.list(() => body.skip(2))
}
/** Why something failed, or a notice: a letter and its text, as often as there is something to say. */
const said = (body: Body) => {
  body.skip(1)
  body.text()
  body.texts()
}

/** By the letter of a message: reads all of it. No other kinds are for us. */
const shapes: Readonly<Record<string, (body: Body) => void>> = {
  ...{ 1: empty, 2: empty, 3: empty, I: empty, n: empty, s: empty, c: empty, E: said, N: said, S: two, G: copy, H: copy },
  A: body => {
    body.skip(4)
    two(body)
  },
  C: body => body.text(),
  D: body =>
    body.list(() => {
      const length = body.number(4)
      // -1 is NULL.
      body.skip(length === -1 ? 0 : length)
    }),
  K: body => body.skip(8),
  R: body => {
    const how = body.number(4)
    if (how === 10) body.texts()
    else if (how === 5) body.skip(4)
    else if (how === 11 || how === 12) body.rest()
  },
  T: body =>
    body.list(() => {
      body.text()
      body.skip(18)
    }),
  Z: body => body.skip(1),
  d: body => body.rest(),
  t: body => body.list(() => body.skip(4)),
}

export class PostgresMessages {
  #waiting: Buffer[] = []
  #length = 0
  /** Bytes of the message that is under way, or of a head. */
  #needed = headBytes

  /** The whole messages that end in `piece`. @throws AnswerError where one is none */
  whole(piece: Buffer): Buffer {
    this.#waiting.push(piece)
    this.#length += piece.length
    if (this.#length < this.#needed) return Buffer.alloc(0)
    const bytes = Buffer.concat(this.#waiting)
    let at = 0
    this.#needed = headBytes
    while (bytes.length - at >= headBytes) {
      const length = bytes.readUInt32BE(at + 1) + 1
      const kind = String.fromCharCode(bytes[at] ?? 0)
      const read = Object.hasOwn(shapes, kind) ? shapes[kind] : undefined
      if (read === undefined || length < headBytes || length > mostGuardedBytes) throw noMessage(kind, read)
      this.#needed = length
      if (bytes.length - at < length) break
      const body = new Body(bytes.subarray(at + headBytes, at + length))
      read(body)
      if (!body.isRead) throw noMessage(kind, read)
      at += length
      this.#needed = headBytes
    }
    this.#waiting = at === bytes.length ? [] : [bytes.subarray(at)]
    this.#length = bytes.length - at
    return bytes.subarray(0, at)
  }
}

function noMessage(kind: string, known: unknown): AnswerError {
  const which = known === undefined ? 'a message of a kind that is unknown' : `a message of the kind ${kind} that is out of shape`
  return new AnswerError(`what answers there does not keep to the protocol of PostgreSQL: ${which}`)
}
