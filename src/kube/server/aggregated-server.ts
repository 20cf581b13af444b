// The HTTPS server of APIs that stand behind an API server: who asks and may they (asked of that server), discovery, reading, health.
// It keeps nothing: what is served comes from the resources, what is believed from the API server's ConfigMap and reviews.
import type { IncomingMessage, ServerResponse } from 'node:http'
import { createServer } from 'node:https'
import type { Registry } from 'prom-client'
import type { Api } from '../client/api.ts'
import { type Clock, systemClock } from '../clock.ts'
import { breather } from '../controllers/breather.ts'
import type { Informers } from '../informers/informer.ts'
import { type Log, messageOf } from '../log.ts'
import { internalError, StatusError, statusBody, tooManyRequests } from '../objects/status.ts'
import type { Random } from '../random.ts'
import { resourceAnswer, resourceOf } from './aggregated-answers.ts'
import type { AggregatedApi } from './aggregated-api.ts'
import { AggregatedDocuments, type Document } from './aggregated-documents.ts'
import { contentTypes, statusBytes } from './answer-bodies.ts'
import { begun, type Reply, send } from './answers/sent-answers.ts'
import { SharedAnswers } from './answers/shared-answers.ts'
import type { Caller } from './caller.ts'
import { presentedChain } from './certificate-trust.ts'
import type { KeyPair } from './certificates.ts'
import { type GivenTrust, type TrustOptions, watchClientTrust } from './client-trust.ts'
import { authenticated, type Credentials, tokenProof } from './delegated-authentication.ts'
import { DelegatedReviews, type ReviewLives } from './delegated-reviews.ts'
import { FairConnections } from './front/fair-connections.ts'
import { tlsSocketOf } from './front/socket-in-pieces.ts'
import { answerHealth, type HealthCheck } from './health.ts'
import { handshakeMs, keptConnections } from './listening.ts'
import { formatOf, mediaRanges } from './media-types.ts'
import { assertOneOfUs, type PrivatePath, type PrivatePaths } from './replicas/private-paths.ts'
import { accessOf, type PathRequest, type ResourceRequest, refusedTo, requestInfo } from './request-info.ts'
import type { ServedLabels, ServedMetrics } from './served-metrics.ts'
import { byName, type NamedPair } from './serving/named-pairs.ts'

interface AggregatedServerOptions {
  /** What is served now; another list where that changed. */
  readonly apis: () => readonly AggregatedApi[]
  /** Groups and versions that are served sooner or later: until then they are not absent, only not ready. */
  readonly awaited?: readonly Pick<AggregatedApi, 'group' | 'version'>[]
  readonly tls: KeyPair
  /** 0 takes any free port. */
  readonly port: number
  /** All addresses unless given. */
  readonly host?: string
  /** Client for the API server behind us, with the rights of {@link delegationObjects}. */
  readonly api: Api
  readonly informers: Informers
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
  /** Besides the ConfigMap that must have been read: what resources need before they answer. */
  readonly ready?: () => readonly HealthCheck[]
  readonly metrics: Pick<Registry, 'metrics' | 'contentType'>
  /** Counts what is answered; absent: nobody collects. */
  readonly served?: ServedMetrics
  readonly version: string
  /** In OpenAPI, and at `/version`; of Ballast unless given. */
  readonly title?: string
  readonly limits?: { readonly answerMs?: number; readonly inFlight?: number }
  /** Whom to believe besides, or instead of, what the ConfigMap says. */
  readonly trust?: TrustOptions
  /** Who may do what is asked there, where that is another client than `api`; and how long answers of reviews are good. */
  readonly reviews?: { readonly accessApi?: Api; readonly lives?: ReviewLives }
  /** Paths that nobody is asked about; `*` at the end stands for all that begin so. Those of health unless given. */
  readonly openPaths?: readonly string[]
  /** What `/livez`, `/healthz` and `/readyz` say, made of our own checks; answers do not wait for it, as they do for `ready`. */
  readonly probes?: (own: OwnChecks) => Probes
  /** Versions, ciphers and curves. */
  readonly wire?: WireSettings
  /** Pairs for names that clients ask for, the first that fits; `tls` for all others. */
  readonly namedPairs?: () => readonly NamedPair[]
  /** Sent with each answer. */
  readonly headers?: Readonly<Record<string, string>>
  /** What replicas of this process ask of each other beside the APIs. */
  readonly privatePaths?: PrivatePaths
}

