// Sends spans to an OpenTelemetry collector by OTLP over gRPC. What cannot be sent waits, up to a limit; nobody waits for it.
import { type ClientHttp2Session, connect } from 'node:http2'
import type { Cancel, Clock } from '#kube/clock.ts'
import { type Log, messageOf } from '#kube/log.ts'
import { OutsideError } from '#kube/outside-error.ts'
import type { Span } from './cycle-spans.ts'
import { encodeTraces, type TraceSource } from './trace-encoding.ts'

/** Those of OpenTelemetry's own batches. */
const everyMs = 5_000
const mostWaiting = 2048
const mostAtOnce = 512
const requestMs = 10_000
/** At the end of the process, as upstream waits. */
const lastMs = 3_000
const sayAgainMs = 300_000
const method = '/opentelemetry.proto.collector.trace.v1.TraceService/Export'

interface ExporterOptions {
  /** `HOST:PORT` */
  readonly endpoint: string
  /** PEM; absent: in the clear. */
  readonly authority: string | undefined
  readonly source: TraceSource
  readonly clock: Clock
  readonly log: Log
}

/** Disposing of it sends what is left, for 3 s at most. */
export class TraceExporter implements AsyncDisposable {
  readonly #options: ExporterOptions
  #waiting: Span[] = []
  #cancel: Cancel = () => undefined
  #isDue = false
  #sending: Promise<void> | undefined
  #session: ClientHttp2Session | undefined
  #saidMs = Number.NEGATIVE_INFINITY

  constructor(options: ExporterOptions) {
    this.#options = options
  }

  /** Spans to be sent soon. The oldest give way. */
  take(spans: readonly Span[]): void {
    this.#waiting.push(...spans)
    const surplus = this.#waiting.length - mostWaiting
    if (surplus > 0) {
      this.#waiting.splice(0, surplus)
      this.#options.log.debug({ spans: surplus }, 'spans that no collector took are dropped')
    }
    this.#later()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#cancel()
    const limit = Promise.withResolvers<void>()
    const cancel = this.#options.clock.schedule(lastMs, () => limit.resolve())
    await Promise.race([this.#flush(), limit.promise])
    cancel()
    this.#cancel()
    this.#session?.destroy()
  }

  #later(): void {
    if (this.#isDue) return
    this.#isDue = true
    this.#cancel = this.#options.clock.schedule(everyMs, () => {
      this.#isDue = false
      void this.#flush()
    })
  }

  /** Sends what waits, piece by piece, until there is none or one is refused. Never throws. */
  #flush(): Promise<void> {
    this.#sending ??= this.#sendAll().finally(() => {
      this.#sending = undefined
    })
    return this.#sending
  }

  async #sendAll(): Promise<void> {
    while (this.#waiting.length > 0) {
      const batch = this.#waiting.splice(0, mostAtOnce)
      try {
        await this.#send(encodeTraces(this.#options.source, batch))
      } catch (error) {
        this.#say(error)
        if (error instanceof CollectorRefusal && !error.isPassing) continue
        this.#waiting.unshift(...batch)
        if (!this.#isDue) this.#later()
        return
      }
    }
  }

  /** @throws Error where the collector did not take it */
  async #send(body: Uint8Array): Promise<void> {
    // What a collector does is nothing a virtual clock can see.
    using _ = this.#options.clock.hold()
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    const session = this.#connected()
    const stream = session.request({
      ':method': 'POST',
      ':path': method,
      'content-type': 'application/grpc',
      te: 'trailers',
      'user-agent': 'ballast',
      'grpc-timeout': `${requestMs}m`,
    })
    const cancel = this.#options.clock.schedule(requestMs, () => stream.destroy(new Error(`no answer in ${requestMs / 1000} s`)))
    let status: string | undefined
    let detail = ''
    const note = (headers: Readonly<Record<string, unknown>>) => {
      const [code, text] = [headers['grpc-status'], headers['grpc-message']]
      if (typeof code === 'string') status = code
      if (typeof text === 'string') detail = text
    }
    const failed = (error: Error) => reject(error)
    session.once('error', failed)
    stream.on('response', headers => {
      note(headers)
      if (headers[':status'] !== 200) detail = `HTTP ${headers[':status']}`
    })
    stream.on('trailers', note)
    stream.on('error', failed)
    stream.on('close', () => (status === '0' ? resolve() : reject(new CollectorRefusal(status ?? 'none', detail))))
    stream.resume()
    const frame = Buffer.alloc(5)
    frame.writeUInt32BE(body.length, 1)
    stream.end(Buffer.concat([frame, body]))
    try {
      await promise
    } finally {
      cancel()
      session.off('error', failed)
    }
  }

  #connected(): ClientHttp2Session {
    const known = this.#session
    if (known !== undefined && !known.closed && !known.destroyed) return known
    const { endpoint, authority, log } = this.#options
    const scheme = authority === undefined ? 'http' : 'https'
    const session = connect(`${scheme}://${endpoint}`, { ...(authority !== undefined && { ca: authority }) })
    // It keeps nobody from the end, and what breaks it between two requests is seen by the next.
    session.unref()
    session.on('error', error => log.debug({ why: messageOf(error) }, 'connection to the trace collector'))
    this.#session = session
    return session
  }

  #say(error: unknown): void {
    const { log, clock, endpoint } = this.#options
    const nowMs = clock.elapsed()
    if (nowMs - this.#saidMs < sayAgainMs) return
    this.#saidMs = nowMs
    log.error({ endpoint, why: messageOf(error) }, 'got error from opentelemetry')
  }
}

/** The collector answered, and took nothing. */
class CollectorRefusal extends OutsideError {
  override readonly name = 'CollectorRefusal'
  /** Another time it may take it: CANCELLED, DEADLINE_EXCEEDED, RESOURCE_EXHAUSTED, ABORTED, OUT_OF_RANGE, UNAVAILABLE, DATA_LOSS, or no status. */
  readonly isPassing: boolean

  constructor(status: string, detail: string) {
    super(`the collector answered with gRPC status ${status}${detail === '' ? '' : `: ${detail}`}`)
    this.isPassing = ['1', '4', '8', '10', '11', '14', '15', 'none'].includes(status)
  }
}
