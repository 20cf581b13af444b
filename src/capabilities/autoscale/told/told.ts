// What can be told of one ScaledObject from what a cluster keeps: its status, its autoscaler, its target and its events. Pure. Whoever leads
// writes all of it there, so that it can be told anywhere.
import { at, listAt, textAt } from '#kube/objects/object-fields.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { secondsMs } from '#kube/time/duration.ts'
import { formatTime } from '#kube/time/time.ts'
import { pausesOf } from '../decisions/pauses.ts'
import { isSteppingDown, leastAwake, neededReason, turnReasons } from '../decisions/scale-decision.ts'
import { companionProblems, wishesOf } from '../decisions/wishes.ts'
import {
  defaultCooldownSeconds,
  defaultMostReplicas,
  type ScaledObject,
  type ScaledObjectStatus,
} from '../kinds/scaled-object.ts'
import type { ScalerCondition, Trigger } from '../kinds/triggers.ts'
import { annotations, preWarmCondition } from '../names.ts'
import { spansIn, type WarmSpan } from '../prewarm/plan.ts'
import { calendarWindow } from '../scalers/calendar/calendar.ts'
import { nextWindows, type TimeSpan } from '../scalers/calendar/cron-windows.ts'
import { standingOf } from '../scalers/registry.ts'
import { compositeMetric } from '../triggers/metric-names.ts'
import { TriggerProblem } from '../triggers/parameters.ts'

export interface ToldTrigger {
  readonly index: number
  readonly type: string
  readonly name: string | undefined
  /** Undefined: its object was not settled, or the autoscaler reads it by itself. */
  readonly metric: string | undefined
  /** As the autoscaler was told last; undefined: it asks for nothing at zero replicas, or was told nothing. */
  readonly value: string | undefined
  readonly target: string | undefined
  readonly isActive: boolean | undefined
  readonly failures: number
  /** The next ones, where it is a schedule. */
  readonly windows: readonly TimeSpan[]
  readonly problem: string | undefined
}

/** A sentence, with the rule that it follows from. */
export interface Reason {
  readonly rule: string
  readonly sentence: string
  /** Until when it holds, where that is known. */
  readonly untilMs?: number
}

export interface Told {
  readonly name: string
  readonly namespace: string
  readonly target: { readonly kind: string; readonly name: string }
  /** Undefined: it is not known. */
  readonly replicas: number | undefined
  readonly bounds: { readonly least: number; readonly most: number; readonly idle: number | undefined }
  readonly triggers: readonly ToldTrigger[]
  readonly conditions: readonly ScalerCondition[]
  readonly isFallingBack: boolean
  /** Why it has the replicas that it has, what keeps it from zero, and until when. */
  readonly reasons: readonly Reason[]
  readonly lastError: string | undefined
  /** When it is awake before anybody comes, within the coming day. */
  readonly warmSpans: readonly WarmSpan[]
}

/** What the cluster has of it; undefined: it is not there, or may not be read. */
interface Surrounding {
  readonly autoscaler: KubeObject | undefined
  readonly target: KubeObject | undefined
  /** ScaledObjects of its namespace; undefined: what it says of others is not judged. */
  readonly others?: readonly KubeObject[] | undefined
  readonly nowMs: number
}

const windowsTold = 3

export function toldOf(object: ScaledObject, around: Surrounding): Told {
  const { spec, status, metadata } = object
  const replicas = replicasOf(around)
  const triggers = spec.triggers.map((trigger, index) => toldTrigger(object, trigger, index, around))
  const conditions = status?.conditions ?? []
  return {
    name: metadata.name,
    namespace: metadata.namespace ?? '',
    target: { kind: status?.scaleTargetGVKR?.kind ?? spec.scaleTargetRef.kind ?? 'Deployment', name: spec.scaleTargetRef.name },
    replicas,
    bounds: {
      least: spec.minReplicaCount ?? 0,
      most: spec.maxReplicaCount ?? defaultMostReplicas,
      idle: spec.idleReplicaCount,
    },
    triggers,
    conditions,
    isFallingBack: conditionOf(status, 'Fallback')?.status === 'True',
    reasons: reasonsOf(object, { ...around, replicas, triggers }),
    lastError: lastErrorOf(status, triggers),
    warmSpans: spansIn(warmthOf(object)?.message ?? '').filter(({ toMs }) => toMs > around.nowMs),
  }
}