interface WireSettings {
  readonly minVersion?: 'TLSv1' | 'TLSv1.1' | 'TLSv1.2' | 'TLSv1.3'
  readonly ciphers?: string
  readonly ecdhCurve?: string
}

interface OwnChecks {
  readonly authorities: HealthCheck
  readonly shutdown: HealthCheck
}

interface Probes {
  readonly live: () => readonly HealthCheck[]
  /** `/healthz`; as `live` unless given. */
  readonly healthy?: () => readonly HealthCheck[]
  readonly ready: () => readonly HealthCheck[]
}

export interface AggregatedServer extends AsyncDisposable {
  readonly port: number
  /** Used from the next connection on. */
  setCertificate(tls: KeyPair): void
  /** Fails `/readyz` from now on, and goes on answering. */
  drain(): void
  /** Exchanges what {@link AggregatedServerOptions.trust} gave. What cannot be read leaves the last good trust in force. */
  setGivenTrust(given: GivenTrust): void
  readonly checks: readonly HealthCheck[]
}

const connectionsLimit = 1_000
const inFlightLimit = 400
const answerLimitMs = 30_000
const largestHeaders = 65_536
const longestUrl = 16_384
/** Nothing here reads a body: what is longer is cut off with its connection. */
const bodyLimit = 65_536
/** Until the last byte is taken: whoever reads more slowly holds a list in our memory. */
const sendLimitMs = 60_000

/** Listens until disposed of: then new connections are refused, calls under way are answered, idle connections closed. */
export async function startAggregatedServer(options: AggregatedServerOptions): Promise<AggregatedServer> {
  const { informers, log } = options
  const stop = new AbortController()
  let tls = options.tls
  let bundle = ''
  const contextOf = ({ certificate, key }: KeyPair) => ({
    cert: certificate,
    key,
    minVersion: 'TLSv1.2' as const,
    ...options.wire,
    ...(bundle === '' ? {} : { ca: bundle }),
  })
  const context = () => contextOf(tls)
  const server = createServer({
    ...context(),
    ...(options.namedPairs === undefined ? {} : { SNICallback: byName(options.namedPairs, contextOf) }),
    // Whom we believe is decided for each request: whoever shows nothing may still have a token.
    requestCert: true,
    rejectUnauthorized: false,
    ALPNProtocols: ['http/1.1'],
    ...keptConnections,
    handshakeTimeout: handshakeMs,
    maxHeaderSize: largestHeaders,
  })
  using trusting = new DisposableStack()
  const trust = trusting.use(
    watchClientTrust(
      informers,
      next => {
        bundle = next.bundle
        server.setSecureContext(context())
      },
      log,
      options.trust,
    ),
  )
  let isDraining = false
  const authorities: HealthCheck = { name: 'client-authorities', check: () => trust.problem }
  const shutdown: HealthCheck = { name: 'shutdown', check: () => (isDraining ? 'shutting down' : undefined) }
  const checks = [authorities, shutdown]
  const needed = () => [...checks, ...(options.ready?.() ?? [])]
  const { accessApi, lives } = options.reviews ?? {}
  const handler = new AggregatedHandler({
    options,
    signal: stop.signal,
    reviews: new DelegatedReviews({
      api: options.api,
      accessApi: accessApi ?? options.api,
      clock: options.clock,
      random: options.random,
      signal: stop.signal,
      ...(lives === undefined ? {} : { lives }),
    }),
    trust: () => trust.current,
    ready: needed,
    probes: options.probes?.({ authorities, shutdown }) ?? { live: () => [ping], ready: needed },
  })
  server.on('request', (request, response) => void handler.serve(request, response))
  const connections = new FairConnections(server, { most: connectionsLimit, inPieces: true }, options)
  server.on('clientError', (error, socket) => connections.refuseUnreadable(error, socket))
  const port = await connections.listen(options)
  const held = trusting.move()
  return {
    port,
    checks,
    setCertificate(next) {
      tls = next
      server.setSecureContext(context())
    },
    drain() {
      isDraining = true
    },
    setGivenTrust: given => trust.setGiven(given),
    async [Symbol.asyncDispose]() {
      isDraining = true
      await connections.close(answerLimitMs)
      stop.abort(new DOMException('the server is closed', 'AbortError'))
      held.dispose()
    },
  }
}

