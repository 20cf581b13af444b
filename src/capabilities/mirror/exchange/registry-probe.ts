// Looks whether a registry answers: any HTTP status will do.

import { OutgoingHttp } from '#kube/client/outgoing-http.ts'
import type { Clock } from '#kube/clock.ts'
import { type Log, messageOf } from '#kube/log.ts'

const probeTimeoutMs = 5_000

interface ProbeOptions {
  readonly clock: Clock
  readonly log: Log
  /** `http` where the registry was configured so. */
  readonly schemeOf: (registry: string) => 'http' | 'https'
}

/** Where containerd asks for images of a registry. */
export function addressOf(registry: string, scheme: 'http' | 'https'): string {
  return `${scheme}://${registry === 'docker.io' ? 'registry-1.docker.io' : registry}`
}

/**
 * Users name registries by the images of their pods. There is no guard of addresses all the same: many registries have private ones, this
 * node's containerd asks the same address for the same image, and of the answer nothing is kept but that there was one.
 */
export class RegistryProbe implements AsyncDisposable {
  readonly #options: ProbeOptions
  readonly #http: OutgoingHttp

  constructor(options: ProbeOptions) {
    this.#options = options
    const half = probeTimeoutMs / 2
    this.#http = new OutgoingHttp({ clock: options.clock, connectMs: half, answerMs: half, mostConnections: 1, keepAliveMs: 1 })
  }

  /** `HEAD /v2/`, once: false where no connection or no answer comes within 5 s. Never throws. */
  async isReachable(registry: string, signal: AbortSignal): Promise<boolean> {
    const { schemeOf, log } = this.#options
    try {
      const url = `${addressOf(registry, schemeOf(registry))}/v2/`
      await this.#http.ask({ url, method: 'HEAD', signal, mostBytes: 0, whenLonger: 'cut' })
      return true
    } catch (error) {
      log.debug({ registry, error: messageOf(error) }, 'a registry cannot be reached')
      return false
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#http[Symbol.asyncDispose]()
  }
}
