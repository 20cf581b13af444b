// How long a queue of RabbitMQ is, asked by AMQP 0-9-1: a passive declaration over a connection that is kept. The library for it dials by itself,
// to any address that it is told.
import { AnswerError, OutsideError } from '#kube/outside-error.ts'
import { TriggerProblem } from '../triggers/parameters.ts'
import { ByteStream, type StreamPlace } from './byte-stream.ts'
import type { OpenConnection } from './kept-connection.ts'
import type { Outgoing } from './outgoing.ts'

/** Bytes of one frame; what we ask for needs few. */
const largestFrame = 131_072

interface AmqpPlace extends StreamPlace {
  readonly vhost: string
  /** Undefined: a certificate says who we are. */
  readonly login: { readonly username: string; readonly password: string } | undefined
  /** How the connection is called in RabbitMQ's own lists. */
  readonly name: string
}

interface AmqpGiven {
  readonly host: string
  readonly vhostName: string | undefined
  readonly username: string | undefined
  readonly password: string | undefined
  /** Undefined: the trigger's authentication does not ask for TLS of its own. */
  readonly tls: StreamPlace['tls']
}

const ports: Readonly<Record<string, number>> = { 'amqp:': 5672, 'amqps:': 5671 }

/** @throws TriggerProblem that shows nothing of the host */
export function amqpPlace(given: AmqpGiven, name: string): AmqpPlace {
  const problem = (what: string) => new TriggerProblem(`error parsing RabbitMQ connection string: ${what}`)
  if (!URL.canParse(given.host) || given.host.includes(' '))
    throw problem('expected one such as amqp://me:password@host:5672/vhost')
  const url = new URL(given.host)
  const standard = Object.hasOwn(ports, url.protocol) ? ports[url.protocol] : undefined
  if (standard === undefined) throw problem("AMQP scheme must be either 'amqp://' or 'amqps://'")
  for (const file of ['certfile', 'keyfile', 'cacertfile', 'server_name_indication'])
    if (url.searchParams.has(file)) throw problem(`${file} is not taken here: an authentication may give cert, key and ca`)
  const mechanisms = url.searchParams.getAll('auth_mechanism').map(word => word.toLowerCase())
  if (mechanisms.some(word => word !== 'plain' && word !== 'external')) throw problem('auth_mechanism must be plain or external')
  const decoded = (text: string) => {
    try {
      return decodeURIComponent(text)
    } catch {
      // Its own words show the text.
      throw problem('a % that no two hexadecimal digits follow')
    }
  }
  const isSecure = url.protocol === 'amqps:'
  const hasCertificate = given.tls?.certificate !== undefined && given.tls.key !== undefined
  const isExternal = mechanisms[0] === 'external' || (given.username === undefined && hasCertificate && url.password === '')
  const vhost = given.vhostName ?? decoded(url.pathname.slice(1))
  const place = {
    host: url.hostname === '' ? 'localhost' : url.hostname.replace(/^\[(.*)\]$/, '$1'),
    port: url.port === '' ? standard : Number(url.port),
    tls: isSecure ? (given.tls ?? {}) : undefined,
    login: isExternal
      ? undefined
      : {
          username: given.username ?? (url.username === '' ? 'guest' : decoded(url.username)),
          password: given.password ?? (url.password === '' ? 'guest' : decoded(url.password)),
        },
    ...{ name, vhost: vhost === '' ? '/' : vhost },
  }
  if (Buffer.byteLength(place.vhost) > 255) throw problem('the vhost is longer than 255 bytes')
  return place
}

/** What the codes of RabbitMQ mean; its own words may hold what we told it. */
const meanings: Readonly<Record<number, string>> = {
  ...{ 320: 'CONNECTION_FORCED', 402: 'INVALID_PATH', 403: 'ACCESS_REFUSED', 404: 'NOT_FOUND', 405: 'RESOURCE_LOCKED' },
  ...{ 406: 'PRECONDITION_FAILED', 501: 'FRAME_ERROR', 503: 'COMMAND_INVALID', 504: 'CHANNEL_ERROR', 530: 'NOT_ALLOWED' },
  ...{ 540: 'NOT_IMPLEMENTED', 541: 'INTERNAL_ERROR', 506: 'RESOURCE_ERROR', 502: 'SYNTAX_ERROR', 505: 'UNEXPECTED_FRAME' },
}

/** Numbers of classes and methods, as one: 10 and 50 are 10.50. */
const method = {
  ...{
    start: 10_010,
    startOk: 10_011,
    tune: 10_030,
    tuneOk: 10_031,
    open: 10_040,
    openOk: 10_041,
    close: 10_050,
    closeOk: 10_051,
  },
  ...{ blocked: 10_060, unblocked: 10_061, channelOpen: 20_010, channelOpenOk: 20_011, channelClose: 20_040 },
  ...{ declare: 50_010, declareOk: 50_011 },
} as const

