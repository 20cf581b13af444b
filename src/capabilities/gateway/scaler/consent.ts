// Targets that are asked before they may sleep: as long as a pod says no, its route stays wanted.
import type { Cancel, Clock } from '#kube/clock.ts'
import { type Log, messageOf } from '#kube/log.ts'
import type { Route } from '../routing/route.ts'

/** What a pod says at the path. */
export interface Said {
  readonly status: number
  /** Seconds that it names, where it does. */
  readonly retryAfter: number | undefined
}

interface Place {
  readonly host: string
  readonly port: number
}

interface ConsentOptions {
  readonly clock: Clock
  readonly log: Log
  /** Ready endpoints of a route's target. */
  readonly endpointsOf: (route: Route) => readonly Place[]
  /** @throws Error where a pod does not say anything in time */
  readonly ask: (place: Place, path: string, signal: AbortSignal) => Promise<Said>
  /** A route's answer changed. */
  readonly onChange: (key: string) => void
}

/** A pod that works is asked again after so long, unless it says when. */
const againMs = 30_000
const longestAgainMs = 3_600_000
/** Who says nothing at all may be stopped after so long. */
const silentMs = 300_000
/** These say: not yet. */
const refusals = new Set([409, 423, 425, 503])
const mostAsked = 256

interface Asking {
  /** `open`: it may sleep. */
  state: 'asking' | 'no' | 'open'
  readonly sinceMs: number
  readonly stop: AbortController
  cancel: Cancel
}

export class Consents implements Disposable {
  readonly #options: ConsentOptions
  readonly #asked = new Map<string, Asking>()

  constructor(options: ConsentOptions) {
    this.#options = options
  }

  /** Whether the route has to stay awake though nobody asks for it. The first call for a quiet route begins to ask. */
  keepsAwake(route: Route): boolean {
    if (route.hints.beforeZero === undefined) return false
    const known = this.#asked.get(route.key)
    if (known !== undefined) return known.state !== 'open'
    if (this.#options.endpointsOf(route).length === 0 || this.#asked.size >= mostAsked) return false
    const asking: Asking = {
      state: 'asking',
      sinceMs: this.#options.clock.elapsed(),
      stop: new AbortController(),
      cancel: () => undefined,
    }
    this.#asked.set(route.key, asking)
    void this.#ask(route, route.hints.beforeZero, asking)
    return true
  }

  /** Somebody asks for the route: what was said before counts no more. */
  wanted(key: string): void {
    const known = this.#asked.get(key)
    if (known === undefined) return
    known.cancel()
    known.stop.abort(new DOMException('the target is wanted again', 'AbortError'))
    this.#asked.delete(key)
  }

  [Symbol.dispose](): void {
    for (const key of [...this.#asked.keys()]) this.wanted(key)
  }

  async #ask(route: Route, path: string, asking: Asking): Promise<void> {
    const { clock, log, endpointsOf, ask, onChange } = this.#options
    const { signal } = asking.stop
    const places = endpointsOf(route)
    const answers = await Promise.all(
      places.map(async place => {
        try {
          return await ask(place, path, signal)
        } catch (error) {
          if (!signal.aborted)
            log.debug({ route: route.key, why: messageOf(error) }, 'a pod does not say whether it may be stopped')
          return undefined
        }
      }),
    )
    if (signal.aborted) return
    const no = answers.filter(said => said !== undefined && (refusals.has(said.status) || said.retryAfter !== undefined))
    const isSilent = answers.some(said => said === undefined || (said.status !== 200 && !no.includes(said)))
    const isOpen = no.length === 0 && (!isSilent || clock.elapsed() - asking.sinceMs >= silentMs)
    if (isOpen && isSilent) log.warn({ route: route.key, path }, 'pods do not say whether they may be stopped: they are')
    const was = asking.state
    asking.state = isOpen ? 'open' : 'no'
    if (!isOpen) {
      const named = Math.max(0, ...no.map(said => (said?.retryAfter ?? 0) * 1_000))
      const afterMs = Math.min(longestAgainMs, named > 0 ? named : againMs)
      asking.cancel = clock.schedule(afterMs, () => void this.#ask(route, path, asking))
    }
    if (was !== asking.state) onChange(route.key)
  }
}
