// One round of a HorizontalPodAutoscaler: from readings of its metrics to the size it asks for, with the conditions and events
// it tells of. Pure: the memory of earlier rounds comes in and goes out.
import type { LabelSelector, Pod } from '#kube/objects/objects.ts'
import { canonicalText, milliValue, parseQuantity } from '#kube/values/quantity.ts'
import { type AutoscalerMemory, limited, withChange, withRecommendation } from './horizontal-autoscaler-limits.ts'
import {
  averageReplicas,
  type Counted,
  type PodSamples,
  sharedReplicas,
  type Tolerances,
  utilizationReplicas,
  valueReplicas,
} from './horizontal-autoscaler-metrics.ts'
import {
  type AutoscalerSpec,
  isKnownMetric,
  type MetricIdentifier,
  type MetricSpec,
  type MetricTarget,
  unknownMetric,
} from './horizontal-autoscaler-spec.ts'

/** What was read of one metric. */
export type MetricReading =
  /** Resource, ContainerResource, Pods. */
  | { readonly kind: 'pods'; readonly samples: PodSamples }
  /** Object, External. */
  | { readonly kind: 'total'; readonly milli: bigint }
  /** Why it could not be read. */
  | { readonly kind: 'failed'; readonly message: string }

export interface AutoscalerInput {
  readonly spec: AutoscalerSpec
  /** Replicas of the target's scale. */
  readonly replicas: number
  readonly statusReplicas: number
  /** The pods that the scale's selector chooses. */
  readonly pods: readonly Pod[]
  /** One for each metric of the spec. */
  readonly readings: readonly MetricReading[]
  readonly memory: AutoscalerMemory
  readonly nowMs: number
  /** From Kubernetes 1.35 on `behavior` may have tolerances of its own. */
  readonly hasOwnTolerances: boolean
}

export interface AutoscalerCondition {
  readonly type: 'AbleToScale' | 'ScalingActive' | 'ScalingLimited'
  readonly status: 'True' | 'False'
  readonly reason: string
  readonly message: string
}

export interface AutoscalerDecision {
  /** The size to set; the present one where nothing is to be changed. */
  readonly replicas: number
  /** Why the size changes, for people; undefined where it does not. */
  readonly rescale: string | undefined
  /** In the order in which they are set; a later one of a type wins. */
  readonly conditions: readonly AutoscalerCondition[]
  /** `status.currentMetrics`; absent where none was looked at. */
  readonly metrics: readonly Readonly<Record<string, unknown>>[] | undefined
  readonly warnings: readonly { readonly reason: string; readonly message: string }[]
  /** No size could be found: nothing changes, `desiredReplicas` stays. */
  readonly isFailed: boolean
  readonly memory: AutoscalerMemory
}

const defaultTolerance = 0.1

/** Decides. The rescale that comes out is taken to succeed: {@link withChange} is in the memory already. */
export function autoscalerDecision(input: AutoscalerInput): AutoscalerDecision {
  const { spec, replicas, nowMs } = input
  const least = spec.minReplicas ?? 1
  const memory = input.memory.recommendations.length === 0 ? withRecommendation(input.memory, replicas, nowMs) : input.memory
  const still = { replicas, rescale: undefined, metrics: undefined, warnings: [], isFailed: false, memory }
  if (replicas === 0 && least !== 0) {
    const message = 'scaling is disabled since the replica count of the target is zero'
    return { ...still, conditions: [condition('ScalingActive', false, { reason: 'ScalingDisabled', message })] }
  }
  const forced =
    replicas > spec.maxReplicas
      ? ([spec.maxReplicas, 'Current number of replicas above Spec.MaxReplicas'] as const)
      : replicas < least
        ? ([least, 'Current number of replicas below Spec.MinReplicas'] as const)
        : undefined
  if (forced !== undefined) {
    const [to, rescale] = forced
    return {
      ...still,
      replicas: to,
      rescale,
      conditions: [],
      memory: withChange(memory, spec, { from: replicas, to, atMs: nowMs }),
    }
  }
  return decidedByMetrics(input, memory)
}

