// ReplicaSets and ReplicationControllers: as many pods as asked for, adopted where orphans match, released where labels changed.
import type { Condition, KubeObject, OwnerReference, Pod, PodTemplateSpec, ReplicaSet } from '#kube/objects/objects.ts'
import type { Selector } from '#kube/objects/selector.ts'
import { type ComponentContext, controllerWriter } from '../component.ts'
import type { EventSource } from '../event-recorder.ts'
import type { ReplicationController } from '../kinds.ts'
import { isSameContent } from '../same-content.ts'
import { mapSelectorFor, selectorFor } from '../selectors.ts'
import { claimPods } from './pod-claims.ts'
import {
  controllerOf,
  isActive,
  isAvailable,
  isFinished,
  isReady,
  isTerminating,
  keyOf,
  splitKey,
  timeText,
  untilAvailableMs,
  withCondition,
  withoutZeros,
} from './pod-state.ts'
import { controllerReference, podFromTemplate } from './pod-template.ts'
import { deletionOrder } from './replicaset-deletion-order.ts'
import { createInBatches, isNamespaceTerminating } from './slow-start.ts'

const podsPerStep = 500

/** What differs between the two kinds. */
interface ReplicaKind<T extends ReplicaOwner> {
  readonly resource: 'replicasets.apps' | 'replicationcontrollers'
  readonly kind: string
  readonly controller: string
  readonly selector: (owner: T) => Selector
}

interface ReplicaOwner extends KubeObject {
  readonly spec: { readonly replicas?: number; readonly minReadySeconds?: number; readonly template?: PodTemplateSpec }
  readonly status?: Readonly<Record<string, unknown>>
}

export function startReplicaSets(context: ComponentContext): void {
  start<ReplicaSet>(context, {
    resource: 'replicasets.apps',
    kind: 'ReplicaSet',
    controller: 'replicaset-controller',
    selector: set => selectorFor(set.spec.selector),
    list: namespace => context.view.list('replicasets.apps', namespace),
    get: (namespace, name) => context.view.get('replicasets.apps', namespace, name),
  })
}

export function startReplicationControllers(context: ComponentContext): void {
  start<ReplicationController>(context, {
    resource: 'replicationcontrollers',
    kind: 'ReplicationController',
    controller: 'replication-controller',
    selector: owner => mapSelectorFor(owner.spec.selector),
    list: namespace => context.view.list('replicationcontrollers', namespace),
    get: (namespace, name) => context.view.get('replicationcontrollers', namespace, name),
  })
}

interface ReplicaAccess<T extends ReplicaOwner> extends ReplicaKind<T> {
  readonly list: (namespace?: string) => readonly T[]
  readonly get: (namespace: string | undefined, name: string) => T | undefined
}

function start<T extends ReplicaOwner>(context: ComponentContext, kind: ReplicaAccess<T>): void {
  const { view, loop } = context
  const queue = loop.queue(kind.resource, key => reconcile(context, kind, key, delayMs => queue.addAfter(key, delayMs)))
  const addOwner = (pod: Pod) => {
    const owner = controllerOf(pod)
    if (owner?.kind === kind.kind) queue.add(keyOf({ metadata: { name: owner.name, namespace: pod.metadata.namespace ?? '' } }))
    else if (owner === undefined && !isTerminating(pod)) {
      for (const set of kind.list(pod.metadata.namespace))
        if (kind.selector(set).matches(pod.metadata.labels)) queue.add(keyOf(set))
    }
  }
  view.onAny(kind.resource, ({ type, object }) => {
    if (type === 'DELETED') queue.remove(keyOf(object))
    else queue.add(keyOf(object))
  })
  view.on('pods', ({ object, previous }) => {
    addOwner(object)
    if (previous !== undefined && controllerOf(previous)?.uid !== controllerOf(object)?.uid) addOwner(previous)
  })
  for (const owner of kind.list()) queue.add(keyOf(owner))
}

async function reconcile<T extends ReplicaOwner>(
  context: ComponentContext,
  kind: ReplicaAccess<T>,
  key: string,
  again: (delayMs: number) => void,
): Promise<void> {
  const { namespace, name } = splitKey(key)
  const owner = kind.get(namespace, name)
  if (owner === undefined) return
  const writer = controllerWriter(kind.controller)
  const pods = claimPods(context, { owner, selector: kind.selector(owner), writer })
  const active = pods.filter(isActive)
  let failure: Error | undefined
  if (!isTerminating(owner)) failure = await resize(context, kind, owner, active)
  writeStatus(context, kind, owner, failure)
  const minReadySeconds = owner.spec.minReadySeconds ?? 0
  const wait = untilAvailableMs(active, minReadySeconds, context.clock.now())
  if (wait !== undefined) again(wait)
  if (failure !== undefined) throw failure
}

