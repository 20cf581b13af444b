// From zero and back: what a ScaledObject's target is to become, of what its triggers said. Between one and many its
// HorizontalPodAutoscaler decides. Pure; the words of conditions and events are those that KEDA's users look for.
import { formatTime } from '#kube/time/time.ts'
import type { ScalerCondition } from '../kinds/triggers.ts'
import { annotations } from '../names.ts'
import { type Keeping, keepingWords } from './companions.ts'
import { type Turn, turnWords } from './one-awake.ts'
import type { Pauses } from './pauses.ts'
import type { Wishes } from './wishes.ts'

/** What all triggers together said. */
export interface TriggerState {
  readonly isActive: boolean
  /** At least one trigger could not be asked. */
  readonly isError: boolean
  /** Names of the metrics of active triggers. */
  readonly activeMetrics: readonly string[]
}

export interface ScaleInput {
  readonly target: { readonly kind: string; readonly namespace: string; readonly name: string }
  readonly state: TriggerState
  readonly pauses: Pauses
  readonly wishes: Pick<Wishes, 'isStepwise'>
  /** Who needs it to be awake; undefined: nobody does. */
  readonly keeping: Keeping | undefined
  /** Whether its group lets it be awake. */
  readonly turn: Turn
  /** It is to be awake before anybody comes: until when, and why; absent: it is not. */
  readonly preWarm?: { readonly untilMs: number; readonly because: string } | undefined
  readonly minReplicas: number | undefined
  readonly idleReplicas: number | undefined
  readonly cooldownMs: number
  readonly initialCooldownMs: number
  /** Undefined: no fallback is set. */
  readonly fallbackReplicas: number | undefined
  readonly currentReplicas: number
  readonly createdMs: number
  readonly lastActiveMs: number | undefined
  readonly nowMs: number
}

type ScaleOutcome =
  | 'paused'
  | 'activate'
  | 'active'
  | 'partly-failing'
  | 'scale-out-paused'
  | 'deactivate'
  | 'pre-warm'
  | 'warm'
  | 'stepping-down'
  | 'yield'
  | 'out-of-turn'
  | 'waiting-for-turn'
  | 'cooling-down'
  | 'scale-in-paused'
  | 'raise-to-least'
  | 'awaiting-fallback'
  | 'failing'
  | 'at-rest'

export interface ScaleDecision {
  readonly outcome: ScaleOutcome
  /** The replicas to set; undefined: none. */
  readonly replicas: number | undefined
  /** Conditions that hold if what is set is set. */
  readonly conditions: readonly ScalerCondition[]
  /** That now is the last time it was active, if what is set is set. */
  readonly isActivity: boolean
  /** When it may go to zero or idle at the earliest, where it waits for that. */
  readonly notBeforeMs?: number
}

export const readyMessages = {
  reason: 'ScaledObjectReady',
  message: 'ScaledObject is defined correctly and is ready for scaling',
} as const

/** The reason of the condition Active where nothing but another ScaledObject keeps it awake. */
export const neededReason = 'ScalerNeeded'
/** Reasons of the condition Active where its group keeps it asleep. */
export const turnReasons = { yields: 'ScalerOutOfTurn', waits: 'ScalerWaitsForTurn' } as const

/** The reason of the condition Active where nothing but a likely arrival keeps it awake. */
const warmReason = 'ScalerPreWarmed'

type Status = 'True' | 'False' | 'Unknown'

function condition(type: 'Ready' | 'Active' | 'Paused', status: Status, reason: string, message: string): ScalerCondition {
  return { type, status, reason, message }
}

const ready = condition('Ready', 'True', readyMessages.reason, readyMessages.message)
const partlyFailing = condition(
  'Ready',
  'Unknown',
  'PartialTriggerError',
  'Some triggers defined in ScaledObject are not working correctly',
)
const failing = condition('Ready', 'False', 'TriggerError', 'Triggers defined in ScaledObject are not working correctly')
const notActive = condition('Active', 'False', 'ScalerNotActive', 'Scaling is not performed because triggers are not active')

/** Decides. */
export function scaleDecision(input: ScaleInput): ScaleDecision {
  const { pauses, state } = input
  if (pauses.isPaused) {
    const paused = condition('Paused', 'True', 'ScaledObjectPaused', 'ScaledObject is paused')
    return { outcome: 'paused', replicas: undefined, conditions: [ready, paused], isActivity: false }
  }
  if (input.turn.kind === 'yields') return outOfTurn(input, input.turn)
  const isUp = state.isActive || pauses.isForced || input.keeping !== undefined
  const decision = isUp ? whileActive(input) : whileUnwanted(input)
  const isWaking = input.currentReplicas === 0 && decision.replicas !== undefined && decision.replicas > 0
  return isWaking && input.turn.kind === 'waits' ? { ...notYet(input, input.turn), outcome: 'waiting-for-turn' } : decision
}

