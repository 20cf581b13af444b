// The loop that tells workers what rules look at, and the nodes that wait until theirs have published it.

import { Bell } from '#coordination/arbiter/bell.ts'
import type { EffectContext } from '#coordination/effects/effect-context.ts'
import { type Log, messageOf } from '#kube/log.ts'
import { isOutside } from '#kube/outside-error.ts'
import { capabilityName } from '../names.ts'
import type { NodeFeatureSource } from '../rules/node-outcome.ts'
import type { References } from '../rules/references.ts'
import { WantedKeeper } from './wanted-keeper.ts'

const times = {
  /** Rules that come together are told together. */
  gatherMs: 300,
  /** The list is looked after so often. */
  checkMs: 300_000,
  retryMs: 1_000,
} as const

interface TellingOptions {
  readonly effects: EffectContext
  /** The agents'. */
  readonly namespace: string
  readonly log: Log
  /** What rules look at now. */
  readonly references: () => References
  /** How many nodes there are. */
  readonly nodes: () => number
  /** What is known of lists changed, and with it perhaps what is enough for this node. */
  readonly lookAgain: (node: string) => void
}

export class TellingWorkers {
  readonly #options: TellingOptions
  readonly #keeper: WantedKeeper
  readonly #bell: Bell
  readonly #waiting = new Set<string>()
  #isWanted = true

  constructor(options: TellingOptions) {
    this.#options = options
    this.#keeper = new WantedKeeper(options.effects, options.namespace)
    this.#bell = new Bell(options.effects.clock)
  }

  /** How many nodes wait for what rules look at. */
  get waiting(): number {
    return this.#waiting.size
  }

  /** Rules are others than before. */
  rulesChanged(): void {
    this.#isWanted = true
    this.#bell.ring()
  }

  /**
   * Whether rules can be held to what was published of a node. What its worker left out may be there all the same: a rule that looks at it would take
   * labels away that are to stay.
   */
  isEnough(node: string, sources: readonly NodeFeatureSource[]): boolean {
    const references = this.#options.references()
    const isEnough = sources.every(({ publishedFor }) => this.#keeper.isEnough(publishedFor, references))
    if (isEnough) this.#waiting.delete(node)
    else this.#waiting.add(node)
    return isEnough
  }

  forget(node: string): void {
    this.#waiting.delete(node)
  }

  /** Until `signal` is aborted; never rejects but for what nobody foresaw. */
  async run(signal: AbortSignal): Promise<void> {
    const { effects, log, references, nodes, lookAgain } = this.#options
    const { clock } = effects
    for (let delayMs: number = times.gatherMs; !signal.aborted; ) {
      try {
        await this.#bell.until(() => (this.#isWanted ? true : undefined), { limitMs: times.checkMs, signal })
        await clock.after(delayMs, signal)
        delayMs = times.gatherMs
        this.#isWanted = false
        await this.#keeper.keep(references(), nodes(), signal)
        for (const node of this.#waiting) lookAgain(node)
      } catch (error) {
        if (signal.aborted) return
        if (!isOutside(error)) throw error
        this.#isWanted = true
        delayMs = times.retryMs
        log.warn({ capability: capabilityName, why: messageOf(error) }, 'workers are not told what rules look at, tried again')
      }
    }
  }

  /** Nobody keeps the list from now on: workers publish everything. @throws StatusError, ConnectionError */
  async end(signal: AbortSignal): Promise<void> {
    await this.#keeper.end(signal)
  }
}
