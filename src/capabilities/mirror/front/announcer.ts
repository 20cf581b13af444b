// What the store has is announced to the others, and what it no longer has is withdrawn.
import type { Clock } from '#kube/clock.ts'
import { type Log, messageOf } from '#kube/log.ts'
import type { Router, Store, StoreChange } from '../contract.ts'

/** After changes were told, others are gathered for so long: a pull of many layers is told in few messages, and a single one at once. */
const gatheredMs = 250

interface AnnouncerOptions {
  readonly store: Pick<Store, 'changes'>
  readonly router: Pick<Router, 'announce' | 'withdraw'>
  readonly clock: Clock
  readonly log: Log
}

/** What has to be told so that `announced` becomes what the store says. */
export function announcements(
  announced: ReadonlySet<string>,
  change: StoreChange,
): { readonly add: readonly string[]; readonly remove: readonly string[] } {
  if (change.kind === 'all') {
    return {
      add: [...change.keys].filter(key => !announced.has(key)),
      remove: [...announced].filter(key => !change.keys.has(key)),
    }
  }
  const added = new Set(change.added)
  return {
    add: [...added].filter(key => !announced.has(key)),
    remove: [...new Set(change.removed)].filter(key => announced.has(key) && !added.has(key)),
  }
}

export class Announcer {
  readonly #options: AnnouncerOptions
  readonly #announced = new Set<string>()
  #isFirstDone = false
  #begunMs = 0

  constructor(options: AnnouncerOptions) {
    this.#options = options
  }

  /** Whether all that was here at first has been told to the nodes that were known then. */
  get isFirstDone(): boolean {
    return this.#isFirstDone
  }

  /** Keys that are announced, or about to be. */
  get announced(): ReadonlySet<string> {
    return this.#announced
  }

  /** Until `signal` is aborted. @throws what the store's changes throw */
  async run(signal: AbortSignal): Promise<void> {
    const { store, router, clock } = this.#options
    this.#begunMs = clock.elapsed()
    for await (const change of store.changes(signal)) {
      if (signal.aborted) return
      const { add, remove } = announcements(this.#announced, change)
      for (const key of add) this.#announced.add(key)
      for (const key of remove) this.#announced.delete(key)
      if (remove.length > 0) router.withdraw(remove)
      // Telling thousands takes a while: what changes meanwhile does not wait for it.
      void this.#announce(add, change.kind === 'all')
      // What ends the wait early ends the changes too.
      if (change.kind !== 'all') await clock.after(gatheredMs, signal).catch(() => undefined)
    }
  }

  /** The router tells it again by itself; that the first time failed is only said. */
  async #announce(keys: readonly string[], isWhole: boolean): Promise<void> {
    try {
      if (keys.length > 0) await this.#options.router.announce(keys)
    } catch (error) {
      this.#options.log.warn({ keys: keys.length, why: messageOf(error) }, 'announcing failed, it is repeated')
    }
    if (!isWhole || this.#isFirstDone) return
    this.#isFirstDone = true
    const seconds = (this.#options.clock.elapsed() - this.#begunMs) / 1_000
    this.#options.log.info({ keys: keys.length, seconds }, 'what was here at the start is announced')
  }
}
