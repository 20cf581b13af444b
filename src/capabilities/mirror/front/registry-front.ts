// The registry port: what containerd and other mirrors ask, answered so that containerd always goes on: with content, or with a 404 in time.
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Readable, Transform } from 'node:stream'
import { type Log, messageOf } from '#kube/log.ts'
import type { Carrying, FoundElsewhere, MirrorCounts } from '../contract.ts'
import {
  type Answer,
  type ContentHead,
  emptyAnswer,
  errorAnswer,
  methodNotAllowed,
  textAnswer,
  unauthorized,
  unknownAnswer,
} from './answers.ts'
import type { Askers } from './askers.ts'
import type { AskedBy, ContentFinder } from './content-finder.ts'
import { isAuthorized } from './credentials.ts'
import { type Outcome, replyTo, type Source } from './outcome.ts'
import { readBytesFor } from './read-size.ts'
import type { Readiness } from './readiness.ts'
import { type Asked, type AskedContent, readRequest } from './request.ts'
import { Sending } from './sending.ts'

/** Requests at a time; further ones are answered 404 at once. */
const mostRequests = 1_000
const strangersToldMs = 60_000

/** A body that a data plane carries. */
export interface CarriedAnswer {
  /** All of the answer's; it has no body. */
  readonly headers: Answer['headers']
  readonly ended: Promise<{ readonly sent: number; readonly status: number }>
}

/** A data plane: requests come by it, and it gets bodies where it is told. */
export interface Carrier {
  /** Who asks, as sockets have it. */
  remote(request: IncomingMessage): string | undefined
  /** Peers that failed at this request; undefined: so many that no other is to be tried. */
  failed(request: IncomingMessage): readonly string[] | undefined
  /** Milliseconds that a request has waited before this process saw it. */
  waitedMs(request: IncomingMessage): number
  /** Sends a file. `head`: of the answer, as if its body followed. */
  file(path: string, head: ContentHead, request: IncomingMessage): CarriedAnswer
  /** Gets a body from another node. */
  peer(found: Omit<FoundElsewhere, 'outcome'>, request: IncomingMessage): CarriedAnswer
}

/** One of the ports: who may ask there, and for whom it is. */
export interface Door {
  readonly askers: Askers
  /** What containerd has to say; `undefined`: nothing, or who asks has proven who it is otherwise. */
  readonly credentials: { readonly username: string; readonly password: string } | undefined
  /** Only mirrors get through it: they get what is here, and nobody else is asked. */
  readonly isForMirrors: boolean
  /** Left out: clients come to the port themselves. */
  readonly carrier?: Carrier | undefined
}

/** What is measured of every request. */
export interface RequestMeter {
  /** Call what it returns when the answer has ended. `size`: bytes of its body. */
  begin(handler: string, method: string): (code: number, size: number) => void
}

interface FrontOptions {
  readonly finder: ContentFinder
  readonly readiness: () => Readiness
  readonly counts: MirrorCounts
  readonly meter: RequestMeter
  /** Holds back what goes to other nodes; `undefined`: nothing does. */
  readonly limitUpload: (() => Transform) | undefined
  readonly clock: { elapsed(): number }
  readonly log: Log
}

export class RegistryFront {
  readonly #options: FrontOptions
  #running = 0
  #streaming = 0
  #toldStrangersMs = Number.NEGATIVE_INFINITY

  constructor(options: FrontOptions) {
    this.#options = options
  }

  /** Requests that are being answered. */
  get running(): number {
    return this.#running
  }

  /** Answers; never throws. Resolves when the answer has ended, however. */
  async handle(request: IncomingMessage, response: ServerResponse, door: Door): Promise<void> {
    const { method = '', url = '', headers } = request
    const asked = readRequest({ method, target: url, headers })
    const end = this.#options.meter.begin(handlerOf(asked), method)
    this.#running++
    try {
      const sent = await this.#answer(asked, { request, response, door })
      if (typeof sent === 'number') end(response.statusCode, sent)
      // A body that broke off unseen has no status: it counts as it began, as one does that this process sends.
      else void sent.ended.then(({ status, sent: size }) => end(status === 0 ? response.statusCode : status, size))
    } catch (error) {
      // A fault of ours: whoever asked is to go on elsewhere.
      this.#options.log.error({ why: messageOf(error), err: error }, 'a request could not be answered')
      response.destroy()
      end(response.statusCode, 0)
    } finally {
      this.#running--
    }
  }

