// PodDisruptionBudget status: how many pods may go now, kept current as pods and their controllers change.

import { type BudgetedPod, type BudgetStatus, budgetStatus } from '#cluster/disruption-budget.ts'
import { selectorDump } from '#cluster/horizontal-autoscaler.ts'
import type { Condition, OwnerReference, Pod, PodDisruptionBudget } from '#kube/objects/objects.ts'
import { readPath } from '../../api/answers/json-path.ts'
import { itemsAt, textAt } from '../../json-value.ts'
import { type ComponentContext, controllerWriter } from '../component.ts'
import type { EventSource } from '../event-recorder.ts'
import type { KnownResource } from '../kinds.ts'
import { isSameContent } from '../same-content.ts'
import { selectorFor } from '../selectors.ts'
import { controllerOf, isReady, isTerminating, keyOf, splitKey, timeText, withCondition } from '../workloads/pod-state.ts'

const writer = controllerWriter('disruption-controller')
const source: EventSource = { component: 'controllermanager', writer }
const disruptedForMs = 120_000
const scaledKinds: readonly KnownResource[] = [
  'deployments.apps',
  'replicasets.apps',
  'statefulsets.apps',
  'replicationcontrollers',
]

export function startDisruption(context: ComponentContext): void {
  const { view, loop } = context
  const queue = loop.queue('disruption', key => {
    const { namespace, name } = splitKey(key)
    const budget = view.get('poddisruptionbudgets.policy', namespace, name)
    if (budget === undefined || isTerminating(budget)) return
    const wait = sync(context, budget)
    if (wait !== undefined) queue.addPeriodic(key, wait)
  })
  const addAll = (namespace: string | undefined, matches: (budget: PodDisruptionBudget) => boolean) => {
    for (const budget of view.list('poddisruptionbudgets.policy', namespace)) if (matches(budget)) queue.add(keyOf(budget))
  }
  view.on('poddisruptionbudgets.policy', ({ type, object }) =>
    type === 'DELETED' ? queue.remove(keyOf(object)) : queue.add(keyOf(object)),
  )
  view.on('pods', ({ object, previous }) => {
    addAll(object.metadata.namespace, budget => {
      const selector = selectorFor(budget.spec.selector)
      return selector.matches(object.metadata.labels) || (previous !== undefined && selector.matches(previous.metadata.labels))
    })
  })
  for (const resource of scaledKinds) {
    view.onAny(resource, ({ type, object, previous }) => {
      if (type !== 'MODIFIED' || replicasField(object) !== replicasField(previous)) addAll(object.metadata.namespace, () => true)
    })
  }
  addAll(undefined, () => true)
}

/** Milliseconds until the next entry of disruptedPods runs out; `undefined` without one. */
function sync(context: ComponentContext, budget: PodDisruptionBudget): number | undefined {
  const { access, view, events, clock } = context
  const nowMs = clock.now()
  const selector = selectorFor(budget.spec.selector)
  const pods = view.list('pods', budget.metadata.namespace).filter(pod => selector.matches(pod.metadata.labels))
  const disrupted = liveDisruptions(budget, pods, nowMs)
  const { disruptedPods: _, ...kept } = budget.status ?? {}
  const asked: PodDisruptionBudget = { ...budget, status: { ...kept, disruptedPods: disrupted } }
  const counted = budgetStatus(asked, pods.map(podFacts), {
    nowMs,
    replicasOf: (controller, namespace) => replicasOf(context, controller, namespace),
  })
  const result = counted.failure === undefined ? counted : { ...counted, failure: unscalable(context, pods) ?? counted.failure }
  const counts = budget.spec.maxUnavailable !== undefined || typeof budget.spec.minAvailable === 'string'
  if (counts && result.failure === undefined && pods.some(pod => controllerOf(pod) === undefined)) tellUnmanaged(context, budget)
  if (result.failure !== undefined) {
    events.record(budget, source, {
      type: 'Warning',
      reason: 'CalculateExpectedPodCountFailed',
      message: `Failed to calculate the number of expected pods: ${result.failure}`,
    })
  }
  const status = {
    ...(Object.keys(disrupted).length === 0 ? {} : { disruptedPods: disrupted }),
    conditions: conditionsFor(budget, result, timeText(nowMs)),
    currentHealthy: result.currentHealthy,
    desiredHealthy: result.desiredHealthy,
    disruptionsAllowed: result.disruptionsAllowed,
    expectedPods: result.expectedPods,
    observedGeneration: budget.metadata.generation ?? 0,
  }
  if (!isSameContent(status, budget.status)) {
    access.update('poddisruptionbudgets.policy', { ...budget, status }, writer, { subresource: 'status' })
  }
  const ends = Object.values(disrupted).map(text => Date.parse(text) + disruptedForMs - nowMs)
  return ends.length === 0 ? undefined : Math.max(1, Math.min(...ends))
}

/** Which resource of the pods' controllers cannot be asked for its scale. */
function unscalable(context: ComponentContext, pods: readonly Pod[]): string | undefined {
  for (const pod of pods) {
    const { apiVersion = '', kind = '' } = controllerOf(pod) ?? {}
    const resource = resourceOfKind(context, apiVersion, kind)
    if (resource === undefined || scaledKinds.some(scaled => scaled === resource)) continue
    if (customReplicasPath(context, resource, apiVersion) === undefined)
      return `${resource} does not implement the scale subresource`
  }
  return undefined
}

