// Signals that a policy names, judged: green, red, or unknown where there is no figure. Pure.
import type { ClusterState, PodState } from '#cluster/cluster-state.ts'
import { isFields } from '#cluster/loose-fields.ts'
import { labelSelectorOf } from '#kube/objects/selector.ts'
import { replicasOf, workloadObject } from '#planning/candidates/workload-object.ts'
import { workloadKey } from '#planning/goals/policy.ts'
import type { RebalancePlanStatus, RebalancePolicySpec } from '../../api.ts'

export type Signal = NonNullable<RebalancePolicySpec['auto']>['signals'][number]
type Trial = NonNullable<RebalancePlanStatus['trial']>
export type ReadyCount = NonNullable<Trial['ready']>[number]

export interface Reading {
  readonly name: string
  readonly state: NonNullable<Trial['signals']>[number]['state']
  readonly message: string
}

/** The worst state of `readings`: red before unknown before green. */
export function worstOf(readings: readonly Reading[]): Reading['state'] {
  return (['red', 'unknown'] as const).find(state => readings.some(one => one.state === state)) ?? 'green'
}

/** Those that are not green, worst first, in one sentence. */
export function readingWords(readings: readonly Reading[]): string {
  return (['red', 'unknown'] as const)
    .flatMap(state => readings.filter(one => one.state === state))
    .map(({ name, state, message }) => `signal ${name} is ${state}: ${message}`)
    .join('; ')
    .slice(0, 2048)
}

/** A signal of Prometheus by the body of an answer: each series has to keep within its bounds. */
export function queriedReading({ name, max, min }: Signal, body: unknown): Reading {
  const values = valuesOf(body)
  if (typeof values === 'string') return { name, state: 'unknown', message: values }
  if (values.length === 0) return { name, state: 'unknown', message: 'the query has no series' }
  if (values.some(value => Number.isNaN(value))) return { name, state: 'unknown', message: 'a series has no number' }
  const highest = values.reduce((most, value) => Math.max(most, value))
  const lowest = values.reduce((least, value) => Math.min(least, value))
  if (max !== undefined && highest > max) return { name, state: 'red', message: `${highest} is above ${max}` }
  if (min !== undefined && lowest < min) return { name, state: 'red', message: `${lowest} is below ${min}` }
  return { name, state: 'green', message: highest === lowest ? `${highest}` : `${lowest} to ${highest}` }
}

/** The values of an instant query, or why there are none. */
function valuesOf(body: unknown): readonly number[] | string {
  if (!isFields(body)) return 'the answer is none of Prometheus'
  if (body['status'] !== 'success') return `Prometheus says: ${String(body['error'] ?? 'no reason')}`.slice(0, 512)
  const data = isFields(body['data']) ? body['data'] : {}
  const { resultType, result } = data
  if (resultType === 'scalar') return [numberOf(result)]
  if (resultType !== 'vector' || !Array.isArray(result))
    return `the query gives a ${String(resultType)}, not a vector or a scalar`.slice(0, 512)
  return result.map(sample => numberOf(isFields(sample) ? sample['value'] : undefined))
}

/** The number of `[time, "text"]`; NaN where it is none. */
function numberOf(value: unknown): number {
  const text: unknown = Array.isArray(value) ? value[1] : undefined
  if (typeof text !== 'string' || text.trim() === '') return Number.NaN
  return text === '+Inf' ? Number.POSITIVE_INFINITY : text === '-Inf' ? Number.NEGATIVE_INFINITY : Number(text)
}

/** Ready pods of each workload that `signal` watches, as they are now; workloads that are named and not there have none. */
export function readyNow(signal: Signal, state: ClusterState): readonly ReadyCount[] {
  const counts = new Map<string, number>((signal.workloads ?? []).map(key => [key, 0]))
  const selector = labelSelectorOf(signal.selector)
  const isWatched = (pod: PodState) =>
    signal.selector !== undefined &&
    selector.ok &&
    selector.value.matches(pod.object.metadata.labels) &&
    (signal.namespaces === undefined || signal.namespaces.includes(pod.namespace))
  for (const pod of state.pods.values()) {
    if (pod.workload === undefined || pod.isFinished) continue
    const key = workloadKey(pod.workload)
    if (!counts.has(key) && !isWatched(pod)) continue
    counts.set(key, (counts.get(key) ?? 0) + (isReadyPod(pod) ? 1 : 0))
  }
  return Array.from(counts, ([workload, pods]) => ({ signal: signal.name, workload, pods })).slice(0, mostOfSignal)
}

/** As many workloads of a signal as a plan's status takes. */
const mostOfSignal = 256

/**
 * A signal of readiness: each workload has as many ready pods as at the begin of the plan, or as it wants now where somebody scaled it
 * down meanwhile. One that is gone wants none.
 */
export function readyReading(signal: Signal, before: readonly ReadyCount[], state: ClusterState): Reading {
  const { name } = signal
  const selector = labelSelectorOf(signal.selector)
  if (!selector.ok) return { name, state: 'unknown', message: 'its selector does not parse' }
  const own = before.filter(one => one.signal === name)
  if (own.length === 0) return { name, state: 'unknown', message: 'there is no workload that it watches' }
  const byWorkload = Map.groupBy(
    [...state.pods.values()].filter(pod => pod.workload !== undefined && !pod.isFinished),
    pod => (pod.workload === undefined ? '' : workloadKey(pod.workload)),
  )
  const fallen = own.flatMap(({ workload, pods }) => {
    const found = byWorkload.get(workload) ?? []
    const least = Math.min(pods, wanted(workload, found, state))
    const ready = found.filter(isReadyPod).length
    return ready < least ? [`${workload} has ${ready} ready pods, ${pods} when the plan began`] : []
  })
  if (fallen.length === 0) return { name, state: 'green', message: `${own.length} workloads are as ready as before` }
  const more = fallen.length > 3 ? ` and ${fallen.length - 3} more` : ''
  return { name, state: 'red', message: `${fallen.slice(0, 3).join(', ')}${more}`.slice(0, 1024) }
}

function isReadyPod(pod: PodState): boolean {
  return pod.isReady && !pod.isTerminating
}

/** Pods that the workload wants now; without a pod of it, by its object of one of the usual kinds. */
function wanted(key: string, pods: readonly PodState[], state: ClusterState): number {
  const [pod] = pods
  if (pod?.workload !== undefined) return replicasOf(state, pod.workload)
  const [namespace = '', kind = '', name = ''] = key.split('/')
  const reference = { apiVersion: 'apps/v1', kind, namespace, name, uid: '' }
  return workloadObject(state, reference) === undefined ? 0 : replicasOf(state, reference)
}
