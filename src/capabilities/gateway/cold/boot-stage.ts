// How far a target is on its way from nothing to an answer, by what the cluster says of its pods. Pure.
import type { Condition, ContainerStatus, KubeObject, Pod } from '#kube/objects/objects.ts'
import { podTrouble, shortened, type Trouble } from './pod-trouble.ts'

/** In order; each lasts from when it is reached until the next one is. */
export const bootStages = [
  'queued',
  'node-requested',
  'node-ready',
  'image',
  'container',
  'ready',
  'model',
  'first-token',
] as const

export type BootStage = (typeof bootStages)[number]

/** What the cluster says of a target. */
export interface BootFacts {
  /** What makes its pods; undefined: none is known. */
  readonly workload?: {
    readonly kind: string
    readonly name: string
    /** Replicas that it is to have. */
    readonly wanted: number | undefined
    readonly conditions: readonly Condition[]
  }
  /** What scales it from zero. */
  readonly scaledObject?: { readonly name: string; readonly isPaused: boolean; readonly conditions: readonly Condition[] }
  readonly pods: readonly Pod[]
  /** Whether a node is ready; undefined: nothing is known of it. */
  readonly isNodeReady: (name: string) => boolean | undefined
  /** NodeClaims of Karpenter whose node has not come. */
  readonly claims: readonly KubeObject[]
  /** UIDs of pods for which the cluster autoscaler has ordered a node. */
  readonly ordered: ReadonlySet<string>
  /** Endpoints that are ready. */
  readonly endpoints: number
  /** Endpoints that load their model before they get requests. */
  readonly loading: number
  /** A request is with the target. */
  readonly isAsked: boolean
}

export interface BootPosition {
  readonly stage: BootStage
  /** When it was reached, by what the cluster wrote down: milliseconds since 1970. Undefined: the cluster does not say. */
  readonly sinceMs?: number | undefined
  /** For people: `the image is pulled on node talos02`. */
  readonly sentence: string
  /** What keeps it from going on. It may still pass: each of these is tried again by somebody. */
  readonly trouble?: Trouble | undefined
}

/** The stage of the pod that has come farthest. */
export function bootPosition(facts: BootFacts): BootPosition {
  if (facts.isAsked) return { stage: 'first-token', sentence: 'the request is with the target' }
  if (facts.endpoints > 0)
    return facts.loading > 0 && facts.loading >= facts.endpoints
      ? { stage: 'model', sentence: 'the model is loaded' }
      : { stage: 'ready', sentence: 'the target is ready' }
  const alive = facts.pods.filter(pod => pod.metadata.deletionTimestamp === undefined && !isOver(pod))
  let best: BootPosition | undefined
  for (const pod of alive) {
    const one = podPosition(pod, facts)
    if (best === undefined || isFarther(one, best)) best = one
  }
  return best ?? withoutPods(facts)
}

function isOver({ status }: Pod): boolean {
  return status?.phase === 'Failed' || status?.phase === 'Succeeded'
}

function isFarther(one: BootPosition, than: BootPosition): boolean {
  const ahead = bootStages.indexOf(one.stage) - bootStages.indexOf(than.stage)
  if (ahead !== 0) return ahead > 0
  return one.trouble === undefined && than.trouble !== undefined
}

function withoutPods({ workload, scaledObject, pods }: BootFacts): BootPosition {
  const failed = pods.find(isOver)
  const trouble = workloadTrouble(workload) ?? scalingTrouble(scaledObject) ?? (failed && podTrouble(failed))
  if (workload === undefined) return { stage: 'queued', sentence: 'a pod is waited for', trouble }
  const what = `${workload.kind} ${workload.name}`
  const sentence = workload.wanted === 0 ? `${what} is scaled up` : `${what} makes a pod`
  return { stage: 'queued', sentence, trouble }
}