function tellUnmanaged({ events }: ComponentContext, budget: PodDisruptionBudget): void {
  const message = `Pods selected by this PodDisruptionBudget (selector: ${selectorDump(budget.spec.selector)}) were found to be unmanaged. As a result, the status of the PDB cannot be calculated correctly, which may result in undefined behavior. To account for these pods please set ".spec.minAvailable" field of the PDB to an integer value.`
  events.record(budget, source, { type: 'Warning', reason: 'UnmanagedPods', message })
}

/** Entries of pods that are still there, not going yet, and not older than two minutes. */
function liveDisruptions(budget: PodDisruptionBudget, pods: readonly Pod[], nowMs: number): Readonly<Record<string, string>> {
  const live: Record<string, string> = {}
  for (const [name, text] of Object.entries(budget.status?.disruptedPods ?? {})) {
    const pod = pods.find(candidate => candidate.metadata.name === name)
    if (pod !== undefined && !isTerminating(pod) && Date.parse(text) + disruptedForMs > nowMs) live[name] = text
  }
  return live
}

function conditionsFor(budget: PodDisruptionBudget, result: BudgetStatus, nowText: string): readonly Condition[] {
  const observedGeneration = budget.metadata.generation ?? 0
  const isAllowed = result.disruptionsAllowed > 0
  const condition: Condition =
    result.failure !== undefined
      ? { type: 'DisruptionAllowed', status: 'False', reason: 'SyncFailed', message: result.failure, observedGeneration }
      : {
          type: 'DisruptionAllowed',
          status: isAllowed ? 'True' : 'False',
          reason: isAllowed ? 'SufficientPods' : 'InsufficientPods',
          message: '',
          observedGeneration,
        }
  return withCondition(budget.status?.conditions, condition, nowText)
}

function replicasOf(
  context: ComponentContext,
  controller: OwnerReference,
  namespace: string,
): { readonly key: string; readonly replicas: number } | undefined {
  const scale = (kind: string, name: string, replicas: number | undefined) => ({
    key: `${kind}/${name}`,
    replicas: replicas ?? 1,
  })
  const { view } = context
  const { kind, name, uid } = controller
  switch (kind) {
    case 'ReplicaSet': {
      const set = view.get('replicasets.apps', namespace, name)
      if (set?.metadata.uid !== uid || set === undefined) return undefined
      const above = controllerOf(set)
      const deployment = above?.kind === 'Deployment' ? view.get('deployments.apps', namespace, above.name) : undefined
      return deployment === undefined
        ? scale(kind, name, set.spec.replicas)
        : scale('Deployment', deployment.metadata.name, deployment.spec.replicas)
    }
    case 'StatefulSet':
      return scaleOf(view.get('statefulsets.apps', namespace, name), uid, set => scale(kind, name, set.spec.replicas))
    case 'ReplicationController':
      return scaleOf(view.get('replicationcontrollers', namespace, name), uid, owner => scale(kind, name, owner.spec.replicas))
    default: {
      const replicas = customReplicas(context, controller, namespace)
      return replicas === undefined ? undefined : { key: uid, replicas }
    }
  }
}

function resourceOfKind({ resourceOf }: ComponentContext, apiVersion: string, kind: string): string | undefined {
  const group = apiVersion.includes('/') ? (apiVersion.split('/')[0] ?? '') : ''
  return resourceOf?.(group, kind)
}

/** What the scale of a custom resource says; `undefined` where it has none or is another object by now. */
function customReplicas(
  context: ComponentContext,
  { apiVersion, kind, name, uid }: OwnerReference,
  namespace: string,
): number | undefined {
  const resource = resourceOfKind(context, apiVersion, kind)
  const path = resource === undefined ? undefined : customReplicasPath(context, resource, apiVersion)
  if (resource === undefined || path === undefined) return undefined
  const object = context.access.get(resource, namespace, name)
  if (object === undefined || object.metadata.uid !== uid) return undefined
  const [replicas] = readPath(object, path)
  return typeof replicas === 'number' ? replicas : undefined
}

/** Where a custom resource has its replicas; `undefined` for kinds without a definition or without a scale. */
function customReplicasPath({ access }: ComponentContext, resource: string, apiVersion: string): string | undefined {
  const definition = access.get('customresourcedefinitions.apiextensions.k8s.io', undefined, resource)
  const version = itemsAt(definition, 'spec', 'versions').find(({ name }) => apiVersion.endsWith(`/${String(name)}`))
  return textAt(version, 'subresources', 'scale', 'specReplicasPath')
}

function scaleOf<T extends { readonly metadata: { readonly uid?: string } }, R>(
  object: T | undefined,
  uid: string,
  read: (object: T) => R,
): R | undefined {
  return object !== undefined && object.metadata.uid === uid ? read(object) : undefined
}

function podFacts(pod: Pod): BudgetedPod {
  const { namespace = '', name } = pod.metadata
  return { namespace, name, object: pod, isTerminating: isTerminating(pod), isReady: isReady(pod) }
}

function replicasField(object: { readonly [field: string]: unknown } | undefined): unknown {
  const spec = object?.['spec']
  return typeof spec === 'object' && spec !== null && 'replicas' in spec ? spec.replicas : undefined
}