/** It goes to zero whatever asks for it, where it may. */
function outOfTurn(input: ScaleInput, turn: Extract<Turn, { readonly kind: 'yields' }>): ScaleDecision {
  const still = notYet(input, turn)
  if (input.currentReplicas === 0) return { ...still, outcome: 'out-of-turn' }
  if (input.pauses.isScaleInPaused) return { ...still, outcome: 'scale-in-paused' }
  return { ...still, outcome: 'yield', replicas: 0 }
}

function notYet(
  { state, fallbackReplicas }: ScaleInput,
  turn: Exclude<Turn, { readonly kind: 'free' }>,
): Omit<ScaleDecision, 'outcome'> {
  // That it is not its turn hides no trigger that fails.
  const isFailing = state.isError && (state.isActive || fallbackReplicas === undefined)
  const told = isFailing ? (state.isActive ? partlyFailing : failing) : ready
  const message = `Scaling is not performed: ${turnWords(turn)}`
  return {
    replicas: undefined,
    conditions: [told, condition('Active', 'False', turnReasons[turn.kind], message)],
    isActivity: false,
  }
}

function whileActive(input: ScaleInput): ScaleDecision {
  const { pauses, state, currentReplicas, idleReplicas } = input
  const least = input.minReplicas ?? 0
  const why = pauses.isForced ? 'activation is being forced by annotation' : state.isActive ? 'triggers are active' : undefined
  const needed = input.keeping === undefined ? '' : keepingWords(input.keeping)
  const active: ScalerCondition =
    why === undefined
      ? condition('Active', 'True', neededReason, `Scaling is performed because ${needed}`)
      : condition('Active', 'True', 'ScalerActive', `Scaling is performed because ${why}`)
  const conditions = [ready, active]
  const still = { replicas: undefined, conditions, isActivity: false }
  if (currentReplicas === 0 || (idleReplicas !== undefined && currentReplicas < least)) {
    if (pauses.isScaleOutPaused) return { ...still, outcome: 'scale-out-paused' }
    return { outcome: 'activate', replicas: leastAwake(least), conditions, isActivity: true }
  }
  if (state.isError) {
    return { ...still, outcome: 'partly-failing', conditions: [partlyFailing, ...conditions.slice(1)] }
  }
  return { ...still, outcome: 'active', isActivity: true }
}

function whileInactive(input: ScaleInput): ScaleDecision {
  const { state, currentReplicas, idleReplicas, fallbackReplicas } = input
  const least = input.minReplicas ?? 0
  const still = { replicas: undefined, conditions: [ready, notActive], isActivity: false }
  // Its fallback will come through its autoscaler, which a target at zero would switch off.
  if (state.isError && fallbackReplicas !== undefined && fallbackReplicas !== 0) return { ...still, outcome: 'awaiting-fallback' }
  if (state.isError && fallbackReplicas === undefined) return { ...still, outcome: 'failing', conditions: [failing, notActive] }
  const isAboveIdle = idleReplicas !== undefined && currentReplicas > idleReplicas
  if (isAboveIdle || (currentReplicas > 0 && least === 0)) return towardsRest(input)
  if (idleReplicas === undefined && currentReplicas < least) return { ...still, outcome: 'raise-to-least', replicas: least }
  return { ...still, outcome: 'at-rest' }
}

/** Nobody wants it: where somebody is likely to, it wakes before, or does not rest yet. All that keeps it from resting comes first. */
function whileUnwanted(input: ScaleInput): ScaleDecision {
  const { preWarm, pauses, turn, currentReplicas, minReplicas } = input
  const resting = whileInactive(input)
  if (preWarm === undefined) return resting
  const until = `it is kept warm until ${formatTime(preWarm.untilMs)}, since ${preWarm.because} (${annotations.preWarm})`
  const warm = condition('Active', 'False', warmReason, `Scaling is not performed because triggers are not active: ${until}`)
  const conditions = [ready, warm]
  if (resting.outcome === 'deactivate' && currentReplicas > 0)
    return { outcome: 'warm', replicas: undefined, conditions, isActivity: false }
  // What it could not leave again by itself, or would have to wait for, it does not begin.
  const mayWake = !pauses.isScaleOutPaused && !pauses.isScaleInPaused && turn.kind === 'free'
  if (resting.outcome !== 'at-rest' || currentReplicas > 0 || !mayWake) return resting
  return { outcome: 'pre-warm', replicas: leastAwake(minReplicas), conditions, isActivity: true }
}

