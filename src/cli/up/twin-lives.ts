// The lives of the twin under `ballast up`: it is loaded, and loaded anew when somebody resets it from the page, while everything else goes on.
import type { TwinControl } from '#dashboard/actions/actions.ts'
import type { Loaded } from './up-run.ts'

const resetReason = new DOMException('the twin is loaded anew', 'AbortError')

export class TwinLives implements TwinControl {
  readonly #load: () => Promise<Loaded>
  #life = new AbortController()
  #next: Loaded | undefined
  #waiting: PromiseWithResolvers<void> | undefined

  readonly #isKept: boolean

  /** `load` reads the source; it may do so again, but for a cluster that is kept in a folder. */
  constructor(load: () => Promise<Loaded>, isKept = false) {
    this.#load = load
    this.#isKept = isKept
  }

  /** What the first life is made from. @throws as `load` */
  first(): Promise<Loaded> {
    return this.#load()
  }

  /** Begins a life; the signal ends with it, or with `signal`. */
  begin(signal: AbortSignal): AbortSignal {
    this.#life = new AbortController()
    return AbortSignal.any([signal, this.#life.signal])
  }

  /** Whether the life is over because another begins. */
  get isReset(): boolean {
    return this.#life.signal.aborted
  }

  /** What the next life is made from. */
  next(otherwise: Loaded): Loaded {
    const next = this.#next ?? otherwise
    this.#next = undefined
    return next
  }

  /** The life that began can be looked at. */
  loaded(): void {
    this.#waiting?.resolve()
    this.#waiting = undefined
  }

  /** There will be no other. */
  fail(error: unknown): void {
    this.#waiting?.reject(error)
    this.#waiting = undefined
  }

  /** Reads the source again and begins anew; a source that cannot be read leaves everything as it is. @throws as `load` */
  async reset(): Promise<void> {
    if (this.#isKept) throw new Error('this cluster is kept by --state: end it, and name another folder for a new one')
    this.#next = await this.#load()
    this.#waiting ??= Promise.withResolvers<void>()
    const { promise } = this.#waiting
    this.#life.abort(resetReason)
    await promise
  }
}
