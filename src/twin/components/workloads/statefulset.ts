// StatefulSets: named pods in their order, volumes claimed for them once, updates from the top.

import type { Pod, PodTemplateSpec, StatefulSet } from '#kube/objects/objects.ts'
import { type ComponentContext, controllerWriter } from '../component.ts'
import type { EventSource } from '../event-recorder.ts'
import { isSameContent } from '../same-content.ts'
import { selectorFor } from '../selectors.ts'
import {
  type Revisions,
  revisionHashLabel,
  revisionLabelOf,
  syncRevisions,
  templateOf,
  truncateRevisions,
} from './controller-revisions.ts'
import { claimPods } from './pod-claims.ts'
import {
  controllerOf,
  isAvailable,
  isFinished,
  isReady,
  isTerminating,
  keyOf,
  splitKey,
  untilAvailableMs,
  withoutZeros,
} from './pod-state.ts'
import { controllerReference, podFromTemplate } from './pod-template.ts'
import { isNamespaceTerminating } from './slow-start.ts'
import { claimsOf, makeClaim, syncRetention } from './statefulset-claims.ts'
import { type OrdinalPod, type StatefulAction, type StatefulShape, statefulSetActions } from './statefulset-step.ts'

const writer = controllerWriter('statefulset-controller')
const source: EventSource = { component: 'statefulset-controller', writer }

type Status = Readonly<Record<string, unknown>>

export function startStatefulSets(context: ComponentContext): void {
  const { view, loop } = context
  const queue = loop.queue('statefulsets.apps', async key => {
    const { namespace, name } = splitKey(key)
    const set = view.get('statefulsets.apps', namespace, name)
    if (set === undefined) return
    await reconcile(context, set)
    const wait = untilAvailableMs(view.podsOf(set.metadata.uid ?? ''), minReadySecondsOf(set), context.clock.now())
    if (wait !== undefined) queue.addAfter(key, wait)
  })
  view.on('statefulsets.apps', ({ type, object }) =>
    type === 'DELETED' ? queue.remove(keyOf(object)) : queue.add(keyOf(object)),
  )
  view.on('pods', ({ object }) => {
    const owner = controllerOf(object)
    if (owner?.kind === 'StatefulSet') queue.add(`${object.metadata.namespace}/${owner.name}`)
    if (owner !== undefined) return
    for (const set of view.list('statefulsets.apps', object.metadata.namespace)) {
      if (selectorFor(set.spec.selector).matches(object.metadata.labels)) queue.add(keyOf(set))
    }
  })
  for (const set of view.list('statefulsets.apps')) queue.add(keyOf(set))
}

async function reconcile(context: ComponentContext, set: StatefulSet): Promise<void> {
  const revisions = syncRevisions(context, {
    owner: set,
    writer,
    firstName: textField(set.status, 'updateRevision'),
    labels: hash => ({ 'controller.kubernetes.io/hash': hash }),
  })
  const selector = selectorFor(set.spec.selector)
  const pods = claimPods(context, { owner: set, selector, writer }).filter(pod => ordinalOf(set, pod) !== undefined)
  const current = currentRevision(set, revisions)
  const read = readerOf(context, set, revisions)
  if (!isTerminating(set)) {
    syncRetention(context, set, { pods, ordinalOf: pod => ordinalOf(set, pod), writer })
    const shape = shapeOf(set, revisions.update.metadata.name)
    for (const action of statefulSetActions(shape, pods.map(read))) await act(context, { set, revisions, current, pods }, action)
  }
  const after = context.view
    .podsOf(set.metadata.uid ?? '')
    .filter(pod => ordinalOf(set, pod) !== undefined)
    .map(read)
  writeStatus(context, set, after, { current, update: revisions.update.metadata.name })
  truncateRevisions(context, set, revisions, new Set([current, ...after.map(pod => pod.revision)]), writer)
}

