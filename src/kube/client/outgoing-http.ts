// The HTTP client for servers that are no API server: webhooks, meters, agents, pages of metrics. Each request has a limit on its time and on
// the size of its answer. It takes the proxy of its environment, follows redirects only if told to, and can be kept off private networks.
import { lookup as systemLookup } from 'node:dns'
import { isIP, type LookupFunction } from 'node:net'
import type { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { createGunzip } from 'node:zlib'
import type { Dispatcher } from 'undici'
import type { Clock } from '../clock.ts'
import { OutsideError } from '../outside-error.ts'
import { type AddressGuard, guardedLookup, judgeAddresses } from './address-guard.ts'
import type { Dial, TlsSettings } from './dispatcher.ts'
import { proxyFor } from './proxy.ts'

const standardConnectMs = 5_000
const standardAnswerMs = 10_000
/** The connections to one server. */
const standardConnections = 4
/** Bytes of an answer that are copied in one turn of the event loop. */
const joinedAtOnce = 4 * 1024 * 1024

/** A body cannot be unpacked: it is broken, or packed in a way that was not asked for. */
export class UnreadableAnswer extends OutsideError {
  override readonly name = 'UnreadableAnswer'
}

interface OutgoingOptions {
  readonly clock: Clock
  readonly connectMs?: number
  /** The limit of a whole exchange with its redirects, to the last byte of the answer; the time to connect comes on top. */
  readonly answerMs?: number
  /** The limit of all of it, connecting too; default: both of these. */
  readonly wholeMs?: number
  /** The connections to one server. */
  readonly mostConnections?: number
  readonly keepAliveMs?: number
  /**
   * Servers to which connections are kept; to those beyond it is closed after each request, and the next takes up its TLS session. A kept one
   * takes some 100 KB, a new one half a millisecond of processor time. All are kept unless given.
   */
  readonly mostKept?: number
  readonly tls?: TlsSettings
  readonly proxy?: string | undefined
  /** Its `HTTPS_PROXY`, `HTTP_PROXY` and `NO_PROXY` count if no proxy is given. */
  readonly environment?: Readonly<Record<string, string | undefined>>
  /** It judges the addresses of a name when a connection is made. A proxy looks names up itself, so that only a written address is judged. */
  readonly guard?: AddressGuard
  readonly lookup?: LookupFunction
  /** For connections that go straight, without a proxy and past the guard's names. */
  readonly dial?: Dial | undefined
}

interface Question {
  /** User and password in it are sent as Basic authentication, unless `headers` has another. */
  readonly url: string | URL
  readonly method?: 'GET' | 'HEAD' | 'POST'
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string
  readonly signal?: AbortSignal | undefined
  /** What becomes of a longer answer: `cut` gives its first bytes, `fail` is an error. */
  readonly mostBytes: number
  readonly whenLonger?: 'cut' | 'fail'
  /** Whether it may be compressed with gzip; `mostBytes` counts what it unpacks to. */
  readonly readsGzip?: boolean
  /**
   * The redirects that are followed; none unless told. One that would take a body to another server, or a question with headers, body or query from
   * https to http, is an error.
   */
  readonly mostRedirects?: number
  /** One that leads to another host is an error. */
  readonly redirectsStay?: boolean
}

export interface Answer {
  readonly status: number
  /** Empty where the answer does not say. */
  readonly contentType: string
  readonly body: Buffer
  /** By their names in small letters. */
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>
}

/** Connections that are kept as long as this. */
export class OutgoingHttp implements AsyncDisposable {
  readonly #options: OutgoingOptions
  /** By the proxy's address; straight ones by none. */
  readonly #dispatchers = new Map<string | undefined, Dispatcher>()
  /** Origins to which connections are kept, as far as they are counted. */
  readonly #kept = new Set<string>()
  #isDisposed = false

  constructor(options: OutgoingOptions) {
    this.#options = options
  }

  /** The answer, whatever its status. @throws `signal.reason`, AddressRefused, Error where none came whole and in time */
  async ask({ signal, ...question }: Question): Promise<Answer> {
    const { clock, connectMs = standardConnectMs, answerMs = standardAnswerMs } = this.#options
    const limitMs = this.#options.wholeMs ?? connectMs + answerMs
    const late = new AbortController()
    const cancel = clock.schedule(limitMs, () =>
      late.abort(new DOMException(`no answer in ${limitMs / 1_000} s`, 'TimeoutError')),
    )
    // What a server does is nothing a virtual clock can see.
    using _held = clock.hold()
    try {
      return await this.#follow(question, signal === undefined ? late.signal : AbortSignal.any([signal, late.signal]))
    } finally {
      cancel()
    }
  }

  /** Connections are closed when what is under way on them has ended. Never rejects. */
  async close(): Promise<void> {
    await Promise.allSettled([...this.#dispatchers.values()].map(dispatcher => dispatcher.close()))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isDisposed = true
    await Promise.all([...this.#dispatchers.values()].map(dispatcher => dispatcher.destroy()))
    this.#dispatchers.clear()
  }

  async #follow(question: Omit<Question, 'signal'>, signal: AbortSignal): Promise<Answer> {
    const { mostRedirects = 0, mostBytes, whenLonger = 'fail', readsGzip = false } = question
    let { method = 'GET', body } = question
    let url = new URL(question.url)
    const own = { 'user-agent': 'ballast', ...(readsGzip ? { 'accept-encoding': 'gzip' } : {}) }
    let headers: Readonly<Record<string, string>> = { ...own, ...authorization(url), ...question.headers }
    const hadSecrets = body !== undefined || url.search !== '' || Object.keys(headers).length > Object.keys(own).length
    for (let followed = 0; ; followed++) {
      const answer = await this.#send(url, { method, headers, body: body ?? null, signal })
      const { statusCode: status } = answer
      const { location } = answer.headers
      const isRedirect = mostRedirects > 0 && [301, 302, 303, 307, 308].includes(status) && typeof location === 'string'
      if (!isRedirect) {
        const type = answer.headers['content-type']
        return {
          ...{ status, headers: answer.headers },
          contentType: typeof type === 'string' ? type : '',
          body: readsGzip
            ? await unpackedWithin(answer.body, answer.headers['content-encoding'], mostBytes, whenLonger)
            : await bodyWithin(answer.body, mostBytes, whenLonger),
        }
      }
      await answer.body.dump()
      if (followed >= mostRedirects) throw new Error(`more than ${mostRedirects} redirects`)
      const next = new URL(location, url)
      if (question.redirectsStay === true && next.hostname !== url.hostname)
        throw new OutsideError(`it redirects to another host, ${next.host}`)
      if (status !== 307 && status !== 308 && method === 'POST') {
        method = 'GET'
        body = undefined
      }
      if (next.origin !== url.origin) {
        // What was meant for one server is not told to another.
        headers = { ...own, 'user-agent': headers['user-agent'] ?? own['user-agent'] }
        if (body !== undefined) throw new OutsideError(`it redirects a question with a body to another server, ${next.origin}`)
        if (hadSecrets && url.protocol === 'https:' && next.protocol === 'http:')
          throw new OutsideError(`it redirects from https to http, ${next.origin}`)
      }
      url = next
    }
  }

  async #send(
    url: URL,
    request: Pick<Dispatcher.RequestOptions, 'headers' | 'body' | 'signal'> & { readonly method: Dispatcher.HttpMethod },
  ): Promise<Dispatcher.ResponseData> {
    if (url.protocol !== 'http:' && url.protocol !== 'https:')
      throw new Error(`an address of ${url.protocol}//, which is not HTTP`)
    const { guard } = this.#options
    const host = url.hostname.replace(/^\[|\]$/g, '')
    // An address is not looked up, so that the guard of names does not see it.
    if (guard !== undefined && isIP(host) !== 0) judgeAddresses(guard, host, [host])
    const { origin } = url
    const reset = !this.#isKept(origin)
    const { openDispatcher } = await import('./dispatcher.ts')
    if (this.#isDisposed) throw new OutsideError('the client was closed meanwhile')
    return this.#dispatcherFor(url, openDispatcher).request({ ...request, origin, path: `${url.pathname}${url.search}`, reset })
  }

  #isKept(origin: string): boolean {
    const { mostKept } = this.#options
    if (mostKept === undefined || this.#kept.has(origin)) return true
    if (this.#kept.size >= mostKept) return false
    this.#kept.add(origin)
    return true
  }

  #dispatcherFor(url: URL, openDispatcher: typeof import('./dispatcher.ts').openDispatcher): Dispatcher {
    const { proxy: given, environment = {}, connectMs = standardConnectMs, answerMs = standardAnswerMs, tls } = this.#options
    const proxy = proxyFor({ server: url.origin, proxyUrl: given, environment })
    const known = this.#dispatchers.get(proxy)
    if (known !== undefined) return known
    const { mostConnections = standardConnections, keepAliveMs, mostKept, guard, lookup = systemLookup, dial } = this.#options
    const dispatcher = openDispatcher({
      connectMs,
      tls,
      proxy,
      dial,
      pool: {
        connections: mostConnections,
        allowH2: false,
        // By real time too: a virtual clock stands still meanwhile, and would never come to its limit.
        headersTimeout: answerMs || connectMs,
        bodyTimeout: answerMs || connectMs,
        ...(keepAliveMs === undefined ? {} : { keepAliveTimeout: keepAliveMs }),
      },
      socket: guard === undefined ? {} : { lookup: guardedLookup(guard, lookup) },
      resumes: mostKept !== undefined,
    })
    const isGone = ({ origin }: URL) => void this.#kept.delete(origin)
    dispatcher.on('disconnect', isGone).on('connectionError', isGone)
    this.#dispatchers.set(proxy, dispatcher)
    return dispatcher
  }
}

/** The same of a body that may be packed: neither it nor what it unpacks to is longer. @throws UnreadableAnswer */
async function unpackedWithin(
  body: Readable,
  encoding: string | string[] | undefined,
  mostBytes: number,
  whenLonger: 'cut' | 'fail',
): Promise<Buffer> {
  const packing = [encoding ?? ''].flat().join(', ').trim().toLowerCase()
  if (packing === '' || packing === 'identity') return bodyWithin(body, mostBytes, whenLonger)
  if (packing !== 'gzip' && packing !== 'x-gzip') {
    // Ends the connection where there is more of it.
    await bodyWithin(body, 0, 'cut')
    throw new UnreadableAnswer(`the answer is packed as ${JSON.stringify(packing)}, which was not asked for`)
  }
  const unpacking = createGunzip()
  const fed = pipeline(body, atMost(mostBytes), unpacking)
  // What goes wrong there breaks the reading, too, which tells it.
  fed.catch(() => undefined)
  try {
    return await bodyWithin(unpacking, mostBytes, whenLonger)
  } catch (error) {
    const code: unknown = error instanceof Error ? Reflect.get(error, 'code') : undefined
    if (typeof code === 'string' && code.startsWith('Z_'))
      throw new UnreadableAnswer(`the answer is no whole gzip: ${code}`, { cause: error })
    throw error
  }
}

/** What is short may be longer packed. */
const leastPackedBytes = 64 * 1024

/** Members of gzip that unpack to nothing are bounded, too. */
function atMost(mostBytes: number): (packed: AsyncIterable<Buffer>) => AsyncGenerator<Buffer> {
  return async function* (packed) {
    let length = 0
    for await (const piece of packed) {
      length += piece.length
      if (length > Math.max(mostBytes, leastPackedBytes)) throw new Error(`the answer is larger than ${mostBytes} bytes`)
      yield piece
    }
  }
}

/** A body of at most so many bytes, or the beginning of it. @throws Error where it is longer, and that is to fail */
export async function bodyWithin(
  body: AsyncIterable<Uint8Array>,
  mostBytes: number,
  whenLonger: 'cut' | 'fail' = 'fail',
): Promise<Buffer> {
  const pieces: Uint8Array[] = []
  let length = 0
  for await (const piece of body) {
    pieces.push(piece)
    length += piece.length
    if (length <= mostBytes) continue
    if (whenLonger === 'fail') throw new Error(`the answer is larger than ${mostBytes} bytes`)
    break
  }
  return (await joined(pieces, length)).subarray(0, mostBytes)
}

/** One buffer of all pieces. The loop has its turns: copying 64 MiB takes some 50 ms, most of it for memory that is new. */
async function joined(pieces: readonly Uint8Array[], length: number): Promise<Buffer> {
  if (length <= joinedAtOnce) return Buffer.concat(pieces)
  const whole = Buffer.allocUnsafeSlow(length)
  let [at, turnAt] = [0, joinedAtOnce]
  for (const piece of pieces) {
    whole.set(piece, at)
    at += piece.length
    if (at < turnAt) continue
    turnAt = at + joinedAtOnce
    await nextTurn()
  }
  return whole
}

/** User and password of the address, as Basic authentication. */
function authorization({ username, password }: URL): { readonly authorization?: string } {
  if (username === '' && password === '') return {}
  const pair = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`
  return { authorization: `Basic ${Buffer.from(pair).toString('base64')}` }
}
