// Ready means that a server answers, not that a model is in its memory: new endpoints load it before they get requests.
import type { Cancel, Clock } from '#kube/clock.ts'
import { type Log, messageOf } from '#kube/log.ts'

/** An endpoint gets requests after so long, loaded or not. */
const longestMs = 120_000
/** It was ready and could not be reached: it is asked again. */
const againMs = 1_000

interface Asked {
  readonly method: 'POST'
  readonly path: string
  readonly headers: readonly string[]
  readonly body: string
}

/** The status of the answer, once all of it is there. @throws what kept it from being reached, and `signal.reason` */
type Ask<E> = (endpoint: E, request: Asked, signal: AbortSignal) => Promise<number>

/** The request that makes Ollama load a model and keep it: it has no prompt, so that nothing is generated. */
export function loadRequest(model: string): Asked {
  const body = JSON.stringify({ model, keep_alive: -1 })
  const headers = ['Content-Type', 'application/json', 'Content-Length', String(Buffer.byteLength(body))]
  return { method: 'POST', path: '/api/generate', headers, body }
}

class Loading {
  readonly model: string
  readonly stop = new AbortController()
  isOver = false
  cancel: Cancel = () => undefined

  constructor(model: string) {
    this.model = model
  }

  end(): void {
    this.isOver = true
    this.cancel()
    this.stop.abort(new DOMException('nobody waits for the model any more', 'AbortError'))
  }
}

/** The models of a route's endpoints. An endpoint is known by its value: it is the same as long as its address is ready. */
export class WarmModels<E extends { readonly authority: string }> implements Disposable {
  readonly #clock: Clock
  readonly #ask: Ask<E>
  readonly #log: Log
  /** By route, then by address. */
  readonly #loadings = new Map<string, Map<string, Loading>>()
  readonly #onWarm: (route: string) => void

  /** `onWarm` is called when one more endpoint of a route may get requests. */
  constructor(options: {
    readonly clock: Clock
    readonly ask: Ask<E>
    readonly log: Log
    readonly onWarm: (route: string) => void
  }) {
    this.#clock = options.clock
    this.#ask = options.ask
    this.#log = options.log
    this.#onWarm = options.onWarm
  }

  /**
   * Those of a route's ready endpoints that may get requests. The others are asked to load the model, each once; one that went away and came
   * back is another, since its memory is empty.
   */
  warm(route: string, model: string, ready: readonly E[]): readonly E[] {
    const known = this.#loadings.get(route) ?? new Map<string, Loading>()
    const present = new Set(ready.map(({ authority }) => authority))
    for (const [authority, loading] of known) {
      if (present.has(authority) && loading.model === model) continue
      loading.end()
      known.delete(authority)
    }
    if (ready.length === 0) this.#loadings.delete(route)
    else this.#loadings.set(route, known)
    return ready.filter(endpoint => {
      const loading = known.get(endpoint.authority)
      if (loading !== undefined) return loading.isOver
      const begun = new Loading(model)
      known.set(endpoint.authority, begun)
      this.#load(route, endpoint, begun)
      return false
    })
  }

  /** Endpoints of a route that load at this moment. */
  loading(route: string): number {
    let count = 0
    for (const { isOver } of this.#loadings.get(route)?.values() ?? []) if (!isOver) count++
    return count
  }

  /** A route is no more, or warms no model. */
  forget(route: string): void {
    for (const loading of this.#loadings.get(route)?.values() ?? []) loading.end()
    this.#loadings.delete(route)
  }

  [Symbol.dispose](): void {
    for (const route of [...this.#loadings.keys()]) this.forget(route)
  }

  #load(route: string, endpoint: E, loading: Loading): void {
    const facts = { route, endpoint: endpoint.authority, model: loading.model }
    const startedMs = this.#clock.elapsed()
    const over = (why?: string) => {
      if (loading.isOver) return
      loading.end()
      const tookMs = Math.round(this.#clock.elapsed() - startedMs)
      if (why === undefined) this.#log.info({ ...facts, tookMs }, 'a model is loaded')
      else this.#log.warn({ ...facts, tookMs, why }, 'a model may not be loaded: requests go to its server all the same')
      this.#onWarm(route)
    }
    loading.cancel = this.#clock.schedule(longestMs, () => over(`no answer within ${longestMs / 1_000} s`))
    void this.#untilAnswered(endpoint, loading).then(
      status => over(status >= 200 && status < 300 ? undefined : `the answer was ${status}`),
      (error: unknown) => over(messageOf(error)),
    )
  }

  async #untilAnswered(endpoint: E, { model, stop: { signal } }: Loading): Promise<number> {
    for (;;) {
      try {
        return await this.#ask(endpoint, loadRequest(model), signal)
      } catch (error) {
        signal.throwIfAborted()
        this.#log.debug(
          { endpoint: endpoint.authority, model, why: messageOf(error) },
          'a server was not reached to load a model',
        )
      }
      await this.#clock.after(againMs, signal)
    }
  }
}