/** A quota or an admission webhook refuses the pods themselves. */
function workloadTrouble(workload: BootFacts['workload']): Trouble | undefined {
  const failure = workload?.conditions.find(({ type, status }) => type === 'ReplicaFailure' && status === 'True')
  if (workload === undefined || failure === undefined) return undefined
  const { reason = 'ReplicaFailure', message = '' } = failure
  const isQuota = /exceeded quota/.test(message)
  const told = shortened(message)
  const sentence = isQuota ? `a quota refuses the pod: ${told}` : `${workload.kind} ${workload.name} cannot make a pod: ${told}`
  return { reason: isQuota ? 'QuotaExceeded' : shortened(reason), sentence }
}

function scalingTrouble(scaledObject: BootFacts['scaledObject']): Trouble | undefined {
  if (scaledObject === undefined) return undefined
  const { name, isPaused, conditions } = scaledObject
  if (isPaused) return { reason: 'Paused', sentence: `ScaledObject ${name} is paused: nothing scales the target` }
  const ready = conditions.find(({ type }) => type === 'Ready')
  if (ready?.status !== 'False') return undefined
  const sentence = `ScaledObject ${name} is not ready: ${shortened(ready.message ?? '')}`
  return { reason: shortened(ready.reason ?? 'NotReady'), sentence }
}

function podPosition(pod: Pod, facts: BootFacts): BootPosition {
  const node = pod.spec.nodeName
  const trouble = podTrouble(pod)
  const conditions = pod.status?.conditions ?? []
  const scheduled = conditionOf(conditions, 'PodScheduled')
  if (node === undefined || node === '') return unscheduled(pod, { facts, trouble, scheduled })
  const on = `on node ${node}`
  const scheduledMs = timeOf(scheduled?.status === 'True' ? scheduled.lastTransitionTime : undefined)
  if (facts.isNodeReady(node) === false)
    return { stage: 'node-requested', sinceMs: scheduledMs, sentence: `node ${node} is not ready yet`, trouble }
  const all = [...(pod.status?.initContainerStatuses ?? []), ...(pod.status?.containerStatuses ?? [])]
  const ready = conditionOf(conditions, 'Ready')
  if (ready?.status === 'True')
    return { stage: 'ready', sinceMs: timeOf(ready.lastTransitionTime), sentence: `the pod is ready ${on}`, trouble }
  const begun = all.filter(hasBegun)
  if (begun.length > 0) {
    const sinceMs = leastOf(begun.flatMap(one => timeOf(startOf(one)) ?? []))
    return { stage: 'container', sinceMs, sentence: containerSentence(pod, on), trouble }
  }
  const sandbox = conditionOf(conditions, 'PodReadyToStartContainers')
  // The image is there when a container cannot be made.
  if (trouble !== undefined && !imageReasons.has(trouble.reason))
    return { stage: 'container', sinceMs: scheduledMs, sentence: `the container starts ${on}`, trouble }
  // A kubelet before 1.29 says nothing of it.
  const isPulling = sandbox?.status === 'True' || (sandbox === undefined && all.length > 0)
  if (isPulling || (trouble !== undefined && imageReasons.has(trouble.reason))) {
    const sinceMs = timeOf(sandbox?.lastTransitionTime) ?? scheduledMs
    const image = all.find(({ state }) => state?.waiting !== undefined)?.image || pod.spec.containers[0]?.image
    const what = image === undefined ? 'the image' : `image ${shortened(image)}`
    return { stage: 'image', sinceMs, sentence: `${what} is pulled ${on}`, trouble }
  }
  return { stage: 'node-ready', sinceMs: scheduledMs, sentence: `network and volumes are made ready ${on}`, trouble }
}

const imageReasons: ReadonlySet<string> = new Set([
  ...['ImagePullBackOff', 'ErrImagePull', 'InvalidImageName', 'ImageInspectError', 'ErrImageNeverPull', 'RegistryUnavailable'],
  'SignatureValidationFailed',
])

