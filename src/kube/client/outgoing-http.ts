// The HTTP client for servers that are no API server: webhooks, meters, agents, pages of metrics. Each request has a limit on its time and on
// the size of its answer. It takes the proxy of its environment, follows redirects only if told to, and can be kept off private networks.
import { type LookupAddress, lookup as systemLookup } from 'node:dns'
import { BlockList, isIP, type LookupFunction } from 'node:net'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { createSecureContext } from 'node:tls'
import { Agent, buildConnector, type Dispatcher, ProxyAgent, Socks5ProxyAgent } from 'undici'
import type { Clock } from '../clock.ts'
import { OutsideError } from '../outside-error.ts'
import { proxyFor } from './proxy.ts'

const standardConnectMs = 5_000
const standardAnswerMs = 10_000
/** The connections to one server. */
const standardConnections = 4
/** Bytes of an answer that are copied in one turn of the event loop. */
const joinedAtOnce = 4 * 1024 * 1024

/** PEM, as Node takes it. */
interface TlsSettings {
  /** In place of the system's. */
  readonly authority?: string | readonly string[] | undefined
  readonly certificate?: string | undefined
  readonly key?: string | undefined
  /** In the server's certificate, where it is not the host's. */
  readonly serverName?: string | undefined
  readonly isInsecure?: boolean | undefined
}

/** Where the connection goes that is meant for `host` and `port`: certificates are checked against those all the same. */
export type Dial = (host: string, port: number) => Promise<{ readonly host: string; readonly port: number }>

interface DispatcherOptions {
  readonly connectMs: number
  readonly tls?: TlsSettings | undefined
  readonly proxy?: string | undefined
  /** Settings of undici's pool; `socket` has those of its sockets. */
  readonly pool?: {
    readonly connections?: number | null
    readonly pipelining?: number
    readonly allowH2?: boolean
    readonly headersTimeout?: number
    readonly bodyTimeout?: number
    readonly keepAliveTimeout?: number
    readonly keepAliveMaxTimeout?: number
  }
  readonly socket?: { readonly keepAlive?: boolean; readonly keepAliveInitialDelay?: number; readonly lookup?: LookupFunction }
  /** For straight connections. */
  readonly dial?: Dial | undefined
}

/** Connections of one kind, straight or by a proxy: `http:`, `https:` or `socks5:`. */
export function openDispatcher({ connectMs, tls = {}, proxy, pool = {}, socket = {}, dial }: DispatcherOptions): Dispatcher {
  const { authority, certificate, key, serverName, isInsecure } = tls
  const given = {
    ...(authority === undefined ? {} : { ca: typeof authority === 'string' ? authority : [...authority] }),
    ...(certificate === undefined ? {} : { cert: certificate }),
    ...(key === undefined ? {} : { key }),
  }
  const trust = {
    timeout: connectMs,
    rejectUnauthorized: isInsecure !== true,
    // One for all connections: Node would read the certificates again for each, and keep them with it.
    ...(Object.keys(given).length === 0 ? {} : { secureContext: createSecureContext(given) }),
    ...(serverName === undefined ? {} : { servername: serverName }),
  }
  if (proxy === undefined && dial !== undefined)
    return new Agent({ ...pool, connect: dialled(dial, { ...trust, ...socket, allowH2: pool.allowH2 ?? true }) })
  if (proxy === undefined) return new Agent({ ...pool, connect: { ...trust, ...socket } })
  if (proxy.startsWith('socks5:')) return new Socks5ProxyAgent(proxy, { ...pool, requestTls: trust })
  return new ProxyAgent({ ...pool, uri: proxy, requestTls: trust, proxyTunnel: true })
}

/** Connects to where `dial` says; TLS, begun on that connection, knows of the server's own name alone. */
function dialled(dial: Dial, options: buildConnector.BuildOptions): buildConnector.connector {
  const { timeout } = options
  const plain = buildConnector(timeout === undefined || timeout === null ? {} : { timeout })
  const secure = buildConnector(options)
  return (asked, done) => {
    const { hostname, protocol, port } = asked
    const connect = ({ host, port: at }: Awaited<ReturnType<Dial>>) =>
      plain({ protocol: 'http:', hostname: host, host, port: String(at) }, (...made) => {
        const [error, socket] = made
        if (error !== null || protocol !== 'https:') done(...made)
        else secure({ ...asked, httpSocket: socket }, done)
      })
    dial(hostname, Number(port) || (protocol === 'https:' ? 443 : 80))
      .then(connect)
      .catch((error: unknown) => done(error instanceof Error ? error : new Error(String(error)), null))
  }
}

/**
 * Keeps requests off loopback, link-local, private and other addresses that are not of the internet: for addresses that somebody writes
 * who could not reach them from here himself. Each caller that goes without says why.
 */
interface AddressGuard {
  /** Names of hosts that may be anywhere, and ranges such as `10.1.0.0/16` that may be reached. */
  readonly allowed: readonly string[]
}

/** The guard refuses an address. */
export class AddressRefused extends OutsideError {
  override readonly name = 'AddressRefused'
}

interface OutgoingOptions {
  readonly clock: Clock
  readonly connectMs?: number
  /** The limit of a whole exchange with its redirects, to the last byte of the answer; the time to connect comes on top. */
  readonly answerMs?: number
  /** The connections to one server. */
  readonly mostConnections?: number
  readonly keepAliveMs?: number
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
  /** The redirects that are followed; none unless told. */
  readonly mostRedirects?: number
}

interface Answer {
  readonly status: number
  /** Empty where the answer does not say. */
  readonly contentType: string
  readonly body: Buffer
}

