// Questions to the kubelet over its socket: each with a deadline, bounded in bytes and in what lies in them, and ended with its signal.

import { Client, credentials, Metadata, type ServiceError, status } from '@grpc/grpc-js'
import type { Clock } from '#kube/clock.ts'
import { messageOf } from '#kube/log.ts'
import { OutsideError } from '#kube/outside-error.ts'
import { hasFewFieldsWithin } from '#kube/protobuf-message.ts'
import { type Allocatable, emptyRequest, type HeldByPod, listAllocatable, listPods, type Method } from './pod-resources-api.ts'

/** Upstream's. */
const answerLimitMs = 10_000
const mostAnswerBytes = 16 * 1024 * 1024
/** Fields of an answer, all that lie in it counted: a big node has some 20,000. */
const mostAnswerFields = 200_000
const firstReconnectMs = 100
const lastReconnectMs = 1_000

/** The kubelet gave no answer that can be read. */
class KubeletSilent extends OutsideError {
  override readonly name = 'KubeletSilent'
}

interface KubeletSocketOptions {
  /** Absolute path. */
  readonly socket: string
  readonly clock: Clock
  readonly limitMs?: number
}

export class KubeletSocket implements Disposable {
  readonly #options: KubeletSocketOptions
  readonly #client: Client

  constructor(options: KubeletSocketOptions) {
    this.#options = options
    this.#client = new Client(`unix://${options.socket}`, credentials.createInsecure(), {
      'grpc.default_authority': 'localhost',
      'grpc.enable_retries': 0,
      'grpc.initial_reconnect_backoff_ms': firstReconnectMs,
      'grpc.max_reconnect_backoff_ms': lastReconnectMs,
      'grpc.max_receive_message_length': mostAnswerBytes,
      'grpc.service_config_disable_resolution': 1,
      'grpc.use_local_subchannel_pool': 1,
    })
  }

  /** What there is for pods to hold. @throws KubeletSilent, `signal.reason` */
  allocatable(signal: AbortSignal): Promise<Allocatable> {
    return this.#ask(listAllocatable, signal)
  }

  /** What pods hold. @throws KubeletSilent, `signal.reason` */
  async pods(signal: AbortSignal): Promise<readonly HeldByPod[]> {
    return (await this.#ask(listPods, signal)).pods
  }

  [Symbol.dispose](): void {
    this.#client.close()
  }

  async #ask<Response>(method: Method<Response>, signal: AbortSignal): Promise<Response> {
    signal.throwIfAborted()
    const { clock, limitMs = answerLimitMs } = this.#options
    const { promise, resolve, reject } = Promise.withResolvers<Buffer>()
    // What a kubelet does is nothing a virtual clock can see.
    using _held = clock.hold()
    const call = this.#client.makeUnaryRequest(
      method.path,
      (request: Buffer) => request,
      (bytes: Buffer) => bytes,
      emptyRequest,
      new Metadata(),
      {},
      (error, bytes) => {
        if (error === null && bytes !== undefined) resolve(bytes)
        else reject(this.#silent(method, wordsOf(error), error))
      },
    )
    let isLate = false
    const cancelTimer = clock.schedule(limitMs, () => {
      isLate = true
      call.cancel()
    })
    const onAbort = () => call.cancel()
    signal.addEventListener('abort', onAbort, { once: true })
    let bytes: Buffer
    try {
      bytes = await promise
    } catch (error) {
      if (isLate) throw this.#silent(method, `no answer within ${limitMs} ms`, error)
      signal.throwIfAborted()
      throw error
    } finally {
      cancelTimer()
      signal.removeEventListener('abort', onAbort)
    }
    return this.#read(method, bytes)
  }

  #read<Response>(method: Method<Response>, bytes: Buffer): Response {
    try {
      if (hasFewFieldsWithin(bytes, method.response, mostAnswerFields)) return method.response.decode(bytes)
    } catch (error) {
      throw this.#silent(method, `its answer cannot be read: ${messageOf(error)}`, error)
    }
    throw this.#silent(method, `its answer has more than ${mostAnswerFields} fields`, undefined)
  }

  #silent(method: { readonly path: string }, why: string, cause: unknown): KubeletSilent {
    const name = method.path.slice(method.path.lastIndexOf('/') + 1)
    return new KubeletSilent(`the kubelet at ${this.#options.socket}: ${name}: ${why}`, { cause })
  }
}

function wordsOf(error: ServiceError | null): string {
  if (error === null) return 'no answer'
  const [, connecting] = /Last error: (?:Error: )?(.*?)\.? Resolution note/.exec(error.details) ?? []
  if (error.code === status.UNIMPLEMENTED) return 'it does not know the question'
  return connecting ?? (error.details === '' ? error.message : error.details)
}
