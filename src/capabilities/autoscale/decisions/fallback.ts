// What stands in for a trigger that fails: after more failures in a row than its ScaledObject bears, the value that makes the wanted replicas.
import type { TargetType } from '../triggers/metric-names.ts'

interface FallbackRule {
  readonly failureThreshold: number
  readonly replicas: number
  readonly behavior: 'static' | 'currentReplicas' | 'currentReplicasIfHigher' | 'currentReplicasIfLower' | 'scalingModifiers'
}

/** `status.health` of a metric. */
export interface MetricHealth {
  readonly numberOfFailures: number
  readonly status: 'Happy' | 'Failing'
}

export interface FallbackInput {
  /** Whether the trigger answered this time. */
  readonly isAnswered: boolean
  readonly health: MetricHealth | undefined
  readonly rule: FallbackRule | undefined
  /** What the autoscaler aims at: of the composite metric where there is a formula. Undefined: it is no positive number. */
  readonly target: { readonly type: TargetType; readonly value: number } | undefined
  /** Replicas that the target has, and those of its pods that run and are ready; undefined: not known. */
  readonly replicas: { readonly current: number; readonly ready: number } | undefined
}

export interface FallbackDecision {
  /** What the status is to say; undefined: nothing, since no fallback is set. */
  readonly health: MetricHealth | undefined
  readonly outcome:
    | { readonly kind: 'answer' }
    /** The autoscaler is told of the failure. */
    | { readonly kind: 'error' }
    /** The formula takes it as nil. */
    | { readonly kind: 'nil' }
    | { readonly kind: 'fallback'; readonly value: number }
    /** A value was due and cannot be made. */
    | { readonly kind: 'impossible'; readonly reason: string }
}

const thousand = 1_000

/** Decides for one metric after one reading. */
export function fallbackDecision({ isAnswered, health, rule, target, replicas }: FallbackInput): FallbackDecision {
  if (rule === undefined || target === undefined) return { health: undefined, outcome: { kind: isAnswered ? 'answer' : 'error' } }
  if (isAnswered) return { health: { numberOfFailures: 0, status: 'Happy' }, outcome: { kind: 'answer' } }
  const failures = (health?.numberOfFailures ?? 0) + 1
  const failing = { numberOfFailures: failures, status: 'Failing' } as const
  if (failures <= rule.failureThreshold) return { health: failing, outcome: { kind: 'error' } }
  if (rule.behavior === 'scalingModifiers') return { health: failing, outcome: { kind: 'nil' } }
  return { health: failing, outcome: standIn(rule, target, replicas) }
}

/** Whether failures have passed what is borne. */
export function isFallingBack(health: MetricHealth | undefined, rule: FallbackRule | undefined): boolean {
  return rule !== undefined && health?.status === 'Failing' && health.numberOfFailures > rule.failureThreshold
}

function standIn(
  rule: FallbackRule,
  { type, value }: NonNullable<FallbackInput['target']>,
  replicas: FallbackInput['replicas'],
): FallbackDecision['outcome'] {
  const isKnown = replicas !== undefined
  if (!isKnown && (type === 'Value' || rule.behavior !== 'static'))
    return { kind: 'impossible', reason: 'the replicas of the target are not known' }
  const wanted = wantedReplicas(rule, replicas?.current ?? 0)
  if (type === 'Value' && replicas?.ready === 0) return { kind: 'impossible', reason: 'no pod of the target is ready' }
  const each = type === 'Value' ? wanted / (replicas?.ready ?? 1) : wanted
  return { kind: 'fallback', value: Math.trunc(value * thousand * each) / thousand }
}

function wantedReplicas({ behavior, replicas }: FallbackRule, current: number): number {
  switch (behavior) {
    case 'currentReplicas':
      return current
    case 'currentReplicasIfHigher':
      return Math.max(current, replicas)
    case 'currentReplicasIfLower':
      return Math.min(current, replicas)
    default:
      return replicas
  }
}
