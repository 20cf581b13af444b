// What time it is in a cluster that has its own clock: told by what its servers write when we are there to see it.
import type { Clock } from '#kube/clock.ts'
import type { Change } from '#kube/informers/store.ts'
import type { KubeObject } from '#kube/objects/objects.ts'

/** A clock that is off by less is not corrected: what is seen is always a little late. */
const toleranceMs = 10_000
/** So many of the newest marks are looked at. */
const mostMarks = 32

/**
 * The time of a live cluster is our clock's, unless leases that are renewed while we watch say otherwise:
 * then it is off by what the freshest of them says.
 */
export class ClusterTime {
  readonly #clock: Clock
  /** By how much our clock was ahead of each mark when it came: what the clocks differ by, and how late it came. */
  readonly #leads: number[] = []
  #aheadMs = 0

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** The server wrote `ms` just now. */
  mark(ms: number): void {
    if (Number.isNaN(ms)) return
    this.#leads.push(this.#clock.now() - ms)
    if (this.#leads.length > mostMarks) this.#leads.shift()
    const least = Math.min(...this.#leads)
    this.#aheadMs = Math.abs(least) <= toleranceMs ? 0 : least
  }

  /** What was written, whenever that was, is not in the future. */
  atLeast(ms: number): void {
    if (!Number.isNaN(ms) && ms > this.now() + toleranceMs) this.#aheadMs = this.#clock.now() - ms
  }

  /** An object says when it was made, a Lease when it was renewed. */
  heed({ type, object, initial }: Pick<Change<KubeObject>, 'type' | 'object' | 'initial'>): void {
    this.atLeast(Date.parse(object.metadata.creationTimestamp ?? ''))
    const spec = object['spec']
    if (object.kind !== 'Lease' || typeof spec !== 'object' || spec === null || !('renewTime' in spec)) return
    const renewed = Date.parse(String(spec.renewTime))
    // A lease that is seen to be renewed was renewed just now; what is listed may be of any time.
    if (initial || type !== 'MODIFIED') this.atLeast(renewed)
    else this.mark(renewed)
  }

  now(): number {
    return this.#clock.now() - this.#aheadMs
  }
}
