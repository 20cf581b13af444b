// One workload of two pods, a server that keeps permits, and leaders that take over one after the other.
import { shiftedClock } from '#kube/testdata/shifted-clock.ts'
import { defaultOwnerLabel } from '#cluster/ownership.ts'
import { buildClusterState, type ClusterState } from '#cluster/cluster-state.ts'
import type { Clock } from '#kube/clock.ts'
import type { Informer } from '#kube/informers/informer-view.ts'
import { silentLog } from '#kube/log.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import type { Store } from '#kube/informers/store.ts'
import type { DisruptionPermit } from '../api.ts'
import { Arbiter } from '../arbiter/arbiter.ts'
import type { Reply } from '../arbiter/hearing.ts'
import type { EffectContext } from '../effects/effect-context.ts'
import type { Intent } from '../intent.ts'
import { Ledger } from '../permits/ledger.ts'
import { type ArbiterPolicy, defaultPolicy } from '../policy/arbiter-policy.ts'
import { PermitServer } from './permit-server.ts'
import { startMs } from './scripted-api.ts'

const { signal } = new AbortController()
const owned = [{ apiVersion: 'apps/v1', kind: 'StatefulSet', name: 'db', uid: 'uid-db', controller: true }]

export function pod(name: string, uid = `uid-${name}`): KubeObject {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace: 'shop', uid, labels: { app: 'db' }, ownerReferences: owned },
    spec: { nodeName: 'n1', containers: [{ name: 'main' }] },
    status: { phase: 'Running', conditions: [{ type: 'Ready', status: 'True' }] },
  }
}

const around = (replicas: number): readonly KubeObject[] => [
  { apiVersion: 'v1', kind: 'Node', metadata: { name: 'n1' }, status: { allocatable: { cpu: '4', memory: '8Gi', pods: '110' } } },
  {
    apiVersion: 'apps/v1',
    kind: 'StatefulSet',
    metadata: { name: 'db', namespace: 'shop', uid: 'uid-db', labels: { 'scaling.talos.io/managed-by': 'descheduler' } },
    spec: { replicas, selector: {}, template: {} },
  },
  {
    apiVersion: 'policy/v1',
    kind: 'PodDisruptionBudget',
    metadata: { name: 'db', namespace: 'shop', generation: 1 },
    spec: { maxUnavailable: 1, selector: { matchLabels: { app: 'db' } } },
    status: { observedGeneration: 1, expectedPods: 2, desiredHealthy: 1, currentHealthy: 2, disruptionsAllowed: 1 },
  },
]

export const otherWorkload = { apiVersion: 'apps/v1', kind: 'StatefulSet', namespace: 'shop', name: 'other', uid: 'uid-other' }

export class Site {
  readonly server = new PermitServer()
  readonly events: { reason: string; note: string }[] = []
  policy: ArbiterPolicy = { ...defaultPolicy, caps: { ...defaultPolicy.caps, concurrent: 10 } }
  replicas = 2
  /** The namespace is frozen until then. */
  frozenUntilMs: number | undefined
  /** Ledger of the leader that took over last. */
  ledger: Ledger | undefined
  /** Store of the same leader: what its watch has brought. */
  store: Store<DisruptionPermit> | undefined
  informer: Informer<DisruptionPermit> | undefined
  /** How wrong the wall clock is of a leader that takes over from now on. */
  skewMs = 0
  pods: readonly KubeObject[] = [pod('db-0'), pod('db-1')]

  objects(): readonly KubeObject[] {
    const until = this.frozenUntilMs === undefined ? undefined : new Date(this.frozenUntilMs).toISOString()
    const annotations = until === undefined ? {} : { 'ballast.dev/freeze': until }
    const shop = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'shop', annotations } }
    return [shop, ...around(this.replicas), ...this.pods]
  }

  state(): ClusterState {
    return buildClusterState([...this.objects()]).state
  }

  /** What effects work with. */
  effects(): EffectContext {
    return { api: this.server.api(), clock: this.#clock(), leadership: this.server.leadership() }
  }

  /** Somebody deletes a permit with kubectl. */
  deleteByHand(key: string): void {
    const permit = this.server.permits.get(key)
    this.server.permits.delete(key)
    if (permit !== undefined) this.store?.remove(permit)
  }

  /** Somebody edits one, and the API server takes it. */
  editByHand(key: string, edit: (permit: DisruptionPermit) => DisruptionPermit): void {
    const permit = this.server.permits.get(key)
    if (permit !== undefined) this.putByHand(edit(permit))
  }

  putByHand(permit: DisruptionPermit): void {
    const stored = this.server.put(permit)
    this.store?.upsert(stored)
  }

  #clock(): Clock {
    const { clock } = this.server
    return shiftedClock(clock, () => this.skewMs)
  }

  /** A leader with a ledger of its own over what the server has. */
  async leader(): Promise<Arbiter> {
    const { server } = this
    server.objects = () => this.objects()
    const { informer, store } = server.watched()
    const clock = this.#clock()
    const ledger = new Ledger({
      api: server.api(),
      permits: informer,
      leadership: server.leadership(),
      clock,
      log: silentLog,
      namespace: 'ballast-system',
    })
    const arbiter = new Arbiter({
      ledger,
      state: () => this.state(),
      policy: () => this.policy,
      ownerLabel: defaultOwnerLabel,
      ownNamespace: 'ballast-system',
      events: { emit: (event: { reason: string; note: string }) => this.events.push(event) } as never,
      clock,
      log: silentLog,
    })
    this.ledger = ledger
    this.store = store
    this.informer = informer
    await arbiter.takeOver(signal)
    return arbiter
  }
}

export function eviction(name: string, change: Partial<Intent> = {}): Intent {
  const target = { apiVersion: 'v1', kind: 'Pod', namespace: 'shop', name, uid: `uid-${name}` }
  return {
    requester: 'deschedule',
    verb: 'evict',
    purpose: 'move',
    class: 'balance',
    targets: [target],
    workload: { apiVersion: 'apps/v1', kind: 'StatefulSet', namespace: 'shop', name: 'db', uid: 'uid-db' },
    disrupts: [target],
    reasons: [],
    idempotencyKey: `plan/${name}`,
    batch: 'plan',
    deadlineMs: startMs + 900_000,
    timeToLiveMs: 600_000,
    proof: { snapshotHash: 'x', nodes: ['n2'] },
    requireBudget: true,
    ...change,
  }
}

export function words(reply: Reply): string {
  if (reply.kind === 'granted') return `granted ${reply.permit.record.name}${reply.isNew ? '' : ' again'}`
  return 'objection' in reply.verdict ? `${reply.verdict.kind} ${reply.verdict.objection.rule}` : reply.verdict.kind
}


/** A rollout of the same workload. */
export function rollout(requester: string, change: Partial<Intent> = {}): Intent {
  const db = { apiVersion: 'apps/v1', kind: 'StatefulSet', namespace: 'shop', name: 'db', uid: 'uid-db' }
  const { batch: _, proof: __, requireBudget: ___, ...rest } = eviction('db-0')
  return {
    ...rest,
    requester,
    verb: 'restart',
    purpose: 'reload',
    class: 'correctness',
    targets: [db],
    disrupts: ['db-0', 'db-1'].map(name => ({ apiVersion: 'v1', kind: 'Pod', namespace: 'shop', name, uid: `uid-${name}` })),
    idempotencyKey: `${requester}/db`,
    ...change,
  }
}