  /** Bytes that were sent of a body, or who sends it. */
  async #answer(asked: Asked, by: Exchanged): Promise<number | CarriedAnswer> {
    const answer = this.#answerTo(asked, by)
    if (answer !== undefined) return send(by.response, answer, by.request.method)
    if (asked.kind !== 'content') throw new Error(`no answer to ${asked.kind}`)
    return await this.#content(asked, by)
  }

  /** All that is answered without looking for anything; `undefined` for content that may be looked for. */
  #answerTo(asked: Asked, { request, response, door }: Exchanged): Answer | undefined {
    switch (asked.kind) {
      case 'livez':
        return emptyAnswer
      case 'readyz':
        return readinessAnswer(this.#options.readiness())
      case 'elsewhere':
        return textAnswer(404, 'not found\n')
      case 'refused':
        response.shouldKeepAlive = false
        return textAnswer(asked.status, `${asked.message}\n`)
      case 'method':
        return methodNotAllowed
    }
    if (!isAuthorized(request.headers.authorization, door.credentials)) return unauthorized
    const remote = door.carrier === undefined ? request.socket.remoteAddress : door.carrier.remote(request)
    if (!door.askers.may(remote)) return this.#stranger(asked, remote)
    if (asked.kind === 'ping') return emptyAnswer
    if (asked.kind === 'invalid') return errorAnswer(404, asked)
    if (this.#running <= mostRequests) return undefined
    this.#options.counts.fellThrough('busy')
    return notFound(asked, 'too many requests at once')
  }

  #stranger(asked: Asked, remote: string | undefined): Answer {
    const nowMs = this.#options.clock.elapsed()
    this.#options.counts.fellThrough('not-allowed')
    if (nowMs - this.#toldStrangersMs >= strangersToldMs) {
      this.#toldStrangersMs = nowMs
      this.#options.log.warn({ remote }, 'asked from where allowFrom does not let ask: answered 404')
    }
    return notFound(asked, 'not for this address')
  }

  async #content(asked: AskedContent, { request, response, door }: Exchanged): Promise<number | CarriedAnswer> {
    const { finder } = this.#options
    const gone = new AbortController()
    // An answer that was sent closes too, and an exception costs more than all else here.
    const onClose = () => {
      if (!response.writableFinished) gone.abort(new DOMException('who asked has gone', 'AbortError'))
    }
    response.once('close', onClose)
    const by = askedBy(request, door)
    const carrying = this.#carrying(asked, by, { request, door })
    if (carrying === 'no-more') return send(response, unknownAnswer(asked, 'no peer gave it'), request.method)
    const waitedMs = door.carrier?.waitedMs(request) ?? 0
    const opening = { ...by, carrying, waitedMs, readBytes: readBytesFor(this.#streaming) }
    const outcome = await finder.find(asked, opening, gone.signal)
    if (gone.signal.aborted) {
      // Nobody is left to send it to, nothing may stay open for it, and it is neither a hit nor a miss.
      if (outcome.kind === 'content') outcome.body?.destroy()
      return 0
    }
    this.#count(asked, outcome, by)
    const reply = replyTo(asked, outcome)
    if (reply.kind === 'answer') return send(response, reply.answer, request.method)
    const carried = carriedBy(reply, { request, door })
    if (carried !== undefined) {
      response.writeHead(200, { ...carried.headers })
      response.end()
      if (by.isMirror) void carried.ended.then(({ sent }) => this.#options.counts.served(asked.registry, 'local', 'out', sent))
      return carried
    }
    if (reply.kind !== 'content') throw new Error('nobody carries what another node has')
    if (reply.body === undefined) {
      response.writeHead(reply.head.status, { ...reply.head.headers })
      response.end()
      return 0
    }
    return await this.#stream({
      response,
      head: reply.head,
      body: reply.body,
      source: reply.source,
      registry: asked.registry,
      by,
    })
  }

  /** Whether the body may be carried; `no-more`: so many peers failed at this request that no other is asked. */
  #carrying(
    asked: AskedContent,
    { isMirror }: AskedBy,
    { request, door }: Pick<Exchanged, 'request' | 'door'>,
  ): Carrying | 'no-more' | undefined {
    if (door.carrier === undefined || asked.method !== 'GET' || asked.route !== 'blobs') return undefined
    // What is held back goes through this process.
    if (isMirror && this.#options.limitUpload !== undefined) return undefined
    const failed = door.carrier.failed(request)
    const isContainerd = request.headers['user-agent']?.startsWith('containerd/') === true
    return failed === undefined ? 'no-more' : { isContainerd, failed }
  }

  /** Only what was not here counts as a hit or a miss. */
  #count({ registry }: AskedContent, outcome: Outcome, { isMirror }: AskedBy): void {
    const { counts } = this.#options
    if (isMirror) return
    if (outcome.kind === 'elsewhere' || (outcome.kind === 'content' && outcome.source !== 'local'))
      counts.request(registry, 'hit')
    if (outcome.kind !== 'absent') return
    if (outcome.reason !== undefined) counts.fellThrough(outcome.reason)
    if (outcome.attempts !== undefined || outcome.reason === 'late') counts.request(registry, 'miss')
  }

  /** A body that does not come whole takes the connection with it: a clean end would pass for the whole. */
  async #stream({ response, head, body, source, registry, by }: Stream): Promise<number> {
    const { limitUpload, counts, log } = this.#options
    const sending = new Sending(response, head.length)
    this.#streaming++
    try {
      response.writeHead(head.status, { ...head.headers })
      await sending.send(body, by.isMirror ? limitUpload?.() : undefined)
    } catch (error) {
      log.debug({ why: messageOf(error), sent: sending.sent, of: head.length, source }, 'an answer was broken off')
      response.destroy()
    } finally {
      body.destroy()
      this.#streaming--
      // What this node's own containerd gets came in already, or was here.
      if (by.isMirror) counts.served(registry, source, 'out', sending.sent)
    }
    return sending.sent
  }
}

