// What an agent has to tell people of its node: troubles that last, and what happened. It has no right to write it anywhere: the agent's
// role `readiness` asks for it on the same node, and writes conditions and events.
import type { StoreHealth } from './contract.ts'

/** What lasts; the first is the most serious. */
export type Trouble = StoreHealth['problems'][number]

interface Happening {
  /** From 1, in each life of the agent. */
  readonly number: number
  /** Why, as an event of the node says it. */
  readonly reason: 'PoisonedBlob'
  readonly message: string
  /** Milliseconds since 1970. */
  readonly atMs: number
}

/** As it is served at `/ballast/notices`. */
export interface NoticesDocument {
  /** Id of this life of the agent; another life begins its numbers anew. */
  readonly instance: string
  readonly problems: readonly Trouble[]
  readonly events: readonly Happening[]
}

/** Older ones are told by the log only. */
const mostKept = 64

/** The last things that happened, numbered. */
export class Happenings {
  readonly #kept: Happening[] = []
  #count = 0

  add(reason: Happening['reason'], message: string, atMs: number): void {
    this.#count++
    this.#kept.push({ number: this.#count, reason, message, atMs })
    if (this.#kept.length > mostKept) this.#kept.shift()
  }

  list(): readonly Happening[] {
    return [...this.#kept]
  }
}
