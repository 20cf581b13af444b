// What the caps on simultaneous disruption are at: in the cluster, and at the places an intent has to do with.
import type { Intent, Relocation, Target } from '../../intent.ts'
import type { LedgerView } from '../../permits/ledger-view.ts'
import type { PermitRecord } from '../../permits/permit-record.ts'
import type { ArbiterPolicy } from '../arbiter-policy.ts'
import { isRollout, isUrgent } from '../disturbance.ts'
import type { CapName, Question } from '../question.ts'

/** One cap at one place. */
interface Place {
  readonly cap: Exclude<CapName, 'per-hour'>
  /** `cluster`, or the name of a namespace or node. */
  readonly subject: string
}

export interface CapUse extends Place {
  readonly used: number
  readonly limit: number
  /** When the first of those that are on their way is over at the latest; `undefined`: none is. Goes through all of them. */
  freeAtMs(): number | undefined
}

/**
 * Whether it counts: evictions, drains, and rollouts from class 2 on. A rollout of class 0 or 1 goes at the pace of its workload's own
 * strategy, and scaling is its owner's business.
 */
export function isCounted(deed: {
  readonly verb: Intent['verb']
  readonly class: Intent['class']
  readonly change?: Intent['change'] | undefined
}): boolean {
  return deed.verb === 'evict' || deed.verb === 'drain' || (isRollout(deed) && !isUrgent(deed))
}

/** A drain is one, however many pods there are; so is a rollout. */
export function weightOf({ verb, targets }: { readonly verb: Intent['verb']; readonly targets: readonly Target[] }): number {
  return verb === 'evict' ? Math.max(1, targets.length) : 1
}

/** How much is on its way by place, kept from question to question: a permit or two come or go between them, and one may name 300 nodes. */
class OnTheWay {
  readonly #used = new PlaceMap<number>()
  #counted: ReadonlySet<PermitRecord> = new Set()

  used(place: Place): number {
    return this.#used.get(place) ?? 0
  }

  /** Makes the counts those of `active`. A record never changes: another is put in its place. */
  follow(active: readonly PermitRecord[]): void {
    const now = new Set(active)
    for (const permit of this.#counted) if (!now.has(permit)) this.#add(permit, -1)
    for (const permit of now) if (!this.#counted.has(permit)) this.#add(permit, 1)
    this.#counted = now
  }

  #add(permit: PermitRecord, sign: 1 | -1): void {
    if (!isCounted(permit)) return
    for (const place of placesOf(permit)) {
      const used = this.used(place) + sign * weightOf(permit)
      if (used === 0) this.#used.delete(place)
      else this.#used.set(place, used)
    }
  }
}

const kept = new WeakMap<LedgerView, OnTheWay>()

/** How much is on its way, by cap and place: read once, asked for as many wishes as there are. */
export class CapUses {
  readonly #onTheWay: OnTheWay
  readonly #active: readonly PermitRecord[]
  readonly #caps: ArbiterPolicy['caps']
  readonly #concurrent: number

  constructor({ ledger, policy, facts }: Pick<Question, 'ledger' | 'policy' | 'facts'>) {
    this.#caps = policy.caps
    this.#concurrent = policy.caps.concurrent ?? Math.max(1, Math.floor(facts.nodeCount / 10))
    this.#active = ledger.active()
    this.#onTheWay = kept.get(ledger) ?? new OnTheWay()
    this.#onTheWay.follow(this.#active)
    kept.set(ledger, this.#onTheWay)
  }

  /** At each place where `deed` counts, the most general first. */
  of(deed: Deed): readonly CapUse[] {
    return placesOf(deed).map(place => ({
      ...place,
      limit: this.#limit(place.cap),
      used: this.#onTheWay.used(place),
      freeAtMs: () => this.#firstOverMs(place),
    }))
  }

  #firstOverMs(place: Place): number | undefined {
    const there = this.#active.filter(permit => isCounted(permit) && isAt(permit, place))
    if (there.length === 0) return undefined
    return Math.min(...there.map(({ grant }) => grant?.expiresAtMs ?? Number.POSITIVE_INFINITY))
  }

  #limit(cap: Place['cap']): number {
    switch (cap) {
      case 'concurrent':
        return this.#concurrent
      case 'per-namespace':
        return this.#caps.perNamespace
      case 'per-node':
        return this.#caps.perSourceNode
      case 'per-destination':
        return this.#caps.perDestination
    }
  }
}

interface Deed {
  readonly targets: readonly Target[]
  /** Nodes that lose pods by it. */
  readonly nodes: readonly string[]
  readonly relocation?: Relocation | undefined
  readonly joined?: readonly { readonly relocation: Relocation | undefined }[]
}

/** Whether `place` is among the places of `deed`. */
export function isAt({ targets, nodes, relocation, joined = [] }: Deed, { cap, subject }: Place): boolean {
  switch (cap) {
    case 'concurrent':
      return true
    case 'per-namespace':
      return targets.some(({ namespace }) => namespace === subject)
    case 'per-node':
      return nodes.includes(subject)
    case 'per-destination':
      return [relocation, ...joined.map(one => one.relocation)].some(move => move?.to[0] === subject)
  }
}

/** If several places would do for a replacement, the first is the one meant. */
function placesOf({ targets, nodes, relocation, joined = [] }: Deed): readonly Place[] {
  const namespaces = new Set(targets.map(({ namespace }) => namespace))
  const destinations = new Set([relocation, ...joined.map(one => one.relocation)].map(move => move?.to[0]))
  const places: Place[] = [{ cap: 'concurrent', subject: 'cluster' }]
  for (const subject of namespaces) if (subject !== undefined) places.push({ cap: 'per-namespace', subject })
  for (const subject of new Set(nodes)) places.push({ cap: 'per-node', subject })
  for (const subject of destinations) if (subject !== undefined) places.push({ cap: 'per-destination', subject })
  return places
}

/** Values by cap and subject. */
export class PlaceMap<T> {
  readonly #maps: Readonly<Record<Place['cap'], Map<string, T>>> = {
    concurrent: new Map(),
    'per-namespace': new Map(),
    'per-node': new Map(),
    'per-destination': new Map(),
  }

  get({ cap, subject }: Place): T | undefined {
    return this.#maps[cap].get(subject)
  }

  set({ cap, subject }: Place, value: T): void {
    this.#maps[cap].set(subject, value)
  }

  delete({ cap, subject }: Place): void {
    this.#maps[cap].delete(subject)
  }
}