function conditionOf(status: ScaledObjectStatus | undefined, type: string): ScalerCondition | undefined {
  return status?.conditions?.find(one => one.type === type)
}

/** What is told of its arrivals, while its annotation asks for that and nothing pauses it. */
function warmthOf(object: ScaledObject): ScalerCondition | undefined {
  const isAsked = wishesOf(object).preWarm !== undefined && !pausesOf(object).isPaused
  return isAsked ? conditionOf(object.status, preWarmCondition) : undefined
}

function replicasOf({ target, autoscaler }: Surrounding): number | undefined {
  const wanted = at(target, 'spec', 'replicas')
  if (typeof wanted === 'number') return wanted
  if (target !== undefined) return 1
  const current = at(autoscaler, 'status', 'currentReplicas')
  return typeof current === 'number' ? current : undefined
}

function toldTrigger(object: ScaledObject, trigger: Trigger, index: number, { autoscaler, nowMs }: Surrounding): ToldTrigger {
  const { status } = object
  const metric = status?.externalMetricNames?.find(name => name.startsWith(`s${index}-`))
  const isOwn = trigger.type === 'cpu' || trigger.type === 'memory'
  const seen = isOwn ? resourceSeen(autoscaler, trigger.type) : metric === undefined ? {} : externalSeen(autoscaler, metric)
  const schedule = scheduleOf(trigger, nowMs)
  const standing = standingOf(trigger.type)
  return {
    ...{ index, type: trigger.type, name: trigger.name, metric },
    value: seen.value,
    target: seen.target,
    isActive: metric === undefined ? undefined : status?.triggersActivity?.[metric]?.isActive,
    failures: metric === undefined ? 0 : (status?.health?.[metric]?.numberOfFailures ?? 0),
    windows: schedule.windows,
    problem:
      schedule.problem ??
      (standing === 'here'
        ? undefined
        : standing === 'missing'
          ? `Ballast has no scaler ${trigger.type} yet`
          : `nobody has a scaler ${trigger.type}`),
  }
}

interface Seen {
  readonly value?: string | undefined
  readonly target?: string | undefined
}

function externalSeen(autoscaler: KubeObject | undefined, metric: string): Seen {
  const isIt = (one: unknown) => textAt(at(one, 'external', 'metric'), 'name') === metric
  const target = at(listAt(autoscaler, 'spec', 'metrics').find(isIt), 'external', 'target')
  const current = at(listAt(autoscaler, 'status', 'currentMetrics').find(isIt), 'external', 'current')
  return { value: amountAt(current), target: amountAt(target) }
}

function resourceSeen(autoscaler: KubeObject | undefined, resource: string): Seen {
  const isIt = (one: unknown) =>
    textAt(at(one, 'resource'), 'name') === resource || textAt(at(one, 'containerResource'), 'name') === resource
  const part = (one: unknown, key: string) => at(one, 'resource', key) ?? at(one, 'containerResource', key)
  return {
    value: amountAt(part(listAt(autoscaler, 'status', 'currentMetrics').find(isIt), 'current')),
    target: amountAt(part(listAt(autoscaler, 'spec', 'metrics').find(isIt), 'target')),
  }
}

function amountAt(value: unknown): string | undefined {
  const percent = at(value, 'averageUtilization')
  if (typeof percent === 'number') return `${percent} %`
  const average = textAt(value, 'averageValue')
  return average === undefined ? textAt(value, 'value') : `${average} a pod`
}

function scheduleOf(
  trigger: Trigger,
  nowMs: number,
): { readonly windows: readonly TimeSpan[]; readonly problem: string | undefined } {
  try {
    const window = calendarWindow(trigger)
    return { windows: window === undefined ? [] : nextWindows(window, nowMs, windowsTold), problem: undefined }
  } catch (error) {
    if (error instanceof TriggerProblem) return { windows: [], problem: error.message }
    throw error
  }
}