/** The number at the end of a pod's name; `undefined` where the pod is not named after the set. */
function ordinalOf(set: StatefulSet, pod: Pod): number | undefined {
  const prefix = `${set.metadata.name}-`
  const rest = pod.metadata.name.startsWith(prefix) ? pod.metadata.name.slice(prefix.length) : ''
  return /^(0|[1-9][0-9]{0,8})$/.test(rest) ? Number(rest) : undefined
}

/** The name of the revision that pods below the partition have. */
function currentRevision(set: StatefulSet, revisions: Revisions): string {
  const stored = textField(set.status, 'currentRevision')
  const isKnown = stored !== undefined && revisions.all.some(revision => revision.metadata.name === stored)
  return isKnown ? stored : revisions.update.metadata.name
}

/** `rollingUpdate.maxUnavailable` does not count: it is behind a gate that is off by default, up to 1.36. */
function shapeOf(set: StatefulSet, updateRevision: string): StatefulShape {
  const replicas = set.spec.replicas ?? 1
  const strategy = objectField(set.spec, 'updateStrategy')
  const rolling = objectField(strategy, 'rollingUpdate')
  return {
    start: numberField(objectField(set.spec, 'ordinals'), 'start'),
    replicas,
    isOrdered: set.spec.podManagementPolicy !== 'Parallel',
    isOnDelete: strategy['type'] === 'OnDelete',
    partition: numberField(rolling, 'partition'),
    updateRevision,
  }
}

function readerOf(context: ComponentContext, set: StatefulSet, revisions: Revisions): (pod: Pod) => OrdinalPod {
  const known = new Set(revisions.all.map(revision => revision.metadata.name))
  const stored = textField(set.status, 'currentRevision')
  const now = context.clock.now()
  return pod => {
    const label = revisionLabelOf(pod)
    const isRunning = pod.status?.phase === 'Running'
    return {
      name: pod.metadata.name,
      ordinal: ordinalOf(set, pod) ?? -1,
      // A label that names no stored revision comes from a dump without them: such a pod has the template of the dump.
      revision: label !== undefined && (known.has(label) || label === stored) ? label : revisions.update.metadata.name,
      isFinished: isFinished(pod),
      isTerminating: isTerminating(pod),
      isReady: isRunning && isReady(pod),
      isAvailable: isRunning && isAvailable(pod, minReadySecondsOf(set), now),
    }
  }
}

interface Situation {
  readonly set: StatefulSet
  readonly revisions: Revisions
  readonly current: string
  readonly pods: readonly Pod[]
}

async function act(context: ComponentContext, situation: Situation, action: StatefulAction): Promise<void> {
  const { access, events } = context
  const { set, pods } = situation
  const namespace = set.metadata.namespace ?? ''
  if (action.kind === 'create') {
    await create(context, situation, action.ordinal, action.revision)
    return
  }
  const pod = pods.find(candidate => candidate.metadata.name === action.name)
  if (pod?.metadata.uid === undefined) return
  access.remove('pods', namespace, action.name, writer, { preconditions: { uid: pod.metadata.uid } })
  const message = `Delete Pod ${action.name} in StatefulSet ${set.metadata.name} successful`
  events.record(set, source, { type: 'Normal', reason: 'SuccessfulDelete', message })
}