function decidedByMetrics(input: AutoscalerInput, memory: AutoscalerMemory): AutoscalerDecision {
  const { spec, replicas, nowMs } = input
  const proposals = spec.metrics.map((metric, at) => proposalOf(input, metric, input.readings[at]))
  const metrics = proposals.map(proposal => (proposal.ok ? proposal.status : { type: '' }))
  const failures = proposals.filter(proposal => !proposal.ok)
  const warnings = failures.map(({ reason, message }) => ({ reason, message }))
  const best = proposals
    .filter(proposal => proposal.ok)
    .reduce<Proposed | undefined>(
      (most, next) => (most === undefined || most.replicas === 0 || next.replicas > most.replicas ? next : most),
      undefined,
    )
  const first = failures[0]
  if (first !== undefined && (best === undefined || best.replicas < replicas)) {
    const summary = `invalid metrics (${failures.length} invalid out of ${proposals.length}), first error is: ${first.summary}`
    const message = `the HPA was unable to compute the replica count: ${first.message}`
    return {
      replicas,
      rescale: undefined,
      conditions: [condition('ScalingActive', false, { reason: first.reason, message })],
      metrics,
      warnings: [...warnings, { reason: 'FailedComputeMetricsReplicas', message: summary }],
      isFailed: true,
      memory,
    }
  }
  const wanted = best?.replicas ?? 0
  const name = best?.name ?? ''
  const { replicas: to, ability, limit } = limited({ spec, current: replicas, wanted, memory, nowMs })
  const found = `the HPA was able to successfully calculate a replica count from ${name}`
  const rescale = wanted > replicas ? `${name} above target` : wanted < replicas ? 'All metrics below target' : ''
  const remembered = withRecommendation(memory, wanted, nowMs)
  return {
    replicas: to,
    rescale: to === replicas ? undefined : rescale,
    conditions: [
      condition('ScalingActive', true, { reason: 'ValidMetricFound', message: found }),
      condition('AbleToScale', true, ability),
      condition('ScalingLimited', limit.isLimited, { reason: limit.reason, message: limit.message }),
    ],
    metrics,
    warnings,
    isFailed: false,
    memory: to === replicas ? remembered : withChange(remembered, spec, { from: replicas, to, atMs: nowMs }),
  }
}

function condition(
  type: AutoscalerCondition['type'],
  isTrue: boolean,
  { reason, message }: { readonly reason: string; readonly message: string },
): AutoscalerCondition {
  return { type, status: isTrue ? 'True' : 'False', reason, message }
}

interface Proposed {
  readonly ok: true
  readonly replicas: number
  /** As sentences name the metric. */
  readonly name: string
  readonly status: Readonly<Record<string, unknown>>
}

interface Unknown {
  readonly ok: false
  readonly reason: string
  readonly message: string
  /** The message with which kind of metric it was. */
  readonly summary: string
}

function proposalOf(input: AutoscalerInput, metric: MetricSpec, reading: MetricReading | undefined): Proposed | Unknown {
  if (!isKnownMetric(metric)) return unknown('InvalidMetricSourceType', unknownMetric(metric), unknownMetric(metric))
  const tolerances = tolerancesOf(input)
  const { pods, replicas: currentReplicas, statusReplicas, nowMs } = input
  const read = reading ?? { kind: 'failed', message: 'the metric was not read' }
  const question = { pods, currentReplicas, tolerances, nowMs }
  switch (metric.type) {
    case 'Resource':
    case 'ContainerResource':
      return resourceProposal(metric, read, question)
    case 'Pods': {
      const { metric: identifier, target } = metric.pods
      const failed = (message: string): Unknown =>
        unknown('FailedGetPodsMetric', message, `failed to get pods metric value: ${message}`)
      if (read.kind !== 'pods') return failed(`unable to get metric ${identifier.name}: ${messageOf(read)}`)
      const count = averageReplicas({ ...question, samples: read.samples, resource: undefined }, milli(target.averageValue))
      if (!count.ok) return failed(count.message)
      const status = { type: 'Pods', pods: { metric: identifier, current: { averageValue: decimal(count.averageMilli) } } }
      return { ok: true, replicas: count.replicas, name: `pods metric ${identifier.name}`, status }
    }
    case 'Object': {
      const { metric: identifier, describedObject, target } = metric.object
      const failed = (message: string): Unknown => {
        const which = target.averageValue === undefined ? '' : `failed to get ${identifier.name} object metric: `
        return unknown('FailedGetObjectMetric', message, `failed to get object metric value: ${which}${message}`)
      }
      if (read.kind !== 'total') return failed(messageOf(read))
      const count = totalReplicas(target, read.milli, { ...question, statusReplicas })
      if (!count.ok) return failed(count.message)
      const current = currentOf(target, count)
      const status = { type: 'Object', object: { metric: identifier, describedObject, current } }
      const name =
        target.averageValue === undefined ? `${describedObject.kind} metric ${identifier.name}` : externalName(identifier)
      return { ok: true, replicas: count.replicas, name, status }
    }
    case 'External': {
      const { metric: identifier, target } = metric.external
      const failed = (message: string): Unknown => {
        const summary =
          target.averageValue === undefined
            ? `failed to get external metric ${identifier.name}: ${message}`
            : `failed to get ${identifier.name} external metric: ${message}`
        return unknown('FailedGetExternalMetric', message, `failed to get ${identifier.name} external metric value: ${summary}`)
      }
      if (read.kind !== 'total') return failed(messageOf(read))
      const count = totalReplicas(target, read.milli, { ...question, statusReplicas })
      if (!count.ok) return failed(count.message)
      const status = { type: 'External', external: { metric: identifier, current: currentOf(target, count) } }
      return { ok: true, replicas: count.replicas, name: externalName(identifier), status }
    }
  }
}

