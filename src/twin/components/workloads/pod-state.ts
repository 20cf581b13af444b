// What the workload controllers ask of a pod: the same words with the same meaning in all of them.
import type { Condition, OwnerReference, Pod } from '#kube/objects/objects.ts'

/** `namespace/name`; just the name for what has no namespace. */
export function keyOf(object: { readonly metadata: { readonly name: string; readonly namespace?: string } }): string {
  const { name, namespace } = object.metadata
  return namespace === undefined ? name : `${namespace}/${name}`
}

/** The reverse of `keyOf`. */
export function splitKey(key: string): { readonly namespace: string | undefined; readonly name: string } {
  const slash = key.indexOf('/')
  return slash < 0 ? { namespace: undefined, name: key } : { namespace: key.slice(0, slash), name: key.slice(slash + 1) }
}

export function controllerOf(object: {
  readonly metadata: { readonly ownerReferences?: readonly OwnerReference[] }
}): OwnerReference | undefined {
  return object.metadata.ownerReferences?.find(owner => owner.controller === true)
}

/** Phase Succeeded or Failed: its containers never run again. */
export function isFinished(pod: Pod): boolean {
  return pod.status?.phase === 'Succeeded' || pod.status?.phase === 'Failed'
}

export function isTerminating(object: { readonly metadata: { readonly deletionTimestamp?: string } }): boolean {
  return object.metadata.deletionTimestamp !== undefined
}

/** What a controller counts as one of its replicas. */
export function isActive(pod: Pod): boolean {
  return !isFinished(pod) && !isTerminating(pod)
}

export function conditionOf(conditions: readonly Condition[] | undefined, type: string): Condition | undefined {
  return conditions?.find(condition => condition.type === type)
}

export function isReady(pod: Pod): boolean {
  return conditionOf(pod.status?.conditions, 'Ready')?.status === 'True'
}

/** Since when the pod is Ready, in milliseconds since 1970; `undefined` when it is not. */
export function readySinceMs(pod: Pod): number | undefined {
  const ready = conditionOf(pod.status?.conditions, 'Ready')
  if (ready?.status !== 'True') return undefined
  const since = Date.parse(ready.lastTransitionTime ?? pod.metadata.creationTimestamp ?? '')
  return Number.isNaN(since) ? 0 : since
}

/** Ready for at least `minReadySeconds`. */
export function isAvailable(pod: Pod, minReadySeconds: number, nowMs: number): boolean {
  const since = readySinceMs(pod)
  return since !== undefined && (minReadySeconds === 0 || since + minReadySeconds * 1000 <= nowMs)
}

/** How long until the next of the pods becomes available by waiting alone; `undefined` when none will. */
export function untilAvailableMs(pods: readonly Pod[], minReadySeconds: number, nowMs: number): number | undefined {
  if (minReadySeconds === 0) return undefined
  let next: number | undefined
  for (const pod of pods) {
    const since = readySinceMs(pod)
    if (since === undefined) continue
    const left = since + minReadySeconds * 1000 - nowMs
    if (left > 0 && (next === undefined || left < next)) next = left
  }
  return next
}

/** How often containers of the pod were started again, the most restarted one counting. */
export function restartsOf(pod: Pod): number {
  let most = 0
  for (const status of pod.status?.containerStatuses ?? []) most = Math.max(most, status.restartCount ?? 0)
  return most
}

/** A pod whose truth is a file on its node; the API server only shows a mirror of it. */
export function isStatic(pod: Pod): boolean {
  const annotations = pod.metadata.annotations
  return (
    annotations?.['kubernetes.io/config.mirror'] !== undefined ||
    pod.metadata.ownerReferences?.some(owner => owner.kind === 'Node') === true
  )
}

const systemCriticalPriority = 2_000_000_000

/** What a kubelet keeps running before all else: static pods, and those of the system's priorities. */
export function isCritical(pod: Pod): boolean {
  return isStatic(pod) || (pod.spec.priority ?? 0) >= systemCriticalPriority
}

/**
 * The list with one condition set. `lastTransitionTime` moves only when the status does, as everywhere in Kubernetes;
 * the same array comes back when nothing is different.
 */
export function withCondition(
  conditions: readonly Condition[] | undefined,
  next: Condition,
  nowText: string,
): readonly Condition[] {
  const list = conditions ?? []
  const index = list.findIndex(condition => condition.type === next.type)
  const before = index < 0 ? undefined : list[index]
  if (before === undefined) return [...list, { lastTransitionTime: nowText, ...next }]
  const isSame = before.status === next.status && before.reason === next.reason && before.message === next.message
  if (isSame && before['observedGeneration'] === next['observedGeneration']) return list
  const moved = before.status === next.status ? (before.lastTransitionTime ?? nowText) : nowText
  const replaced: Condition = { ...next, lastTransitionTime: moved }
  return list.map((condition, at) => (at === index ? replaced : condition))
}

/** RFC 3339 in whole seconds, as `metav1.Time` is written. */
export function timeText(nowMs: number): string {
  return `${new Date(nowMs).toISOString().slice(0, 19)}Z`
}

/** RFC 3339 with microseconds, as `metav1.MicroTime` is written. */
export function microTimeText(nowMs: number): string {
  return `${new Date(nowMs).toISOString().slice(0, 23)}000Z`
}

/** Counts as the wire has them: a zero is left out. */
export function withoutZeros(counts: Readonly<Record<string, number>>): Readonly<Record<string, number>> {
  return Object.fromEntries(Object.entries(counts).filter(([, count]) => count !== 0))
}
