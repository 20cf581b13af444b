// Every request of every transport ends here: who asks, may they, what is it about, what is the answer.

import { messageOf } from '#kube/log.ts'
import { badRequest, internalError, StatusError, statusBody } from '#kube/objects/status.ts'
import { accessOf, refusedTo, requestInfo } from '#kube/server/request-info.ts'
import type { Aggregator } from './aggregation/aggregator.ts'
import { authenticate, impersonated, type TokenCheck } from './api/access/authentication.ts'
import type { Authorizer } from './api/access/authorization.ts'
import { plainText, refusal, textAnswer } from './api/answers/answer.ts'
import { answerDiscovery } from './api/answers/discovery.ts'
import { answerOpenApi } from './api/answers/openapi.ts'
import { versionDocument } from './api/answers/server-version.ts'
import { deprecationTexts, noteWarnings, withNotedWarnings, withWarnings } from './api/answers/warnings.ts'
import type { ApiServer, User } from './api/api-server.ts'
import type { Handler, PathRequest, ResourceRequest, TwinRequest, TwinResponse } from './api/request.ts'
import type { ResourceHandlers } from './api/resource-handlers.ts'
import { asFrames } from './api/watches/watch-frames.ts'
import type { Faults } from './faults/faults.ts'
import { faultyAnswer } from './faults/faulty-answer.ts'
import { InjectedReset } from './faults/injected-reset.ts'
import type { Readiness } from './observe/readiness.ts'
import type { TwinObserver } from './observe/twin-observer.ts'
import type { RequestLog } from './request-log.ts'
import type { TwinState } from './state/twin-state.ts'
import type { TellTrouble } from './trouble.ts'
import { unbroken } from './unbroken-stream.ts'

interface HandlerParts {
  /** The APIs that others serve behind us; undefined until they are looked at. */
  aggregator(): Aggregator | undefined
  readonly server: ApiServer
  readonly resources: ResourceHandlers
  readonly authorizer: Authorizer
  readonly checkToken: TokenCheck
  readonly log: RequestLog
  readonly faults: Faults
  readonly observer: TwinObserver
  readonly readiness: Pick<Readiness, 'missing'>
  /** Where the cluster is kept: no answer leaves before what it tells of is. */
  readonly state?: Pick<TwinState, 'written' | 'fault'>
  readonly allowsAnonymous: boolean
  readonly onTrouble: TellTrouble
  /** Sees every request with its answer. */
  readonly onExchange?: (request: TwinRequest, answer: TwinResponse) => void
}

/** Paths that need no credentials. */
const openPaths = /^\/(healthz|livez|readyz|version)(\/|$)/

const healthChecks = ['ping', 'log', 'etcd', 'informer-sync', 'poststarthook/start-apiextensions-controllers']
/** Whether what was loaded is there; of `/readyz` alone. */
const workloadCheck = 'loaded-workloads'

/** The one request handler of a twin. What goes wrong is an answer; it rejects for connections alone that a fault breaks. */
export function requestHandler(parts: HandlerParts): Handler {
  return async request => {
    using held = new HeldClock(parts.server)
    const startedMs = parts.server.wire.elapsed()
    let user: User | undefined
    let info: ResourceRequest | PathRequest | undefined
    const told = (code: number) => {
      if (info !== undefined) parts.observer.requests.add(info, code, (parts.server.wire.elapsed() - startedMs) / 1000)
      parts.log.add({
        verb: request.method,
        path: request.path,
        query: request.query.toString(),
        user: user?.name ?? '',
        agent: request.headers['user-agent'] ?? '',
        code,
        at: parts.server.clock.now(),
      })
    }
    try {
      const answer = await keptAnswer(parts, request, () =>
        answerTo(parts, request, held, (who, what) => {
          user = who
          info = what
        }),
      )
      noted(parts, request, () => {
        told(answer.status)
        parts.onExchange?.(request, answer)
      })
      if (answer.kind === 'whole') return answer
      const isWatch = info?.kind === 'resource' && info.verb === 'watch'
      const chunks = parts.state === undefined ? answer.chunks : keptChunks(answer.chunks, parts.state)
      const whole = unbroken(chunks, { request, isWatch, onTrouble: parts.onTrouble })
      return { ...answer, chunks: answer.isFramed === true ? asFrames(whole) : whole }
    } catch (error) {
      if (error instanceof InjectedReset) noted(parts, request, () => told(0))
      throw error
    }
  }
}