function lastErrorOf(status: ScaledObjectStatus | undefined, triggers: readonly ToldTrigger[]): string | undefined {
  const ready = conditionOf(status, 'Ready')
  if (ready?.status === 'False' || (ready?.status === 'Unknown' && ready.message !== undefined))
    return ready.message ?? ready.reason
  const problem = triggers.find(one => one.problem !== undefined)?.problem
  if (problem !== undefined) return problem
  const own = conditionOf(status, 'HPAActive')
  return own?.status === 'False' ? own.message : undefined
}

function reasonsOf(
  object: ScaledObject,
  {
    replicas,
    triggers,
    nowMs,
    autoscaler,
    others,
  }: Surrounding & { readonly replicas: number | undefined; readonly triggers: readonly ToldTrigger[] },
): readonly Reason[] {
  const { spec, status } = object
  const pauses = pausesOf(object)
  const wishes = wishesOf(object)
  const reasons: Reason[] = []
  const tell = (rule: string, sentence: string) => void reasons.push({ rule, sentence })
  const ofOthers = others === undefined ? [] : companionProblems(object, others)
  for (const problem of [...wishes.problems, ...ofOthers]) tell('annotation-ignored', `The ${problem}.`)
  if (status?.conditions === undefined)
    tell('not-settled', 'Nobody has looked at it yet: no process of autoscaling leads, or KEDA has it.')
  if (pauses.isPaused) {
    const where = pauses.replicas === undefined ? 'as it is' : `at ${pauses.replicas}`
    tell(
      'paused',
      `It is paused ${where}: take its annotation ${pauses.replicas === undefined ? annotations.paused : annotations.pausedReplicas} away to scale it again.`,
    )
    return reasons
  }
  if (pauses.isScaleInPaused) tell('paused-scale-in', `It goes no lower: ${annotations.pausedScaleIn} is set.`)
  if (pauses.isScaleOutPaused) tell('paused-scale-out', `It goes no higher: ${annotations.pausedScaleOut} is set.`)
  if (pauses.isForced) tell('forced', `It counts as active whatever its triggers say: ${annotations.forceActivation} is set.`)
  const active = [
    ...triggers.filter(({ isActive }) => isActive === true).map(({ metric }) => metric ?? ''),
    ...(status?.triggersActivity?.[compositeMetric]?.isActive === true ? [compositeMetric] : []),
  ]
  const ready = conditionOf(status, 'Ready')
  const said = conditionOf(status, 'Active')
  const isOutOfTurn = said?.reason === turnReasons.yields || said?.reason === turnReasons.waits
  const isNeeded = said?.status === 'True' && said.reason === neededReason
  if (wishes.pullAheadMs !== undefined && replicas === 0)
    tell(
      'pull-ahead',
      `Its images are pulled ${wishes.pullAheadMs / 60_000} minutes before a window of its triggers opens, where images are mirrored.`,
    )
  const warmth = warmthOf(object)
  const isWarm = warmth?.status === 'True'
  if (isWarm) tell('pre-warm', `It is awake before anybody came: ${warmth.message ?? warmth.reason}.`)
  if (wishes.wakes.length > 0) tell('wakes', `While it is awake, these are: ${wishes.wakes.join(', ')}.`)
  if (active.length > 0) tell('active', `Active: ${active.join(', ')}.`)
  else if (isNeeded) tell('needed', `${said.message ?? said.reason}.`)
  else if (ready?.status === 'False')
    tell(ready.reason ?? 'not-ready', `Nothing is scaled by its triggers: ${ready.message ?? 'no reason is told'}.`)
  else if (status?.conditions !== undefined && !pauses.isForced) tell('not-active', 'No trigger is active.')
  if (isOutOfTurn) tell('out-of-turn', `${said?.message ?? 'Another of its group is awake'}.`)
  const least = spec.minReplicaCount ?? 0
  const rest = spec.idleReplicaCount ?? least
  const isUp = pauses.isForced || isNeeded || isOutOfTurn || isWarm
  const isHeld = ready?.status !== 'False' && status?.conditions !== undefined && !isUp && !pauses.isScaleInPaused
  if (replicas !== undefined && replicas > rest && active.length === 0 && isHeld)
    reasons.push(heldFromRest(object, { rest, replicas, nowMs }))
  if (replicas !== undefined && replicas <= rest && active.length === 0 && !isOutOfTurn)
    tell(
      'at-rest',
      replicas === 0
        ? 'It is at zero until a trigger is active.'
        : `It rests at ${replicas}${spec.idleReplicaCount === undefined ? ' (minReplicaCount)' : ' (idleReplicaCount)'}.`,
    )
  const scaling = autoscalerWords(autoscaler)
  if (replicas !== undefined && replicas > 0 && scaling !== undefined) tell('autoscaler', scaling)
  if (conditionOf(status, 'Fallback')?.status === 'True')
    tell(
      'fallback',
      `A trigger failed more than ${spec.fallback?.failureThreshold ?? 0} times in a row: its fallback of ${spec.fallback?.replicas ?? 0} replicas stands in.`,
    )
  const next = triggers.flatMap(({ windows }) => windows).toSorted((a, b) => a.fromMs - b.fromMs)[0]
  if (active.length === 0 && next !== undefined && next.fromMs > nowMs)
    tell('next-window', `Its next window begins at ${formatTime(next.fromMs)}.`)
  if (wishes.preWarm !== undefined && !isWarm) {
    const why = warmth === undefined ? '; nobody has looked at its arrivals yet' : `: ${warmth.message ?? warmth.reason}`
    tell('pre-warm', `It is to be awake before anybody comes${why}.`)
  }
  return reasons
}