async function create(
  context: ComponentContext,
  { set, revisions, current }: Situation,
  ordinal: number,
  which: 'current' | 'update',
): Promise<void> {
  const { access, events } = context
  const update = revisions.update.metadata.name
  const revision = which === 'current' ? current : update
  const stored = revisions.all.find(candidate => candidate.metadata.name === revision)
  const template = (revision === update || stored === undefined ? undefined : templateOf(stored)) ?? set.spec.template
  const name = `${set.metadata.name}-${ordinal}`
  try {
    for (const claim of claimsOf(set, ordinal)) {
      if (!makeClaim(context, claim, writer)) continue
      const message = `Create Claim ${claim.claim.metadata.name} Pod ${name} in StatefulSet ${set.metadata.name} success`
      events.record(set, source, { type: 'Normal', reason: 'SuccessfulCreate', message })
    }
    await access.createAdmitted('pods', podFor(set, { ordinal, name, revision, template }), writer)
  } catch (error) {
    if (isNamespaceTerminating(error)) return
    const message = `Create Pod ${name} in StatefulSet ${set.metadata.name} failed error: ${error instanceof Error ? error.message : String(error)}`
    events.record(set, source, { type: 'Warning', reason: 'FailedCreate', message })
    throw error
  }
  const message = `Create Pod ${name} in StatefulSet ${set.metadata.name} successful`
  events.record(set, source, { type: 'Normal', reason: 'SuccessfulCreate', message })
}

interface PodPlan {
  readonly ordinal: number
  readonly name: string
  readonly revision: string
  readonly template: PodTemplateSpec
}

function podFor(set: StatefulSet, { ordinal, name, revision, template }: PodPlan): Pod {
  const pod = podFromTemplate(template, {
    name,
    generateName: `${set.metadata.name}-`,
    namespace: set.metadata.namespace ?? '',
    owner: controllerReference(set),
    labels: {
      'statefulset.kubernetes.io/pod-name': name,
      'apps.kubernetes.io/pod-index': String(ordinal),
      [revisionHashLabel]: revision,
    },
  })
  const own = claimsOf(set, ordinal).map(claim => claim.volume)
  const others = (pod.spec.volumes ?? []).filter(volume => !own.some(mine => mine.name === volume.name))
  return {
    ...pod,
    spec: {
      ...pod.spec,
      hostname: name,
      ...(set.spec.serviceName === undefined ? {} : { subdomain: set.spec.serviceName }),
      ...(own.length + others.length === 0 ? {} : { volumes: [...others, ...own] }),
    },
  }
}

function writeStatus(
  context: ComponentContext,
  before: StatefulSet,
  pods: readonly OrdinalPod[],
  names: { readonly current: string; readonly update: string },
): void {
  const set = context.view.get('statefulsets.apps', before.metadata.namespace, before.metadata.name)
  if (set === undefined || set.metadata.uid !== before.metadata.uid) return
  const standing = pods.filter(pod => !pod.isTerminating)
  // A pod that is going still counts as ready until its readiness says otherwise.
  const readyReplicas = pods.filter(pod => pod.isReady).length
  const updated = standing.filter(pod => pod.revision === names.update).length
  const desired = set.spec.replicas ?? 1
  const isOnDelete = objectField(set.spec, 'updateStrategy')['type'] === 'OnDelete'
  const isDone = !isOnDelete && updated === pods.length && updated === desired && readyReplicas === desired
  const current = isDone ? names.update : names.current
  const counts = withoutZeros({
    observedGeneration: set.metadata.generation ?? 0,
    readyReplicas,
    currentReplicas: standing.filter(pod => pod.revision === current).length,
    updatedReplicas: updated,
  })
  const status = {
    replicas: pods.length,
    availableReplicas: pods.filter(pod => pod.isAvailable).length,
    ...counts,
    currentRevision: current,
    updateRevision: names.update,
    collisionCount: numberField(set.status ?? {}, 'collisionCount'),
  }
  if (isSameContent(status, set.status)) return
  context.access.update('statefulsets.apps', { ...set, status }, writer, { subresource: 'status' })
}

function minReadySecondsOf(set: StatefulSet): number {
  return numberField(set.spec, 'minReadySeconds')
}

function objectField(from: Status, name: string): Status {
  const value = from[name]
  return typeof value === 'object' && value !== null ? (value as Status) : {}
}

function numberField(from: Status, name: string): number {
  const value = from[name]
  return typeof value === 'number' ? value : 0
}

function textField(from: Status | undefined, name: string): string | undefined {
  const value = from?.[name]
  return typeof value === 'string' && value !== '' ? value : undefined
}
