// From what pods use to how many there should be: the replica count of one metric, as upstream's calculator counts. Pure.
import type { Pod } from '#kube/objects/objects.ts'
import { milliValue, parseQuantity } from '#kube/values/quantity.ts'

/** Below is scaled down, above is scaled up; in between a ratio changes nothing. */
export interface Tolerances {
  readonly up: number
  readonly down: number
}

/** The latest reading of one pod. */
export interface PodSample {
  readonly milli: bigint
  readonly atMs: number
  /** Over how long it was measured. */
  readonly windowMs: number
}

export type PodSamples = ReadonlyMap<string, PodSample>

export type Counted =
  | { readonly ok: true; readonly replicas: number; readonly averageMilli: bigint; readonly utilization?: number }
  | { readonly ok: false; readonly message: string }

/** CPU of a pod in its first minutes is not trusted until it was ready for a whole window. */
const cpuInitializationMs = 300_000
/** A pod that became unready this soon after its start was never ready. */
const initialReadinessMs = 30_000

interface PodQuestion {
  readonly pods: readonly Pod[]
  readonly samples: PodSamples
  readonly currentReplicas: number
  /** `cpu` has rules of its own for pods that are not ready. */
  readonly resource: string | undefined
  readonly tolerances: Tolerances
  readonly nowMs: number
}

/** By per cent of the pods' requests; `container` narrows it to one of theirs. */
export function utilizationReplicas(
  question: PodQuestion,
  { targetPercent, container }: { readonly targetPercent: number; readonly container: string | undefined },
): Counted {
  const grouped = groups(question)
  if (!grouped.ok) return grouped
  const requests = new Map<string, bigint>()
  for (const pod of question.pods) {
    const request = requestOf(pod, question.resource ?? '', container)
    if (typeof request === 'string') return { ok: false, message: request }
    requests.set(pod.metadata.name, request)
  }
  const usage = (values: ReadonlyMap<string, bigint>): Usage | undefined => {
    const known = [...values].filter(([name]) => requests.has(name))
    const used = known.reduce((sum, [, milli]) => sum + milli, 0n)
    const asked = known.reduce((sum, [name]) => sum + (requests.get(name) ?? 0n), 0n)
    if (asked === 0n) return undefined
    const utilization = Number((used * 100n) / asked)
    return { ratio: utilization / targetPercent, averageMilli: used / BigInt(known.length), utilization }
  }
  const most = BigInt(Math.max(100, targetPercent))
  return counted(question, grouped, { usage, missingAt: name => ((requests.get(name) ?? 0n) * most) / 100n })
}

/** By an average of all pods, in thousandths. */
export function averageReplicas(question: PodQuestion, targetMilli: bigint): Counted {
  const grouped = groups(question)
  if (!grouped.ok) return grouped
  const usage = (values: ReadonlyMap<string, bigint>): Usage => {
    const total = [...values.values()].reduce((sum, milli) => sum + milli, 0n)
    const averageMilli = total / BigInt(values.size)
    return { ratio: Number(averageMilli) / Number(targetMilli), averageMilli }
  }
  return counted(question, grouped, { usage, missingAt: () => targetMilli })
}

/** One value of a whole, held against the target: `current` pods are enough at a ratio of 1. */
export function valueReplicas(
  { pods, currentReplicas, tolerances }: Pick<PodQuestion, 'pods' | 'currentReplicas' | 'tolerances'>,
  usageMilli: bigint,
  targetMilli: bigint,
): Counted {
  const ratio = Number(usageMilli) / Number(targetMilli)
  if (currentReplicas === 0) return { ok: true, replicas: whole(Math.ceil(ratio)), averageMilli: usageMilli }
  if (isWithin(ratio, tolerances)) return { ok: true, replicas: currentReplicas, averageMilli: usageMilli }
  if (pods.length === 0)
    return { ok: false, message: 'unable to calculate ready pods: no pods returned by selector while calculating replica count' }
  const ready = pods.filter(pod => pod.status?.phase === 'Running' && readyCondition(pod)?.status === 'True').length
  return { ok: true, replicas: whole(Math.ceil(ratio * ready)), averageMilli: usageMilli }
}

/** One value of a whole, shared out: so many pods that each has the target. */
export function sharedReplicas(
  { statusReplicas, tolerances }: { readonly statusReplicas: number; readonly tolerances: Tolerances },
  usageMilli: bigint,
  targetMilli: bigint,
): Counted {
  const ratio = Number(usageMilli) / (Number(targetMilli) * statusReplicas)
  const replicas = isWithin(ratio, tolerances) ? statusReplicas : whole(Math.ceil(Number(usageMilli) / Number(targetMilli)))
  const average = Math.ceil(Number(usageMilli) / statusReplicas)
  return { ok: true, replicas, averageMilli: Number.isFinite(average) ? BigInt(average) : largestMilli }
}

/** What Go makes of a division by nothing. */
const largestMilli = 2n ** 63n - 1n
const mostReplicas = 2_147_483_647

function whole(replicas: number): number {
  return Number.isNaN(replicas) ? 0 : Math.min(mostReplicas, replicas)
}

function isWithin(ratio: number, { up, down }: Tolerances): boolean {
  return 1 - down <= ratio && ratio <= 1 + up
}

interface Usage {
  readonly ratio: number
  readonly averageMilli: bigint
  readonly utilization?: number
}