const short = (value: number) => Buffer.from([value >> 8, value & 255])
const long = (value: number) => {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32BE(value)
  return bytes
}
const shortText = (text: string) => Buffer.concat([Buffer.from([Buffer.byteLength(text)]), Buffer.from(text)])
const longBytes = (bytes: Buffer) => Buffer.concat([long(bytes.length), bytes])
const longText = (text: string) => longBytes(Buffer.from(text))
const field = (name: string, type: string, value: Buffer) => Buffer.concat([shortText(name), Buffer.from(type), value])

export class AmqpSession implements OpenConnection {
  readonly #stream: ByteStream
  #isEnded = false

  static async open(place: AmqpPlace, outgoing: Outgoing, signal: AbortSignal): Promise<AmqpSession> {
    return await ByteStream.open(place, outgoing, signal, async stream => {
      const session = new AmqpSession(stream)
      await session.#start(place)
      return session
    })
  }

  private constructor(stream: ByteStream) {
    this.#stream = stream
  }

  get isOpen(): boolean {
    return !this.#isEnded && !this.#stream.hasMore
  }

  /** Messages that are ready. @throws AnswerError where there is no such queue, or it may not be read */
  async messagesOf(queue: string): Promise<number> {
    this.#stream.again()
    const passive = Buffer.from([1])
    this.#send(1, method.declare, short(0), shortText(queue), passive, long(0))
    const answer = await this.#answer(method.declareOk)
    const at = 1 + (answer[0] ?? 0)
    if (answer.length < at + 8) throw new AnswerError('what answers there is no RabbitMQ')
    return answer.readUInt32BE(at)
  }

  [Symbol.dispose](): void {
    if (!this.#isEnded) this.#send(0, method.close, short(200), shortText(''), short(0), short(0))
    this.#isEnded = true
    this.#stream[Symbol.dispose]()
  }

  async #start({ login, vhost, name }: AmqpPlace): Promise<void> {
    this.#stream.write(Buffer.from('AMQP\0\0\t\x01', 'latin1'))
    await this.#answer(method.start)
    const capabilities = field('authentication_failure_close', 't', Buffer.from([1]))
    const about = Buffer.concat([
      field('connection_name', 'S', longText(name)),
      field('product', 'S', longText('Ballast')),
      field('capabilities', 'F', longBytes(capabilities)),
    ])
    const proof = login === undefined ? '' : `\0${login.username}\0${login.password}`
    const mechanism = shortText(login === undefined ? 'EXTERNAL' : 'PLAIN')
    this.#send(0, method.startOk, longBytes(about), mechanism, longText(proof), shortText('en_US'))
    const tune = await this.#answer(method.tune)
    const most = tune.length < 8 ? 0 : tune.readUInt32BE(2)
    // One channel, and no heartbeats: a connection that died is noticed by the next question.
    this.#send(0, method.tuneOk, short(1), long(most === 0 ? largestFrame : Math.min(most, largestFrame)), short(0))
    this.#send(0, method.open, shortText(vhost), shortText(''), Buffer.from([0]))
    await this.#answer(method.openOk)
    this.#send(1, method.channelOpen, shortText(''))
    await this.#answer(method.channelOpenOk)
  }

  #send(channel: number, which: number, ...parts: readonly Buffer[]): void {
    const payload = Buffer.concat([short(Math.trunc(which / 1_000)), short(which % 1_000), ...parts])
    this.#stream.write(Buffer.concat([Buffer.from([1]), short(channel), longBytes(payload), Buffer.from([0xce])]))
  }

  /** What follows the numbers of the method. */
  async #answer(wanted: number): Promise<Buffer> {
    for (;;) {
      const head = await this.#stream.exactly(7)
      const [type] = head
      if (type === 65) throw new AnswerError('RabbitMQ speaks another version of AMQP')
      if (type === undefined || type < 1 || type > 8) throw new AnswerError('what answers there is no RabbitMQ')
      const size = head.readUInt32BE(3)
      if (size > largestFrame) throw new AnswerError(`RabbitMQ announced a frame of ${size} bytes`)
      const payload = await this.#stream.exactly(size + 1)
      if (payload[size] !== 0xce) throw new AnswerError('what answers there is no RabbitMQ')
      if (type !== 1) continue
      if (size < 4) throw new AnswerError('what answers there is no RabbitMQ')
      const which = payload.readUInt16BE(0) * 1_000 + payload.readUInt16BE(2)
      if (which === wanted) return payload.subarray(4, size)
      if (which === method.close || which === method.channelClose) this.#refused(payload.subarray(4, size))
      if (which !== method.blocked && which !== method.unblocked) throw new AnswerError('RabbitMQ answered what was not asked')
    }
  }

  #refused(said: Buffer): never {
    if (said.length < 2) throw new AnswerError('what answers there is no RabbitMQ')
    const code = said.readUInt16BE(0)
    const what = `RabbitMQ: ${code}${meanings[code] === undefined ? '' : ` ${meanings[code]}`}`
    // A server that is stopped says so to those that are connected: it may be there again.
    throw code === 320 ? new OutsideError(what) : new AnswerError(what)
  }
}