const ping: HealthCheck = { name: 'ping', check: () => undefined }

interface HandlerParts {
  readonly options: AggregatedServerOptions
  /** Aborted with the server: ends what is made for several. */
  readonly signal: AbortSignal
  readonly reviews: DelegatedReviews
  trust(): ReturnType<typeof watchClientTrust>['current']
  ready(): readonly HealthCheck[]
  readonly probes: Probes
}

interface Asked {
  readonly request: IncomingMessage
  readonly path: string
  readonly query: URLSearchParams
  readonly signal: AbortSignal
}

const healthPaths = /^\/(healthz|livez|readyz)(\/|$)/

/** Whether a path is one of `open`, or below it where it is one of health, or begins as one with a star says. */
function isOpen(path: string, open: readonly string[] | undefined): boolean {
  if (open === undefined) return healthPaths.test(path)
  return open.some(pattern => {
    if (pattern.endsWith('*')) return path.startsWith(pattern.slice(0, -1))
    return path === pattern || (healthPaths.test(pattern) && path.startsWith(`${pattern}/`))
  })
}

/** API servers take these headers from what they pass on: who comes here with them is answered as nobody else, and has to hear that. */
const unplayed = () =>
  new StatusError(statusBody(403, 'impersonation is not served here, but by the API server before us', 'Forbidden'))

class AggregatedHandler {
  readonly #parts: HandlerParts
  readonly #shared: SharedAnswers
  #documents: { readonly of: readonly AggregatedApi[]; readonly made: AggregatedDocuments } | undefined
  #inFlight = 0

