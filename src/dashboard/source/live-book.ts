// Ballast's books, kept object by object: a change of one permit among 100,000 reads that one.

import { SortedMapEditor } from '#cluster/sorted-map.ts'
import { type Book, bookOf, type KeptPermit } from '#coordination/account/book.ts'
import type { ClusterEvent } from '#coordination/account/cluster-events.ts'
import type { RebalancePlan, RebalancePolicy } from '#coordination/api.ts'
import { LedgerIndex } from '#coordination/permits/ledger-index.ts'
import type { LedgerView } from '#coordination/permits/ledger-view.ts'
import type { PermitRecord } from '#coordination/permits/permit-record.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import type { Problem } from '#kube/problem.ts'

interface BookChange {
  readonly isGone: boolean
  readonly object: KubeObject
}

/** Events that are shown at most; the oldest are left out. */
const mostEvents = 20_000

/** What was made of one object: places in the lists below. */
interface Filed {
  readonly permits: readonly string[]
  readonly records: readonly PermitRecord[]
  readonly plan: string | undefined
  readonly policy: string | undefined
  readonly event: string | undefined
  readonly problems: string | undefined
}

/**
 * Flow: `change` for each object that comes, changes or goes; `step` now and then; `book`.
 * Guarantees: a book is what `bookOf` makes of the objects, but for the order of its problems and of events of one moment; lists that did
 * not change are the same as before.
 */
export class LiveBook {
  readonly #permits = new SortedMapEditor<KeptPermit>()
  readonly #plans = new SortedMapEditor<RebalancePlan>()
  readonly #policies = new SortedMapEditor<RebalancePolicy>()
  readonly #events = new SortedMapEditor<ClusterEvent>()
  readonly #problems = new SortedMapEditor<readonly Problem[]>()
  readonly #ledger = new LedgerIndex()
  readonly #filed = new Map<string, Filed>()
  #changes: BookChange[] = []
  #next = 0
  #book: Book | undefined
  #newest: { readonly of: readonly ClusterEvent[]; readonly events: readonly ClusterEvent[] } | undefined

  /** Grants of the permits, for those who judge what others did. */
  get ledger(): LedgerView {
    return this.#ledger
  }

  /** How many changes wait. */
  get pending(): number {
    return this.#changes.length - this.#next
  }

  change(change: BookChange): void {
    this.#changes.push(change)
    this.#book = undefined
  }

  /** Reads at most `count` objects of those that changed (some 50 µs each). False when nothing is left. */
  step(count: number): boolean {
    for (let done = 0; done < count; done++) {
      const change = this.#changes[this.#next]
      if (change === undefined) break
      this.#next++
      this.#apply(change)
    }
    if (this.#next < this.#changes.length) return true
    this.#changes = []
    this.#next = 0
    return false
  }

  /** With all changes so far, doing what work is left. The same value until something changes. */
  book(): Book {
    if (this.#book !== undefined) return this.#book
    while (this.step(Number.POSITIVE_INFINITY));
    this.#book = {
      permits: this.#permits.snapshot().list(),
      plans: this.#plans.snapshot().list(),
      policies: this.#policies.snapshot().list(),
      events: this.#newestEvents(),
      problems: this.#problems.snapshot().list().flat(),
    }
    return this.#book
  }

  #newestEvents(): readonly ClusterEvent[] {
    const of = this.#events.snapshot().list()
    if (this.#newest?.of !== of) this.#newest = { of, events: of.length > mostEvents ? of.slice(-mostEvents) : of }
    return this.#newest.events
  }

  #apply({ isGone, object }: BookChange): void {
    const place = placeOf(object)
    this.#remove(place)
    if (!isGone) this.#file(place, object)
  }

  #remove(place: string): void {
    const filed = this.#filed.get(place)
    if (filed === undefined) return
    this.#filed.delete(place)
    for (const key of filed.permits) this.#permits.delete(key)
    for (const record of filed.records) this.#ledger.remove(record)
    if (filed.plan !== undefined) this.#plans.delete(filed.plan)
    if (filed.policy !== undefined) this.#policies.delete(filed.policy)
    if (filed.event !== undefined) this.#events.delete(filed.event)
    if (filed.problems !== undefined) this.#problems.delete(filed.problems)
  }

  #file(place: string, object: KubeObject): void {
    const { permits, plans, policies, events, problems } = bookOf([object])
    const name = `${object.metadata.namespace ?? ''}\0${object.metadata.name}`
    const keys = permits.map((_, at) => `${name}\0${String(at).padStart(5, '0')}`)
    for (const [at, key] of keys.entries()) {
      const permit = permits[at]
      if (permit !== undefined) this.#permits.set(key, permit)
    }
    const records = permits.flatMap(({ record }) => (record.grant === undefined ? [] : [record]))
    for (const record of records) this.#ledger.put(record)
    const [plan] = plans
    const [policy] = policies
    const [event] = events
    if (plan !== undefined) this.#plans.set(name, plan)
    if (policy !== undefined) this.#policies.set(name, policy)
    const eventKey = event === undefined ? undefined : `${String(event.atMs).padStart(16, '0')}\0${name}`
    if (event !== undefined && eventKey !== undefined) this.#events.set(eventKey, event)
    if (problems.length > 0) this.#problems.set(place, problems)
    this.#filed.set(place, {
      permits: keys,
      records,
      plan: plan === undefined ? undefined : name,
      policy: policy === undefined ? undefined : name,
      event: eventKey,
      problems: problems.length > 0 ? place : undefined,
    })
  }
}

function placeOf({ kind, metadata: { namespace = '', name } }: KubeObject): string {
  return `${kind}\0${namespace}\0${name}`
}
