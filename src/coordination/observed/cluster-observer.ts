// Watches what others do to workloads, over the informers that are there anyway: lost pods, rollouts, scale events, drains.
import type { Api } from '#kube/client/api.ts'
import type { Cancel, Clock } from '#kube/clock.ts'
import { breather } from '#kube/controllers/breather.ts'
import type { Informers } from '#kube/informers/informer.ts'
import type { Informer } from '#kube/informers/informer-view.ts'
import type { Change } from '#kube/informers/store.ts'
import type { Log } from '#kube/log.ts'
import type { KubeObject, Node, Pod } from '#kube/objects/objects.ts'
import { workloadKey } from '#planning/goals/policy.ts'
import { hasBrought } from '../effects/begun.ts'
import { restartMark } from '../effects/restart.ts'
import type { ClusterView } from '../facts/cluster-view.ts'
import type { ApiHealth } from '../gates/api-health.ts'
import type { ClusterSignals } from '../gates/signals.ts'
import type { LedgerView } from '../permits/ledger-view.ts'
import type { PermitRecord } from '../permits/permit-record.ts'
import { cordonOf } from './cordon.ts'
import { lookBack } from './look-back.ts'
import { isClear } from './loss-cause.ts'
import { lossId, noteLoss } from './noted-loss.ts'
import type { Observation, Observations } from './observation.ts'
import { ObservationBook } from './observation-book.ts'
import { observationSentence } from './observation-sentence.ts'
import { InformedCluster, topOf } from './observed-cluster.ts'
import { pastEvents } from './past-events.ts'
import { type PodLoss, podLoss } from './pod-losses.ts'
import { scaleWrite } from './scale-writes.ts'
import { RestartMarks, restartedAtOf, rolloutId, templateChange } from './template-changes.ts'
import { UnschedulablePods } from './unschedulable-pods.ts'

interface ObserverOptions {
  readonly informers: Pick<Informers, 'of'>
  readonly view: ClusterView
  readonly clock: Clock
  /** Our permits: what they name is no disruption by others. */
  readonly ledger: () => LedgerView
  readonly log: Log
  /** How the API server answers us; without it the gate `api-slow` stays green. */
  readonly apiHealth?: ApiHealth
  /** How old the measured usage is, in milliseconds; without it the gate `usage-stale` stays green. */
  readonly usageAgeMs?: () => number | undefined
  /** Where Events are read, where that is not the whole cluster. */
  readonly namespaces?: readonly string[] | undefined
}

/** How long a deletion that says nothing waits for what its controller did, which comes by another watch. */
const settleMs = 5_000
/** How long after a permit was released its rollout may begin: controllers write revisions a while after the template changed. */
const broughtWithinMs = 60_000
/** Deletions that wait so; above it the oldest is judged at once. */
const mostUnsettled = 5_000

/**
 * Flow: made once all informers are synced, it writes down each change as it comes; `learnFrom` once, what came before.
 * Guarantees: what our permits name is never observed; a pod is lost once; a drain is one observation, not its pods.
 */
export class ClusterObserver implements Disposable {
  readonly #options: ObserverOptions
  readonly #cluster: InformedCluster
  readonly #book = new ObservationBook()
  readonly #unschedulable = new UnschedulablePods()
  readonly #subscriptions: (() => void)[] = []
  /** Deletions whose cause is not clear yet, by UID of the pod, oldest first. */
  readonly #unsettled = new Map<string, { readonly loss: PodLoss; readonly sinceMs: number }>()
  #settling: Cancel | undefined
  readonly #marks = new RestartMarks()
  /** Token of the last permit without a mark whose rollout was seen. */
  readonly #brought = new RestartMarks()

  constructor(options: ObserverOptions) {
    this.#options = options
    const cluster = new InformedCluster(options.informers, options.ledger)
    this.#cluster = cluster
    this.#subscribe(cluster.podInformer, change => this.#onPod(change))
    this.#subscribe(cluster.nodeInformer, change => this.#onNode(change))
    for (const informer of cluster.workloadInformers) this.#subscribe(informer, change => this.#onWorkload(change))
  }

  /** What others did, up to this moment. */
  observations(): Observations {
    this.#settle()
    this.#book.forget(this.#nowMs)
    return this.#book
  }

