// Keeps starts that are under way up to date: what is watched changed, so they are looked at again, a few times a second at most.
import type { Cancel, Clock } from '#kube/clock.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import type { Route } from '../routing/route.ts'
import { type BootObjects, bootFacts, type Traffic } from './boot-facts.ts'
import { bootPosition } from './boot-stage.ts'
import type { ColdStarts } from './cold-start.ts'

/** Changes within this time are looked at together. */
const togetherMs = 100

/** Tells of changes of one kind. Returns what ends that. */
interface Changing {
  onChange(handler: (change: { readonly object: KubeObject }) => void): () => void
}

export class BootWatch implements Disposable {
  readonly #clock: Clock
  readonly #starts: Pick<ColdStarts, 'underWay' | 'observe' | 'abandon'>
  readonly #objects: BootObjects
  readonly #routeOf: (key: string) => Route | undefined
  readonly #trafficOf: (key: string) => Traffic
  readonly #stops: readonly (() => void)[]
  #cancel: Cancel | undefined

  /** `changing`: what is watched of `objects`. */
  constructor(options: {
    readonly clock: Clock
    readonly starts: Pick<ColdStarts, 'underWay' | 'observe' | 'abandon'>
    readonly objects: BootObjects
    readonly changing: readonly Changing[]
    readonly routeOf: (key: string) => Route | undefined
    readonly trafficOf: (key: string) => Traffic
  }) {
    this.#clock = options.clock
    this.#starts = options.starts
    this.#objects = options.objects
    this.#routeOf = options.routeOf
    this.#trafficOf = options.trafficOf
    this.#stops = options.changing.map(kind => kind.onChange(() => this.#changed()))
  }

  /** Looks at one start at once: it began, or its endpoints, model or requests changed. */
  look(key: string): void {
    const route = this.#routeOf(key)
    if (route === undefined) this.#starts.abandon(key)
    else this.#starts.observe(key, bootPosition(bootFacts(this.#objects, route, this.#trafficOf(key))))
  }

  [Symbol.dispose](): void {
    this.#cancel?.()
    for (const stop of this.#stops) stop()
  }

  /** Most of the time nothing starts, and nothing is to be done. */
  #changed(): void {
    if (this.#cancel !== undefined || this.#starts.underWay()[Symbol.iterator]().next().done === true) return
    this.#cancel = this.#clock.schedule(togetherMs, () => {
      this.#cancel = undefined
      for (const key of [...this.#starts.underWay()]) this.look(key)
    })
  }
}
