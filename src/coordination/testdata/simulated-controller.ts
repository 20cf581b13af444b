// One controller of the simulation: the real leader election, ledger, arbiter and eviction, and somebody who wants pods evicted. Only what
// it hears and sends goes through the simulated network.
import { defaultOwnerLabel } from '#cluster/ownership.ts'
import { buildClusterState, type ClusterState } from '#cluster/cluster-state.ts'
import { type Api, openApi } from '#kube/client/api.ts'
import type { Clock } from '#kube/clock.ts'
import { EventRecorder } from '#kube/events/events.ts'
import type { Informer } from '#kube/informers/informer-view.ts'
import { type Leader, LeaseElection } from '#kube/leases/lease.ts'
import { silentLog } from '#kube/log.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import type { Store } from '#kube/informers/store.ts'
import type { DisruptionPermit } from '../api.ts'
import { Arbiter } from '../arbiter/arbiter.ts'
import type { EffectContext } from '../effects/effect-context.ts'
import { evict } from '../effects/evict.ts'
import type { Intent, Target } from '../intent.ts'
import type { Leadership } from '../arbiter/leadership.ts'
import { Ledger } from '../permits/ledger.ts'
import { type Permit } from '../permits/permit.ts'
import type { PermitRecord } from '../permits/permit-record.ts'
import { defaultPolicy } from '../policy/arbiter-policy.ts'
import { type JudgedServer, workloads } from './judged-server.ts'
import type { LossyWorld } from './lossy-world.ts'
import { permitWatch } from './permit-watch.ts'

const policy = {
  ...defaultPolicy,
  caps: { ...defaultPolicy.caps, concurrent: 50, perNamespace: 50, perSourceNode: 50, perHour: 1e6 },
}
const around: readonly KubeObject[] = [
  { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'shop' } },
  ...workloads.flatMap((name): KubeObject[] => [
    {
      apiVersion: 'v1',
      kind: 'Node',
      metadata: { name: `n-${name}` },
      status: { allocatable: { cpu: '4', memory: '8Gi', pods: '110' } },
    },
    {
      apiVersion: 'apps/v1',
      kind: 'StatefulSet',
      metadata: { name, namespace: 'shop', uid: `uid-${name}`, labels: { 'scaling.talos.io/managed-by': 'descheduler' } },
      spec: { replicas: 2, selector: {}, template: {} },
    },
  ]),
]

/** What is taken out, to see that the judge finds it. */
export interface Flags {
  /** The leader is taken at its word: no Lease is asked before grants and effects. */
  readonly isTrusted?: boolean
  /** The Lease is not renewed before grants; effects still look when it last was. */
  readonly isUnconfirmed?: boolean
  /** Nobody waits for a leader whose Lease was deleted. */
  readonly isHasty?: boolean
  /** Pods of all workloads are asked for together, and share a permit. */
  readonly isTogether?: boolean
}

/** One controller, from its start to its end. */
export class Process {
  isDead = false
  pausedUntilMs = 0
  skewMs = 0
  readonly #world: LossyWorld
  readonly #server: JudgedServer
  readonly #flags: Flags
  readonly #clock: Clock
  readonly #api: Api
  readonly #identity: string
  readonly #events: EventRecorder
  readonly #end = new AbortController()
  readonly done: Promise<void>