  /** What the gates ask beside the cluster's state. */
  signals(): ClusterSignals {
    const { apiHealth, usageAgeMs } = this.#options
    return { api: apiHealth?.reading(), usageAgeMs: usageAgeMs?.(), unschedulable: this.#unschedulable.all() }
  }

  /**
   * Writes down what the cluster shows of the time before we watched, with what Events of the last hour add: one list, no watch.
   * Where they cannot be read in half a minute they are done without. @throws `signal.reason`
   */
  async learnFrom(api: Api, signal: AbortSignal): Promise<void> {
    const { clock, log } = this.#options
    const nowMs = this.#nowMs
    const events = await pastEvents(api, { nowMs, clock, log, namespaces: this.#options.namespaces, signal })
    const breathe = breather(clock)
    const judged = (loss: PodLoss) => (loss.atMs > nowMs - settleMs ? this.#lose(loss) : this.#judge(loss))
    for (const _ of lookBack(this.#book, { cluster: this.#cluster, events, nowMs }, judged)) {
      await breathe()
      signal.throwIfAborted()
    }
  }

  [Symbol.dispose](): void {
    for (const unsubscribe of this.#subscriptions) unsubscribe()
    this.#settling?.()
  }

  get #nowMs(): number {
    return this.#options.clock.now()
  }

  #subscribe<T extends KubeObject>(informer: Informer<T>, handler: (change: Change<T>) => void): void {
    this.#subscriptions.push(informer.onChange(handler))
  }

  #onPod({ type, object, previous, initial }: Change<Pod>): void {
    this.#unschedulable.see(object, { isGone: type === 'DELETED', initial, nowMs: this.#nowMs })
    if (initial) return
    this.#lose(podLoss({ previous, next: object, isGone: type === 'DELETED' }, this.#nowMs))
  }

  #onNode({ type, object }: Change<Node>): void {
    if (type === 'DELETED' || cordonOf(object) === undefined) this.#book.endDrain(object.metadata.name)
  }

  #onWorkload({ type, object, previous, initial }: Change<KubeObject>): void {
    const uid = object.metadata.uid ?? ''
    if (type === 'DELETED') for (const marks of [this.#marks, this.#brought]) marks.set(uid, undefined)
    else if (initial && object.kind !== 'ReplicaSet') this.#marks.set(uid, restartedAtOf(object))
    if (initial || type !== 'MODIFIED' || previous === undefined) return
    const nowMs = this.#nowMs
    const ours = this.#cluster.ledger().ofWorkload(workloadKey(topOf(this.#cluster, object)))
    const rollout = templateChange(previous, object, { nowMs, ours })
    if (rollout !== undefined && !this.#isGranted(object) && !rollout.isOurs) {
      this.#note(rolloutId(object, rollout.to), object, { ...rollout, kind: 'rollout', nodes: this.#nodesOf(object) })
    }
    const scale = scaleWrite(previous, object, { nowMs, isOfScaler: this.#cluster.isScaled(object) })
    if (scale === undefined) return
    this.#book.scale(workloadKey(topOf(this.#cluster, object)), scale)
    if (!scale.isOurs) {
      const { from, to } = scale
      this.#note(`scale:${uid}:${scale.atMs}`, object, { ...scale, kind: 'scaled', nodes: [], replicas: { from, to } })
    }
  }

  #note(
    id: string,
    object: KubeObject,
    { kind, nodes, atMs, by, evidence, replicas }: Omit<Observation, 'workload' | 'namespace'>,
  ): void {
    const workload = workloadKey(topOf(this.#cluster, object))
    const namespace = object.metadata.namespace ?? ''
    const more = replicas === undefined ? {} : { replicas }
    this.#put(id, { kind, workload, namespace, nodes, atMs, by, evidence, ...more })
  }

  /** The rollout that began brought a restart or change which we granted, and no earlier one had brought it. */
  #isGranted(object: KubeObject): boolean {
    const uid = object.metadata.uid ?? ''
    const permits = this.#cluster.ledger().ofWorkload(workloadKey(topOf(this.#cluster, object)))
    const restartedAt = restartedAtOf(object)
    const isMarkNew = this.#marks.set(uid, restartedAt) && restartedAt !== undefined
    if (isMarkNew && permits.some(({ grant }) => grant !== undefined && restartMark({ grant }) === restartedAt)) return true
    const brought = permits
      .filter(permit => permit.mark === 'none' && permit.ending !== 'withdrawn' && this.#isRecent(permit))
      .filter(permit => hasBrought(permit, object))
      .reduce((latest, { grant }) => Math.max(latest, grant?.token ?? 0), 0)
    return brought > 0 && this.#brought.set(uid, String(brought))
  }

  /** Out, or just over: its change stays in the template, whoever rolls it out next. */
  #isRecent({ grant, releasedAtMs }: PermitRecord): boolean {
    return grant !== undefined && (releasedAtMs ?? Number.POSITIVE_INFINITY) > this.#nowMs - broughtWithinMs
  }

  #nodesOf(workload: KubeObject): readonly string[] {
    const pods = this.#options.view.podsUnder({ uid: workload.metadata.uid ?? '' })
    return [...new Set(pods.flatMap(pod => pod.spec.nodeName ?? []))].sort()
  }

  /** A pod left. What says why is judged now; a bare deletion when its controller has had time to show what it wants. */
  #lose(loss: PodLoss | undefined): void {
    const uid = loss?.pod.metadata.uid ?? ''
    if (loss === undefined || this.#book.has(lossId(loss)) || this.#unsettled.has(uid)) return
    if (loss.cause !== 'deleted') {
      this.#judge(loss)
      return
    }
    this.#unsettled.set(uid, { loss, sinceMs: this.#nowMs })
    if (this.#unsettled.size > mostUnsettled) {
      const [oldest] = this.#unsettled.keys()
      if (oldest !== undefined) this.#judgeUnsettled(oldest)
    }
    this.#settleLater()
  }

  #settleLater(): void {
    this.#settling ??= this.#options.clock.schedule(settleMs, () => {
      this.#settling = undefined
      this.#settle()
      if (this.#unsettled.size > 0) this.#settleLater()
    })
  }

  /** Judges the deletions that have waited long enough, and those whose replacement is there already. */
  #settle(): void {
    const beforeMs = this.#nowMs - settleMs
    for (const [uid, { loss, sinceMs }] of this.#unsettled)
      if (sinceMs <= beforeMs || isClear(loss, this.#cluster)) this.#judgeUnsettled(uid)
  }

  #judgeUnsettled(uid: string): void {
    const waiting = this.#unsettled.get(uid)
    this.#unsettled.delete(uid)
    if (waiting !== undefined) this.#judge(waiting.loss)
  }

  #judge(loss: PodLoss): void {
    const observation = noteLoss(this.#book, loss, this.#cluster)
    if (observation !== undefined) this.#log(observation)
  }

  #put(id: string, observation: Observation): void {
    if (this.#book.has(id)) return
    this.#log(observation)
    this.#book.put(id, observation)
  }

  #log(observation: Observation): void {
    const { kind, workload, by } = observation
    this.#options.log.info({ kind, workload, by, what: observationSentence(observation) }, 'disruption by others')
  }
}