/** Creates or deletes what is missing or too much. The error that stopped it comes back, so that the status can tell first. */
async function resize<T extends ReplicaOwner>(
  context: ComponentContext,
  kind: ReplicaAccess<T>,
  owner: T,
  active: readonly Pod[],
): Promise<Error | undefined> {
  const { access, events } = context
  const namespace = owner.metadata.namespace ?? ''
  const writer = controllerWriter(kind.controller)
  const source: EventSource = { component: kind.controller, writer }
  const difference = (owner.spec.replicas ?? 1) - active.length
  if (difference > 0) {
    const template = owner.spec.template
    if (template === undefined) return undefined
    const identity = { generateName: `${owner.metadata.name}-`, namespace, owner: controllerReference(owner) }
    const { error } = await createInBatches(Math.min(difference, podsPerStep), async () => {
      const pod = await access.createAdmitted('pods', podFromTemplate(template, identity), writer)
      events.record(owner, source, { type: 'Normal', reason: 'SuccessfulCreate', message: `Created pod: ${pod.metadata.name}` })
    })
    if (error === undefined || isNamespaceTerminating(error)) return undefined
    events.record(owner, source, { type: 'Warning', reason: 'FailedCreate', message: `Error creating: ${error.message}` })
    return error
  }
  if (difference === 0) return undefined
  for (const pod of deletionOrder(rank(context, owner, active), context.clock.now()).slice(
    0,
    Math.min(-difference, podsPerStep),
  )) {
    access.remove(
      'pods',
      namespace,
      pod.metadata.name,
      writer,
      pod.metadata.uid === undefined ? {} : { preconditions: { uid: pod.metadata.uid } },
    )
    events.record(owner, source, { type: 'Normal', reason: 'SuccessfulDelete', message: `Deleted pod: ${pod.metadata.name}` })
  }
  return undefined
}

/** With each pod how many active pods of the same owner's sets its node has. */
function rank(context: ComponentContext, owner: ReplicaOwner, active: readonly Pod[]): readonly { pod: Pod; doubled: number }[] {
  const onNode = new Map<string, number>()
  for (const pod of relatedPods(context, owner, active)) {
    const node = pod.spec.nodeName
    if (node) onNode.set(node, (onNode.get(node) ?? 0) + 1)
  }
  return active.map(pod => ({ pod, doubled: onNode.get(pod.spec.nodeName ?? '') ?? 0 }))
}

function relatedPods({ view }: ComponentContext, owner: ReplicaOwner, active: readonly Pod[]): readonly Pod[] {
  const above: OwnerReference | undefined = controllerOf(owner)
  if (above === undefined) return active
  const sets = view.list('replicasets.apps', owner.metadata.namespace).filter(set => controllerOf(set)?.uid === above.uid)
  return sets.flatMap(set => view.podsOf(set.metadata.uid ?? '')).filter(isActive)
}

function writeStatus<T extends ReplicaOwner>(
  context: ComponentContext,
  kind: ReplicaAccess<T>,
  before: T,
  failure: Error | undefined,
): void {
  const { access, view, clock } = context
  const owner = kind.get(before.metadata.namespace, before.metadata.name)
  if (owner === undefined || owner.metadata.uid !== before.metadata.uid) return
  const now = clock.now()
  const pods = view.podsOf(owner.metadata.uid ?? '').filter(pod => !isFinished(pod))
  const active = pods.filter(isActive)
  const ready = active.filter(isReady)
  const templateLabels = Object.entries(owner.spec.template?.metadata?.labels ?? {})
  const labelled = active.filter(pod => templateLabels.every(([label, value]) => pod.metadata.labels?.[label] === value))
  const counts = withoutZeros({
    fullyLabeledReplicas: labelled.length,
    readyReplicas: ready.length,
    availableReplicas: ready.filter(pod => isAvailable(pod, owner.spec.minReadySeconds ?? 0, now)).length,
    observedGeneration: owner.metadata.generation ?? 0,
  })
  const terminating =
    context.minorVersion >= 35 && kind.kind === 'ReplicaSet' ? { terminatingReplicas: pods.length - active.length } : {}
  const conditions = failureConditions(owner, failure, timeText(now))
  const status = {
    replicas: active.length,
    ...counts,
    ...terminating,
    ...(conditions === undefined || conditions.length === 0 ? {} : { conditions }),
  }
  if (isSameContent(status, owner.status)) return
  access.update(kind.resource, { ...owner, status }, controllerWriter(kind.controller), { subresource: 'status' })
}

function failureConditions(owner: ReplicaOwner, failure: Error | undefined, nowText: string): readonly Condition[] | undefined {
  const before = Array.isArray(owner.status?.['conditions']) ? (owner.status['conditions'] as readonly Condition[]) : undefined
  // The pod's random name is in the message: only a new reason is worth a write, else each failure would bring on the next at once.
  if (failure !== undefined && before?.some(({ type, reason }) => type === 'ReplicaFailure' && reason === 'FailedCreate'))
    return before
  if (failure !== undefined)
    return withCondition(
      before,
      { type: 'ReplicaFailure', status: 'True', reason: 'FailedCreate', message: failure.message },
      nowText,
    )
  if (before === undefined) return undefined
  return before.filter(condition => condition.type !== 'ReplicaFailure')
}
