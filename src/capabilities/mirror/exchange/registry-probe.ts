// Looks whether a registry answers: any HTTP status will do.
import { Agent } from 'undici'
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

export class RegistryProbe implements AsyncDisposable {
  readonly #options: ProbeOptions
  readonly #agent = new Agent({ connections: 1, keepAliveTimeout: 1, headersTimeout: 0, bodyTimeout: 0, allowH2: false })

  constructor(options: ProbeOptions) {
    this.#options = options
  }

  /** `HEAD /v2/`, once: false where no connection or no answer comes within 5 s. Never throws. */
  async isReachable(registry: string, signal: AbortSignal): Promise<boolean> {
    const { clock, schemeOf, log } = this.#options
    const late = new AbortController()
    const cancel = clock.schedule(probeTimeoutMs, () => late.abort(new Error(`no answer in ${probeTimeoutMs} ms`)))
    try {
      const { body } = await this.#agent.request({
        origin: addressOf(registry, schemeOf(registry)),
        path: '/v2/',
        method: 'HEAD',
        signal: AbortSignal.any([signal, late.signal]),
      })
      await body.dump()
      return true
    } catch (error) {
      log.debug({ registry, error: messageOf(error) }, 'a registry cannot be reached')
      return false
    } finally {
      cancel()
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#agent.destroy()
  }
}
