// An API server of a few lines: a function answers each request, in memory. For tests of the client.
import { ConnectionError } from '#kube/client/connection-error.ts'
import type { Transport, TransportRequest, TransportResponse, TransportStream } from '#kube/client/transport.ts'

export type Scripted =
  | {
      readonly kind: 'answer'
      readonly status: number
      readonly headers: Readonly<Record<string, string>>
      readonly body: string
    }
  | { readonly kind: 'feed'; readonly feed: Feed }
  | { readonly kind: 'broken'; readonly code: string }
  | { readonly kind: 'hanging' }

export interface SeenRequest {
  readonly verb: string
  readonly path: string
  readonly query: Readonly<Record<string, string>>
  readonly body: unknown
  readonly priority: TransportRequest['priority']
}

/** An answer with a JSON body. */
export function answer(status: number, body: unknown, headers: Readonly<Record<string, string>> = {}): Scripted {
  return { kind: 'answer', status, headers, body: typeof body === 'string' ? body : JSON.stringify(body) }
}

/** A failure Status. */
export function refusal(code: number, reason: string, message = reason, details: object = {}): Scripted {
  return answer(code, statusOf(code, reason, message, details))
}

export function statusOf(code: number, reason: string, message = reason, details: object = {}): object {
  return { kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Failure', code, reason, message, details }
}

export const hanging: Scripted = { kind: 'hanging' }

export function broken(code = 'ECONNRESET'): Scripted {
  return { kind: 'broken', code }
}

/** A watch's answer that says `events` and then closes (or goes on as a `Feed` told by the test). */
export function watchOf(events: readonly object[], then: 'close' | 'stay' | 'break' = 'close'): Scripted {
  const feed = new Feed()
  for (const event of events) feed.say(event)
  if (then === 'close') feed.close()
  if (then === 'break') feed.break()
  return { kind: 'feed', feed }
}

/** The body of a watch, told bit by bit. */
export class Feed {
  readonly #pieces: (Uint8Array | 'close' | 'break')[] = []
  #wake: () => void = () => undefined
  isAbandoned = false

  say(event: object): void {
    this.raw(`${JSON.stringify(event)}\n`)
  }

  raw(text: string): void {
    this.#add(Buffer.from(text))
  }

  close(): void {
    this.#add('close')
  }

  break(): void {
    this.#add('break')
  }

  async *chunks(signal: AbortSignal): AsyncGenerator<Uint8Array> {
    const onAbort = () => this.#wake()
    signal.addEventListener('abort', onAbort)
    try {
      for (;;) {
        signal.throwIfAborted()
        const piece = this.#pieces.shift()
        if (piece === 'close') return
        if (piece === 'break') throw new ConnectionError('socket hang up', { code: 'ECONNRESET' })
        if (piece !== undefined) yield piece
        else await new Promise<void>(resolve => (this.#wake = resolve))
      }
    } finally {
      signal.removeEventListener('abort', onAbort)
      this.isAbandoned = true
    }
  }

  #add(piece: Uint8Array | 'close' | 'break'): void {
    this.#pieces.push(piece)
    this.#wake()
  }
}

/** Answers by `script`; remembers what was asked. */
export class ScriptedTransport implements Transport {
  readonly seen: SeenRequest[] = []
  readonly #script: (request: SeenRequest, index: number) => Scripted | Promise<Scripted>

  constructor(script: (request: SeenRequest, index: number) => Scripted | Promise<Scripted>) {
    this.#script = script
  }

  async request(request: TransportRequest): Promise<TransportResponse> {
    const { status, headers, chunks } = await this.stream(request)
    const pieces: Uint8Array[] = []
    for await (const chunk of chunks) pieces.push(chunk)
    return { status, headers, body: Buffer.concat(pieces) }
  }

  async stream(request: TransportRequest): Promise<TransportStream> {
    request.guard?.()
    const { verb, path, query = {}, body, priority } = request
    const seen = { verb, path, query, body: body === undefined ? undefined : (JSON.parse(body.toString()) as unknown), priority }
    const index = this.seen.push(seen) - 1
    request.signal.throwIfAborted()
    const scripted = await this.#script(seen, index)
    request.signal.throwIfAborted()
    switch (scripted.kind) {
      case 'answer':
        return { status: scripted.status, headers: scripted.headers, chunks: oneChunk(scripted.body) }
      case 'feed':
        return { status: 200, headers: {}, chunks: scripted.feed.chunks(request.signal) }
      case 'broken':
        throw new ConnectionError(`connect ${scripted.code}`, { code: scripted.code })
      case 'hanging':
        return new Promise<TransportStream>((_, reject) =>
          request.signal.addEventListener('abort', () => reject(request.signal.reason)),
        )
    }
  }

  async close(): Promise<void> {
    return undefined
  }
}

async function* oneChunk(text: string): AsyncGenerator<Uint8Array> {
  yield Buffer.from(text)
}
