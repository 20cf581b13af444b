// The Level-Zero sidecar of Intel's plugin, asked how each card is. What it cannot say leaves a card as well as it was.

import { Client, credentials } from '@grpc/grpc-js'
import type { Clock } from '#kube/clock.ts'
import { type Log, messageOf } from '#kube/log.ts'
import { double, flag, integer, type Message, message, nested, text } from '#kube/protobuf-message.ts'
import type { DevicesConfig } from '../config.ts'
import { type Complaint, tooHot } from './card-health.ts'

const callLimitMs = 2_000

const errorMessage = message({ description: text(1), errorcode: integer(2) })
const question = message({ bdfAddress: text(1) })
const healthAnswer = message({ memoryOk: flag(1), busOk: flag(2), socOk: flag(3), error: nested(42, errorMessage) })
const temperatureAnswer = message({ global: double(1), gpu: double(2), memory: double(3), error: nested(42, errorMessage) })

export class LevelZero implements Disposable {
  readonly #client: Client
  readonly #clock: Clock
  readonly #log: Log
  #told = ''

  constructor(socket: string, { clock, log }: { readonly clock: Clock; readonly log: Log }) {
    this.#client = new Client(`unix://${socket}`, credentials.createInsecure(), {
      'grpc.default_authority': 'localhost',
      'grpc.enable_retries': 0,
      'grpc.service_config_disable_resolution': 1,
      'grpc.use_local_subchannel_pool': 1,
    })
    this.#clock = clock
    this.#log = log
  }

  [Symbol.dispose](): void {
    this.#client.close()
  }

  /** Why the card at a PCI address is not well; `undefined` where it is, or nobody could say. */
  async complaintOf(address: string, config: DevicesConfig['gpu'], signal: AbortSignal): Promise<Complaint | undefined> {
    try {
      const health = await this.#ask('GetDeviceHealth', healthAnswer, address, signal)
      const ills = [
        ...(health.memoryOk ? [] : (['memory'] as const)),
        ...(health.busOk ? [] : (['bus'] as const)),
        ...(health.socOk ? [] : (['processor'] as const)),
      ]
      if (ills.length > 0) return { why: `the sidecar says that something is wrong with its ${ills.join(', ')}`, about: ills }
      const temperature = await this.#ask('GetDeviceTemperature', temperatureAnswer, address, signal)
      const limits = [
        ['', temperature.global, config.tempLimit],
        ['gpu ', temperature.gpu, config.gpuTempLimit],
        ['memory ', temperature.memory, config.memoryTempLimit],
      ] as const
      const [hot] = limits.filter(([, degrees, limit]) => Math.trunc(degrees) > limit)
      return hot === undefined ? undefined : tooHot(hot[0], Math.trunc(hot[1]), hot[2])
    } catch (error) {
      signal.throwIfAborted()
      this.#tell(address, messageOf(error))
      return undefined
    }
  }

  #tell(address: string, why: string): void {
    if (why !== this.#told)
      this.#log.warn({ address, why }, 'the Level-Zero sidecar cannot say all: what it does not say counts as well')
    this.#told = why
  }

  async #ask<Answer extends { readonly error: { readonly description: string; readonly errorcode: number } | undefined }>(
    name: string,
    answer: Message<Answer>,
    address: string,
    signal: AbortSignal,
  ): Promise<Answer> {
    const { promise, resolve, reject } = Promise.withResolvers<Answer>()
    const call = this.#client.makeUnaryRequest(
      `/Levelzero/${name}`,
      (value: { bdfAddress: string }) => question.encode(value),
      bytes => answer.decode(bytes),
      { bdfAddress: address },
      (error, response) => (error === null && response !== undefined ? resolve(response) : reject(error)),
    )
    const cancelTimer = this.#clock.schedule(callLimitMs, () => call.cancel())
    const onAbort = () => call.cancel()
    signal.addEventListener('abort', onAbort, { once: true })
    try {
      const response = await promise
      // It answers beside what went wrong, as far as it could: upstream goes by the answer too.
      if (response.error !== undefined && response.error.errorcode !== 0) this.#tell(address, response.error.description)
      return response
    } finally {
      cancelTimer()
      signal.removeEventListener('abort', onAbort)
    }
  }
}
