// AMD's metrics exporter, asked which GPUs are well. What it says of a GPU counts; of those that it does not name, and while it is not there, nothing follows.

import { existsSync } from 'node:fs'
import type { Clock } from '#kube/clock.ts'
import { type Log, messageOf } from '#kube/log.ts'
import { list, message, text } from '#kube/protobuf-message.ts'
import type { Complaint } from './card-health.ts'
import { askSidecar, sidecarClient } from './sidecar.ts'

/** Numbers of the exporter's fields: `Health` is 3, `Device`, which is a GPU's PCI address, is 5. */
const method = {
  path: '/metricssvc.MetricsService/List',
  request: message({}),
  answer: message({ states: list(1, message({ health: text(3), device: text(5) })) }),
}
/** Whatever else it says of a GPU means that it is not. */
const healthy = 'healthy'
const longestWord = 64

export class AmdExporter {
  readonly #clock: Clock
  readonly #log: Log
  #told = ''

  constructor({ clock, log }: { readonly clock: Clock; readonly log: Log }) {
    this.#clock = clock
    this.#log = log
  }

  /**
   * What is wrong with each GPU that it names, by PCI address; `undefined`: it is well. It comes and goes by itself, so that each question has a connection
   * of its own.
   */
  async look(socket: string, signal: AbortSignal): Promise<ReadonlyMap<string, Complaint | undefined>> {
    if (!existsSync(socket)) return this.#unheard(socket, 'there is no such socket')
    const client = sidecarClient(socket)
    try {
      const { states } = await askSidecar(client, method, {}, { clock: this.#clock, signal })
      this.#told = ''
      return new Map(states.map(({ device, health }) => [device, health === healthy ? undefined : complaint(health)]))
    } catch (error) {
      signal.throwIfAborted()
      return this.#unheard(socket, messageOf(error))
    } finally {
      client.close()
    }
  }

  #unheard(socket: string, why: string): ReadonlyMap<string, Complaint | undefined> {
    if (why !== this.#told)
      this.#log.warn({ socket, why }, "AMD's metrics exporter cannot be asked: GPUs count by the kernel's word alone")
    this.#told = why
    return new Map()
  }
}

const complaint = (health: string): Complaint => ({
  why: `the metrics exporter says that it is ${health === '' ? 'not healthy' : JSON.stringify(health.slice(0, longestWord))}`,
  about: ['driver'],
})
