// The scheduler: takes pending pods one by one, asks the placement model where they land, draws among equals with the twin's seed
// and binds. A pod that fits nowhere makes pods of lower priority go where that helps.
import type { PodState } from '#cluster/cluster-state.ts'
import type { Evaluation } from '#cluster/placement.ts'
import type { SchedulerSettings } from '#cluster/scheduler-settings.ts'
import { messageOf } from '#kube/log.ts'
import type { Condition, PersistentVolumeClaim, Pod } from '#kube/objects/objects.ts'
import { isConflict, isNotFound, StatusError } from '#kube/objects/status.ts'
import { type ComponentContext, schedulerWriter } from '../component.ts'
import type { EventSource } from '../event-recorder.ts'
import { conditionOf, isFinished, isTerminating, keyOf, splitKey, timeText, withCondition } from '../workloads/pod-state.ts'
import { preemptionFor } from './preemption.ts'
import { SchedulerSnapshot } from './scheduler-snapshot.ts'
import { SchedulingQueue } from './scheduling-queue.ts'

const source: EventSource = { component: 'default-scheduler', writer: schedulerWriter }
const schedulerName = 'default-scheduler'
export const selectedNodeAnnotation = 'volume.kubernetes.io/selected-node'
const flushMs = 300_000

export function startScheduler(context: ComponentContext, settings: SchedulerSettings): void {
  new Scheduler(context, settings).start()
}

/** With more pods than this the view of the cluster is made ready ahead of the first pod. */
const podsAtOnce = 1_000
/** With more nodes than this, looking at all of them for one pod takes milliseconds. */
const nodesAtOnce = 500

class Scheduler {
  readonly #context: ComponentContext
  readonly #waiting = new SchedulingQueue()
  readonly #snapshot: SchedulerSnapshot
  readonly #queue
  /** Pods whose node is chosen and whose volumes are on their way there. */
  readonly #assumed = new Map<string, string>()