  constructor(world: LossyWorld, server: JudgedServer, options: { readonly identity: string; readonly flags: Flags }) {
    this.#world = world
    this.#server = server
    this.#flags = options.flags
    this.#identity = options.identity
    this.skewMs = Math.floor((world.random() - 0.5) * 7_200_000)
    const hooks = {
      isDead: () => this.isDead,
      isPaused: () => world.nowMs < this.pausedUntilMs,
      skewMs: () => this.skewMs,
    }
    this.#clock = world.clock(hooks)
    this.#api = openApi(world.transport(server, hooks), {
      clock: this.#clock,
      userAgent: options.identity,
      bucket: { perSecond: 1e6, burst: 1e6 },
    })
    this.#events = new EventRecorder(this.#api, {
      clock: this.#clock,
      random: world.random,
      controller: 'test',
      instance: options.identity,
    })
    this.done = this.#run()
  }

  kill(): void {
    this.isDead = true
  }

  /** Ends as SIGTERM ends it. */
  stop(): void {
    this.#end.abort(new DOMException('stopped', 'AbortError'))
  }

  async #run(): Promise<void> {
    const { signal } = this.#end
    while (!signal.aborted) {
      const election = new LeaseElection({
        api: this.#api,
        namespace: 'ballast-system',
        name: 'ballast-controller',
        identity: this.#identity,
        clock: this.#clock,
        random: this.#world.random,
      })
      try {
        await election.run(leader => this.#lead(leader), signal)
      } catch {
        // A term that ends by a fault: the process stands again, as the controller does.
        await this.#clock.after(1_000, signal).catch(() => undefined)
      }
    }
  }

  async #lead(leader: Leader): Promise<void> {
    this.#server.counts.leaders++
    const view = new View(this.#world, this.#server, this.#clock)
    const leadership = leadershipOf(leader, this.#flags)
    const ledger = new Ledger({
      api: this.#api,
      permits: view.informer,
      leadership,
      clock: this.#clock,
      log: silentLog,
      namespace: 'ballast-system',
    })
    const arbiter = new Arbiter({
      ledger,
      state: () => view.state(),
      policy: () => policy,
      ownerLabel: defaultOwnerLabel,
      ownNamespace: 'ballast-system',
      events: this.#events,
      clock: this.#clock,
      log: silentLog,
    })
    try {
      await arbiter.takeOver(leader.signal)
      const effects = { api: this.#api, clock: this.#clock, leadership }
      const roles = workloads.map(workload => ({ workload, arbiter, effects, view }))
      const requesters =
        this.#flags.isTogether === true
          ? [0, 1].map(at => this.#wantTogether(roles, at, leader.signal))
          : roles.map(role => this.#request(role, leader.signal))
      const settling = this.#settle(arbiter, leader.signal)
      await Promise.all([...requesters, settling])
    } finally {
      view.end()
      ledger[Symbol.dispose]()
    }
  }

  async #settle(arbiter: Arbiter, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      try {
        await this.#clock.after(20_000, signal)
        await arbiter.settle(signal)
      } catch {
        // The network is bad: it is tried again, while we lead.
      }
    }
  }

  /** Two wants of one workload side by side, so that they meet at the lock; what was left by a leader before is taken up first. */
  async #request(role: Role, signal: AbortSignal): Promise<void> {
    await Promise.all([0, 1].map(at => this.#wants(role, at, signal)))
  }

  async #wants(role: Role, at: number, signal: AbortSignal): Promise<void> {
    const { workload, arbiter, view } = role
    while (!signal.aborted) {
      try {
        await this.#takeUp(role, at, signal)
        const pod = view.pod(`${workload}-${at}`)
        if (pod === undefined) await this.#clock.after(1_000, signal)
        else {
          const reply = await arbiter.request(this.#intentOf(workload, pod), signal)
          if (reply.kind === 'granted') {
            if (reply.isNew) this.#handOut(reply.permit.record)
            await this.#carryOut(role, reply.permit, signal)
          } else await this.#clock.after(500 + this.#world.random() * 3_000, signal)
        }
      } catch {
        // Whatever broke: it is asked again, while we lead.
        await this.#clock.after(500, signal).catch(() => undefined)
      }
    }
  }

  /** One pod of each workload at once; each is carried out by itself. */
  async #wantTogether(roles: readonly Role[], at: number, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      try {
        const taken = roles.map(role => this.#takeUp(role, at, signal))
        await Promise.all(taken)
        const asked = roles.flatMap(role => {
          const pod = role.view.pod(`${role.workload}-${at}`)
          return pod === undefined ? [] : [{ role, intent: this.#intentOf(role.workload, pod) }]
        })
        const [arbiter] = roles.map(role => role.arbiter)
        const replies = (await arbiter?.requestTogether(asked.map(({ intent }) => intent), signal)) ?? []
        for (const reply of replies) if (reply.kind === 'granted' && reply.isNew) this.#handOut(reply.permit.record)
        await Promise.all(
          replies.map(async (reply, index) => {
            const role = asked[index]?.role
            if (reply.kind === 'granted' && role !== undefined) await this.#carryOut(role, reply.permit, signal)
          }),
        )
        await this.#clock.after(500 + this.#world.random() * 3_000, signal)
      } catch {
        // Whatever broke: it is asked again, while we lead.
        await this.#clock.after(500, signal).catch(() => undefined)
      }
    }
  }

  /** What an earlier leader left of this want. */
  async #takeUp(role: Role, at: number, signal: AbortSignal): Promise<void> {
    const { arbiter, workload } = role
    const left = arbiter.unfinished('deschedule').find(record => record.targets[0]?.name === `${workload}-${at}`)
    if (left !== undefined) await this.#carryOut(role, arbiter.adopt(left), signal)
  }

  #handOut({ name, member, workload = '', grant, epoch }: PermitRecord): void {
    this.#server.handOut({ name, member, workload, token: grant?.token ?? 0, epoch })
  }

  async #carryOut({ arbiter, effects, view, workload }: Role, permit: Permit, signal: AbortSignal): Promise<void> {
    const [target] = permit.record.targets
    if (target === undefined) return
    for (let attempt = 0; attempt < 5; attempt++) {
      const outcome = await evict(effects, permit, target, signal)
      if (outcome.kind === 'evicted' || outcome.kind === 'already-gone') break
      await this.#clock.after(1_000, signal)
    }
    for (let waits = 0; waits < 200; waits++) {
      const pods = view.podsOf(workload)
      if (pods.length === 2 && pods.every(pod => pod.metadata.uid !== target.uid)) {
        this.#server.letGo({ name: permit.record.name, member: permit.record.member })
        await arbiter.release(permit.record, { ending: 'done', reason: 'replaced' }, signal)
        return
      }
      await this.#clock.after(1_000, signal)
    }
  }

  #intentOf(workload: string, pod: KubeObject): Intent {
    const { name, uid = '' } = pod.metadata
    const target: Target = { apiVersion: 'v1', kind: 'Pod', namespace: 'shop', name, uid }
    const nowMs = this.#clock.now()
    return {
      requester: 'deschedule',
      verb: 'evict',
      purpose: 'isolate',
      class: 'correctness',
      targets: [target],
      workload: { apiVersion: 'apps/v1', kind: 'StatefulSet', namespace: 'shop', name: workload, uid: `uid-${workload}` },
      disrupts: [target],
      reasons: [],
      idempotencyKey: uid,
      deadlineMs: nowMs + 900_000,
      timeToLiveMs: 120_000,
      proof: { snapshotHash: 'x', nodes: ['n-a'] },
    }
  }
}