function towardsRest(input: ScaleInput): ScaleDecision {
  const { pauses, lastActiveMs, createdMs, cooldownMs, initialCooldownMs, nowMs, idleReplicas, minReplicas } = input
  const still = { replicas: undefined, conditions: [ready, notActive], isActivity: false }
  if (pauses.isScaleInPaused) return { ...still, outcome: 'scale-in-paused' }
  if (isSteppingDown(input)) {
    const message = `HPA scales down to ${leastAwake(minReplicas)} first because of ${annotations.zeroPolicy}`
    const stepping = condition('Active', 'False', 'ScalerCooldown', message)
    // Its cool-down counts from the moment that it is there, and the status is what remembers that.
    return { ...still, outcome: 'stepping-down', conditions: [ready, stepping], isActivity: true }
  }
  const notBeforeMs = lastActiveMs === undefined ? createdMs + initialCooldownMs : lastActiveMs + cooldownMs
  if (nowMs <= notBeforeMs) {
    const cooling = condition('Active', 'False', 'ScalerCooldown', 'Scaler cooling down because triggers are not active')
    return { ...still, outcome: 'cooling-down', conditions: [ready, cooling], notBeforeMs }
  }
  return { ...still, outcome: 'deactivate', replicas: idleReplicas ?? minReplicas ?? 0 }
}

/** Its autoscaler goes no lower while it is awake. */
export function leastAwake(minReplicas: number | undefined): number {
  return Math.max(minReplicas ?? 0, 1)
}

/** Its autoscaler has yet to take it down, step by step, before it may rest. */
export function isSteppingDown({
  wishes,
  currentReplicas,
  minReplicas,
}: Pick<ScaleInput, 'wishes' | 'currentReplicas' | 'minReplicas'>): boolean {
  return wishes.isStepwise && currentReplicas > leastAwake(minReplicas)
}

export const preWarmedReason = 'KEDAScaleTargetPreWarmed'

/** An event on the ScaledObject, once what was decided is set or was refused. */
interface ScaleEvent {
  readonly type: 'Normal' | 'Warning'
  readonly reason: string
  readonly message: string
}

/** What is told of a change from `from` replicas. `failure`: why it could not be made. Undefined: nothing is told. */
export function scaleEvent(
  input: ScaleInput,
  { outcome, replicas }: ScaleDecision,
  from: number,
  failure?: string,
): ScaleEvent | undefined {
  const { kind, namespace, name } = input.target
  const what = `${kind} ${namespace}/${name} from ${from} to ${replicas}`
  if (outcome === 'activate') {
    if (failure !== undefined)
      return { type: 'Warning', reason: 'KEDAScaleTargetActivationFailed', message: `Failed to scale ${what}: ${failure}` }
    return { type: 'Normal', reason: 'KEDAScaleTargetActivated', message: `Scaled ${what}, ${causeOf(input)}` }
  }
  if (outcome === 'pre-warm') {
    if (failure !== undefined)
      return { type: 'Warning', reason: 'KEDAScaleTargetPreWarmFailed', message: `Failed to scale ${what}: ${failure}` }
    const why = `before anybody comes: ${input.preWarm?.because ?? ''} (${annotations.preWarm})`
    return { type: 'Normal', reason: preWarmedReason, message: `Scaled ${what}, ${why}` }
  }
  if (outcome !== 'deactivate' && outcome !== 'yield') return undefined
  if (failure !== undefined)
    return { type: 'Warning', reason: 'KEDAScaleTargetDeactivationFailed', message: `Failed to deactivate ${what}: ${failure}` }
  const cause = outcome === 'yield' && input.turn.kind === 'yields' ? `, ${turnWords(input.turn)}` : ''
  return { type: 'Normal', reason: 'KEDAScaleTargetDeactivated', message: `Deactivated ${what}${cause}` }
}

function causeOf({ pauses, state, keeping }: ScaleInput): string {
  if (pauses.isForced) return 'caused by forced activation annotation'
  if (state.isActive || keeping === undefined) return `triggered by ${state.activeMetrics.join(';')}`
  return `since ${keepingWords(keeping)}`
}

/** What a change that could not be made leaves of a decision. */
export function failedConditions({ outcome, conditions }: ScaleDecision, failure: string): readonly ScalerCondition[] {
  const doing = {
    activate: 'activating ScaleTarget',
    'pre-warm': 'activating ScaleTarget',
    deactivate: 'deactivating ScaleTarget',
    yield: 'deactivating ScaleTarget',
  }
  const what =
    outcome === 'activate' || outcome === 'pre-warm' || outcome === 'deactivate' || outcome === 'yield'
      ? doing[outcome]
      : 'setting ScaleTarget replicas count to ScaledObject minReplicaCount'
  const message = `error ${what}: ${failure}`
  return [condition('Ready', 'False', 'ErrorScalingTarget', message), ...conditions.filter(({ type }) => type !== 'Ready')]
}