/** Connections that are kept as long as this. */
export class OutgoingHttp implements AsyncDisposable {
  readonly #options: OutgoingOptions
  /** By the proxy's address; straight ones by none. */
  readonly #dispatchers = new Map<string | undefined, Dispatcher>()

  constructor(options: OutgoingOptions) {
    this.#options = options
  }

  /** The answer, whatever its status. @throws `signal.reason`, AddressRefused, Error where none came whole and in time */
  async ask({ signal, ...question }: Question): Promise<Answer> {
    const { clock, connectMs = standardConnectMs, answerMs = standardAnswerMs } = this.#options
    const limitMs = connectMs + answerMs
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
    await Promise.all([...this.#dispatchers.values()].map(dispatcher => dispatcher.destroy()))
    this.#dispatchers.clear()
  }

  async #follow(question: Omit<Question, 'signal'>, signal: AbortSignal): Promise<Answer> {
    const { mostRedirects = 0, mostBytes, whenLonger = 'fail' } = question
    let { method = 'GET', body } = question
    let url = new URL(question.url)
    let headers = { 'user-agent': 'ballast', ...authorization(url), ...question.headers }
    for (let followed = 0; ; followed++) {
      const answer = await this.#send(url, { method, headers, body: body ?? null, signal })
      const { statusCode: status } = answer
      const { location } = answer.headers
      const isRedirect = mostRedirects > 0 && [301, 302, 303, 307, 308].includes(status) && typeof location === 'string'
      if (!isRedirect) {
        const type = answer.headers['content-type']
        return {
          status,
          contentType: typeof type === 'string' ? type : '',
          body: await bodyWithin(answer.body, mostBytes, whenLonger),
        }
      }
      await answer.body.dump()
      if (followed >= mostRedirects) throw new Error(`more than ${mostRedirects} redirects`)
      const next = new URL(location, url)
      // What was meant for one server is not told to another.
      if (next.origin !== url.origin) headers = { 'user-agent': headers['user-agent'] }
      if (status !== 307 && status !== 308 && method === 'POST') {
        method = 'GET'
        body = undefined
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
    if (guard !== undefined && isIP(host) !== 0) judge(guard, host, [host])
    return this.#dispatcherFor(url).request({ ...request, origin: url.origin, path: `${url.pathname}${url.search}` })
  }

  #dispatcherFor(url: URL): Dispatcher {
    const { proxy: given, environment = {}, connectMs = standardConnectMs, answerMs = standardAnswerMs, tls } = this.#options
    const proxy = proxyFor({ server: url.origin, proxyUrl: given, environment })
    const known = this.#dispatchers.get(proxy)
    if (known !== undefined) return known
    const { mostConnections = standardConnections, keepAliveMs, guard, lookup = systemLookup, dial } = this.#options
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
    })
    this.#dispatchers.set(proxy, dispatcher)
    return dispatcher
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

// RFC 6890 lists them: this host, private, shared, loopback, link-local, protocol assignments, benchmarks, multicast, reserved. IPv6 has
// further ranges that carry an address of IPv4. Node judges `::ffff:10.0.0.1` as `10.0.0.1`.
const privateRanges = [
  ...['0.0.0.0/8', '10.0.0.0/8', '100.64.0.0/10', '127.0.0.0/8', '169.254.0.0/16', '172.16.0.0/12', '192.0.0.0/24'],
  ...['192.168.0.0/16', '198.18.0.0/15', '224.0.0.0/4', '240.0.0.0/4'],
  ...['::/127', '64:ff9b::/96', '64:ff9b:1::/48', '2002::/16', 'fc00::/7', 'fe80::/10', 'ff00::/8'],
]

function rangesOf(texts: readonly string[]): BlockList {
  const list = new BlockList()
  for (const text of texts) {
    const [address = '', bits = ''] = text.split('/')
    const family = isIP(address)
    if (family !== 0)
      list.addSubnet(address, bits === '' ? (family === 4 ? 32 : 128) : Number(bits), family === 4 ? 'ipv4' : 'ipv6')
  }
  return list
}

const notOfTheInternet = rangesOf(privateRanges)

/** @throws AddressRefused where one of the addresses that a name has is not to be reached */
function judge({ allowed }: AddressGuard, host: string, addresses: readonly string[]): void {
  if (allowed.includes(host)) return
  const exempt = rangesOf(allowed)
  const isIn = (list: BlockList, address: string) => list.check(address, isIP(address) === 4 ? 'ipv4' : 'ipv6')
  const refused = addresses.find(address => isIn(notOfTheInternet, address) && !isIn(exempt, address))
  if (refused !== undefined)
    throw new AddressRefused(
      refused === host ? `${host} is no address of the internet` : `${host} is ${refused}, no address of the internet`,
    )
}

/** The connection goes to one of the addresses that were judged, whatever the name says a moment later. */
function guardedLookup(guard: AddressGuard, lookup: LookupFunction): LookupFunction {
  return (host, options, done) =>
    lookup(host, { ...options, all: true }, (error, found) => {
      if (error !== null) return done(error, [])
      const addresses: readonly LookupAddress[] = typeof found === 'string' ? [{ address: found, family: isIP(found) }] : found
      try {
        judge(
          guard,
          host,
          addresses.map(({ address }) => address),
        )
      } catch (refusal) {
        if (!(refusal instanceof Error)) throw refusal
        return done(refusal, [])
      }
      const [first] = addresses
      if (options.all === true) return done(null, [...addresses])
      return first === undefined ? done(new Error(`${host} has no address`), []) : done(null, first.address, first.family)
    })
}
