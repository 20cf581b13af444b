// In-place resize on the kubelet's side: what a pod asks for now is taken up when its node has room, and what cannot be is told.

import { allocatableOf } from '#cluster/cluster-state.ts'
import { podRequests, specRequests } from '#cluster/requests.ts'
import type { Condition, Container, ContainerStatus, Pod, PodStatus, ResourceList } from '#kube/objects/objects.ts'
import { type ComponentContext, kubeletWriter } from '../component.ts'
import { isSameContent } from '../same-content.ts'
import { isFinished, isTerminating, keyOf, splitKey, timeText, withCondition } from '../workloads/pod-state.ts'
import { canonicalText } from '../workloads/pod-template.ts'

/** From taking a resize up to its being in force. */
const actuationMs = 1_000

interface Kubelet {
  isAlive(node: string): boolean
  /** Ends the containers, which start again at once. */
  restartResized(pod: Pod, containers: readonly string[]): void
}

/** Follows pods whose resources changed, and those that wait for room on their node. */
export function startResizes(context: ComponentContext, kubelet: Kubelet): void {
  const { view, loop } = context
  const waiting = new Map<string, Set<string>>()
  const forget = (pod: Pod) => waiting.get(pod.spec.nodeName ?? '')?.delete(keyOf(pod))
  const queue = loop.queue('kubelet resize', key => {
    const { namespace, name } = splitKey(key)
    const pod = view.get('pods', namespace, name)
    if (pod === undefined || !isResizable(pod) || !kubelet.isAlive(pod.spec.nodeName ?? '')) return
    const outcome = step(context, pod)
    if (outcome.kind === 'deferred') {
      const node = pod.spec.nodeName ?? ''
      const keys = waiting.get(node) ?? new Set()
      waiting.set(node, keys.add(key))
      return
    }
    forget(pod)
    if (outcome.kind === 'begun') queue.addAfter(key, actuationMs)
    else if (outcome.kind === 'done') kubelet.restartResized(view.get('pods', namespace, name) ?? pod, outcome.restarted)
  })
  view.on('pods', ({ type, object, previous }) => {
    const hasLeft = type === 'DELETED' || isFinished(object)
    if (type === 'DELETED') {
      forget(object)
      queue.remove(keyOf(object))
    }
    if (hasLeft || requestsText(object) !== requestsText(previous)) {
      for (const key of waiting.get(object.spec.nodeName ?? '') ?? []) if (key !== keyOf(object)) queue.add(key)
    }
    if (type === 'MODIFIED' && previous?.spec !== object.spec && isResizable(object)) queue.add(keyOf(object))
  })
  view.each('pods', pod => {
    if (isResizable(pod) && !isInForce(pod)) queue.add(keyOf(pod))
  })
}

type Outcome = { readonly kind: 'none' | 'deferred' | 'begun' } | { readonly kind: 'done'; readonly restarted: readonly string[] }

function step(context: ComponentContext, pod: Pod): Outcome {
  if (isInForce(pod)) {
    write(context, pod, pod.status?.containerStatuses ?? [], undefined)
    return { kind: 'none' }
  }
  if (isAllocated(pod)) {
    const restarted = pod.spec.containers
      .filter(container => needsRestart(container, statusOf(pod, container)))
      .map(({ name }) => name)
    const statuses = withStatuses(pod, ({ resources = {} }) => ({ resources }))
    write(context, pod, statuses, undefined)
    return { kind: 'done', restarted }
  }
  const refusal = shortage(context, pod)
  if (refusal !== undefined) {
    write(context, pod, pod.status?.containerStatuses ?? [], { type: 'PodResizePending', status: 'True', ...refusal })
    return { kind: refusal.reason === 'Deferred' ? 'deferred' : 'none' }
  }
  const statuses = withStatuses(pod, ({ resources }) => ({ allocatedResources: resources?.requests ?? {} }))
  write(context, pod, statuses, { type: 'PodResizeInProgress', status: 'True' })
  return { kind: 'begun' }
}

/** Where a status does not say what its container was given, as in dumps of older kubelets, nothing is known to differ. */
function isResizable(pod: Pod): boolean {
  const statuses = (pod.status?.containerStatuses ?? []).filter(({ resources }) => resources !== undefined)
  return pod.status?.phase === 'Running' && !isTerminating(pod) && statuses.length > 0 && Boolean(pod.spec.nodeName)
}

