// DaemonSets: one pod on each node they fit, bound to it by affinity and placed by the scheduler.

import { requiredNodes } from '#cluster/scheduling/node-selector.ts'
import type { DaemonSet, IntOrString, Pod } from '#kube/objects/objects.ts'
import { scaledValue } from '#kube/values/int-or-string.ts'
import { type ComponentContext, controllerWriter } from '../component.ts'
import type { EventSource } from '../event-recorder.ts'
import { isSameContent } from '../same-content.ts'
import { selectorFor } from '../selectors.ts'
import { type Revisions, revisionHashLabel, revisionLabelOf, syncRevisions, truncateRevisions } from './controller-revisions.ts'
import { type DaemonPod, type DaemonVerdict, daemonPodSpec, daemonSetActions, daemonVerdict } from './daemonset-step.ts'
import { claimPods } from './pod-claims.ts'
import { controllerOf, isAvailable, isFinished, isReady, isTerminating, keyOf, splitKey, untilAvailableMs } from './pod-state.ts'
import { canonicalText, controllerReference, podFromTemplate } from './pod-template.ts'
import { createInBatches, isNamespaceTerminating } from './slow-start.ts'

const writer = controllerWriter('daemon-set-controller')
const source: EventSource = { component: 'daemonset-controller', writer }
const generationLabel = 'pod-template-generation'

export function startDaemonSets(context: ComponentContext): void {
  const { view, loop } = context
  const queue = loop.queue('daemonsets.apps', async key => {
    const { namespace, name } = splitKey(key)
    const set = view.get('daemonsets.apps', namespace, name)
    if (set === undefined) return
    await reconcile(context, set)
    const wait = untilAvailableMs(view.podsOf(set.metadata.uid ?? ''), minReadySecondsOf(set), context.clock.now())
    if (wait !== undefined) queue.addAfter(key, wait)
  })
  const addAll = () => {
    for (const set of view.list('daemonsets.apps')) queue.add(keyOf(set))
  }
  view.on('daemonsets.apps', ({ type, object }) => (type === 'DELETED' ? queue.remove(keyOf(object)) : queue.add(keyOf(object))))
  view.on('pods', ({ object }) => {
    const owner = controllerOf(object)
    if (owner?.kind === 'DaemonSet') queue.add(`${object.metadata.namespace}/${owner.name}`)
  })
  view.on('nodes', ({ type, object, previous }) => {
    // Heartbeats change nothing here.
    if (type === 'DELETED' || previous === undefined || placeText(object) !== placeText(previous)) addAll()
  })
  addAll()
}

function placeText(node: {
  readonly metadata: { readonly labels?: object; readonly deletionTimestamp?: string }
  readonly spec?: object
}): string {
  return canonicalText([node.metadata.labels, node.spec, node.metadata.deletionTimestamp])
}

async function reconcile(context: ComponentContext, set: DaemonSet): Promise<void> {
  const pods = claimPods(context, { owner: set, selector: selectorFor(set.spec.selector), writer })
  const revisions = syncRevisions(context, {
    owner: set,
    writer,
    firstName: firstRevisionName(set, pods),
    labels: hash => ({ [revisionHashLabel]: hash }),
  })
  const verdicts = verdictsFor(context, set)
  const desired = [...verdicts.values()].filter(verdict => verdict.shouldRun).length
  const isCurrent = currentTest(revisions)
  const read = (pod: Pod) => daemonPod(pod, { isCurrent, minReadySeconds: minReadySecondsOf(set), nowMs: context.clock.now() })
  if (!isTerminating(set)) {
    const strategy = (set.spec['updateStrategy'] ?? {}) as UpdateStrategy
    const maxSurge = scaledValue(strategy.rollingUpdate?.maxSurge ?? 0, desired, 'up')
    const maxUnavailable = scaledValue(strategy.rollingUpdate?.maxUnavailable ?? 1, desired, 'up')
    const input = { verdicts, pods: pods.map(read), maxSurge, maxUnavailable, isOnDelete: strategy.type === 'OnDelete' }
    const actions = daemonSetActions(input)
    removePods(context, set, pods, actions.remove)
    await createPods(context, set, revisions, actions.create)
  }
  const after = context.view.podsOf(set.metadata.uid ?? '')
  writeStatus(context, set, verdicts, after.map(read))
  truncateRevisions(context, set, revisions, namesInUse(revisions, after), writer)
}

