// An observer of a test's own, beside the controller's: over the administrator's watches, with the permits that are in the cluster.
import { type DisruptionPermit, disruptionPermits } from '#coordination/api.ts'
import { ClusterView } from '#coordination/facts/cluster-view.ts'
import { ClusterObserver } from '#coordination/observed/cluster-observer.ts'
import { viewOf } from '#coordination/permits/ledger-view.ts'
import { recordOf } from '#coordination/permits/permit-record.ts'
import { Informers } from '#kube/informers/informer.ts'
import { silentLog } from '#kube/log.ts'
import { seededRandom } from '#kube/random.ts'
import type { ControlledCluster } from './controlled-cluster.ts'

const { signal } = new AbortController()

/** At work when it resolves, until it is disposed of. */
export async function observe({ clock, admin }: Pick<ControlledCluster, 'admin' | 'clock'>) {
  const stack = new AsyncDisposableStack()
  const informers = stack.use(new Informers(admin, { clock, random: seededRandom(7), signal }))
  const view = stack.use(new ClusterView(informers, clock))
  const permits = informers.of<DisruptionPermit>(disruptionPermits)
  let isSynced = false
  const synced = informers.allSynced(signal).finally(() => {
    isSynced = true
  })
  await clock.runUntil(() => isSynced, { limitMs: 60_000 })
  await synced
  const ledger = () => viewOf(Array.from(permits.store.list(), recordOf))
  const observer = stack.use(new ClusterObserver({ informers, view, clock, ledger, log: silentLog }))
  return { observer, view, [Symbol.asyncDispose]: () => stack.disposeAsync() }
}
