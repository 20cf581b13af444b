// What the arbiter's decisions cost: 5,000 requests over 500 workloads of a cluster of 150,000 pods that keeps changing, with permits kept
// in memory; and a few against the API server of a twin. Run it alone: `node bench/arbiter.ts`.

import { deschedule } from '#capabilities/deschedule'
import type { WorkloadReference } from '#cluster/cluster-state.ts'
import { defaultOwnerLabel } from '#cluster/ownership.ts'
import { type DisruptionPermit, disruptionPermits } from '#coordination/api.ts'
import { Arbiter } from '#coordination/arbiter/arbiter.ts'
import { ClusterView, clusterNeeds } from '#coordination/facts/cluster-view.ts'
import { factsFor } from '#coordination/facts/facts.ts'
import { ApiHealth } from '#coordination/gates/api-health.ts'
import type { Intent, Target } from '#coordination/intent.ts'
import { ClusterObserver } from '#coordination/observed/cluster-observer.ts'
import { Ledger } from '#coordination/permits/ledger.ts'
import { isActive } from '#coordination/permits/permit-record.ts'
import { type ArbiterPolicy, defaultPolicy } from '#coordination/policy/arbiter-policy.ts'
import { judge } from '#coordination/policy/judge.ts'
import { HandFedInformers } from '#coordination/testdata/hand-fed-informers.ts'
import { PermitServer } from '#coordination/testdata/permit-server.ts'
import { openApi } from '#kube/client/api.ts'
import { systemClock } from '#kube/clock.ts'
import { EventRecorder } from '#kube/events/events.ts'
import { Informers } from '#kube/informers/informer.ts'
import { LeaseElection } from '#kube/leases/lease.ts'
import { silentLog } from '#kube/log.ts'
import { seededRandom } from '#kube/random.ts'
import { startTwin } from '#twin/twin.ts'
import { installBallast } from '../src/deployment/install-ballast.ts'
import { bigCluster, deploymentUid, namespaceOf, objectsOf, podName, podOf, podUid } from './big-cluster.ts'
import { crowdedCluster } from './crowded-cluster.ts'
import type { Figure } from './scheduler-model.ts'

const ownerLabel = defaultOwnerLabel
const ownNamespace = 'ballast-system'
const rounds = 10
const hourMs = 3_600_000
/** Pods that change between two decisions. */
const changesBetween = 2
const slowestDecisionMs = 5

const { signal } = new AbortController()

/** Everything may be on its way at once: the work of a decision is the question here, not its answer. */
const policy: ArbiterPolicy = {
  ...defaultPolicy,
  mergeWindowMs: 0,
  caps: { concurrent: 10_000, perHour: 10_000, perNamespace: 1_000, perSourceNode: 1_000, perDestination: 1_000 },
}

function commonOf(workload: WorkloadReference, { round, nowMs }: { readonly round: number; readonly nowMs: number }) {
  return {
    workload,
    reasons: [{ code: 'Bench', message: 'asked by the benchmark' }],
    idempotencyKey: `${round}/${workload.name}`,
    deadlineMs: nowMs + hourMs,
    timeToLiveMs: 600_000,
  }
}

/** A rollout for a Secret that changed. */
function rollout(
  workload: WorkloadReference,
  options: { readonly round: number; readonly nowMs: number; readonly pods: readonly Target[] },
): Intent {
  return {
    ...commonOf(workload, options),
    requester: 'reload',
    verb: 'restart',
    purpose: 'reload',
    class: 'correctness',
    targets: [workload],
    disrupts: options.pods,
    change: { annotations: { 'bench.ballast.dev/round': String(options.round) } },
  }
}

