// Wishes that wait: what the leader remembers of intents that it deferred, so that they keep their place and others take them along.
// Memory only: after a change of leader whoever still wants something asks again.
import { type Clock, wallOf } from '#kube/clock.ts'
import { type Intent, purposeRows, wishKey } from '../intent.ts'
import { workloadOf } from '../policy/disturbance.ts'
import type { Pending } from '../policy/question.ts'

/** How long a wish stays after it was last asked, in milliseconds by monotonic time. */
const pendingTtlMs = 120_000

/** Its times are of `elapsed()`: time may be set meanwhile. */
interface Entry extends Omit<Pending, 'firstAskedMs' | 'lastAskedMs'> {
  readonly firstMs: number
  readonly lastMs: number
}

export class PendingBook {
  readonly #clock: Clock
  readonly #entries = new Map<string, Entry>()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** When this wish was first asked for; `undefined` for a new one, or one forgotten. */
  firstAskedMs(intent: Intent): number | undefined {
    const entry = this.#entries.get(wishKey(intent))
    return entry === undefined || this.#isForgotten(entry) ? undefined : wallOf(this.#clock, entry.firstMs)
  }

  /** Takes a wish in, or notes that it was asked again: with what it says now, at the place it had. */
  keep(intent: Intent, waitsFor: Pending['waitsFor']): void {
    const lastMs = this.#clock.elapsed()
    const known = this.#entries.get(wishKey(intent))
    const firstMs = known === undefined || this.#isForgotten(known) ? lastMs : known.firstMs
    this.#entries.set(wishKey(intent), { intent, firstMs, lastMs, waitsFor })
  }

  forget(wish: Pick<Intent, 'requester' | 'idempotencyKey'>): void {
    this.#entries.delete(wishKey(wish))
  }

  /** All that wait, but for `except`; in order of their coming. What `except` says anew is forgotten. */
  list(except?: Intent): readonly Pending[] {
    const own = except === undefined ? undefined : wishKey(except)
    const found: Pending[] = []
    let isOlder = true
    for (const [key, entry] of this.#entries) {
      if (key === own) isOlder = false
      else if (this.#isForgotten(entry) || (isOlder && isSaidAnew(entry.intent, except))) this.#entries.delete(key)
      else {
        const { firstMs, lastMs, intent, waitsFor } = entry
        const times = { firstAskedMs: wallOf(this.#clock, firstMs), lastAskedMs: wallOf(this.#clock, lastMs) }
        found.push({ intent, waitsFor, ...times })
      }
    }
    return found
  }

  #isForgotten({ lastMs, intent }: Entry): boolean {
    return this.#clock.elapsed() - lastMs >= pendingTtlMs || this.#clock.now() >= intent.deadlineMs
  }
}

/** A reload says all that its workload is to read: of two that one requester wants the later one holds, and the earlier would undo it. */
function isSaidAnew(earlier: Intent, later: Intent | undefined): boolean {
  const workload = workloadOf(earlier)
  return (
    later !== undefined &&
    workload !== undefined &&
    workload === workloadOf(later) &&
    earlier.requester === later.requester &&
    [earlier, later].every(({ verb, purpose }) => verb === 'restart' && purposeRows[purpose].saysAll === true)
  )
}
