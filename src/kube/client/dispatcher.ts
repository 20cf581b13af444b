// The connections of outgoing requests, made by undici: straight or by a proxy, with TLS settings. It is loaded with the first request, since
// undici takes 3 MiB of memory, and most processes on nodes never ask over HTTP.
import type { X509Certificate } from 'node:crypto'
import type { LookupFunction } from 'node:net'
import { createSecureContext, TLSSocket } from 'node:tls'
import { Agent, buildConnector, type Dispatcher, ProxyAgent, Socks5ProxyAgent } from 'undici'

/** TLS sessions that are remembered, 1 to 2 KB each; the oldest go first. */
const mostSessions = 10_000

/** PEM, as Node takes it. */
export interface TlsSettings {
  /** In place of the system's. */
  readonly authority?: string | readonly string[] | undefined
  /** Any certificate of the authority is trusted, its own issuer or not, as Go trusts: a server's own one, too. */
  readonly trustsEach?: boolean | undefined
  readonly certificate?: string | undefined
  readonly key?: string | undefined
  /** In the server's certificate, where it is not the host's. */
  readonly serverName?: string | undefined
  readonly isInsecure?: boolean | undefined
  /**
   * Judges who is at the other end before anything is sent there; what it throws is the connection's failure. Sessions are not resumed, so
   * that each connection shows its certificate. For straight connections.
   */
  readonly judge?: ((certificate: X509Certificate) => Promise<void>) | undefined
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
  /** Whether a new connection takes up the TLS session of the last one to the same place: for those that are closed after each request. */
  readonly resumes?: boolean | undefined
}

/** Connections of one kind, straight or by a proxy: `http:`, `https:` or `socks5:`. */
export function openDispatcher({
  connectMs,
  tls = {},
  proxy,
  pool = {},
  socket = {},
  dial,
  resumes,
}: DispatcherOptions): Dispatcher {
  const { authority, trustsEach, certificate, key, serverName, isInsecure, judge } = tls
  const given = {
    ...(authority === undefined ? {} : { ca: typeof authority === 'string' ? authority : [...authority] }),
    ...(trustsEach === true ? { allowPartialTrustChain: true } : {}),
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
  if (proxy !== undefined && judge !== undefined) throw new Error('who is behind a proxy cannot be judged')
  const straight = {
    ...trust,
    ...socket,
    allowH2: pool.allowH2 ?? true,
    ...(judge === undefined ? {} : { maxCachedSessions: 0 }),
  }
  // Who takes up a session shows no certificate: where it is judged each connection begins anew.
  const secure = () => (resumes === true && judge === undefined ? resumed(straight) : buildConnector(straight))
  if (proxy === undefined) {
    const connect = dial === undefined ? secure() : dialled(dial, secure(), connectMs)
    return new Agent({ ...pool, connect: judge === undefined ? connect : judged(connect, judge) })
  }
  if (proxy.startsWith('socks5:')) return new Socks5ProxyAgent(proxy, { ...pool, requestTls: trust })
  return new ProxyAgent({ ...pool, uri: proxy, requestTls: trust, proxyTunnel: true })
}

/** Gives away a connection only when who is at its other end was judged: until then nothing is sent on it. */
function judged(connect: buildConnector.connector, judge: NonNullable<TlsSettings['judge']>): buildConnector.connector {
  return (asked, done) =>
    connect(asked, (...made) => {
      const [error, socket] = made
      if (error !== null) return done(...made)
      const refuse = (why: unknown) => {
        socket.destroy()
        done(why instanceof Error ? why : new Error(String(why)), null)
      }
      const certificate = socket instanceof TLSSocket ? socket.getPeerX509Certificate() : undefined
      if (certificate === undefined) return refuse(new Error('the server shows no certificate'))
      judge(certificate).then(() => {
        if (socket.destroyed) refuse(new Error('the connection ended while it was judged'))
        else done(null, socket)
      }, refuse)
    })
}

/** Connects to where `dial` says; TLS, begun on that connection, knows of the server's own name alone. */
function dialled(dial: Dial, secure: buildConnector.connector, connectMs: number): buildConnector.connector {
  const plain = buildConnector({ timeout: connectMs })
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

/** Takes up the last session of each place. undici's own memory of sessions goes with the next collection, and knows no ports. */
function resumed(options: buildConnector.BuildOptions): buildConnector.connector {
  const sessions = new Map<string, Buffer>()
  const note = (place: string, session: Buffer | undefined) => {
    if (session === undefined) return
    sessions.delete(place)
    for (const [oldest] of sessions) {
      if (sessions.size < mostSessions) break
      sessions.delete(oldest)
    }
    sessions.set(place, session)
  }
  return (asked, done) => {
    const place = `${asked.hostname}:${asked.port}`
    const session = sessions.get(place)
    const connect = buildConnector({ ...options, maxCachedSessions: 0, ...(session === undefined ? {} : { session }) })
    connect(asked, (...made) => {
      const [, socket] = made
      if (socket instanceof TLSSocket) {
        // TLS 1.2 has told its session by now; TLS 1.3 tells one or more later.
        if (socket.getProtocol() !== 'TLSv1.3') note(place, socket.getSession())
        socket.on('session', ticket => note(place, ticket))
      }
      done(...made)
    })
  }
}