  constructor(context: ComponentContext, settings: SchedulerSettings) {
    this.#context = context
    this.#queue = context.loop.queue('scheduler', key => {
      if (key === 'flush') this.#flush()
      else if (key === 'prepare') this.#prepare()
      else this.#cycle()
    })
    this.#snapshot = new SchedulerSnapshot(context.view, settings, () => {
      this.#waiting.wakeAll()
      this.#arm()
    })
  }

  start(): void {
    const { view } = this.#context
    view.each('pods', pod => this.#note(pod))
    view.on('pods', ({ type, object, previous }) => {
      if (type === 'DELETED') this.#drop(keyOf(object))
      else if (previous === undefined || mayHelp(object, previous)) this.#note(object)
    })
    view.on('persistentvolumeclaims', () => {
      for (const key of this.#assumed.keys()) this.#waiting.add(key, 0)
      this.#arm()
    })
    this.#arm()
    this.#queue.addPeriodic('flush', flushMs)
    if (view.list('pods').length > podsAtOnce) this.#queue.add('prepare')
  }

  /** What the first pod needs is made ready in slices: all at once it would keep everybody waiting. */
  #prepare(): void {
    if (this.#snapshot.prepare()) this.#queue.add('prepare')
    this.#context.loop.endTurn()
  }

  #note(pod: Pod): void {
    const key = keyOf(pod)
    if (
      pod.spec.nodeName ||
      isFinished(pod) ||
      isTerminating(pod) ||
      (pod.spec.schedulerName ?? schedulerName) !== schedulerName
    ) {
      this.#drop(key)
      return
    }
    this.#waiting.add(key, pod.spec.priority ?? 0)
    this.#arm()
  }

  #drop(key: string): void {
    this.#waiting.remove(key)
    if (this.#assumed.delete(key)) this.#snapshot.forget()
  }

  #arm(): void {
    const nextMs = this.#waiting.nextMs()
    if (nextMs !== undefined) this.#queue.addAfter('cycle', nextMs - this.#context.clock.elapsed())
  }

  #flush(): void {
    this.#waiting.wakeAll()
    this.#queue.addPeriodic('flush', flushMs)
    this.#arm()
  }

  #cycle(): void {
    const key = this.#waiting.take(this.#context.clock.elapsed())
    try {
      if (key !== undefined) this.#schedule(key)
    } catch (error) {
      if (key === undefined || isRefused(error)) throw error
      this.#setAside(key, error)
    } finally {
      this.#arm()
    }
  }

  /** One pod that no decision can be made about waits as one that fits nowhere; the others have their turn. */
  #setAside(key: string, error: unknown): void {
    const { namespace, name } = splitKey(key)
    this.#snapshot.forget()
    this.#context.onTrouble({ kind: 'object', where: `scheduler ${key}`, error, count: 1 })
    const pod = this.#context.view.get('pods', namespace, name)
    if (pod === undefined) return
    const message = messageOf(error)
    this.#context.events.record(pod, source, { type: 'Warning', reason: 'FailedScheduling', message, action: 'Scheduling' })
    this.#tell(pod, { type: 'PodScheduled', status: 'False', reason: 'SchedulerError', message })
  }

  #schedule(key: string): void {
    const { namespace, name } = splitKey(key)
    const pod = this.#context.view.get('pods', namespace, name)
    if (pod === undefined || pod.spec.nodeName || isTerminating(pod)) {
      this.#drop(key)
      return
    }
    if ((pod.spec.schedulingGates ?? []).length > 0) {
      const message = 'Scheduling is blocked due to non-empty scheduling gates'
      this.#tell(pod, { type: 'PodScheduled', status: 'False', reason: 'SchedulingGated', message })
      // Not an attempt: the change that takes the last gate away brings it back without back-off.
      this.#waiting.remove(key)
      return
    }
    const state = this.#snapshot.stateOf(pod)
    const node = this.#assumed.get(key) ?? this.#choose(pod, state)
    if (node === undefined || !this.#volumesReady(pod, node)) return
    this.#bind(pod, node)
  }

  /** One of the nodes with the top score; `undefined` where none fits, which the pod is told. */
  #choose(pod: Pod, state: PodState): string | undefined {
    const { placement } = this.#snapshot
    if (placement.nodes.length > nodesAtOnce) this.#context.loop.endTurn()
    const evaluation = placement.evaluate(state)
    const { landing } = evaluation
    const node = landing[Math.floor(this.#context.random() * landing.length)]
    if (node !== undefined) return node
    this.#refuse(pod, evaluation)
    this.#preempt(pod, state)
    return undefined
  }

  #refuse(pod: Pod, evaluation: Evaluation): void {
    const message = evaluation.preemption === '' ? evaluation.message : `${evaluation.message} ${evaluation.preemption}`
    this.#context.events.record(pod, source, { type: 'Warning', reason: 'FailedScheduling', message, action: 'Scheduling' })
    this.#tell(pod, { type: 'PodScheduled', status: 'False', reason: 'Unschedulable', message })
  }

  #preempt(pod: Pod, state: PodState): void {
    const { view } = this.#context
    const standing = (node: string) => view.podsOn(node).filter(other => !isFinished(other))
    const nominated = pod.status?.nominatedNodeName
    // Its victims are still on their way out.
    if (
      nominated !== undefined &&
      standing(nominated).some(other => isTerminating(other) && (other.spec.priority ?? 0) < state.priority)
    )
      return
    const preemption = preemptionFor({
      placement: this.#snapshot.placement,
      pod: state,
      podsOn: node =>
        standing(node)
          .filter(other => (other.spec.priority ?? 0) < state.priority)
          .map(other => this.#snapshot.stateOf(other)),
      budgets: view.list('poddisruptionbudgets.policy'),
    })
    if (preemption === undefined) return
    for (const victim of preemption.victims) this.#evict(pod, victim.object, preemption.node)
    this.#nominate(pod, preemption.node)
  }

  #evict(pod: Pod, victim: Pod, node: string): void {
    const { access, events, clock } = this.#context
    const { namespace, name, uid } = victim.metadata
    const message = `${schedulerName}: preempting to accommodate a higher priority pod`
    const condition: Condition = { type: 'DisruptionTarget', status: 'True', reason: 'PreemptionByScheduler', message }
    const conditions = withCondition(victim.status?.conditions, condition, timeText(clock.now()))
    try {
      access.update('pods', { ...victim, status: { ...victim.status, conditions } }, schedulerWriter, { subresource: 'status' })
      access.remove('pods', namespace, name, schedulerWriter, uid === undefined ? {} : { preconditions: { uid } })
    } catch (error) {
      if (!isConflict(error) && !isNotFound(error)) throw error
      return
    }
    events.record(victim, source, {
      type: 'Normal',
      reason: 'Preempted',
      message: `Preempted by pod ${pod.metadata.uid ?? ''} on node ${node}`,
      action: 'Preempting',
    })
  }

  #nominate(pod: Pod, node: string): void {
    const { access, view } = this.#context
    const stored = view.get('pods', pod.metadata.namespace, pod.metadata.name)
    if (stored === undefined || stored.status?.nominatedNodeName === node) return
    access.update('pods', { ...stored, status: { ...stored.status, nominatedNodeName: node } }, schedulerWriter, {
      subresource: 'status',
    })
  }

  #tell(pod: Pod, condition: Condition): void {
    const { access, clock } = this.#context
    const before = conditionOf(pod.status?.conditions, condition.type)
    if (before?.reason === condition.reason && before?.message === condition.message) return
    const generation = pod.metadata.generation === undefined ? {} : { observedGeneration: pod.metadata.generation }
    const conditions = withCondition(pod.status?.conditions, { ...condition, ...generation }, timeText(clock.now()))
    access.update('pods', { ...pod, status: { ...pod.status, conditions } }, schedulerWriter, { subresource: 'status' })
  }

  /** Claims that wait for their first consumer are told the node; the pod is bound when they are. */
  #volumesReady(pod: Pod, node: string): boolean {
    const { access } = this.#context
    const key = keyOf(pod)
    const unbound = this.#unboundClaims(pod)
    if (unbound.length === 0) return true
    if (!this.#assumed.has(key)) this.#snapshot.assume(pod, node)
    this.#assumed.set(key, node)
    for (const claim of unbound) {
      if (claim.metadata.annotations?.[selectedNodeAnnotation] === node) continue
      const annotations = { ...claim.metadata.annotations, [selectedNodeAnnotation]: node }
      access.update('persistentvolumeclaims', { ...claim, metadata: { ...claim.metadata, annotations } }, schedulerWriter)
    }
    return false
  }

  #unboundClaims(pod: Pod): readonly PersistentVolumeClaim[] {
    return (pod.spec.volumes ?? []).flatMap(volume => {
      const name =
        volume.persistentVolumeClaim?.claimName ??
        (volume.ephemeral === undefined ? undefined : `${pod.metadata.name}-${volume.name}`)
      const claim =
        name === undefined ? undefined : this.#context.view.get('persistentvolumeclaims', pod.metadata.namespace, name)
      return claim === undefined || claim.status?.phase === 'Bound' ? [] : [claim]
    })
  }

  #bind(pod: Pod, node: string): void {
    const { access, events } = this.#context
    const { namespace = '', name } = pod.metadata
    this.#drop(keyOf(pod))
    this.#snapshot.assume(pod, node)
    try {
      access.bind(namespace, name, node, schedulerWriter)
    } catch (error) {
      // Bound, changed or deleted by others in between: its own event tells what is true.
      this.#snapshot.forget()
      if (isConflict(error) || isNotFound(error)) return
      throw error
    }
    const message = `Successfully assigned ${namespace}/${name} to ${node}`
    events.record(pod, source, { type: 'Normal', reason: 'Scheduled', message, action: 'Binding' })
  }
}

function isRefused(error: unknown): boolean {
  return error instanceof StatusError
}

/** Whether a pod's own change can make it fit: conditions that others write cannot. */
function mayHelp(pod: Pod, previous: Pod): boolean {
  return (
    pod.metadata.generation !== previous.metadata.generation ||
    pod.spec !== previous.spec ||
    pod.metadata.deletionTimestamp !== previous.metadata.deletionTimestamp ||
    pod.metadata.labels !== previous.metadata.labels
  )
}
