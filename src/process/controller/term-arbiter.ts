// The arbiter of one term: what it sees of the cluster, its ledger taken over, and what counts its decisions.
import { type DisruptionPermit, disruptionPermits } from '#coordination/api.ts'
import { Arbiter } from '#coordination/arbiter/arbiter.ts'
import type { Identity } from '#coordination/capability.ts'
import { ClusterView } from '#coordination/facts/cluster-view.ts'
import { isAsked, onlyOf } from '#coordination/facts/view-needs.ts'
import type { ApiHealth } from '#coordination/gates/api-health.ts'
import { UsageAge } from '#coordination/gates/usage-age.ts'
import type { Need } from '#coordination/needs.ts'
import { ClusterObserver } from '#coordination/observed/cluster-observer.ts'
import { Ledger } from '#coordination/permits/ledger.ts'
import type { Api } from '#kube/client/api.ts'
import type { Clock } from '#kube/clock.ts'
import { untilDone } from '#kube/controllers/until-done.ts'
import type { EventRecorder } from '#kube/events/events.ts'
import type { Informers } from '#kube/informers/informer.ts'
import type { Leader } from '#kube/leases/lease.ts'
import { type Log, messageOf } from '#kube/log.ts'
import type { SettingsFeed } from '../configuration/controller-settings.ts'
import type { ControllerMetrics } from './controller-metrics.ts'

interface TermArbiterOptions {
  readonly api: Api
  readonly clock: Clock
  readonly log: Log
  readonly identity: Identity
  readonly events: EventRecorder
  readonly informers: Informers
  readonly leader: Leader
  readonly settings: SettingsFeed
  readonly metrics: ControllerMetrics | undefined
  /** How the API server answers us. */
  readonly apiHealth: ApiHealth
  /** What the arbiter watches of the cluster. */
  readonly viewNeeds: readonly Need[]
  /** Empty: the cluster. */
  readonly namespaces: readonly string[]
}

/** How long a term that ends waits for its last write, in milliseconds. */
const lastWriteMs = 2_000

async function writeLastEnds(arbiter: Arbiter, { clock, log }: { readonly clock: Clock; readonly log: Log }): Promise<void> {
  const ending = new AbortController()
  const cancel = clock.schedule(lastWriteMs, () => ending.abort(new DOMException('the term is over', 'AbortError')))
  try {
    await arbiter.writeEnds(ending.signal)
  } catch (error) {
    log.warn({ why: messageOf(error) }, 'how some disruptions ended was not written: the next leader finds it out')
  } finally {
    cancel()
  }
}

/**
 * Waits for the watches, then takes the ledger over: from then on the arbiter may be asked. What it opens is on `stack`. Where nobody may ask
 * it reads nothing of the cluster: a role that is made for who disrupts nothing has no right to that.
 */
export async function openArbiter(options: TermArbiterOptions, stack: AsyncDisposableStack, signal: AbortSignal) {
  const { api, clock, log, identity, events, informers, leader, settings, metrics, apiHealth, viewNeeds, namespaces } = options
  const seen = onlyOf(informers, viewNeeds)
  const view = stack.use(new ClusterView(seen, clock, viewNeeds))
  const permits = (isAsked(viewNeeds) ? informers : seen).of<DisruptionPermit>(disruptionPermits)
  await informers.allSynced(signal)
  await view.snapshot(signal)
  const ledger = new Ledger({ api, permits, leadership: leader, clock, log, namespace: identity.namespace, namespaces })
  const usageAge = new UsageAge()
  const usageAgeMs = () => usageAge.ageMs()
  const observer = stack.use(
    new ClusterObserver({ informers: seen, view, clock, log, ledger: () => ledger.view, apiHealth, usageAgeMs, namespaces }),
  )
  const arbiter = new Arbiter({
    ledger,
    observed: () => observer.observations(),
    signals: () => observer.signals(),
    state: () => view.state(),
    watches: of => view.watches(of),
    policy: () => settings.current.arbiter,
    ownerLabel: settings.current.ownerLabel,
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
  const isFrozen = () => settings.current.arbiter.freeze !== false
  stack.use(metrics?.watchArbiter({ arbiter, gates, isFrozen }))
  // What ended is written while we lead still; where that cannot be, the next leader finds it out.
  stack.defer(() => writeLastEnds(arbiter, { clock, log }))
  if (isAsked(viewNeeds)) {
    // A leader waits for its books: a term given up for one answer would stop what does not need them, too.
    await untilDone(() => arbiter.takeOver(signal), { clock, log, what: 'the ledger of permits is taken over' }, signal)
    await observer.learnFrom(api, signal)
  }
  const waiting = () => observer.signals().unschedulable ?? []
  return { arbiter, view, permits, usageAge, waiting }
}