  constructor(parts: HandlerParts) {
    this.#parts = parts
    this.#shared = new SharedAnswers(parts.options.clock)
    parts.options.served?.watchInFlight(() => this.#inFlight)
  }

  async serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const gone = new AbortController()
    response.once('close', () => {
      // An answered client keeps nobody waiting; an error for each of them would cost as much as the answer.
      if (!response.writableFinished) gone.abort(new DOMException('the client went away', 'AbortError'))
    })
    discardBody(request)
    this.#inFlight++
    const beganMs = systemClock.elapsed()
    try {
      const reply = await this.#reply(request, gone)
      const cancel = this.#parts.options.clock.schedule(sendLimitMs, () => response.destroy())
      try {
        await send({ ...reply, headers: { ...this.#parts.options.headers, ...reply.headers } }, request, response)
      } finally {
        cancel()
      }
      this.#count(request, { code: reply.status, seconds: (systemClock.elapsed() - beganMs) / 1_000 })
    } catch (error) {
      // The connection broke: nobody is left to answer.
      this.#parts.options.log.debug({ err: messageOf(error) }, 'an answer broke off')
      response.destroy()
    } finally {
      this.#inFlight--
    }
  }

  #count(request: IncomingMessage, answered: { readonly code: number; readonly seconds: number }): void {
    const { served, apis } = this.#parts.options
    const labels = served === undefined || uncounted.has(answered.code) ? undefined : labelsOf(request, apis())
    if (labels !== undefined) served?.answered(labels, answered)
  }

  async #reply(request: IncomingMessage, gone: AbortController): Promise<Reply> {
    const { clock, limits = {}, log } = this.#parts.options
    const { url = '/' } = request
    const { accept = '' } = request.headers
    const refusal = (error: StatusError, isLast = false) => refusedReply(error, accept, isLast)
    if (url.length > longestUrl) return refusal(new StatusError(statusBody(414, 'request URI is too long', 'RequestURITooLong')))
    const question = url.indexOf('?')
    const path = question < 0 ? url : url.slice(0, question)
    const query = new URLSearchParams(question < 0 ? '' : url.slice(question + 1))
    if (this.#inFlight > (limits.inFlight ?? inFlightLimit) && !healthPaths.test(path))
      return refusal(tooManyRequests('Too many requests, please try again later.', 1))
    const late = Promise.withResolvers<Reply>()
    const cancel = clock.schedule(limits.answerMs ?? answerLimitMs, () => {
      const error = new StatusError(statusBody(504, 'Timeout: request did not complete within the allotted timeout', 'Timeout'))
      gone.abort(error)
      late.resolve(refusal(error))
    })
    try {
      return await Promise.race([this.#answer({ request, path, query, signal: gone.signal }), late.promise])
    } catch (error) {
      if (error instanceof StatusError) return refusal(error, isTurnedAway(request, error))
      log.error({ path, err: messageOf(error) }, 'a request could not be answered')
      return refusal(internalError(messageOf(error)))
    } finally {
      cancel()
    }
  }

  async #answer(asked: Asked): Promise<Reply> {
    const { options } = this.#parts
    const { request, path, query } = asked
    const method = request.method ?? ''
    const isHealth = healthPaths.test(path)
    if (isHealth && isOpen(path, options.openPaths)) return this.#health(request)
    const own = options.privatePaths?.all().find(one => one.path === path)
    if (own !== undefined) return this.#privateAnswer(own, asked)
    const caller = await authenticated(credentialsOf(request), {
      trust: this.#parts.trust(),
      // Certificates are judged by the host's clock, whatever time the cluster has.
      nowMs: systemClock.now(),
      callerOf: token => this.#parts.reviews.callerOf(token),
    })
    if (Object.keys(request.headers).some(name => name.startsWith('impersonate-'))) throw unplayed()
    const info = requestInfo({ method, path, query })
    if (!(info.kind === 'path' && isOpen(path, options.openPaths))) await this.#authorize(caller, accessOf(info, query))
    if (isHealth) return this.#health(request)
    if (info.kind === 'path') return this.#pathAnswer(asked)
    const notReady = this.#unreadyReason()
    if (notReady !== undefined) throw new StatusError(statusBody(503, `not ready yet: ${notReady}`, 'ServiceUnavailable'))
    this.#assertServed(info.group, info.version)
    const accept = request.headers.accept ?? ''
    const answer = (signal: AbortSignal) => {
      const breath = breather(systemClock)
      const breathe = async () => {
        await breath()
        // Nobody waits for the rest of a list.
        signal.throwIfAborted()
      }
      return resourceAnswer(options.apis(), { info, caller, query, accept, signal, breathe })
    }
    const { sharedMs } = resourceOf(options.apis(), info).resource
    const { contentType, pieces } =
      sharedMs === undefined || info.verb !== 'list'
        ? await answer(asked.signal)
        : await this.#shared.of(
            `${accept}\n${request.url}`,
            sharedMs,
            unwanted => answer(AbortSignal.any([unwanted, this.#parts.signal])),
            asked.signal,
          )
    return { status: 200, headers: { 'content-type': contentType, vary: 'Accept' }, ...(await begun(pieces)) }
  }

  /** For a token of our own account alone: what a front proxy says of a caller, or a certificate, does not count here. */
  async #privateAnswer(asked: PrivatePath, { request, query, signal }: Asked): Promise<Reply> {
    const { privatePaths } = this.#parts.options
    const callerOf = (token: string) => this.#parts.reviews.callerOf(token)
    const proof = await tokenProof({ headers: request.headersDistinct }, { callerOf })
    await assertOneOfUs(proof, { path: asked.path, callerOf, token: async () => await privatePaths?.token() })
    if (request.method !== 'GET') throw notAllowed()
    return { status: 200, headers: { 'content-type': asked.contentType }, body: [await asked.answer(query, signal)] }
  }

  async #authorize(caller: Caller, info: ResourceRequest | PathRequest): Promise<void> {
    if (caller.groups.includes('system:masters')) return
    let decision: Awaited<ReturnType<DelegatedReviews['decide']>>
    try {
      decision = await this.#parts.reviews.decide(caller, info)
    } catch (error) {
      this.#parts.options.log.error({ err: messageOf(error) }, 'who may do what cannot be told')
      throw internalError('who may do this could not be asked')
    }
    if (!decision.isAllowed) throw refusedTo(caller.name, info, decision.reason)
  }

  async #pathAnswer({ request, path }: Asked): Promise<Reply> {
    if (request.method !== 'GET' && request.method !== 'HEAD') throw notAllowed()
    if (path === '/metrics') return this.#health(request)
    if (path === '/version') return jsonReply(200, { major: '', minor: '', gitVersion: this.#parts.options.version })
    // An API that would answer with nothing must not count as available: namespaces would be deleted over it.
    const [, group, version] = /^\/apis\/([^/]+)\/([^/]+)\/?$/.exec(path) ?? []
    const notReady = group === undefined ? undefined : this.#unreadyReason()
    if (group !== undefined && version !== undefined) this.#assertServed(group, version)
    if (notReady !== undefined) throw new StatusError(statusBody(503, `not ready yet: ${notReady}`, 'ServiceUnavailable'))
    const found = this.#documentsNow().at(path, request.headers.accept ?? '')
    if (found === undefined)
      throw new StatusError(statusBody(404, 'the server could not find the requested resource', 'NotFound'))
    return documentReply(found, request)
  }

  /** The first check that does not hold, but for those of our own end: until the last connection is closed we answer. */
  #unreadyReason(): string | undefined {
    return this.#parts.ready().find(check => check.name !== 'shutdown' && check.check() !== undefined)?.name
  }

  /** Made once for each list of APIs. */
  #documentsNow(): AggregatedDocuments {
    const { apis, version, title } = this.#parts.options
    const of = apis()
    if (this.#documents?.of !== of) this.#documents = { of, made: new AggregatedDocuments(of, version, title) }
    return this.#documents.made
  }

  /** @throws StatusError 503 for an API that whoever serves it has not registered yet */
  #assertServed(group: string, version: string): void {
    const { apis, awaited = [] } = this.#parts.options
    const isIt = (api: Pick<AggregatedApi, 'group' | 'version'>) => api.group === group && api.version === version
    if (awaited.some(isIt) && !apis().some(isIt))
      throw new StatusError(statusBody(503, `not ready yet: ${group}/${version}`, 'ServiceUnavailable'))
  }

  async #health(request: IncomingMessage): Promise<Reply> {
    const { metrics, log } = this.#parts.options
    const health = { ...this.#parts.probes, metrics, log }
    const { status, contentType, body } = await answerHealth(health, request.method ?? '', request.url ?? '/')
    return { status, headers: { 'content-type': contentType }, body: [Buffer.from(body)] }
  }
}

function notAllowed(): StatusError {
  return new StatusError(statusBody(405, 'the server does not allow this method on the requested resource', 'MethodNotAllowed'))
}

/** As Kubernetes has it: what is turned away before it is looked at is not counted. */
const uncounted: ReadonlySet<number> = new Set([401, 403, 406, 413, 414, 429])
const countedVerbs: ReadonlySet<string> = new Set(['get', 'list', 'watch'])

/** Undefined for what we do not serve: nobody makes up labels. */
function labelsOf({ method = '', url = '' }: IncomingMessage, apis: readonly AggregatedApi[]): ServedLabels | undefined {
  const question = url.indexOf('?')
  const path = question < 0 ? url : url.slice(0, question)
  const plain = { verb: method, group: '', version: '', resource: '', scope: '' } as const
  const health = healthPaths.exec(path)
  if (health !== null) return { ...plain, subresource: `/${health[1]}`, component: '' }
  if (/^\/apis\/?$/.test(path) && method === 'GET') return { ...plain, subresource: 'apis', component: 'apiserver' }
  const query = new URLSearchParams(question < 0 ? '' : url.slice(question + 1))
  const info = readInfo({ method, path, query })
  if (info === undefined || info.kind === 'path') return undefined
  const { group, version, resource, subresource = '', name, namespace } = info
  const isServed = apis.some(
    api => api.group === group && api.version === version && api.resources.some(one => one.name === resource),
  )
  if (!isServed || subresource !== '' || !countedVerbs.has(info.verb)) return undefined
  const scope = name !== undefined ? 'resource' : namespace !== undefined ? 'namespace' : 'cluster'
  return { verb: info.verb.toUpperCase(), group, version, resource, subresource, scope, component: 'apiserver' }
}

/** Undefined for a path that nobody can read: it was refused. */
function readInfo(asked: Parameters<typeof requestInfo>[0]): ReturnType<typeof requestInfo> | undefined {
  try {
    return requestInfo(asked)
  } catch (error) {
    if (error instanceof StatusError) return undefined
    throw error
  }
}

/** A certificate that nobody vouches for: with new authorities a new connection may do better. */
function isTurnedAway(request: IncomingMessage, error: StatusError): boolean {
  return error.code === 401 && credentialsOf(request).chain.length > 0
}

function credentialsOf(request: IncomingMessage): Credentials {
  const socket = tlsSocketOf(request.socket)
  if (socket === undefined) return { chain: [], headers: request.headersDistinct }
  const chain = presentedChain(socket.getPeerX509Certificate())
  // Certificates between count only where TLS has checked them whole; it fails at authorities of one name, which we tell apart.
  return { chain: socket.authorized ? chain : chain.slice(0, 1), headers: request.headersDistinct }
}

function discardBody(request: IncomingMessage): void {
  let length = 0
  request.on('data', (chunk: Buffer) => {
    length += chunk.length
    if (length > bodyLimit) request.destroy()
  })
}

function jsonReply(status: number, value: object): Reply {
  return { status, headers: { 'content-type': 'application/json' }, body: [Buffer.from(`${JSON.stringify(value)}\n`)] }
}

/** A refusal in the first form of ours that is accepted; JSON where that is none. */
function refusedReply(error: StatusError, accept: string, isLast: boolean): Reply {
  const format = mediaRanges(accept).flatMap(({ type }) => formatOf(type) ?? [])[0] ?? 'json'
  const headers = {
    'content-type': contentTypes[format],
    ...(error.code === 401 ? { 'www-authenticate': 'Bearer' } : {}),
    ...(error.retryAfterSeconds === undefined ? {} : { 'retry-after': String(error.retryAfterSeconds) }),
    ...(isLast ? { connection: 'close' } : {}),
  }
  return { status: error.code, headers, body: [statusBytes(error.status, format)] }
}

function documentReply({ contentType, body, etag }: Document, request: IncomingMessage): Reply {
  const headers = { 'content-type': contentType, etag, vary: 'Accept' }
  if (request.headers['if-none-match'] === etag) return { status: 304, headers, body: [] }
  return { status: 200, headers, body: [Buffer.from(body)] }
}
