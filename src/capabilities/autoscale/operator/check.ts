// One look at all triggers of a ScaledObject: what each said, what stands in for those that failed, and what that comes to.
import type { Log } from '#kube/log.ts'
import { messageOf } from '#kube/log.ts'
import { milliValue, parseQuantity } from '#kube/values/quantity.ts'
import { isResourceTrigger } from '../admission/modifiers.ts'
import { compositeTarget } from '../decisions/autoscaler.ts'
import { type FallbackDecision, fallbackDecision, type MetricHealth } from '../decisions/fallback.ts'
import type { TriggerState } from '../decisions/scale-decision.ts'
import type { CompositeFormula } from '../formula/composite.ts'
import type { ScaledObject } from '../kinds/scaled-object.ts'
import { compositeMetric, type HpaMetric } from '../triggers/metric-names.ts'
import type { TriggerSet } from './trigger-set.ts'

/** What one metric said, or was said in its place. */
export interface MetricRecord {
  readonly name: string
  readonly trigger: { readonly index: number; readonly name: string | undefined; readonly type: string }
  /** Undefined: nothing is known, or the formula takes it as nil. */
  readonly value: number | undefined
  /** The amount aimed at, for people. */
  readonly target: string
  readonly isActive: boolean
  readonly failure: string | undefined
  readonly outcome: FallbackDecision['outcome']['kind']
  readonly health: MetricHealth | undefined
  readonly atMs: number
  /** Milliseconds that the source took. */
  readonly tookMs?: number
}

export interface Check {
  readonly state: TriggerState
  readonly records: readonly MetricRecord[]
  /** Undefined: there is no formula, or it came to nothing. */
  readonly composite: { readonly value: number } | { readonly failure: string } | undefined
  readonly isFallingBack: boolean
  /** One source told that it is active: nothing is known of the others. */
  readonly isOfPush?: true
}

/** What is asked: sources of a cluster, or recorded ones. */
export type CheckedTriggers = Pick<TriggerSet, 'triggers' | 'metrics' | 'read'>

export interface CheckInput {
  readonly object: ScaledObject
  readonly triggers: CheckedTriggers
  readonly formula: CompositeFormula | undefined
  /** Asked only where a fallback needs to know. @throws Error */
  readonly replicas: () => Promise<{ readonly current: number; readonly ready: number }>
  /** What the autoscaler was told since the last look, where that may be used in place of a question. */
  readonly observed: (metric: string) => MetricRecord | undefined
  readonly health: Readonly<Record<string, MetricHealth>>
  readonly nowMs: () => number
  readonly log: Log
  readonly signal: AbortSignal
}

/** Looks. @throws `signal.reason` */
export async function checkTriggers(input: CheckInput): Promise<Check> {
  const { triggers } = input
  const perTrigger = await Promise.all(triggers.triggers.map((_trigger, index) => checkTrigger(input, index)))
  return summary(input, perTrigger)
}

interface TriggerCheck {
  readonly records: readonly MetricRecord[]
  /** It could not even be said what it measures. */
  readonly failure: string | undefined
}

async function checkTrigger(input: CheckInput, index: number): Promise<TriggerCheck> {
  const { triggers, signal } = input
  try {
    const metrics = await triggers.metrics(index, signal)
    const external = metrics.flatMap(metric => (metric.type === 'External' ? [metric] : []))
    const records = await Promise.all(external.map(metric => readMetric(input, index, metric)))
    return { records, failure: undefined }
  } catch (error) {
    signal.throwIfAborted()
    return { records: [], failure: messageOf(error) }
  }
}

type External = Extract<HpaMetric, { readonly type: 'External' }>