interface UpdateStrategy {
  readonly type?: string
  readonly rollingUpdate?: { readonly maxUnavailable?: IntOrString; readonly maxSurge?: IntOrString }
}

function verdictsFor({ view }: ComponentContext, set: DaemonSet): ReadonlyMap<string, DaemonVerdict> {
  const spec = set.spec.template.spec
  const template: Pod = { apiVersion: 'v1', kind: 'Pod', metadata: { name: set.metadata.name }, spec }
  const matches = requiredNodes(template)
  return new Map(
    view.list('nodes').map(node => {
      const isNamed = spec.nodeName === undefined || spec.nodeName === node.metadata.name
      return [node.metadata.name, daemonVerdict(spec, node, isNamed && matches(node))]
    }),
  )
}

/** A dump without ControllerRevisions: if all pods carry one hash, the present template is taken to be of that hash. */
function firstRevisionName(set: DaemonSet, pods: readonly Pod[]): string | undefined {
  const hashes = new Set(pods.map(revisionLabelOf))
  const only = hashes.size === 1 ? [...hashes][0] : undefined
  return only === undefined ? undefined : `${set.metadata.name}-${only}`
}

/** A pod whose hash no stored revision has comes from a dump and is taken to have the template of the dump. */
function currentTest(revisions: Revisions): (pod: Pod) => boolean {
  const old = new Set(revisions.all.filter(revision => revision !== revisions.update).map(hashOf))
  return pod => !old.has(revisionLabelOf(pod))
}

function hashOf(revision: Revisions['update']): string | undefined {
  return revision.metadata.labels?.[revisionHashLabel]
}

function namesInUse(revisions: Revisions, pods: readonly Pod[]): ReadonlySet<string> {
  const hashes = new Set(pods.map(revisionLabelOf))
  return new Set(revisions.all.filter(revision => hashes.has(hashOf(revision))).map(revision => revision.metadata.name))
}

/** The node a daemon pod is meant for: the one it is bound to, else the one its affinity names. */
function nodeOf(pod: Pod): string {
  if (pod.spec.nodeName) return pod.spec.nodeName
  const terms = pod.spec.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution?.nodeSelectorTerms ?? []
  const fields = terms.flatMap(term => term.matchFields ?? [])
  return fields.find(field => field.key === 'metadata.name')?.values?.[0] ?? ''
}

interface Reading {
  readonly isCurrent: (pod: Pod) => boolean
  readonly minReadySeconds: number
  readonly nowMs: number
}

function daemonPod(pod: Pod, { isCurrent, minReadySeconds, nowMs }: Reading): DaemonPod {
  return {
    name: pod.metadata.name,
    node: nodeOf(pod),
    isBound: Boolean(pod.spec.nodeName),
    isCurrent: isCurrent(pod),
    isTerminating: isTerminating(pod),
    isFailed: isFinished(pod),
    isAvailable: isAvailable(pod, minReadySeconds, nowMs),
    isReady: isReady(pod),
    createdMs: Date.parse(pod.metadata.creationTimestamp ?? '') || 0,
  }
}

