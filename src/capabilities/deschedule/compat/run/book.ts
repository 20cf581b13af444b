// The arbiter of the drop-in, in mode `observe` unless the configuration asks for more: it refuses what is not there any more and what is
// frozen, and records what its other rules would have said.

import type { OwnerLabel } from '#cluster/ownership.ts'
import { Arbiter } from '#coordination/arbiter/arbiter.ts'
import type { ArbiterMetrics } from '#coordination/arbiter/arbiter-metrics.ts'
import type { ClusterView } from '#coordination/facts/cluster-view.ts'
import { onlyOf } from '#coordination/facts/view-needs.ts'
import type { Need } from '#coordination/needs.ts'
import { ClusterObserver } from '#coordination/observed/cluster-observer.ts'
import { Ledger } from '#coordination/permits/ledger.ts'
import type { ArbiterPolicy } from '#coordination/policy/arbiter-policy.ts'
import type { EventRecorder } from '#kube/events/events.ts'
import { LeaseLostError } from '#kube/leases/lease.ts'
import { requester } from './eviction-intent.ts'
import { PodEvictor } from './pod-evictor.ts'
import { openRecords, type Records, type RecordsOptions } from './records.ts'
import { withoutBudgets } from './unjudged-budgets.ts'

interface BookOptions extends RecordsOptions {
  /** What is watched when the book is opened; it is to be closed before another is. */
  readonly cluster: () => { readonly view: ClusterView; readonly needs: readonly Need[] }
  readonly policy: ArbiterPolicy
  readonly ownerLabel: OwnerLabel
  readonly events: EventRecorder
  readonly evictionVersion: string
  readonly inBackground: boolean
  readonly arbiterMetrics: ArbiterMetrics | undefined
}

/** An open book with who evicts by it. */
export interface Book extends AsyncDisposable {
  readonly arbiter: Arbiter
  readonly evictor: PodEvictor
  readonly records: Pick<Records, 'inMemory'>
}

/** The book, opened when it is first wanted, and again where it was lost. */
export class Books implements AsyncDisposable {
  readonly #options: BookOptions
  #book: Book | undefined

  constructor(options: BookOptions) {
    this.#options = options
  }

  /** @throws what the API server says */
  async open(signal: AbortSignal): Promise<Book> {
    this.#book ??= await openBook(this.#options, signal)
    return this.#book
  }

  /** The next opening begins anew. */
  async close(): Promise<void> {
    const book = this.#book
    this.#book = undefined
    await book?.[Symbol.asyncDispose]()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }
}

/** Takes over what an earlier process left: what it had begun is looked at before anything else is granted. @throws what the API server says */
async function openBook(options: BookOptions, signal: AbortSignal): Promise<Book> {
  const { clock, identity, ownerLabel, events, evictionVersion, inBackground } = options
  const log = options.log.machinery
  await using opening = new AsyncDisposableStack()
  const records = opening.use(await openRecords(options, signal))
  const { permits, leadership } = records
  const api = records.api.under(() => leadership.assert())
  const { view, needs } = options.cluster()
  const ledger = opening.use(new Ledger({ api, permits, leadership, clock, log, namespace: identity.namespace }))
  // What others do counts for the rules that the mode lets hold, and for what the others would have said.
  const informers = onlyOf(options.informers, needs)
  const observer = opening.use(new ClusterObserver({ informers, view, clock, log, ledger: () => ledger.view }))
  const arbiter = new Arbiter({
    ledger,
    observed: () => observer.observations(),
    signals: () => observer.signals(),
    state: () => withoutBudgets(view.state()),
    watches: of => view.watches(of),
    policy: () => options.policy,
    ownerLabel,
    ownNamespace: identity.namespace,
    events,
    clock,
    log,
  })
  const gates = () => ({
    state: view.state(),
    permits: ledger.view.active(),
    observed: observer.observations(),
    signals: observer.signals(),
    nowMs: clock.now(),
  })
  opening.use(options.arbiterMetrics?.watch({ arbiter, gates, isFrozen: () => options.policy.freeze !== false }))
  await arbiter.takeOver(signal)
  for (const record of arbiter.unfinished(requester))
    await arbiter.release(
      record,
      { ending: 'done', reason: 'it had begun when its process ended: the pod is gone or leaves' },
      signal,
    )
  const effects = { api, clock, leadership }
  const evictor = new PodEvictor({ arbiter, effects, evictionVersion, inBackground, log })
  const opened = opening.move()
  return { arbiter, evictor, records, [Symbol.asyncDispose]: () => opened.disposeAsync() }
}

/** Whether the book cannot be written any more by who opened it. */
export function isBookLost(error: unknown): boolean {
  return error instanceof LeaseLostError
}
