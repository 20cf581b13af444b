// A request handed on to the API server behind the twin that serves its group, and that server's answer handed back.
import { type Dispatcher, request as send } from 'undici'
import { ConnectionError } from '#kube/client/connection-error.ts'
import type { Clock } from '#kube/clock.ts'
import { parseDurationMs } from '#kube/time/duration.ts'
import { plainText } from '../api/answers/answer.ts'
import type { User } from '../api/api-server.ts'
import type { TwinRequest, TwinResponse } from '../api/request.ts'
import { connectionWords } from './connection-words.ts'

interface Destination {
  /** `https://localhost:8443` */
  readonly url: string
  readonly dispatcher: Dispatcher
}

interface ForwardOptions {
  readonly user: User
  readonly isLongRunning: boolean
  /** Real time. */
  readonly clock: Clock
}

/** How long an API server lets a request take. */
const requestLimitMs = 60_000
/** What belongs to one connection, or to the twin alone. */
const ownHeaders = new Set([
  'connection',
  'keep-alive',
  'proxy-connection',
  'transfer-encoding',
  'te',
  'trailer',
  'upgrade',
  'host',
  'content-length',
  'authorization',
  'accept-encoding',
])

/** Never throws: what cannot be had is answered in an API server's words. */
export async function forward(to: Destination, request: TwinRequest, options: ForwardOptions): Promise<TwinResponse> {
  const late = new AbortController()
  const limitMs = limitOf(request.query.get('timeout'))
  const cancel = options.isLongRunning ? () => undefined : options.clock.schedule(limitMs, () => late.abort())
  try {
    const { host } = new URL(to.url)
    const path = encodedPath(request.path)
    const query = encodedQuery(request.query)
    const answer = await send(`${to.url}${path}${query === '' ? '' : `?${query}`}`, {
      method: methodOf(request.method),
      headers: {
        ...passedHeaders(request.headers),
        ...userHeaders(options.user),
        'x-forwarded-for': '127.0.0.1',
        'x-forwarded-host': host,
        'x-forwarded-proto': 'https',
        'x-forwarded-uri': path,
      },
      ...(request.body.byteLength === 0 ? {} : { body: request.body }),
      dispatcher: to.dispatcher,
      signal: AbortSignal.any([request.signal, late.signal]),
    })
    if (answer.statusCode >= 300 && answer.statusCode < 400 && answer.statusCode !== 304) {
      await answer.body.dump()
      return plainText(502, 'the backend attempted to redirect this request, which is not permitted')
    }
    return {
      kind: 'stream',
      status: answer.statusCode,
      headers: answerHeaders(answer.headers),
      chunks: chunksOf(answer.body, request.signal),
    }
  } catch (error) {
    if (late.signal.aborted) return tooLate
    if (request.signal.aborted) return plainText(499, 'client closed the request')
    return plainText(503, `error trying to reach service: ${connectionWords(error)}\n`)
  } finally {
    cancel()
  }
}

const tooLate = plainText(
  504,
  JSON.stringify({
    metadata: {},
    status: 'Failure',
    message: 'Timeout: request did not complete within the allotted timeout',
    reason: 'Timeout',
    details: {},
    code: 504,
  }),
)

function limitOf(timeout: string | null): number {
  const asked = timeout === null ? undefined : parseDurationMs(timeout)
  return asked?.ok === true && asked.value > 0 ? Math.min(asked.value, requestLimitMs) : requestLimitMs
}

function methodOf(method: string): Dispatcher.HttpMethod {
  const known = (['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'] as const).find(name => name === method)
  return known ?? 'GET'
}

/** As upstream's proxy writes it anew: what was encoded without need is no longer. */
function encodedPath(path: string): string {
  return encodeURI(decodeURIComponent(path)).replaceAll(
    /[?#!'()*]/g,
    character => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  )
}

/** By name, values of one name in their order. */
function encodedQuery(query: URLSearchParams): string {
  const sorted = new URLSearchParams(query)
  sorted.sort()
  return sorted.toString().replaceAll('*', '%2A').replaceAll('%7E', '~')
}

/** What the client sent, without its credentials and without what only the twin may say. */
function passedHeaders(headers: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(headers).filter(([name]) => !ownHeaders.has(name) && !/^(x-remote-|impersonate-|x-forwarded-)/.test(name)),
  )
}

function userHeaders(user: User): Record<string, string | string[]> {
  const extra = Object.entries(user.extra ?? {}).map(([key, values]) => [
    `x-remote-extra-${encodeURIComponent(key).toLowerCase()}`,
    [...values],
  ])
  return {
    'x-remote-user': user.name,
    'x-remote-group': [...user.groups],
    ...(user.uid === undefined ? {} : { 'x-remote-uid': user.uid }),
    ...Object.fromEntries(extra),
  }
}

function answerHeaders(headers: Readonly<Record<string, string | string[] | undefined>>): Readonly<Record<string, string>> {
  return Object.fromEntries(
    Object.entries(headers).flatMap(([name, value]) =>
      value === undefined || ownHeaders.has(name) ? [] : [[name, Array.isArray(value) ? value.join(', ') : value]],
    ),
  )
}

async function* chunksOf(body: AsyncIterable<Uint8Array>, signal: AbortSignal): AsyncGenerator<Uint8Array> {
  try {
    for await (const chunk of body) yield chunk
  } catch (error) {
    if (signal.aborted) return
    throw new ConnectionError('the server behind broke off its answer', { cause: error })
  }
}
