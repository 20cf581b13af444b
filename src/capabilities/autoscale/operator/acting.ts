// Scales as a look decides, then says so in one write of the status.
import { messageOf } from '#kube/log.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { secondsMs } from '#kube/time/duration.ts'
import { formatTime } from '#kube/time/time.ts'
import { autoscalerName } from '../decisions/autoscaler.ts'
import { isFallingBack } from '../decisions/fallback.ts'
import { pausesOf } from '../decisions/pauses.ts'
import {
  failedConditions,
  type ScaleDecision,
  type ScaleInput,
  scaleDecision,
  scaleEvent,
  turnReasons,
} from '../decisions/scale-decision.ts'
import { wishesOf } from '../decisions/wishes.ts'
import { defaultCooldownSeconds, type ScaledObject } from '../kinds/scaled-object.ts'
import type { ScalerCondition } from '../kinds/triggers.ts'
import { preWarmCondition } from '../names.ts'
import type { Check } from './check.ts'
import type { Companions } from './companions.ts'
import {
  currentReplicas,
  emitOn,
  FrozenTarget,
  type Held,
  lastActiveMs,
  scaleTarget,
  scalingActive,
  type WorkContext,
  withHealth,
} from './held-object.ts'
import type { PreWarming } from './pre-warming.ts'
import { conditionOf, noFallback, withConditions, writeStatus } from './status-writes.ts'
import { kindText, type TargetKind, targetOf } from './target.ts'

/** What is kept of the object that is acted on, and what its target is. */
interface Acted {
  readonly held: Held
  readonly kind: TargetKind
}

export class Acting {
  readonly #context: WorkContext
  readonly #companions: Companions
  readonly #preWarming: PreWarming

  constructor(context: WorkContext, companions: Companions, preWarming: PreWarming) {
    this.#context = context
    this.#companions = companions
    this.#preWarming = preWarming
  }