/** Where nothing can be written, reads go on, and what would change anything is refused before it does. */
async function keptAnswer(
  { state }: HandlerParts,
  request: TwinRequest,
  answer: () => Promise<TwinResponse>,
): Promise<TwinResponse> {
  if (state === undefined) return await answer()
  const isRead = request.method === 'GET' || request.method === 'HEAD'
  const before = isRead ? undefined : state.fault
  if (before !== undefined) return refusal(request, internalError(`the state cannot be written: ${before}`))
  const given = await answer()
  const fault = await state.written()
  if (isRead || fault === undefined) return given
  return refusal(request, internalError(`the state cannot be written: ${messageOf(fault)}`))
}

function keptChunks(
  chunks: AsyncIterable<string | Uint8Array>,
  state: Pick<TwinState, 'written'>,
): AsyncIterable<string | Uint8Array> {
  return {
    [Symbol.asyncIterator]() {
      const inner = chunks[Symbol.asyncIterator]()
      return {
        async next() {
          const chunk = await inner.next()
          await state.written()
          return chunk
        },
        // The reader may go while the next chunk is waited for.
        return: async value => (await inner.return?.(value)) ?? { value: undefined, done: true },
      }
    },
  }
}

/** What is written down about a request changes nothing about its answer. */
function noted(parts: Pick<HandlerParts, 'onTrouble'>, { method, path }: TwinRequest, note: () => void): void {
  try {
    note()
  } catch (error) {
    parts.onTrouble({ kind: 'request', where: `the record of ${method} ${path}`, error, count: 1 })
  }
}

/** A virtual clock stands still while a request is worked on, and goes on while it only waits for that clock. */
class HeldClock implements Disposable {
  readonly #server: ApiServer
  #held: Disposable

  constructor(server: ApiServer) {
    this.#server = server
    this.#held = server.clock.hold()
  }

  async wait(ms: number, signal: AbortSignal): Promise<void> {
    const { wire, clock } = this.#server
    if (wire !== clock) return wire.after(ms, signal)
    this.#held[Symbol.dispose]()
    try {
      await wire.after(ms, signal)
    } finally {
      this.#held = clock.hold()
    }
  }

  [Symbol.dispose](): void {
    this.#held[Symbol.dispose]()
  }
}

async function answerTo(
  parts: HandlerParts,
  request: TwinRequest,
  held: HeldClock,
  onAsked: (user: User, info: ResourceRequest | PathRequest) => void,
): Promise<TwinResponse> {
  try {
    if (openPaths.test(request.path)) return answerOpenPath(parts, request)
    const caller = await authenticate(request, parts.checkToken, { allowsAnonymous: parts.allowsAnonymous })
    const user = impersonated(request, caller, (who, resource, name) =>
      parts.authorizer.allows(who, {
        kind: 'resource',
        verb: 'impersonate',
        group: '',
        version: 'v1',
        resource,
        namespace: undefined,
        name,
        subresource: undefined,
      }),
    )
    const info = requestInfo(request)
    onAsked(user, info)
    authorize(parts.authorizer, user, accessOf(info, request.query))
    if (info.kind === 'path') return await (parts.aggregator()?.route(info)?.(request, user) ?? answerPath(parts, request))
    const { faults, server } = parts
    const wait = (ms: number, signal: AbortSignal) => held.wait(ms, signal)
    return await faultyAnswer({ faults, wire: server.wire, wait }, { info, request, user: user.name }, faulty =>
      answerResource(parts, info, faulty, user),
    )
  } catch (error) {
    if (error instanceof InjectedReset) throw error
    if (error instanceof StatusError) return withNotedWarnings(request, refusal(request, error))
    if (isTooDeep(error)) return refusal(request, badRequest('the object provided is nested deeper than this server follows'))
    if (request.signal.aborted) return plainText(499, 'client closed the request')
    parts.onTrouble({ kind: 'request', where: `${request.method} ${request.path}`, error, count: 1 })
    return refusal(request, internalError(messageOf(error)))
  }
}