interface Question {
  readonly pods: readonly Pod[]
  readonly currentReplicas: number
  readonly tolerances: Tolerances
  readonly nowMs: number
}

function resourceProposal(
  metric: Extract<MetricSpec, { readonly type: 'Resource' | 'ContainerResource' }>,
  read: MetricReading,
  question: Question,
): Proposed | Unknown {
  const container = metric.type === 'ContainerResource' ? metric.containerResource.container : undefined
  const { name: resource, target } = metric.type === 'ContainerResource' ? metric.containerResource : metric.resource
  const isAverage = target.averageValue !== undefined
  const failed = (why: string): Unknown => {
    const message = `failed to get ${resource} ${isAverage ? 'usage' : 'utilization'}: ${why}`
    return container === undefined
      ? unknown('FailedGetResourceMetric', message, `failed to get ${resource} resource metric value: ${message}`)
      : unknown('FailedGetContainerResourceMetric', message, `failed to get ${container} container metric value: ${message}`)
  }
  if (read.kind !== 'pods') return failed(`unable to get metrics for resource ${resource}: ${messageOf(read)}`)
  const asked = { ...question, samples: read.samples, resource }
  const count = isAverage
    ? averageReplicas(asked, milli(target.averageValue))
    : utilizationReplicas(asked, { targetPercent: target.averageUtilization ?? 0, container })
  if (!count.ok) return failed(count.message)
  const format = resource === 'memory' ? 'BinarySI' : 'DecimalSI'
  const averageValue = canonicalText({ nanos: count.averageMilli * 1_000_000n, format })
  const current = { ...(count.utilization === undefined ? {} : { averageUtilization: count.utilization }), averageValue }
  const status =
    container === undefined
      ? { type: 'Resource', resource: { name: resource, current } }
      : { type: 'ContainerResource', containerResource: { name: resource, container, current } }
  const what = container === undefined ? `${resource} resource` : `${resource} container resource`
  return {
    ok: true,
    replicas: count.replicas,
    name: isAverage ? `${resource} resource` : `${what} utilization (percentage of request)`,
    status,
  }
}

function totalReplicas(target: MetricTarget, usage: bigint, question: Question & { readonly statusReplicas: number }): Counted {
  return target.averageValue === undefined
    ? valueReplicas(question, usage, milli(target.value))
    : sharedReplicas(question, usage, milli(target.averageValue))
}

function currentOf(target: MetricTarget, { averageMilli }: { readonly averageMilli: bigint }) {
  return target.averageValue === undefined ? { value: decimal(averageMilli) } : { averageValue: decimal(averageMilli) }
}

function unknown(reason: string, message: string, summary: string): Unknown {
  return { ok: false, reason, message, summary }
}

function messageOf(reading: MetricReading): string {
  return reading.kind === 'failed' ? reading.message : 'the reading is of another kind of metric'
}

function tolerancesOf({ spec, hasOwnTolerances }: AutoscalerInput): Tolerances {
  const own = (text: string | undefined) =>
    text === undefined || !hasOwnTolerances ? defaultTolerance : Number(milli(text)) / 1000
  return { up: own(spec.behavior?.scaleUp?.tolerance), down: own(spec.behavior?.scaleDown?.tolerance) }
}

function milli(text: string | undefined): bigint {
  const parsed = parseQuantity(text ?? '0')
  return parsed.ok ? milliValue(parsed.value) : 0n
}

function decimal(value: bigint): string {
  return canonicalText({ nanos: value * 1_000_000n, format: 'DecimalSI' })
}

/** With its selector as upstream's sentences print it. */
function externalName({ name, selector }: MetricIdentifier): string {
  return `external metric ${name}(${selectorDump(selector)})`
}

/** A selector as Go prints it. */
export function selectorDump(selector: LabelSelector | undefined): string {
  if (selector === undefined) return 'nil'
  const labels = Object.entries(selector.matchLabels ?? {})
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, value]) => `${key}: ${value},`)
  const expressions = (selector.matchExpressions ?? []).map(
    ({ key, operator, values = [] }) =>
      `LabelSelectorRequirement{Key:${key},Operator:${operator},Values:[${values.join(' ')}],},`,
  )
  return `&LabelSelector{MatchLabels:map[string]string{${labels.join('')}},MatchExpressions:[]LabelSelectorRequirement{${expressions.join('')}},}`
}