  /** Scales as the look decides, then says so. */
  async act(object: ScaledObject, check: Check, { held, kind }: Acted, signal: AbortSignal): Promise<void> {
    const nowMs = this.#context.clock.now()
    held.lastActiveMs = lastActiveMs(object, held, nowMs)
    const target = targetOf(object, kind)
    const { spec, metadata } = object
    const current = await currentReplicas(this.#context, target, signal).catch((error: unknown) => {
      signal.throwIfAborted()
      return messageOf(error)
    })
    if (typeof current !== 'number') {
      const message = `Error getting current replicas count for ScaleTarget: ${current ?? 'it does not exist'}`
      const unread = { type: 'Ready', status: 'False', reason: 'ErrorGettingCurrentReplicas', message } as const
      await this.#say(object, check, held, [unread], signal)
      return
    }
    const { state } = check
    const looked = { state, replicas: current, lastActiveMs: held.lastActiveMs, kind }
    const plan = await this.#preWarming.looked(object, looked, signal)
    const untilMs = plan?.kind === 'warm' && !state.isError ? plan.spans[0]?.toMs : undefined
    const input: ScaleInput = {
      target: { kind: kindText(kind), namespace: target.namespace, name: target.name },
      state,
      pauses: pausesOf(object),
      wishes: wishesOf(object),
      ...this.#companions.standing(object, {
        ...state,
        isActive: state.isActive || pausesOf(object).isForced,
        replicas: current,
        isWarmed: untilMs !== undefined || this.#preWarming.condition(object)?.status === 'True',
      }),
      preWarm: plan === undefined || untilMs === undefined ? undefined : { untilMs, because: plan.because },
      minReplicas: spec.minReplicaCount,
      idleReplicas: spec.idleReplicaCount,
      cooldownMs: secondsMs(spec.cooldownPeriod ?? defaultCooldownSeconds),
      initialCooldownMs: secondsMs(spec.initialCooldownPeriod ?? 0),
      fallbackReplicas: spec.fallback?.replicas,
      currentReplicas: current,
      createdMs: Date.parse(metadata.creationTimestamp ?? '') || nowMs,
      lastActiveMs: held.lastActiveMs,
      nowMs,
    }
    const first = scaleDecision(input)
    const isWaking = current === 0 && first.replicas !== undefined && first.replicas > 0
    using entrance = isWaking ? await this.#companions.enter(object, signal) : undefined
    const decision = entrance?.turn.kind === 'waits' ? scaleDecision({ ...input, turn: entrance.turn }) : first
    this.#tellTurn(object, decision)
    // Kept before anything is written: while the server is away, a source that is active still counts for the cool-down.
    const isActive = () => {
      if (decision.isActivity) held.lastActiveMs = nowMs
    }
    if (decision.replicas === undefined) {
      isActive()
      this.#preWarming.acted(object, decision, { from: current, set: 'yes' })
      await this.#say(object, check, held, decision.conditions, signal)
      return
    }
    try {
      const from = await scaleTarget(this.#context, object, target, decision.replicas, signal)
      isActive()
      this.#preWarming.acted(object, decision, { from, set: 'yes' })
      this.#tell(object, scaleEvent(input, decision, from))
      await this.#say(object, check, held, decision.conditions, signal)
    } catch (error) {
      signal.throwIfAborted()
      const failure = messageOf(error)
      // Somebody wants it so: that is no news each time, and nothing to try again before the next look.
      const isFrozen = error instanceof FrozenTarget
      this.#preWarming.acted(object, decision, { from: current, set: isFrozen ? 'no' : 'unknown' })
      if (!isFrozen) this.#tell(object, scaleEvent(input, decision, current, failure))
      // Nobody asked for it: that it is frozen is nothing that failed.
      const isGuess = isFrozen && decision.outcome === 'pre-warm'
      const conditions = isGuess
        ? scaleDecision({ ...input, preWarm: undefined }).conditions
        : failedConditions(decision, failure)
      await this.#say(object, check, held, conditions, signal)
      if (!isFrozen) throw error
    }
  }

  /** That its group keeps it asleep is news once. */
  #tellTurn(object: ScaledObject, { conditions, replicas }: ScaleDecision): void {
    const reasons: readonly string[] = Object.values(turnReasons)
    const active = conditions.find(({ type }) => type === 'Active')
    if (replicas !== undefined || active?.reason === undefined || !reasons.includes(active.reason)) return
    if (conditionOf(object, 'Active')?.reason !== active.reason)
      emitOn(this.#context, object, 'Normal', active.reason, active.message ?? '')
  }

  /** One write for conditions, activity, health and the last time it was active. */
  async #say(
    object: ScaledObject,
    check: Check,
    held: Held,
    conditions: readonly ScalerCondition[],
    signal: AbortSignal,
  ): Promise<void> {
    const { api, objects, autoscalers } = this.#context
    const rule = object.spec.fallback
    const wasFallingBack = conditionOf(object, 'Fallback')?.status === 'True'
    const autoscaler = autoscalers.store.get(object.metadata.namespace, object.status?.hpaName ?? autoscalerName(object))
    const ownHealth = hpaCondition(autoscaler)
    const activeMs = held.lastActiveMs
    const warmth = this.#preWarming.condition(object)
    const isWarmable = wishesOf(object).preWarm !== undefined
    const before = object.status?.conditions?.filter(({ type }) => type !== preWarmCondition || isWarmable)
    const change = (status: Readonly<Record<string, unknown>>) => {
      const health = withHealth(status['health'], check.records)
      const isNow = Object.values(health ?? {}).some(one => isFallingBack(one, rule))
      const fallback: ScalerCondition = isNow
        ? {
            type: 'Fallback',
            status: 'True',
            reason: 'FallbackExists',
            message: 'At least one trigger is falling back on this scaled object',
          }
        : noFallback
      const all = [
        ...conditions,
        ...(rule === undefined || check.records.length === 0 ? [] : [fallback]),
        ...(ownHealth === undefined ? [] : [ownHealth]),
        ...(warmth === undefined ? [] : [warmth]),
      ]
      const { activeMetrics } = check.state
      const activityBefore = (status['triggersActivity'] ?? {}) as Readonly<Record<string, unknown>>
      const names = check.isOfPush === true ? activeMetrics : externalNames(status)
      const now = Object.fromEntries(names.map(name => [name, { isActive: activeMetrics.includes(name) }]))
      const activity = check.isOfPush === true ? { ...activityBefore, ...now } : now
      return {
        ...status,
        ...(health === undefined ? {} : { health }),
        ...(activeMs === undefined ? {} : { lastActiveTime: formatTime(activeMs) }),
        triggersActivity: Object.keys(activity).length === 0 ? undefined : activity,
        conditions: withConditions(before, all),
      }
    }
    await writeStatus(api, objects, object, change, signal)
    if (check.isFallingBack && !wasFallingBack)
      emitOn(this.#context, object, 'Normal', 'ScaledObjectFallbackActivated', 'ScaledObject fallback is active')
    if (!check.isFallingBack && wasFallingBack)
      emitOn(this.#context, object, 'Normal', 'ScaledObjectFallbackDeactivated', 'ScaledObject fallback is no longer active')
  }

  #tell(object: ScaledObject, event: ReturnType<typeof scaleEvent>): void {
    if (event !== undefined) emitOn(this.#context, object, event.type, event.reason, event.message)
  }
}

function externalNames(status: Readonly<Record<string, unknown>>): readonly string[] {
  const names = status['externalMetricNames']
  return Array.isArray(names) ? names.filter(name => typeof name === 'string') : []
}

/** How the autoscaler fares; undefined: it cannot be told, and what was said stays. */
function hpaCondition(autoscaler: KubeObject | undefined): ScalerCondition | undefined {
  const condition = scalingActive(autoscaler)
  if (condition === undefined) return undefined
  const [status, reason, message] = [condition['status'], condition['reason'], String(condition['message'] ?? '')]
  const type = 'HPAActive'
  if (status === 'True') return { type, status: 'True', reason: 'HPAActive', message: 'HPA is actively scaling' }
  if (reason === 'ScalingDisabled') return { type, status: 'True', reason: 'ScalingDisabled', message }
  const why = typeof reason === 'string' && reason !== '' ? reason : 'HPAMetricsUnavailable'
  return { type, status: 'False', reason: why, message: `HPA is not actively scaling: ${message}` }
}
