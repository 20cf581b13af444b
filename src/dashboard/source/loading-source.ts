// The picture while a cluster is being loaded: nothing of it yet, and how far it has come.
import { nothingObserved } from '#coordination/observed/observation.ts'
import type { Clock } from '#kube/clock.ts'
import type { Random } from '#kube/random.ts'
import type { Picture, PictureSource } from '../picture.ts'
import { newEpoch } from './epoch.ts'
import type { PictureSettings } from './live-source.ts'
import { nothingRead } from './nothing-read.ts'

interface LoadingOptions {
  /** Clock of the cluster to come, or real time. */
  readonly clock: Clock
  /** The host's: of the epoch. */
  readonly random: Random
  readonly mode: Picture['mode']
  readonly cluster: string
  readonly settings: PictureSettings
  /** What is being loaded, as users name it: `examples/talos-homelab`. */
  readonly shown: string
}

export class LoadingSource implements PictureSource {
  readonly #options: LoadingOptions
  readonly #listeners = new Set<() => void>()
  #picture: Picture

  constructor(options: LoadingOptions) {
    this.#options = options
    const { mode, cluster, settings, shown, clock, random } = options
    this.#picture = {
      ...settings,
      sequence: 1,
      epoch: newEpoch(random),
      nowMs: clock.now(),
      mode,
      cluster,
      ...nothingRead,
      observed: nothingObserved,
      sources: [],
      twin: undefined,
      loading: { shown, loaded: 0, total: undefined },
    }
  }

  /** How many objects are there of how many; `undefined`: nobody knows yet. */
  tell(loaded: number, total: number | undefined): void {
    const { shown } = this.#options
    this.#picture = { ...this.#picture, sequence: this.#picture.sequence + 1, loading: { shown, loaded, total } }
    for (const listener of [...this.#listeners]) listener()
  }

  current(): Picture {
    return { ...this.#picture, nowMs: this.#options.clock.now() }
  }

  onChange(listener: () => void): () => void {
    const own = () => listener()
    this.#listeners.add(own)
    return () => {
      this.#listeners.delete(own)
    }
  }
}
