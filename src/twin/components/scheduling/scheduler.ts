// The scheduler: takes pending pods one by one, asks the placement model where they land, draws among equals with the twin's seed
// and binds. A pod that fits nowhere makes pods of lower priority go where that helps.
import type { PodState } from '#cluster/cluster-state.ts'
import type { ResourceClaim } from '#cluster/devices/device-shapes.ts'
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
const claims = 'resourceclaims.resource.k8s.io'
const flushMs = 300_000

export function startScheduler(context: ComponentContext, settings: SchedulerSettings): void {
  new Scheduler(context, settings).start()
}

/** With more nodes than this, looking at all of them for one pod takes milliseconds. */
const nodesAtOnce = 500

class Scheduler {
  readonly #context: ComponentContext
  readonly #settings: SchedulerSettings
  readonly #waiting = new SchedulingQueue()
  readonly #snapshot: SchedulerSnapshot
  readonly #queue
  /** Pods whose node is chosen and whose volumes are on their way there. */
  readonly #assumed = new Map<string, string>()
  /** Pods that are not tried before their claims of devices are there. */
  readonly #held = new Set<string>()

  constructor(context: ComponentContext, settings: SchedulerSettings) {
    this.#context = context
    this.#settings = settings
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
    view.on('resourceclaims.resource.k8s.io', () => this.#readyHeld())
    view.on('persistentvolumeclaims', () => {
      for (const key of this.#assumed.keys()) this.#waiting.add(key, 0)
      this.#arm()
    })
    this.#arm()
    this.#queue.addPeriodic('flush', flushMs)
    if (this.#snapshot.isLarge) this.#queue.add('prepare')
  }

  #readyHeld(): void {
    for (const key of this.#held) {
      const { namespace, name } = splitKey(key)
      const pod = this.#context.view.get('pods', namespace, name)
      if (pod !== undefined) this.#note(pod)
    }
    this.#held.clear()
  }

  /** What the next pod needs is made ready in slices: all at once it would keep everybody waiting. */
  #prepare(): void {
    if (this.#snapshot.prepare()) this.#queue.add('prepare')
    else this.#arm()
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
    this.#held.delete(key)
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
    if (this.#snapshot.isLarge && this.#snapshot.prepare()) {
      // A pod is taken when that is done.
      this.#queue.add('prepare')
      this.#context.loop.endTurn()
      return
    }
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
    if ((pod.spec.resourceClaims ?? []).length > 0 && this.#snapshot.placement.heldBackBy(state) !== undefined) {
      // Not an attempt either: what brings the claim brings the pod back.
      this.#waiting.remove(key)
      this.#held.add(key)
      return
    }
    const node = this.#assumed.get(key) ?? this.#choose(pod, state)
    if (node === undefined || !this.#volumesReady(pod, node)) return
    this.#bind(pod, state, node)
  }

  /** One of the nodes with the top score; `undefined` where none fits, which the pod is told. */
  #choose(pod: Pod, state: PodState): string | undefined {
    const { placement } = this.#snapshot
    if (placement.nodes.length > nodesAtOnce) this.#context.loop.endTurn()
    const evaluation = placement.evaluate(state)
    const { landing } = evaluation
    const node = landing[Math.floor(this.#context.random() * landing.length)]
    if (node !== undefined) return node
    if (evaluation.isError) {
      this.#giveUp(pod, evaluation.message)
      return undefined
    }
    const idle = placement.idleClaim(state, evaluation)
    this.#refuse(pod, evaluation, idle !== undefined)
    if (idle !== undefined) this.#deallocate(idle)
    this.#preempt(pod, state)
    return undefined
  }

  #giveUp(pod: Pod, message: string): void {
    this.#context.events.record(pod, source, { type: 'Warning', reason: 'FailedScheduling', message, action: 'Scheduling' })
    this.#tell(pod, { type: 'PodScheduled', status: 'False', reason: 'SchedulerError', message })
  }

  #refuse(pod: Pod, evaluation: Evaluation, givesUpClaim: boolean): void {
    const second = givesUpClaim
      ? evaluation.preemption.replace(/^still not schedulable/, 'deallocation of ResourceClaim completed')
      : evaluation.preemption
    const message = second === '' ? evaluation.message : `${evaluation.message} ${second}`
    this.#context.events.record(pod, source, { type: 'Warning', reason: 'FailedScheduling', message, action: 'Scheduling' })
    this.#tell(pod, { type: 'PodScheduled', status: 'False', reason: 'Unschedulable', message })
  }

  /** A claim that nobody holds is free to be allocated where its pod can be. */
  #deallocate(claim: ResourceClaim): void {
    const { allocation: _, reservedFor: __, devices: ___, ...status } = claim.status ?? {}
    try {
      this.#context.access.update(claims, { ...claim, status }, schedulerWriter, { subresource: 'status' })
    } catch (error) {
      if (!isConflict(error) && !isNotFound(error)) throw error
    }
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

  /** Allocates and reserves the pod's claims on the node. False where somebody changed one in between: the pod is tried again. */
  #claimsReady(state: PodState, node: string): boolean {
    const { access, clock } = this.#context
    try {
      for (const claim of this.#snapshot.placement.claimsOnBinding(state, node)) {
        // The finalizer is a write of its own; the status is another one.
        const kept = access.update(claims, claim, schedulerWriter)
        const allocation = claim.status?.allocation
        const stamped =
          this.#settings.version !== '1.34' && allocation !== undefined && allocation.allocationTimestamp === undefined
            ? { ...claim.status, allocation: { ...allocation, allocationTimestamp: timeText(clock.now()) } }
            : claim.status
        access.update(claims, { ...kept, status: stamped }, schedulerWriter, { subresource: 'status' })
      }
      return true
    } catch (error) {
      if (isConflict(error) || isNotFound(error)) return false
      throw error
    }
  }

  #bind(pod: Pod, state: PodState, node: string): void {
    const { access, events } = this.#context
    const { namespace = '', name } = pod.metadata
    if ((pod.spec.resourceClaims ?? []).length > 0 && !this.#claimsReady(state, node)) return
    // It stays where it was assumed to be.
    this.#assumed.delete(keyOf(pod))
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
    pod.status?.resourceClaimStatuses !== previous.status?.resourceClaimStatuses ||
    pod.metadata.deletionTimestamp !== previous.metadata.deletionTimestamp ||
    pod.metadata.labels !== previous.metadata.labels
  )
}