/** What one round asks of a workload: two moves of four wishes, a rollout for a Secret, a rollout for a size. */
function wish(workload: number, round: number, nowMs: number): Intent {
  const name = `app-${workload}`
  const namespace = namespaceOf(workload)
  const deployment = { apiVersion: 'apps/v1', kind: 'Deployment', namespace, name, uid: deploymentUid(workload) }
  const pods = Array.from({ length: bigCluster.replicas }, (_, replica) => ({
    apiVersion: 'v1',
    kind: 'Pod',
    namespace,
    name: podName(workload, replica),
    uid: podUid(workload, replica),
  }))
  const common = commonOf(deployment, { round, nowMs })
  const kind = (workload + round) % 4
  if (kind === 2) return rollout(deployment, { round, nowMs, pods })
  if (kind === 3)
    return {
      ...common,
      requester: 'resize',
      verb: 'resize',
      purpose: 'resize',
      class: 'capacity',
      targets: [deployment],
      disrupts: pods,
      change: { resources: [{ container: 'main', requests: { cpu: `${100 + round}m` } }] },
    }
  const replica = round * 7
  const [pod] = pods.slice(replica, replica + 1)
  const from = `node-${(workload * bigCluster.replicas + replica) % bigCluster.nodes}`
  const to = `node-${(workload * 31 + round * 17 + 1) % bigCluster.nodes}`
  return {
    ...common,
    requester: 'deschedule',
    verb: 'evict',
    purpose: 'move',
    class: 'balance',
    targets: pod === undefined ? [] : [pod],
    disrupts: pod === undefined ? [] : [pod],
    batch: `plan-${round}`,
    relocation: { from, to: [to] },
    proof: { snapshotHash: 'bench', nodes: [to] },
    requireBudget: true,
  }
}

class Site {
  readonly server = new PermitServer()
  readonly informers = new HandFedInformers(systemClock)
  readonly view: ClusterView
  readonly observer: ClusterObserver
  readonly ledger: Ledger
  readonly arbiter: Arbiter
  readonly #random = seededRandom(5)
  #version = 1