function leadershipOf(leader: Leader, { isTrusted = false, isUnconfirmed = false, isHasty = false }: Flags): Leadership {
  return {
    transitions: leader.transitions,
    assert: () => (isTrusted ? undefined : leader.assert()),
    confirm: async signal => (isTrusted || isUnconfirmed ? undefined : leader.confirm(signal)),
    outlast: async signal => (isTrusted || isHasty ? undefined : leader.outlast(signal)),
    annotations: () => leader.annotations(),
    annotate: async (annotations, signal) => (isTrusted ? undefined : leader.annotate(annotations, signal)),
  }
}

interface Role {
  readonly workload: string
  readonly arbiter: Arbiter
  readonly effects: EffectContext
  readonly view: View
}

/** What one leader has heard of the cluster: in order, and as late as the network likes. */
class View {
  readonly informer: Informer<DisruptionPermit>
  readonly #pods = new Map<string, KubeObject>()
  readonly #heard: (() => void)[] = []
  readonly #unwatch: () => void
  #state: ClusterState | undefined

  constructor(world: LossyWorld, server: JudgedServer, clock: Clock) {
    const { informer, store } = permitWatch(clock)
    this.informer = informer
    const hear = (change: { readonly type: 'put' | 'gone'; readonly object: KubeObject }) => {
      this.#heard.push(() => this.#take(store, change))
      world.fly(() => this.#heard.shift()?.())
    }
    for (const object of server.everything()) this.#take(store, { type: 'put', object })
    this.#unwatch = server.watch(hear)
  }

  end(): void {
    this.#unwatch()
  }

  state(): ClusterState {
    this.#state ??= buildClusterState([...around, ...this.#pods.values()]).state
    return this.#state
  }

  pod(name: string): KubeObject | undefined {
    return this.#pods.get(name)
  }

  podsOf(workload: string): readonly KubeObject[] {
    return [...this.#pods.values()].filter(pod => pod.metadata.name.startsWith(`${workload}-`))
  }

  #take(store: Store<DisruptionPermit>, { type, object }: { readonly type: 'put' | 'gone'; readonly object: KubeObject }): void {
    if (isPermit(object)) {
      if (type === 'put') store.upsert(object)
      else store.remove(object)
      return
    }
    this.#state = undefined
    const known = this.#pods.get(object.metadata.name)
    if (type === 'put') this.#pods.set(object.metadata.name, object)
    else if (known?.metadata.uid === object.metadata.uid) this.#pods.delete(object.metadata.name)
  }
}

function isPermit(object: KubeObject): object is DisruptionPermit {
  return object.kind === 'DisruptionPermit'
}

