// A live source over 5,000 nodes and 150,000 pods that change, fed by hand: what the benches of the dashboard stand on.
import { defaultOwnerLabel } from '#cluster/ownership.ts'
import { defaultSettings } from '#cluster/scheduler-settings.ts'
import { disruptionPermits, rebalancePlans, rebalancePolicies } from '#coordination/api.ts'
import { clusterNeeds } from '#coordination/facts/cluster-view.ts'
import { defaultPolicy } from '#coordination/policy/arbiter-policy.ts'
import { HandFedInformers } from '#coordination/testdata/hand-fed-informers.ts'
import { type LiveSource, openLiveSource, type SharedInformers } from '#dashboard/source/live-source.ts'
import { openApi } from '#kube/client/api.ts'
import type { Transport, TransportRequest } from '#kube/client/transport.ts'
import { systemClock } from '#kube/clock.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import type { GroupVersionResource } from '#kube/objects/resource.ts'
import { seededRandom, systemRandom } from '#kube/random.ts'
import { enabledCapabilities } from '#process/enabled-capabilities.ts'
import { bigCluster, nodeOf, objectsOf, podOf } from './big-cluster.ts'

/** metrics.k8s.io of the cluster, and nothing else. */
class MetricsServer implements Transport {
  readonly #random = seededRandom(3)

  async request(request: TransportRequest) {
    const body = new TextEncoder().encode(this.#answer(request.path))
    return { status: this.#isMetrics(request.path) ? 200 : 404, headers: { 'content-type': 'application/json' }, body }
  }

  async stream(request: TransportRequest) {
    const { body, ...head } = await this.request(request)
    return {
      ...head,
      chunks: (async function* () {
        yield body
      })(),
    }
  }

  close(): Promise<void> {
    return Promise.resolve()
  }

  #isMetrics(path: string): boolean {
    return path === '/apis/metrics.k8s.io/v1beta1/nodes'
  }

  #answer(path: string): string {
    if (!this.#isMetrics(path)) return JSON.stringify({ kind: 'Status', apiVersion: 'v1', status: 'Failure', code: 404 })
    const timestamp = new Date(systemClock.now()).toISOString()
    const items = Array.from({ length: bigCluster.nodes }, (_, node) => ({
      metadata: { name: `node-${node}` },
      timestamp,
      window: '15s',
      usage: { cpu: `${Math.floor(this.#random() * 30_000)}m`, memory: `${Math.floor(this.#random() * 120)}Gi` },
    }))
    return JSON.stringify({ kind: 'NodeMetricsList', apiVersion: 'metrics.k8s.io/v1beta1', metadata: {}, items })
  }
}

export interface DashboardWorld extends AsyncDisposable {
  readonly source: LiveSource
  /** One object changes: a pod's readiness, or, one in twenty, a node's cordon. */
  change(): void
}

/** The source, ready; `books`: policies and plans that it holds, too. */
export async function dashboardWorld(books: readonly KubeObject[] = []): Promise<DashboardWorld> {
  const fed = new HandFedInformers(systemClock)
  const kinds = new Map<string, GroupVersionResource>([
    ['RebalancePolicy', rebalancePolicies],
    ['RebalancePlan', rebalancePlans],
    ['DisruptionPermit', disruptionPermits],
  ])
  const needs = [...clusterNeeds, ...kinds.values()]
  for (const need of clusterNeeds) fed.of(need, need.fields === undefined ? {} : { fields: need.fields })
  for (const [resource, object] of objectsOf(bigCluster)) fed.store(resource).upsert(object)
  for (const resource of kinds.values()) fed.of(resource)
  for (const object of books) {
    const resource = kinds.get(object.kind)
    if (resource !== undefined) fed.store(resource.resource).upsert(object)
  }
  const all = () => needs.map(need => fed.of(need))
  const informers: SharedInformers = {
    share: () => ({ of: (resource, scope) => fed.of(resource, scope), all, [Symbol.asyncDispose]: () => Promise.resolve() }),
  }
  const api = openApi(new MetricsServer(), { clock: systemClock, userAgent: 'bench' })
  const stop = new AbortController()
  const source = openLiveSource({
    informers,
    api,
    clock: systemClock,
    wallClock: systemClock,
    random: systemRandom,
    mode: 'cluster',
    cluster: 'bench',
    settings: () => ({
      arbiter: defaultPolicy,
      ownerLabel: defaultOwnerLabel,
      scheduler: defaultSettings('1.34'),
      ownNamespace: 'ballast-system',
      capabilities: ['deschedule', 'reload', 'rightsize'],
      askers: enabledCapabilities,
    }),
    signal: stop.signal,
  })
  await source.ready
  const random = seededRandom(5)
  let version = 1
  return {
    source,
    change: () => {
      if (random() < 0.05) {
        const node = nodeOf(Math.floor(random() * bigCluster.nodes), ++version)
        fed.store('nodes').upsert({ ...node, spec: { ...node.spec, unschedulable: random() < 0.5 } })
        return
      }
      const [workload, replica] = [bigCluster.workloads, bigCluster.replicas].map(most => Math.floor(random() * most))
      fed.store('pods').upsert(podOf(bigCluster, workload ?? 0, replica ?? 0, ++version, random() < 0.9))
    },
    [Symbol.asyncDispose]: async () => {
      stop.abort()
      await source[Symbol.asyncDispose]()
      await api.close()
    },
  }
}