function unscheduled(
  pod: Pod,
  {
    facts,
    trouble,
    scheduled,
  }: { readonly facts: BootFacts; readonly trouble: Trouble | undefined; readonly scheduled: Condition | undefined },
): BootPosition {
  const createdMs = timeOf(pod.metadata.creationTimestamp)
  const isUnschedulable = scheduled?.status === 'False' && scheduled.reason === 'Unschedulable'
  if (!isUnschedulable) return { stage: 'queued', sinceMs: createdMs, sentence: 'the pod waits for a node', trouble }
  // A claim does not say whose it is; one of about the time of the pod is it.
  const claim = facts.claims.find(one => (timeOf(one.metadata.creationTimestamp) ?? 0) >= (createdMs ?? 0) - claimAheadMs)
  if (claim !== undefined) {
    const refused = claimTrouble(claim)
    const sinceMs = timeOf(claim.metadata.creationTimestamp)
    return { stage: 'node-requested', sinceMs, sentence: `node claim ${claim.metadata.name} becomes a node`, trouble: refused }
  }
  const sinceMs = timeOf(scheduled.lastTransitionTime)
  const uid = pod.metadata.uid
  if (uid !== undefined && facts.ordered.has(uid))
    return { stage: 'node-requested', sinceMs, sentence: 'the cluster autoscaler has ordered a node' }
  return { stage: 'queued', sinceMs: createdMs, sentence: 'the pod waits for a node', trouble }
}

/** A claim may be made for pods of before, which leave room for this one. */
const claimAheadMs = 60_000

function claimTrouble(claim: KubeObject): Trouble | undefined {
  const conditions = conditionsOf(claim)
  const launched = conditionOf(conditions, 'Launched')
  if (launched === undefined || launched.status === 'True' || !launched.message) return undefined
  const sentence = `node claim ${claim.metadata.name} is not launched: ${shortened(launched.message)}`
  return { reason: shortened(launched.reason ?? 'LaunchFailed'), sentence }
}

/** Conditions of an object whose status nobody has checked. */
export function conditionsOf(object: KubeObject): readonly Condition[] {
  const status = object['status']
  const conditions: unknown = typeof status === 'object' && status !== null ? Reflect.get(status, 'conditions') : undefined
  return Array.isArray(conditions) ? conditions.filter(one => typeof one === 'object' && one !== null) : []
}

function containerSentence(pod: Pod, on: string): string {
  const init = (pod.status?.initContainerStatuses ?? []).find(
    ({ state, started }) => state?.running !== undefined && started !== true,
  )
  const isWaiting = (pod.status?.containerStatuses ?? []).every(({ state }) => state?.running === undefined)
  if (init !== undefined && isWaiting) return `init container ${init.name} runs ${on}`
  if (isWaiting) return `the container starts ${on}`
  const gates = conditionOf(pod.status?.conditions ?? [], 'ContainersReady')?.status === 'True'
  if (gates) return `the containers are ready ${on}; what else makes the pod ready is waited for`
  const late = (pod.status?.containerStatuses ?? []).find(({ ready }) => ready !== true)
  return `container ${late?.name ?? pod.spec.containers[0]?.name ?? ''} runs ${on} and is not ready yet`
}

function hasBegun({ state, restartCount = 0 }: ContainerStatus): boolean {
  return state?.running !== undefined || state?.terminated !== undefined || restartCount > 0
}

function startOf({ state }: ContainerStatus): string | undefined {
  return state?.running?.startedAt ?? state?.terminated?.startedAt
}

function conditionOf(conditions: readonly Condition[], type: string): Condition | undefined {
  return conditions.find(one => one.type === type)
}

/** Undefined: it is no time. */
function timeOf(text: string | undefined): number | undefined {
  const ms = text === undefined ? Number.NaN : Date.parse(text)
  return Number.isFinite(ms) ? ms : undefined
}

function leastOf(times: readonly number[]): number | undefined {
  return times.length === 0 ? undefined : Math.min(...times)
}
