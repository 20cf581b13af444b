// Calls of containerd over its socket: each with the namespace, a deadline, and an end when its signal is aborted.

import { Client, type ClientReadableStream, credentials, Metadata, type ServiceError, status } from '@grpc/grpc-js'
import type { Clock } from '#kube/clock.ts'
import { OutsideError } from '#kube/outside-error.ts'
import type { Message } from '#kube/protobuf-message.ts'
import { StoreUnavailable } from '../contract.ts'
import type { Method } from './containerd-api.ts'

/** A look-up that takes longer counts as no answer. */
const callLimitMs = 1_000
/** A message of containerd; pieces of content come in messages of 1 MiB. */
const largestMessage = 16 * 1024 * 1024
const keepaliveMs = 360_000 // a Go server answers pings more often than each 5 min with a farewell
const firstReconnectMs = 100
const lastReconnectMs = 5_000

/** containerd answered, and its answer is that there is no such thing. */
export class NotInStore extends OutsideError {
  override readonly name = 'NotInStore'
}

/** `undefined` where the answer is {@link NotInStore}; other errors are passed on. */
export async function orMissing<T>(answer: Promise<T>): Promise<T | undefined> {
  try {
    return await answer
  } catch (error) {
    if (error instanceof NotInStore) return undefined
    throw error
  }
}

interface ContainerdClientOptions {
  /** Absolute path. */
  readonly socket: string
  readonly namespace: string
  /** What is made by these calls is kept for as long as this lease lasts. */
  readonly lease?: string
  readonly clock: Clock
}

export class ContainerdClient implements Disposable {
  readonly #client: Client
  readonly #metadata: Metadata
  readonly #clock: Clock
  readonly #socket: string

  constructor({ socket, namespace, lease, clock }: ContainerdClientOptions) {
    this.#client = new Client(`unix://${socket}`, credentials.createInsecure(), {
      'grpc.default_authority': 'localhost',
      'grpc.enable_retries': 0,
      'grpc.initial_reconnect_backoff_ms': firstReconnectMs,
      'grpc.max_reconnect_backoff_ms': lastReconnectMs,
      'grpc.keepalive_time_ms': keepaliveMs,
      'grpc.max_receive_message_length': largestMessage,
      'grpc.service_config_disable_resolution': 1,
      'grpc.use_local_subchannel_pool': 1,
    })
    this.#metadata = new Metadata()
    this.#metadata.set('containerd-namespace', namespace)
    if (lease !== undefined) this.#metadata.set('containerd-lease', lease)
    this.#clock = clock
    this.#socket = socket
  }

  /**
   * One question, one answer.
   * @throws NotInStore, StoreUnavailable (no answer within `limitMs`, 1 s unless told), `signal.reason`
   */
  async call<Request, Response>(
    method: Method<Request, Response>,
    request: Partial<Request>,
    signal: AbortSignal,
    limitMs = callLimitMs,
  ): Promise<Response> {
    signal.throwIfAborted()
    const { promise, resolve, reject } = Promise.withResolvers<Response>()
    const call = this.#client.makeUnaryRequest(
      method.path,
      encoderOf(method.request),
      decoderOf(method.response),
      request,
      this.#metadata,
      {},
      (error, response) => {
        if (error === null && response !== undefined) resolve(response)
        else reject(this.#told(method, error))
      },
    )
    let isLate = false
    const cancelTimer = this.#clock.schedule(limitMs, () => {
      isLate = true
      call.cancel()
    })
    const onAbort = () => call.cancel()
    signal.addEventListener('abort', onAbort, { once: true })
    try {
      return await promise
    } catch (error) {
      if (isLate) throw this.#unavailable(method, `no answer within ${limitMs} ms`, error)
      if (signal.aborted) throw signal.reason
      throw error
    } finally {
      cancelTimer()
      signal.removeEventListener('abort', onAbort)
    }
  }

  /** The answers of a call that streams, no faster than they are taken. Its errors are made by {@link told}. */
  open<Request, Response>(method: Method<Request, Response>, request: Partial<Request>): ClientReadableStream<Response> {
    return this.#client.makeServerStreamRequest(
      method.path,
      encoderOf(method.request),
      decoderOf(method.response),
      request,
      this.#metadata,
    )
  }

  /** The same, to be iterated. @throws NotInStore, StoreUnavailable, `signal.reason` */
  async *stream<Request, Response>(
    method: Method<Request, Response>,
    request: Partial<Request>,
    signal: AbortSignal,
  ): AsyncGenerator<Response> {
    signal.throwIfAborted()
    const call = this.open(method, request)
    const onAbort = () => call.cancel()
    signal.addEventListener('abort', onAbort, { once: true })
    try {
      for await (const answer of call) yield answer
    } catch (error) {
      if (signal.aborted) throw signal.reason
      throw this.told(method, error)
    } finally {
      signal.removeEventListener('abort', onAbort)
      call.cancel()
    }
  }

  /** What an error of gRPC means to us. */
  told(method: { readonly path: string }, error: unknown): Error {
    return isServiceError(error) ? this.#told(method, error) : this.#unavailable(method, 'the connection broke', error)
  }

  #told(method: { readonly path: string }, error: ServiceError | null): Error {
    if (error?.code === status.NOT_FOUND) return new NotInStore(error.details, { cause: error })
    const [, connecting] = /Last error: (?:Error: )?(.*?)\.? Resolution note/.exec(error?.details ?? '') ?? []
    return this.#unavailable(method, connecting ?? error?.details ?? 'no answer', error)
  }

  #unavailable(method: { readonly path: string }, what: string, cause: unknown): StoreUnavailable {
    const name = method.path.slice(method.path.lastIndexOf('.') + 1)
    return new StoreUnavailable(`containerd at ${this.#socket}: ${name}: ${what}`, { cause })
  }

  [Symbol.dispose](): void {
    this.#client.close()
  }
}

const encoderOf =
  <T>(type: Message<T>) =>
  (value: Partial<T>): Buffer =>
    type.encode(value)
const decoderOf =
  <T>(type: Message<T>) =>
  (data: Buffer): T =>
    type.decode(data)

function isServiceError(error: unknown): error is ServiceError {
  return error instanceof Error && 'code' in error && 'details' in error
}