function heldFromRest(
  object: ScaledObject,
  { rest, replicas, nowMs }: { readonly rest: number; readonly replicas: number; readonly nowMs: number },
): Reason {
  const { spec, status, metadata } = object
  const wishes = wishesOf(object)
  if (isSteppingDown({ wishes, currentReplicas: replicas, minReplicas: spec.minReplicaCount })) {
    const seconds = spec.cooldownPeriod ?? defaultCooldownSeconds
    return {
      rule: 'stepping-down',
      sentence: `Its autoscaler takes it down to ${leastAwake(spec.minReplicaCount)} first; it goes to ${rest} ${seconds} s after that: ${annotations.zeroPolicy} is stepwise.`,
    }
  }
  const last = status?.lastActiveTime
  const fromMs = Date.parse(last ?? metadata.creationTimestamp ?? '')
  const seconds = last === undefined ? (spec.initialCooldownPeriod ?? 0) : (spec.cooldownPeriod ?? defaultCooldownSeconds)
  const untilMs = fromMs + secondsMs(seconds)
  const wasUp = wishes.isStepwise ? 'it was active or had more replicas last' : 'it was active last'
  const since = last === undefined ? 'it was made' : wasUp
  if (!Number.isFinite(untilMs) || untilMs <= nowMs)
    return { rule: 'leaving', sentence: `It goes to ${rest} with the next look: its cool-down is over.` }
  return {
    rule: 'cool-down',
    untilMs,
    sentence: `It goes to ${rest} at ${formatTime(untilMs)} at the earliest: ${seconds} s after ${since} (${formatTime(fromMs)}).`,
  }
}

/** What the autoscaler says of itself where something holds it. */
function autoscalerWords(autoscaler: KubeObject | undefined): string | undefined {
  if (autoscaler === undefined) return undefined
  const conditions = listAt(autoscaler, 'status', 'conditions')
  const of = (type: string) => conditions.find(one => textAt(one, 'type') === type)
  const name = `HorizontalPodAutoscaler ${autoscaler.metadata.name}`
  const active = of('ScalingActive')
  if (active === undefined) return `${name} has not looked at its metrics yet.`
  if (textAt(active, 'status') !== 'True')
    return `${name} does not scale: ${textAt(active, 'message') ?? textAt(active, 'reason') ?? 'no reason'}.`
  const desired = at(autoscaler, 'status', 'desiredReplicas')
  const limited = of('ScalingLimited')
  const why = textAt(limited, 'status') === 'True' ? `: ${textAt(limited, 'message') ?? ''}` : ''
  const able =
    textAt(of('AbleToScale'), 'reason') === 'ScaleDownStabilized' ? ': it held more within the last minutes (stabilization)' : ''
  return `${name} wants ${typeof desired === 'number' ? desired : 'an unknown number of'} replicas${why || able}.`
}