function removePods({ access, events }: ComponentContext, set: DaemonSet, pods: readonly Pod[], names: readonly string[]): void {
  for (const name of names) {
    const pod = pods.find(candidate => candidate.metadata.name === name)
    if (pod?.metadata.uid === undefined) continue
    if (isFinished(pod)) {
      const message = `Found failed daemon pod ${keyOf(pod)} on node ${nodeOf(pod)}, will try to kill it`
      events.record(set, source, { type: 'Warning', reason: 'FailedDaemonPod', message })
    }
    access.remove('pods', set.metadata.namespace, name, writer, { preconditions: { uid: pod.metadata.uid } })
    events.record(set, source, { type: 'Normal', reason: 'SuccessfulDelete', message: `Deleted pod: ${name}` })
  }
}

async function createPods(
  { access, events }: ComponentContext,
  set: DaemonSet,
  revisions: Revisions,
  nodes: readonly string[],
): Promise<void> {
  const hash = hashOf(revisions.update) ?? ''
  const { error } = await createInBatches(nodes.length, async index => {
    const template = { ...set.spec.template, spec: daemonPodSpec(set.spec.template.spec, nodes[index] ?? '') }
    const pod = podFromTemplate(template, {
      generateName: `${set.metadata.name}-`,
      namespace: set.metadata.namespace ?? '',
      owner: controllerReference(set),
      labels: { [revisionHashLabel]: hash, [generationLabel]: String(set.metadata.generation ?? 1) },
    })
    const made = await access.createAdmitted('pods', pod, writer)
    events.record(set, source, { type: 'Normal', reason: 'SuccessfulCreate', message: `Created pod: ${made.metadata.name}` })
  })
  if (error === undefined || isNamespaceTerminating(error)) return
  events.record(set, source, { type: 'Warning', reason: 'FailedCreate', message: `Error creating: ${error.message}` })
  throw error
}

function writeStatus(
  context: ComponentContext,
  before: DaemonSet,
  verdicts: ReadonlyMap<string, DaemonVerdict>,
  pods: readonly DaemonPod[],
): void {
  const set = context.view.get('daemonsets.apps', before.metadata.namespace, before.metadata.name)
  if (set === undefined || set.metadata.uid !== before.metadata.uid) return
  const counts = { desired: 0, current: 0, misscheduled: 0, ready: 0, available: 0, updated: 0 }
  for (const [node, verdict] of verdicts) {
    const there = pods.filter(pod => pod.node === node && !pod.isFailed)
    const oldest = there.toSorted((a, b) => a.createdMs - b.createdMs)[0]
    // A pod that may stay is wanted where it is, though none would be made there now.
    const isWanted = verdict.shouldRun || (verdict.shouldContinue && oldest !== undefined)
    if (isWanted) counts.desired++
    else if (oldest !== undefined) counts.misscheduled++
    if (!isWanted || oldest === undefined) continue
    counts.current++
    if (there.some(pod => pod.isReady)) counts.ready++
    if (there.some(pod => pod.isAvailable)) counts.available++
    // If two stand beside each other for a while, the older one tells.
    if (oldest.isCurrent) counts.updated++
  }
  const status = {
    ...set.status,
    currentNumberScheduled: counts.current,
    desiredNumberScheduled: counts.desired,
    numberMisscheduled: counts.misscheduled,
    numberReady: counts.ready,
    updatedNumberScheduled: counts.updated,
    numberAvailable: counts.available,
    numberUnavailable: counts.desired - counts.available,
    observedGeneration: set.metadata.generation ?? 0,
  }
  const { numberAvailable, numberUnavailable, updatedNumberScheduled, ...rest } = status
  const written = {
    ...rest,
    ...(updatedNumberScheduled === 0 ? {} : { updatedNumberScheduled }),
    ...(numberAvailable === 0 ? {} : { numberAvailable }),
    ...(numberUnavailable === 0 ? {} : { numberUnavailable }),
  }
  if (isSameContent(written, set.status)) return
  context.access.update('daemonsets.apps', { ...set, status: written }, writer, { subresource: 'status' })
}

function minReadySecondsOf(set: DaemonSet): number {
  const value = set.spec['minReadySeconds']
  return typeof value === 'number' ? value : 0
}
