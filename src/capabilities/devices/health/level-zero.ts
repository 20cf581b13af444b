// The Level-Zero sidecar of Intel's plugin, asked how each card is. What it cannot say leaves a card as well as it was.

import type { Client } from '@grpc/grpc-js'
import type { Clock } from '#kube/clock.ts'
import { type Log, messageOf } from '#kube/log.ts'
import { double, flag, integer, integers, type Message, message, nested, text } from '#kube/protobuf-message.ts'
import type { DevicesConfig } from '../config.ts'
import { type Complaint, tooHot } from './card-health.ts'
import { askSidecar, sidecarClient } from './sidecar.ts'

/** GPUs of one machine. */
const mostIndices = 64

const errorMessage = message({ description: text(1), errorcode: integer(2) })
/** Indices of all are asked for without one. */
const question = message({ bdfAddress: text(1) })
const indicesAnswer = message({ indices: integers(1), error: nested(42, errorMessage) })
const healthAnswer = message({ memoryOk: flag(1), busOk: flag(2), socOk: flag(3), error: nested(42, errorMessage) })
const temperatureAnswer = message({ global: double(1), gpu: double(2), memory: double(3), error: nested(42, errorMessage) })

export class LevelZero implements Disposable {
  readonly #client: Client
  readonly #clock: Clock
  readonly #log: Log
  #told = ''

  constructor(socket: string, { clock, log }: { readonly clock: Clock; readonly log: Log }) {
    this.#client = sidecarClient(socket)
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

  /** The numbers of Intel's GPUs as Level-Zero has them; `undefined` where nobody could say. */
  async indices(signal: AbortSignal): Promise<readonly number[] | undefined> {
    try {
      const { indices, error } = await this.#ask('GetIntelIndices', indicesAnswer, undefined, signal)
      return error !== undefined && error.errorcode !== 0 ? undefined : indices.slice(0, mostIndices)
    } catch (error) {
      signal.throwIfAborted()
      this.#tell(undefined, messageOf(error))
      return undefined
    }
  }

  #tell(address: string | undefined, why: string): void {
    if (why !== this.#told)
      this.#log.warn({ address, why }, 'the Level-Zero sidecar cannot say all: what it does not say counts as well')
    this.#told = why
  }

  async #ask<Answer extends { readonly error: { readonly description: string; readonly errorcode: number } | undefined }>(
    name: string,
    answer: Message<Answer>,
    address: string | undefined,
    signal: AbortSignal,
  ): Promise<Answer> {
    const asked = address === undefined ? {} : { bdfAddress: address }
    const way = { path: `/Levelzero/${name}`, request: question, answer }
    const response = await askSidecar(this.#client, way, asked, { clock: this.#clock, signal })
    // It answers beside what went wrong, as far as it could: upstream goes by the answer too.
    if (response.error !== undefined && response.error.errorcode !== 0) this.#tell(address, response.error.description)
    return response
  }
}
