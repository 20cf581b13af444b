// Whether a driver answers, for whoever probes it: livenessprobe's part beside a driver.

import { messageOf } from '#kube/log.ts'
import { isOutside } from '#kube/outside-error.ts'
import type { DriverLink } from './driver/driver-link.ts'

interface Answer {
  readonly status: number
  readonly body: string
}

/** Probes a driver each time it is asked, and once for all who ask meanwhile. */
export class Liveness {
  readonly #link: DriverLink
  readonly #limitMs: number
  #asking: Promise<Answer> | undefined

  /** `limitMs`: for one probe. */
  constructor(link: DriverLink, limitMs: number) {
    this.#link = link
    this.#limitMs = limitMs
  }

  /** 200 and `ok`, or 500 and why. @throws `signal.reason` */
  async answer(signal: AbortSignal): Promise<Answer> {
    this.#asking ??= this.#ask(signal).finally(() => {
      this.#asking = undefined
    })
    return await this.#asking
  }

  async #ask(signal: AbortSignal): Promise<Answer> {
    try {
      const isReady = await this.#link.probe(this.#limitMs, signal)
      return isReady ? { status: 200, body: 'ok' } : { status: 500, body: 'driver responded but is not ready' }
    } catch (error) {
      signal.throwIfAborted()
      if (!isOutside(error)) throw error
      return { status: 500, body: messageOf(error) }
    }
  }
}
