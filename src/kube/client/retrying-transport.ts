// A transport that waits where the server says `Retry-After`, repeats reads after a broken connection, and keeps to the
// client's bucket. A write is never repeated after a broken connection: its outcome is unknown and the caller reads again.
// Effects, leases and watches are never repeated here: their callers decide.
import type { Clock } from '../clock.ts'
import type { Log } from '../log.ts'
import { ConnectionError } from './connection-error.ts'
import { type BucketOptions, RequestBucket } from './request-bucket.ts'
import type { Transport, TransportRequest } from './transport.ts'

/** Told what becomes of requests before they are sent. */
export interface RequestObserver {
  /** It waited so long for the client's own limit. */
  admitted(request: TransportRequest, waitedMs: number): void
  /** It is sent again after an answer of this code, `<error>` where none came. */
  repeated(request: TransportRequest, code: string): void
}

interface RetryOptions {
  readonly clock: Clock
  readonly log: Log
  readonly bucket: BucketOptions
  readonly observer?: RequestObserver | undefined
}

/** How often one request is repeated at most. */
const retryLimit = 10

const afterBrokenConnectionMs = 1000
const slowWaitMs = 1000
/** Which of the server's queues was full: the UID of a FlowSchema. */
const flowSchemaHeader = 'x-kubernetes-pf-flowschema-uid'

/** `inner` with retries and the bucket; closing it closes `inner`. */
export function retryingTransport(inner: Transport, options: RetryOptions): Transport {
  const bucket = new RequestBucket(options.clock, options.bucket)

  const admitted = async (request: TransportRequest) => {
    const startMs = options.clock.elapsed()
    await bucket.take(request.priority, request.signal)
    const waitedMs = options.clock.elapsed() - startMs
    options.observer?.admitted(request, waitedMs)
    if (waitedMs > slowWaitMs) options.log.info({ waitedMs, path: request.path }, 'request waited for the client bucket')
  }

  const withRetries = async <T extends { readonly status: number; readonly headers: Readonly<Record<string, string>> }>(
    request: TransportRequest,
    send: () => Promise<T>,
    discard: (answer: T) => Promise<void>,
  ): Promise<T> => {
    const isRepeated = request.priority !== 'effect' && request.priority !== 'lease' && request.priority !== 'watch'
    for (let attempt = 0; ; attempt++) {
      await admitted(request)
      let waitMs: number | undefined
      let code = '<error>'
      try {
        const answer = await send()
        code = String(answer.status)
        if (answer.status === 429)
          options.log.debug({ path: request.path, flowSchema: answer.headers[flowSchemaHeader] }, 'throttled')
        waitMs = retryAfterMs(answer.status, answer.headers, options.clock.now())
        if (waitMs === undefined || !isRepeated || attempt >= retryLimit) return answer
        await discard(answer)
      } catch (error) {
        const isRead = request.verb === 'GET' && error instanceof ConnectionError
        if (!isRead || !isRepeated || attempt >= retryLimit) throw error
        waitMs = afterBrokenConnectionMs
      }
      options.log.debug({ path: request.path, waitMs, attempt }, 'request is repeated')
      options.observer?.repeated(request, code)
      await options.clock.after(waitMs, request.signal)
    }
  }

  return {
    request: request =>
      withRetries(
        request,
        () => inner.request(request),
        async () => undefined,
      ),
    stream: request =>
      withRetries(
        request,
        () => inner.stream(request),
        async answer => {
          for await (const _ of answer.chunks) break
        },
      ),
    close: () => inner.close(),
  }
}

/** The wait a 429 or 5xx asks for: whole seconds or an HTTP date. `undefined` where it asks for none. */
function retryAfterMs(status: number, headers: Readonly<Record<string, string>>, nowMs: number): number | undefined {
  if (status !== 429 && status < 500) return undefined
  const header = headers['retry-after']
  if (header === undefined) return undefined
  if (/^\d{1,9}$/.test(header)) return Number(header) * 1000
  const atMs = Date.parse(header)
  return Number.isNaN(atMs) ? undefined : Math.max(0, atMs - nowMs)
}
