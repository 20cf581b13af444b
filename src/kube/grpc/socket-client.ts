// Questions over a socket of the machine: each with a deadline, bounded in bytes, and ended with its signal.

import { Client, credentials, Metadata, type ServiceError, status } from '@grpc/grpc-js'
import type { Clock } from '../clock.ts'
import type { Method } from './method.ts'
import { CallRefused } from './served-method.ts'

const mostAnswerBytes = 16 * 1024 * 1024
const firstReconnectMs = 100
const lastReconnectMs = 1_000

/** A call to which no answer came within its time by our own clock. */
export class CallLate extends CallRefused {
  override readonly name = 'CallLate'
}

interface SocketClientOptions {
  /** Absolute path, or `tcp://HOST:PORT`. */
  readonly address: string
  readonly clock: Clock
}

interface AskOptions {
  /** Milliseconds after which the call ends with DEADLINE_EXCEEDED. */
  readonly limitMs: number
  readonly signal: AbortSignal
}

export class SocketClient implements Disposable {
  readonly #clock: Clock
  readonly #client: Client

  constructor({ address, clock }: SocketClientOptions) {
    this.#clock = clock
    const target = address.startsWith('tcp://') ? address.slice('tcp://'.length) : `unix://${address}`
    this.#client = new Client(target, credentials.createInsecure(), {
      'grpc.default_authority': 'localhost',
      'grpc.enable_retries': 0,
      'grpc.initial_reconnect_backoff_ms': firstReconnectMs,
      'grpc.max_reconnect_backoff_ms': lastReconnectMs,
      'grpc.max_receive_message_length': mostAnswerBytes,
      'grpc.service_config_disable_resolution': 1,
      'grpc.use_local_subchannel_pool': 1,
    })
  }

  /** @throws CallRefused with the code of gRPC and what the server said; `signal.reason` */
  async ask<Request, Response>(
    asked: Method<Request, Response>,
    request: Partial<Request>,
    { limitMs, signal }: AskOptions,
  ): Promise<Response> {
    signal.throwIfAborted()
    const { promise, resolve, reject } = Promise.withResolvers<Response>()
    // What a server does is nothing a virtual clock can see.
    using _held = this.#clock.hold()
    const call = this.#client.makeUnaryRequest(
      asked.path,
      (value: Partial<Request>) => asked.request.encode(value),
      bytes => asked.response.decode(bytes),
      request,
      new Metadata(),
      {},
      (error, response) => {
        if (error === null && response !== undefined) resolve(response)
        else reject(refusalOf(error))
      },
    )
    let isLate = false
    // By our own clock, and not by a deadline on the wire, which is the host's. The server is told by the end of the stream.
    const cancelTimer = this.#clock.schedule(limitMs, () => {
      isLate = true
      call.cancel()
    })
    const onAbort = () => call.cancel()
    signal.addEventListener('abort', onAbort, { once: true })
    try {
      return await promise
    } catch (error) {
      signal.throwIfAborted()
      if (!isLate) throw error
      throw new CallLate(status.DEADLINE_EXCEEDED, `no answer within ${limitMs / 1_000} s`, { cause: error })
    } finally {
      cancelTimer()
      signal.removeEventListener('abort', onAbort)
    }
  }

  [Symbol.dispose](): void {
    this.#client.close()
  }
}

function refusalOf(error: ServiceError | null): CallRefused {
  if (error === null) return new CallRefused(status.UNKNOWN, 'the answer is empty')
  return new CallRefused(error.code, error.details, { cause: error })
}
