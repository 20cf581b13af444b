// What holds an autoscaler back: the windows of recent recommendations, the policies of how fast, and its own limits. Pure.
import type { AutoscalerSpec, ScalingPolicy, ScalingRules } from './horizontal-autoscaler-spec.ts'

interface Recommendation {
  readonly replicas: number
  readonly atMs: number
}

interface ScaleChange {
  /** How many pods were added, or removed. */
  readonly change: number
  readonly atMs: number
}

/** What an autoscaler remembers between its rounds; gone when its controller starts anew. */
export interface AutoscalerMemory {
  readonly recommendations: readonly Recommendation[]
  readonly ups: readonly ScaleChange[]
  readonly downs: readonly ScaleChange[]
}

export const noMemory: AutoscalerMemory = { recommendations: [], ups: [], downs: [] }

interface Limited {
  readonly replicas: number
  readonly ability: { readonly reason: string; readonly message: string }
  readonly limit: { readonly isLimited: boolean; readonly reason: string; readonly message: string }
}

/** Seconds for which scaling down follows the highest recommendation where nothing else is said. */
const defaultDownWindowSeconds = 300
/** Both windows are at most this long; nothing older is asked for. */
const longestWindowMs = 3_600_000
const scaleUpFactor = 2
const scaleUpLeast = 4
const readyForNewScale = { reason: 'ReadyForNewScale', message: 'recommended size matches current size' }
const withinRange = { reason: 'DesiredWithinRange', message: 'the desired count is within the acceptable range' }
const tooFast = { reason: 'ScaleUpLimit', message: 'the desired replica count is increasing faster than the maximum scale rate' }
const tooMany = {
  reason: 'TooManyReplicas',
  message: 'the desired replica count is more than the maximum replica count',
}
const tooFew = { reason: 'TooFewReplicas', message: 'the desired replica count is less than the minimum replica count' }
const downTooFast = {
  reason: 'ScaleDownLimit',
  message: 'the desired replica count is decreasing faster than the maximum scale rate',
}
const downStabilized = {
  reason: 'ScaleDownStabilized',
  message: 'recent recommendations were higher than current one, applying the highest recent recommendation',
}
const upStabilized = {
  reason: 'ScaleUpStabilized',
  message: 'recent recommendations were lower than current one, applying the lowest recent recommendation',
}

interface Wish {
  readonly spec: AutoscalerSpec
  readonly current: number
  /** What the metrics alone ask for. */
  readonly wanted: number
  readonly memory: AutoscalerMemory
  readonly nowMs: number
}

/** The size that may be had now, with what is to be said of it. */
export function limited(wish: Wish): Limited {
  return wish.spec.behavior === undefined ? limitedByRule(wish) : limitedByBehavior(wish)
}

/** The memory with a recommendation more; what no window asks for any more is forgotten. */
export function withRecommendation(memory: AutoscalerMemory, replicas: number, nowMs: number): AutoscalerMemory {
  const kept = memory.recommendations.filter(({ atMs }) => nowMs - atMs <= longestWindowMs)
  return { ...memory, recommendations: [...kept, { replicas, atMs: nowMs }] }
}

/** The memory with a change of size more. Without `behavior` nobody asks for them. */
export function withChange(memory: AutoscalerMemory, spec: AutoscalerSpec, { from, to, atMs }: Change): AutoscalerMemory {
  if (spec.behavior === undefined) return memory
  const recent = (changes: readonly ScaleChange[]) => changes.filter(change => atMs - change.atMs <= longestWindowMs)
  const change = { change: Math.abs(to - from), atMs }
  return to > from ? { ...memory, ups: [...recent(memory.ups), change] } : { ...memory, downs: [...recent(memory.downs), change] }
}

interface Change {
  readonly from: number
  readonly to: number
  readonly atMs: number
}

function limitedByRule({ spec, current, wanted, memory, nowMs }: Wish): Limited {
  const cutoffMs = nowMs - defaultDownWindowSeconds * 1000
  const recent = memory.recommendations.filter(({ atMs }) => atMs >= cutoffMs).map(({ replicas }) => replicas)
  const stabilized = Math.max(wanted, ...recent)
  const ability = stabilized === wanted ? readyForNewScale : downStabilized
  const rate = Math.max(scaleUpFactor * current, scaleUpLeast)
  const most = Math.min(spec.maxReplicas, rate)
  const least = spec.minReplicas ?? 1
  if (stabilized < least) return { replicas: least, ability, limit: { isLimited: true, ...tooFew } }
  if (stabilized > most) {
    const why = spec.maxReplicas > rate ? tooFast : tooMany
    return { replicas: most, ability, limit: { isLimited: true, ...why } }
  }
  return { replicas: stabilized, ability, limit: { isLimited: false, ...withinRange } }
}