interface Exchanged {
  readonly request: IncomingMessage
  readonly response: ServerResponse
  readonly door: Door
}

interface Stream {
  readonly response: ServerResponse
  readonly head: ContentHead
  readonly body: Readable
  readonly source: Source
  readonly registry: string
  readonly by: AskedBy
}

/** The body is left out for HEAD; its length is told all the same. Returns the bytes that were sent of it. */
function send(response: ServerResponse, { status, headers, body }: Answer, method: string | undefined): number {
  response.writeHead(status, { ...headers })
  response.end(method === 'HEAD' ? undefined : body)
  return method === 'HEAD' ? 0 : Buffer.byteLength(body)
}

function carriedBy(
  reply: ReturnType<typeof replyTo>,
  { request, door: { carrier } }: Pick<Exchanged, 'request' | 'door'>,
): CarriedAnswer | undefined {
  if (carrier === undefined || reply.kind === 'answer') return undefined
  if (reply.kind === 'elsewhere') return carrier.peer(reply, request)
  return reply.path === undefined ? undefined : carrier.file(reply.path, reply.head, request)
}

function notFound(asked: Asked, message: string): Answer {
  const code = asked.kind === 'content' && asked.route === 'blobs' ? 'BLOB_UNKNOWN' : 'MANIFEST_UNKNOWN'
  return errorAnswer(404, { code, message })
}

export function readinessAnswer({ isReady, reason }: Readiness): Answer {
  return isReady ? emptyAnswer : textAnswer(500, `${reason}\n`)
}

function askedBy({ headers }: IncomingMessage, { isForMirrors }: Door): AskedBy {
  const isMirror = isForMirrors || headers['x-spegel-mirrored'] === 'true'
  const peer = headers['x-ballast-peer']
  const isOurs =
    isMirror && headers['x-ballast-hop'] !== undefined && typeof peer === 'string' && /^[A-Za-z0-9]{1,128}$/.test(peer)
  const seat = headers['x-ballast-seat']
  return { isMirror, ourPeer: isOurs ? peer : undefined, seat: isOurs && typeof seat === 'string' ? seat : undefined }
}

/** As the metric's label has it. */
function handlerOf({ kind }: Asked): string {
  switch (kind) {
    case 'livez':
    case 'readyz':
      return `/${kind}`
    case 'elsewhere':
    case 'refused':
      return 'other'
    default:
      return '/v2/*'
  }
}