function statusOf(pod: Pod, { name }: Container): ContainerStatus | undefined {
  return pod.status?.containerStatuses?.find(status => status.name === name)
}

function isAllocated(pod: Pod): boolean {
  return pod.spec.containers.every(container => {
    const allocated = statusOf(pod, container)?.allocatedResources
    return isSameContent(allocated ?? {}, container.resources?.requests ?? {})
  })
}

function isInForce(pod: Pod): boolean {
  return (
    isAllocated(pod) &&
    pod.spec.containers.every(container => isSameContent(statusOf(pod, container)?.resources ?? {}, container.resources ?? {}))
  )
}

function withStatuses(pod: Pod, change: (container: Container) => Partial<ContainerStatus>): readonly ContainerStatus[] {
  return (pod.status?.containerStatuses ?? []).map(status => {
    const container = pod.spec.containers.find(({ name }) => name === status.name)
    return container === undefined ? status : { ...status, ...change(container) }
  })
}

/** A resource changed whose policy asks for it. */
function needsRestart(container: Container, status: ContainerStatus | undefined): boolean {
  const policies = (container['resizePolicy'] ?? []) as readonly {
    readonly resourceName: string
    readonly restartPolicy: string
  }[]
  const value = (list: ResourceList | undefined, name: string) => String(list?.[name] ?? '')
  return policies.some(({ resourceName, restartPolicy }) => {
    if (restartPolicy !== 'RestartContainer') return false
    return (['requests', 'limits'] as const).some(
      kind => value(container.resources?.[kind], resourceName) !== value(status?.resources?.[kind], resourceName),
    )
  })
}

function requestsText(pod: Pod | undefined): string {
  return pod === undefined ? '' : canonicalText(podRequests(pod))
}

/** Why the node cannot take the pod at its new size: not ever, or not now. */
function shortage({ view }: ComponentContext, pod: Pod): { readonly reason: string; readonly message: string } | undefined {
  const node = view.get('nodes', undefined, pod.spec.nodeName ?? '')
  if (node === undefined) return undefined
  const allocatable = allocatableOf(node)
  const wanted = specRequests(pod)
  const others = view.podsOn(node.metadata.name).filter(other => !isFinished(other) && other.metadata.uid !== pod.metadata.uid)
  const amounts = (['cpu', 'memory'] as const).map(name => ({ name, asked: wanted[name] ?? 0, capacity: allocatable[name] ?? 0 }))
  const never = amounts.find(({ asked, capacity }) => asked > capacity)
  if (never !== undefined) {
    const { name, asked, capacity } = never
    return {
      reason: 'Infeasible',
      message: `Node didn't have enough capacity: ${name}, requested: ${asked}, capacity: ${capacity}`,
    }
  }
  for (const { name, asked, capacity } of amounts) {
    const used = others.reduce((sum, other) => sum + (podRequests(other)[name] ?? 0), 0)
    if (used + asked > capacity) {
      const message = `Node didn't have enough resource: ${name}, requested: ${asked}, used: ${used}, capacity: ${capacity}`
      return { reason: 'Deferred', message }
    }
  }
  return undefined
}

/** `condition` is the one that holds now; the other of the two goes. */
function write(
  { access, clock }: ComponentContext,
  pod: Pod,
  containerStatuses: readonly ContainerStatus[],
  condition: Condition | undefined,
): void {
  const kinds = ['PodResizePending', 'PodResizeInProgress']
  const kept = (pod.status?.conditions ?? []).filter(({ type }) => !kinds.includes(type) || type === condition?.type)
  const observedGeneration = pod.metadata.generation ?? 0
  const told = condition === undefined ? kept : withCondition(kept, { ...condition, observedGeneration }, timeText(clock.now()))
  const status: PodStatus = { ...pod.status, containerStatuses, conditions: told, observedGeneration }
  if (isSameContent(status, pod.status)) return
  access.update('pods', { ...pod, status }, kubeletWriter(pod.spec.nodeName ?? ''), { subresource: 'status' })
}