  constructor() {
    const { server, informers } = this
    const { clock } = server
    const api = server.api()
    for (const need of clusterNeeds) informers.of(need, need.fields === undefined ? {} : { fields: need.fields })
    for (const [resource, object] of objectsOf(bigCluster)) informers.store(resource).upsert(object)
    this.view = new ClusterView(informers, systemClock)
    const permits = server.informer()
    this.ledger = new Ledger({ api, permits, leadership: server.leadership(), clock, log: silentLog, namespace: ownNamespace })
    const apiHealth = new ApiHealth(clock)
    const ledger = () => this.ledger.view
    this.observer = new ClusterObserver({ informers, view: this.view, clock, log: silentLog, ledger, apiHealth })
    this.arbiter = new Arbiter({
      ledger: this.ledger,
      state: () => this.view.state(),
      policy: () => policy,
      ownerLabel,
      ownNamespace,
      events: new EventRecorder(api, { clock, random: this.#random, controller: 'bench', instance: 'bench' }),
      clock,
      log: silentLog,
      observed: () => this.observer.observations(),
      signals: () => this.observer.signals(),
    })
  }

  /** Pods that turn ready or unready, so that each decision finds another state. */
  #change(): void {
    for (let at = 0; at < changesBetween; at++) {
      const workload = Math.floor(this.#random() * bigCluster.workloads)
      const replica = Math.floor(this.#random() * bigCluster.replicas)
      const isReady = this.#random() < 0.9
      this.informers.store('pods').upsert(podOf(bigCluster, workload, replica, ++this.#version, isReady))
    }
  }

  /** How long a decision takes, in ms: the best of three, each on a state of its own, so that others on the machine count less. */
  decisionMs(intent: Intent): number {
    const tries = Array.from({ length: 3 }, () => {
      this.#change()
      return this.#decide(intent)
    })
    return Math.min(...tries)
  }

  /** As the arbiter decides: the state, the facts, the rules. */
  #decide(intent: Intent): number {
    const startMs = systemClock.elapsed()
    const state = this.view.state()
    const nowMs = this.server.clock.now()
    const observed = this.observer.observations()
    const ledger = this.ledger.view
    const signals = this.observer.signals()
    const facts = factsFor(intent, { state, ledger: ledger.active(), ownerLabel, ownNamespace, observed, signals, nowMs })
    judge({ intent, facts, ledger, observed, pending: this.arbiter.pending(), firstAskedMs: nowMs, policy, nowMs })
    return systemClock.elapsed() - startMs
  }

  /** A second by the server's clock: our own limit of requests a second is not what is measured. */
  rest(): Promise<void> {
    return this.server.clock.advance(1_000)
  }

  /** Ends what is out, and lets so much time pass that every cool-down is over. */
  async endRound(): Promise<void> {
    for (const record of this.ledger.view.active().filter(isActive)) {
      await this.rest()
      await this.arbiter.release(record, { ending: 'done', reason: 'the round is over' }, signal)
    }
    await this.server.clock.advance(7 * hourMs)
  }
}

/** Half of the rounds one by one, the others all at once, as after a change of leader. */
async function inMemory(): Promise<readonly Figure[]> {
  const site = new Site()
  await site.view.snapshot(signal)
  await site.arbiter.takeOver(signal)
  const decisions: number[] = []
  const requests: number[] = []
  let [grants, together, togetherMs] = [0, 0, 0]
  for (let round = 0; round < rounds; round++) {
    const nowMs = site.server.clock.now()
    const wishes = Array.from({ length: bigCluster.workloads }, (_, workload) => wish(workload, round, nowMs))
    const isTogether = round % 2 === 1
    for (const intent of wishes) {
      decisions.push(site.decisionMs(intent))
      if (isTogether) continue
      await site.rest()
      const startMs = systemClock.elapsed()
      if ((await site.arbiter.request(intent, signal)).kind === 'granted') grants++
      requests.push(systemClock.elapsed() - startMs)
    }
    if (isTogether) {
      const startMs = systemClock.elapsed()
      const replies = await Promise.all(wishes.map(intent => site.arbiter.request(intent, signal)))
      togetherMs += systemClock.elapsed() - startMs
      together += replies.filter(({ kind }) => kind === 'granted').length
    }
    await site.endRound()
  }
  return [
    ...spread('decision', decisions, slowestDecisionMs),
    ...spread('request, one by one', requests),
    { name: '500 requests at once: grants', value: together / (togetherMs / 1000), unit: 'a second' },
    { name: 'granted in all', value: grants + together, unit: `of ${rounds * bigCluster.workloads}` },
  ]
}

function spread(name: string, samples: readonly number[], most?: number): readonly Figure[] {
  const sorted = samples.toSorted((a, b) => a - b)
  const at = (share: number) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0
  return [
    { name: `${name}: p50`, value: at(0.5), unit: 'ms' },
    { name: `${name}: p99`, value: at(0.99), unit: most === undefined ? 'ms' : `ms (at most ${most})` },
    { name: `${name}: longest`, value: at(1), unit: 'ms' },
  ]
}

/** Rollouts of all workloads of a small cluster, one by one, each with a renewal of the Lease and a permit written to a twin's API server. */
async function againstTwin(): Promise<readonly Figure[]> {
  const clock = systemClock
  const random = seededRandom(3)
  const { objects } = crowdedCluster({ nodes: 50, pods: 1_000, hot: 5, seed: 3 })
  await using twin = await startTwin({ clock, seed: 1, objects, components: false })
  const api = openApi(twin.transport({ admin: true }), {
    clock,
    userAgent: 'bench',
    bucket: { perSecond: 5_000, burst: 5_000 },
  })
  await installBallast(api, { capabilities: [deschedule], namespace: ownNamespace, signal })
  await using informers = new Informers(api, { clock, random, signal })
  using view = new ClusterView(informers, clock)
  const permits = informers.of<DisruptionPermit>(disruptionPermits)
  await informers.allSynced(signal)
  const election = new LeaseElection({ api, namespace: ownNamespace, name: 'bench', identity: 'bench', clock, random })
  const requests: number[] = []
  await election.run(async leadership => {
    const ledger = new Ledger({ api, permits, leadership, clock, log: silentLog, namespace: ownNamespace })
    await using events = new EventRecorder(api, { clock, random, controller: 'bench', instance: 'bench' })
    const state = () => view.state()
    const arbiter = new Arbiter({ ledger, state, policy: () => policy, ownerLabel, ownNamespace, events, clock, log: silentLog })
    await arbiter.takeOver(signal)
    for (const { apiVersion, kind, metadata } of view.state().objects('Deployment')) {
      const { namespace = '', name, uid = '' } = metadata
      const workload = { apiVersion, kind, namespace, name, uid }
      const startMs = clock.elapsed()
      const reply = await arbiter.request(rollout(workload, { round: 0, nowMs: clock.now(), pods: [] }), signal)
      if (reply.kind === 'granted') requests.push(clock.elapsed() - startMs)
    }
  }, signal)
  return [...spread('request against a twin', requests), { name: 'grants by the twin', value: requests.length, unit: '' }]
}

export async function arbiterFigures(): Promise<readonly Figure[]> {
  return [...(await againstTwin()), ...(await inMemory())]
}

if (import.meta.main) {
  for (const { name, value, unit } of await arbiterFigures()) process.stdout.write(`${name}: ${value.toFixed(2)} ${unit}\n`)
}