interface Rule {
  /** Undefined where no pod with a sample is known. */
  readonly usage: (values: ReadonlyMap<string, bigint>) => Usage | undefined
  readonly missingAt: (pod: string) => bigint
}

interface Groups {
  readonly ok: true
  readonly readyCount: number
  readonly unready: ReadonlySet<string>
  readonly missing: ReadonlySet<string>
  /** Values of the pods that count. */
  readonly values: ReadonlyMap<string, bigint>
}

function counted({ currentReplicas, tolerances }: PodQuestion, grouped: Groups, { usage, missingAt }: Rule): Counted {
  const { readyCount, unready, missing } = grouped
  const first = usage(grouped.values)
  if (first === undefined) return { ok: false, message: 'no metrics returned matched known pods' }
  const { ratio, averageMilli, utilization } = first
  const told = { averageMilli, ...(utilization === undefined ? {} : { utilization }) }
  const same: Counted = { ok: true, replicas: currentReplicas, ...told }
  const isUpWithUnready = unready.size > 0 && ratio > 1
  if (!isUpWithUnready && missing.size === 0) {
    if (isWithin(ratio, tolerances)) return same
    return { ok: true, replicas: whole(Math.ceil(ratio * readyCount)), ...told }
  }
  const values = new Map(grouped.values)
  // Who is silent is taken to speak against the change.
  for (const name of missing) {
    if (ratio < 1) values.set(name, missingAt(name))
    else if (ratio > 1) values.set(name, 0n)
  }
  if (isUpWithUnready) for (const name of unready) values.set(name, 0n)
  const again = usage(values)
  if (again === undefined) return { ok: false, message: 'no metrics returned matched known pods' }
  const isTurned = (ratio < 1 && again.ratio > 1) || (ratio > 1 && again.ratio < 1)
  if (isWithin(again.ratio, tolerances) || isTurned) return same
  const replicas = whole(Math.ceil(again.ratio * values.size))
  const isAgainst = (again.ratio < 1 && replicas > currentReplicas) || (again.ratio > 1 && replicas < currentReplicas)
  return isAgainst ? same : { ok: true, replicas, ...told }
}

function groups({ pods, samples, resource, nowMs }: PodQuestion): Groups | { readonly ok: false; readonly message: string } {
  if (pods.length === 0) return { ok: false, message: 'no pods returned by selector while calculating replica count' }
  const unready = new Set<string>()
  const missing = new Set<string>()
  const values = new Map([...samples].map(([name, { milli }]) => [name, milli]))
  let readyCount = 0
  for (const pod of pods) {
    const { name } = pod.metadata
    const sample = samples.get(name)
    if (pod.metadata.deletionTimestamp !== undefined || pod.status?.phase === 'Failed') values.delete(name)
    else if ((pod.status?.phase ?? 'Pending') === 'Pending') {
      unready.add(name)
      values.delete(name)
    } else if (sample === undefined) missing.add(name)
    else if (resource === 'cpu' && isUnready(pod, sample, nowMs)) {
      unready.add(name)
      values.delete(name)
    } else readyCount++
  }
  if (values.size === 0) return { ok: false, message: 'did not receive metrics for targeted pods (pods might be unready)' }
  return { ok: true, readyCount, unready, missing, values }
}

function readyCondition(pod: Pod) {
  return pod.status?.conditions?.find(({ type }) => type === 'Ready')
}

function isUnready(pod: Pod, sample: PodSample, nowMs: number): boolean {
  const ready = readyCondition(pod)
  const startMs = Date.parse(pod.status?.startTime ?? '')
  if (ready === undefined || Number.isNaN(startMs)) return true
  const changedMs = Date.parse(ready.lastTransitionTime ?? '') || 0
  if (startMs + cpuInitializationMs > nowMs) return ready.status === 'False' || sample.atMs < changedMs + sample.windowMs
  return ready.status === 'False' && startMs + initialReadinessMs > changedMs
}

/** In thousandths; or why there is none. */
function requestOf(pod: Pod, resource: string, container: string | undefined): bigint | string {
  const { containers, initContainers = [], resources } = pod.spec
  const own = resources?.requests?.[resource]
  if (container === undefined && own !== undefined) return milliOf(own)
  const lasting = [...containers, ...initContainers.filter(({ restartPolicy }) => restartPolicy === 'Always')]
  const asked = container === undefined ? lasting : lasting.filter(({ name }) => name === container)
  if (asked.length === 0) return `container ${container} not found in Pod ${pod.metadata.name}`
  let sum = 0n
  for (const { name, resources: wants } of asked) {
    const request = wants?.requests?.[resource]
    if (request === undefined) return `missing request for ${resource} in container ${name} of Pod ${pod.metadata.name}`
    sum += milliOf(request)
  }
  return sum
}

/** Quantities of stored objects have been checked by the server; what it let through otherwise counts as nothing. */
function milliOf(text: string | number): bigint {
  const known = milliByText.get(text)
  if (known !== undefined) return known
  const parsed = parseQuantity(text)
  const milli = parsed.ok ? milliValue(parsed.value) : 0n
  if (milliByText.size >= keptTexts) milliByText.clear()
  milliByText.set(text, milli)
  return milli
}

/** Requests are asked for with every round of every autoscaler, and few texts are different. */
const milliByText = new Map<string | number, bigint>()
const keptTexts = 1_024