/** Reads one metric now. @throws `signal.reason` */
export async function readMetric(
  input: Omit<CheckInput, 'observed'> & { readonly observed?: CheckInput['observed'] },
  index: number,
  metric: External,
): Promise<MetricRecord> {
  const { object, triggers, signal, health, nowMs } = input
  const { name } = metric.external.metric
  const observed = input.observed?.(name)
  if (observed !== undefined) return observed
  const trigger = triggers.triggers[index]
  let value: number | undefined
  let isActive = false
  let failure: string | undefined
  const askedMs = nowMs()
  try {
    const reading = await triggers.read(index, name, signal)
    const found = reading.values.find(one => one.name === name)
    if (found === undefined) failure = `the source told no value of ${name}`
    else if (!Number.isFinite(found.value)) failure = `the source told ${found.value}, which is no amount`
    else value = found.value
    isActive = failure === undefined && reading.isActive
  } catch (error) {
    signal.throwIfAborted()
    failure = messageOf(error)
  }
  const { target } = metric.external
  const amount = target.type === 'Value' ? target.value : target.averageValue
  const { fallback: rule } = object.spec
  const needsReplicas = failure !== undefined && rule !== undefined
  const decision = fallbackDecision({
    isAnswered: failure === undefined,
    health: health[name],
    rule,
    target: hasFormula(object) ? compositeTarget(object) : { type: target.type, value: amountOf(amount) },
    replicas: needsReplicas ? await replicasOrNone(input) : undefined,
  })
  const { outcome } = decision
  return {
    name,
    trigger: { index, name: trigger?.name, type: trigger?.type ?? '' },
    value: outcome.kind === 'fallback' ? outcome.value : outcome.kind === 'answer' ? value : undefined,
    target: amount,
    isActive: outcome.kind === 'fallback' || isActive,
    failure: outcome.kind === 'impossible' ? `${failure}; no fallback: ${outcome.reason}` : failure,
    outcome: outcome.kind,
    health: decision.health,
    atMs: nowMs(),
    tookMs: Math.max(0, nowMs() - askedMs),
  }
}

async function replicasOrNone({ replicas, signal, log, object }: Pick<CheckInput, 'replicas' | 'signal' | 'log' | 'object'>) {
  try {
    return await replicas()
  } catch (error) {
    signal.throwIfAborted()
    const { namespace, name } = object.metadata
    log.warn(
      { namespace, scaledObject: name, why: messageOf(error) },
      'replicas could not be read: some fallbacks stand in for nothing',
    )
    return undefined
  }
}

/** What a quantity is as a number. */
export function amountOf(quantity: string): number {
  const parsed = parseQuantity(quantity)
  return parsed.ok ? Number(milliValue(parsed.value)) / 1_000 : 0
}

export function hasFormula({ spec }: ScaledObject): boolean {
  const formula = spec.advanced?.scalingModifiers?.formula
  return formula !== undefined && formula !== ''
}

/** As of KEDA 2.21: nothing is to go to zero, and the autoscaler asks by itself, so that its answers do for a look. */
export function isAskedByAutoscaler(object: ScaledObject): boolean {
  const { minReplicaCount = 0, idleReplicaCount, triggers } = object.spec
  if (minReplicaCount === 0 || idleReplicaCount !== undefined || hasFormula(object)) return false
  return triggers.every(({ useCachedMetrics }) => useCachedMetrics !== true)
}

export const isFailed = ({ outcome }: MetricRecord): boolean => outcome === 'error' || outcome === 'impossible'

function summary({ object, formula }: CheckInput, perTrigger: readonly TriggerCheck[]): Check {
  const records = perTrigger.flatMap(one => one.records)
  const isError = perTrigger.some(({ failure }) => failure !== undefined) || records.some(isFailed)
  const isFallingBack = records.some(({ outcome }) => outcome === 'fallback')
  if (hasFormula(object)) {
    const composite = isError ? undefined : compositeOf(object, formula, records)
    const activation = Number(object.spec.advanced?.scalingModifiers?.activationTarget ?? 0)
    const isActive = composite !== undefined && 'value' in composite && composite.value > activation
    return {
      state: {
        isActive,
        isError: isError || (composite !== undefined && 'failure' in composite),
        activeMetrics: isActive ? [compositeMetric] : [],
      },
      records,
      composite,
      isFallingBack,
    }
  }
  const isOwn = object.spec.triggers.every(isResourceTrigger)
  const active = records.filter(({ isActive }) => isActive)
  const isActive = active.length > 0 || (isOwn && !isError)
  return {
    state: { isActive, isError, activeMetrics: active.map(({ name }) => name) },
    records,
    composite: undefined,
    isFallingBack,
  }
}

/** What a formula comes to; what stands in for one of its metrics stands for all of it. */
export function compositeOf(
  object: ScaledObject,
  formula: CompositeFormula | undefined,
  records: readonly MetricRecord[],
): Check['composite'] {
  const standIn = records.find(({ outcome }) => outcome === 'fallback')
  if (standIn?.value !== undefined) return { value: standIn.value }
  if (formula === undefined) return { failure: 'the formula could not be read' }
  try {
    const named = records.flatMap(({ trigger, value }) =>
      trigger.name === undefined ? [] : [[trigger.name, value ?? null] as const],
    )
    const value = formula.evaluate(new Map(named))
    if (value !== undefined) return { value }
    const rule = object.spec.fallback
    if (rule === undefined) return { failure: 'the formula came to nil, and no fallback is set' }
    return { value: rule.replicas * (compositeTarget(object)?.value ?? 0) }
  } catch (error) {
    return { failure: messageOf(error) }
  }
}
