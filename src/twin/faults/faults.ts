// The faults of one twin: which there are, how often each fired, and what they do to a request.

import type { Clock } from '#kube/clock.ts'
import { type Random, seededRandom } from '#kube/random.ts'
import type { Disturbance } from './disturbance.ts'
import { type Fault, type FaultEffect, readFault } from './fault.ts'
import { isAsked, type RequestFacts, verdictOf } from './fault-match.ts'
import type { FaultSpec } from './fault-spec.ts'
import type { OpenWatch } from './open-watch.ts'
import { drawnMs } from './spread.ts'

/** A fault that was set. */
export interface FaultHandle extends Disposable {
  readonly name: string
  /** How often it did what it does. */
  readonly fired: number
  /** Takes it away; what it did to requests stays done. */
  remove(): void
}

type Facts = Omit<RequestFacts, 'nowMs'>

/** What several faults together do to one request. */
interface RequestFaults {
  readonly latencyMs: number
  readonly end: Extract<FaultEffect, { readonly kind: 'status' | 'reset' }> | undefined
  readonly disturbances: readonly Disturbance[]
}

/** A fault that is set, as those see it who act on it. */
export interface SetFault {
  readonly name: string
  readonly fault: Fault
  /** Counts one more. */
  fire(): void
  readonly fired: number
  /** A sequence of its own: one fault's chances do not move another's. */
  readonly random: Random
}

/** Told when a fault is set or taken away; what is there already is told at once. */
export interface FaultListener {
  added(fault: SetFault): void
  removed(fault: SetFault): void
}

class Entry implements SetFault {
  readonly name: string
  readonly fault: Fault
  readonly random: Random
  readonly #onFire: ((fired: number) => void) | undefined
  met = 0
  fired = 0

  constructor(name: string, fault: Fault, random: Random, onFire: ((fired: number) => void) | undefined) {
    this.name = name
    this.fault = fault
    this.random = random
    this.#onFire = onFire
  }

  fire(): void {
    this.fired++
    this.#onFire?.(this.fired)
  }
}

const nothing: RequestFaults = { latencyMs: 0, end: undefined, disturbances: [] }

interface FaultOptions {
  readonly name?: string
  /** Told of each firing, with how many there were. */
  readonly onFire?: (fired: number) => void
}

interface FaultsOptions {
  /** The cluster's: `from` and `until` are times of it. */
  readonly clock: Clock
  readonly seed: number
  /** Forgets history but for the revisions to keep. */
  readonly compact: (keepRevisions: number) => void
}

export class Faults {
  readonly #options: FaultsOptions
  readonly #entries = new Set<Entry>()
  readonly #watches = new Map<OpenWatch, Facts>()
  readonly #listeners: FaultListener[] = []
  #made = 0

  constructor(options: FaultsOptions) {
    this.#options = options
  }

  /** Sets a fault. It meets watches that are open already, too. @throws InputError on a bad spec. */
  add(spec: FaultSpec, options: FaultOptions = {}): FaultHandle {
    const name = options.name ?? `fault-${this.#made + 1}`
    const fault = readFault(spec, this.#options.clock.now(), `fault ${name}`)
    const random = seededRandom(seedOf(this.#options.seed, this.#made++))
    const entry = new Entry(name, fault, random, options.onFire)
    this.#entries.add(entry)
    this.#begin(entry)
    for (const listener of this.#listeners) listener.added(entry)
    const remove = () => {
      if (!this.#entries.delete(entry)) return
      for (const listener of this.#listeners) listener.removed(entry)
    }
    return {
      name,
      get fired() {
        return entry.fired
      },
      remove,
      [Symbol.dispose]: remove,
    }
  }

  /** In the order they were set. */
  list(): readonly SetFault[] {
    return [...this.#entries]
  }

  /** Tells of faults that are there and of those to come. */
  listen(listener: FaultListener): void {
    this.#listeners.push(listener)
    for (const entry of this.#entries) listener.added(entry)
  }

  /** What happens to a request. Waits add up; of answers and resets the first wins, and those behind it do not fire. */
  meet(facts: Facts): RequestFaults {
    if (this.#entries.size === 0) return nothing
    let latencyMs = 0
    let end: RequestFaults['end']
    const disturbances: Disturbance[] = []
    for (const entry of this.#entries) {
      const { effect } = entry.fault
      if (effect.kind === 'node' || effect.kind === 'image') continue
      if (effect.kind === 'watch' && facts.verb !== 'watch') continue
      if ((effect.kind === 'status' || effect.kind === 'reset') && end !== undefined) continue
      if (!this.#fires(entry, facts)) continue
      if (effect.kind === 'latency') latencyMs += drawnMs(effect.spread, entry.random)
      else if (effect.kind === 'watch') disturbances.push({ what: effect.disturbance, random: entry.random })
      else if (effect.kind === 'compact') this.#options.compact(effect.keepRevisions)
      else end = effect
    }
    return { latencyMs, end, disturbances }
  }

  /** What the watches that are open were asked for. */
  watches(): Iterable<Facts> {
    return this.#watches.values()
  }

  /** Keeps an open watch within reach of faults to come; the result lets go of it. */
  follow(watch: OpenWatch, facts: Facts): () => void {
    this.#watches.set(watch, facts)
    return () => void this.#watches.delete(watch)
  }

  #begin(entry: Entry): void {
    const { effect, match } = entry.fault
    if (effect.kind === 'compact' && match === undefined && isAsked(this.#options.clock.now(), entry.fault)) {
      entry.fire()
      this.#options.compact(effect.keepRevisions)
    }
    if (effect.kind !== 'watch') return
    for (const [watch, facts] of [...this.#watches])
      if (this.#fires(entry, facts)) watch.disturb({ what: effect.disturbance, random: entry.random })
  }

  #fires(entry: Entry, facts: Facts): boolean {
    const verdict = verdictOf(entry.fault, entry, { ...facts, nowMs: this.#options.clock.now() }, entry.random)
    if (verdict === 'other' || verdict === 'spent') return false
    entry.met++
    if (verdict === 'fires') entry.fire()
    return verdict === 'fires'
  }
}

/** Each fault of each seed has a sequence of its own. */
function seedOf(seed: number, number: number): number {
  return Math.imul(seed + 1, 0x9e3779b1) ^ Math.imul(number + 1, 0x85ebca6b)
}