function limitedByBehavior({ spec, current, wanted, memory, nowMs }: Wish): Limited {
  const up = rules(spec.behavior?.scaleUp, defaultUp)
  const down = rules(spec.behavior?.scaleDown, defaultDown)
  const since = (seconds: number) =>
    memory.recommendations.filter(({ atMs }) => atMs > nowMs - seconds * 1000).map(({ replicas }) => replicas)
  const lowest = Math.min(wanted, ...since(up.stabilizationWindowSeconds))
  const highest = Math.max(wanted, ...since(down.stabilizationWindowSeconds))
  const stabilized = Math.min(Math.max(current, lowest), highest)
  const ability = stabilized === wanted ? readyForNewScale : wanted >= current ? upStabilized : downStabilized
  if (stabilized > current) {
    const rate = Math.max(current, policyLimit(up, { current, memory, nowMs, isUp: true }))
    const most = Math.min(spec.maxReplicas, rate)
    if (stabilized > most) {
      const why = spec.maxReplicas > rate ? tooFast : tooMany
      return { replicas: most, ability, limit: { isLimited: true, ...why } }
    }
  } else if (stabilized < current) {
    const rate = Math.min(current, policyLimit(down, { current, memory, nowMs, isUp: false }))
    const least = Math.max(spec.minReplicas ?? 1, rate)
    if (stabilized < least) {
      const why = (spec.minReplicas ?? 1) < rate ? downTooFast : tooFew
      return { replicas: least, ability, limit: { isLimited: true, ...why } }
    }
  }
  return { replicas: stabilized, ability, limit: { isLimited: false, ...withinRange } }
}

type FullRules = Required<Pick<ScalingRules, 'stabilizationWindowSeconds' | 'selectPolicy' | 'policies'>>

const defaultUp: FullRules = {
  stabilizationWindowSeconds: 0,
  selectPolicy: 'Max',
  policies: [
    { type: 'Pods', value: 4, periodSeconds: 15 },
    { type: 'Percent', value: 100, periodSeconds: 15 },
  ],
}
const defaultDown: FullRules = {
  stabilizationWindowSeconds: defaultDownWindowSeconds,
  selectPolicy: 'Max',
  policies: [{ type: 'Percent', value: 100, periodSeconds: 15 }],
}

function rules(given: ScalingRules | undefined, otherwise: FullRules): FullRules {
  return {
    stabilizationWindowSeconds: given?.stabilizationWindowSeconds ?? otherwise.stabilizationWindowSeconds,
    selectPolicy: given?.selectPolicy ?? otherwise.selectPolicy,
    policies: given?.policies ?? otherwise.policies,
  }
}

interface Situation {
  readonly current: number
  readonly memory: AutoscalerMemory
  readonly nowMs: number
  readonly isUp: boolean
}

/** How far the policies let go from the size at the start of their periods. */
function policyLimit({ selectPolicy, policies }: FullRules, situation: Situation): number {
  const { current, isUp } = situation
  if (selectPolicy === 'Disabled') return current
  const proposals = policies.map(policy => proposal(policy, situation))
  // The greatest change is the highest size on the way up, and the lowest on the way down.
  return (selectPolicy === 'Max') === isUp ? Math.max(...proposals) : Math.min(...proposals)
}

function proposal({ type, value, periodSeconds }: ScalingPolicy, { current, memory, nowMs, isUp }: Situation): number {
  const within = (changes: readonly ScaleChange[]) =>
    changes.filter(({ atMs }) => atMs > nowMs - periodSeconds * 1000).reduce((sum, { change }) => sum + change, 0)
  const start = current - within(memory.ups) + within(memory.downs)
  if (type === 'Pods') return isUp ? start + value : start - value
  return isUp ? Math.ceil(start * (1 + value / 100)) : Math.trunc(start * (1 - value / 100))
}