/** Trees are walked by recursion; one that is deeper than the stack is refused like any other that is too much. */
function isTooDeep(error: unknown): boolean {
  return error instanceof RangeError && error.message.startsWith('Maximum call stack')
}

async function answerResource(
  parts: HandlerParts,
  info: ResourceRequest,
  request: TwinRequest,
  user: User,
): Promise<TwinResponse> {
  const forward = parts.aggregator()?.route(info)
  if (forward !== undefined) return await forward(request, user)
  const type = parts.server.resources.find(info.group, info.version, info.resource)
  if (type === undefined) return unknownResource(parts, info, request)
  const deprecated = deprecationTexts(type, parts.server.minor)
  try {
    return withWarnings(await parts.resources.answer({ type, info, request, user }), deprecated)
  } catch (error) {
    noteWarnings(request, deprecated)
    throw error
  }
}

/** A group and version that are served know which resources they have; other paths are no API at all. */
function unknownResource(parts: HandlerParts, info: ResourceRequest, request: TwinRequest): TwinResponse {
  if (parts.server.resources.inGroupVersion(info.group, info.version).length === 0) return plainText(404, '404 page not found\n')
  return refusal(request, new StatusError(statusBody(404, 'the server could not find the requested resource', 'NotFound', {})))
}

function answerOpenPath(parts: HandlerParts, request: TwinRequest): TwinResponse {
  if (request.path === '/version' || request.path === '/version/') {
    return textAnswer(request, 200, JSON.stringify(versionDocument(parts.server.minor), null, 2), { encoding: 'json' })
  }
  const [, endpoint = '', name] = request.path.split('/')
  const missing = endpoint === 'readyz' ? parts.readiness.missing : undefined
  const excluded = new Set(request.query.getAll('exclude'))
  const all = [...healthChecks, ...(endpoint === 'readyz' ? [workloadCheck] : [])]
  const checks = all
    .filter(check => (name === undefined || name === '' ? !excluded.has(check) : check === name))
    .map(check => ({ check, fault: check === workloadCheck ? missing : undefined }))
  if (checks.length === 0) return plainText(404, '404 page not found\n')
  const isGood = checks.every(({ fault }) => fault === undefined)
  if (isGood && !request.query.has('verbose')) return plainText(200, 'ok')
  const lines = checks.map(({ check, fault }) => (fault === undefined ? `[+]${check} ok\n` : `[-]${check} failed: ${fault}\n`))
  return plainText(isGood ? 200 : 500, `${lines.join('')}${endpoint} check ${isGood ? 'passed' : 'failed'}\n`)
}

function answerPath(parts: HandlerParts, request: TwinRequest): TwinResponse {
  if (request.method !== 'GET' && request.method !== 'HEAD') {
    return refusal(
      request,
      new StatusError(statusBody(405, 'the server does not allow this method on the requested resource', 'MethodNotAllowed', {})),
    )
  }
  if (request.path === '/metrics') return plainText(200, parts.observer.metrics())
  if (request.path === '/debug/twin') return plainText(200, parts.observer.page())
  const remote = parts.aggregator()?.remoteApis() ?? []
  return (
    answerDiscovery(parts.server, request.path, request, remote) ??
    answerOpenApi(parts.server, request, remote) ??
    plainText(404, '404 page not found\n')
  )
}

function authorize(authorizer: Authorizer, user: User, info: ResourceRequest | PathRequest): void {
  if (!authorizer.allows(user, info)) throw refusedTo(user.name, info)
}
