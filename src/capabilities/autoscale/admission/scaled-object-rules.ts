// What is refused of a ScaledObject before it is stored, and what is warned of, in upstream's words. Pure: who else is there comes as an argument.

import { messageOf } from '#kube/log.ts'
import { at, textAt } from '#kube/objects/object-fields.ts'
import { isRecord } from '#kube/objects/object-shape.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { apiVersionOf, parseApiVersion } from '#kube/objects/resource.ts'
import { formatTime } from '#kube/time/time.ts'
import { milliValue, parseQuantity } from '#kube/values/quantity.ts'
import { autoscalerName } from '../decisions/autoscaler.ts'
import { companionProblems, wishesOf } from '../decisions/wishes.ts'
import type { ScaledObject } from '../kinds/scaled-object.ts'
import type { Trigger } from '../kinds/triggers.ts'
import { annotations, ownershipAnnotation } from '../names.ts'
import { calendarWindow } from '../scalers/calendar/calendar.ts'
import { nextWindows } from '../scalers/calendar/cron-windows.ts'
import { windowProblem } from '../scalers/calendar/time-window.ts'
import { ownerLabel } from '../triggers/metric-names.ts'
import { boundsProblem } from './bounds.ts'
import { fallbackProblem, formulaOf, isResourceTrigger, modifiersFallbackProblem } from './modifiers.ts'
import { triggersProblem } from './triggers.ts'

/** What else there is of its namespace. */
export interface Neighbours {
  readonly objects: Iterable<ScaledObject>
  readonly autoscalers: Iterable<KubeObject>
  /** Its target's template; undefined: it has none at the usual place, or nobody asked. */
  readonly template: unknown
  readonly limitRanges: readonly KubeObject[]
  readonly isDryRun: boolean
  readonly nowMs: number
}

export type Verdict = Refusal | { readonly problem?: undefined; readonly warnings: readonly string[] }

/** Upstream's word for why, as its metrics say it. */
interface Refusal {
  readonly problem: string
  readonly reason?: string
}

const refusal = (reason: string, problem: string | undefined): Refusal | undefined =>
  problem === undefined ? undefined : { problem, reason }

/** Longest value of a label. */
const longestName = 63

/** Judges. The first thing that is wrong is told. */
export function judgeScaledObject(object: ScaledObject, around: Neighbours): Verdict {
  const { spec } = object
  return (
    nameRefusal(object) ??
    refusal('incorrect-replicas', boundsProblem(spec)) ??
    refusal('incorrect-triggers', triggersProblem(spec.triggers)) ??
    refusal(
      'scaling-modifiers',
      thrown(() => formulaOf(spec)),
    ) ??
    refusal('incorrect-fallback', fallbackProblem(spec)) ??
    refusal('scaling-modifiers-fallback', modifiersFallbackProblem(spec)) ??
    othersRefusal(object, around) ??
    autoscalersRefusal(object, around) ??
    refusal('missing-requests', requestsProblem(object, around)) ??
    refusal('scale-to-zero-requirements-not-met', zeroProblem(object, around)) ??
    refusal('incorrect-triggers', calendarProblem(spec.triggers) ?? windowProblem(object)) ?? {
      warnings: [
        ...warningsOf(object),
        ...companionProblems(object, around.objects),
        ...windowWarnings(spec.triggers, around.nowMs),
      ],
    }
  )
}

function thrown(judge: () => unknown): string | undefined {
  try {
    judge()
    return undefined
  } catch (error) {
    return messageOf(error)
  }
}

function nameRefusal(object: ScaledObject): Refusal | undefined {
  const { name } = object.metadata
  if (name.length > longestName)
    return refusal(
      'name-too-long',
      `scaledobject name ${JSON.stringify(name)} is ${name.length} characters long; must be no more than ${longestName} characters because it is used as the ${JSON.stringify(ownerLabel)} label value`,
    )
  const autoscaler = autoscalerName(object)
  if (autoscaler.length > longestName)
    return refusal(
      'hpa-name-too-long',
      `HPA name ${JSON.stringify(autoscaler)} derived from scaledobject is ${autoscaler.length} characters long; must be no more than ${longestName} characters; set spec.advanced.horizontalPodAutoscalerConfig.name to a shorter name or shorten the scaledobject name`,
    )
  return undefined
}

/** `apps/v1.Deployment` */
function kindOf({ apiVersion, kind }: { readonly apiVersion?: string | undefined; readonly kind?: string | undefined }): string {
  const { group, version } = parseApiVersion(apiVersion === undefined || apiVersion === '' ? 'apps/v1' : apiVersion)
  return `${apiVersionOf({ group, version, resource: '' })}.${kind === undefined || kind === '' ? 'Deployment' : kind}`
}

/** Why `object` cannot stand beside `objects` of its namespace; undefined: it can. */
export function othersProblem(object: ScaledObject, around: Pick<Neighbours, 'objects'>): string | undefined {
  return othersRefusal(object, around)?.problem
}

function othersRefusal(object: ScaledObject, { objects }: Pick<Neighbours, 'objects'>): Refusal | undefined {
  const { scaleTargetRef: target } = object.spec
  const autoscaler = autoscalerName(object)
  for (const other of objects) {
    if (other.metadata.name === object.metadata.name) continue
    // What others are was judged by nobody here.
    const theirs = at(other, 'spec', 'scaleTargetRef')
    if (!isRecord(theirs)) continue
    const [name, kind, apiVersion] = ['name', 'kind', 'apiVersion'].map(field => textAt(theirs, field))
    if (name === target.name && kindOf({ kind, apiVersion }) === kindOf(target))
      return refusal(
        'other-scaled-object',
        `the workload '${target.name}' of type '${kindOf(target)}' is already managed by the ScaledObject '${other.metadata.name}'`,
      )
    if (autoscalerName(other) === autoscaler)
      return refusal(
        'other-scaled-object-hpa',
        `the HPA '${autoscaler}' is already managed by the ScaledObject '${other.metadata.name}'`,
      )
  }
  return undefined
}

function autoscalersRefusal(object: ScaledObject, { autoscalers }: Neighbours): Refusal | undefined {
  const { scaleTargetRef: target } = object.spec
  const isTransferred = object.metadata.annotations?.[annotations.transferOwnership] === 'true'
  for (const one of autoscalers) {
    if (one.metadata.annotations?.[ownershipAnnotation] === 'false') continue
    const ref = at(one, 'spec', 'scaleTargetRef')
    const [name, kind, apiVersion] = ['name', 'kind', 'apiVersion'].map(field => String(at(ref, field) ?? ''))
    if (name !== target.name || kindOf({ kind, apiVersion }) !== kindOf(target)) continue
    if (one.metadata.ownerReferences?.some(owner => owner.kind === object.kind && owner.name === object.metadata.name) === true)
      continue
    const given = object.spec.advanced?.horizontalPodAutoscalerConfig?.name
    if (isTransferred && given === one.metadata.name) continue
    return isTransferred
      ? refusal(
          'transfer-ownership-missing-hpa-name',
          `the existing hpa '${one.metadata.name}' for workload '${target.name}' of type '${kindOf(target)}' must be specified by name in advanced settings to enable ownership transfer`,
        )
      : refusal(
          'other-hpa',
          `the workload '${target.name}' of type '${kindOf(target)}' is already managed by the hpa '${one.metadata.name}'`,
        )
  }
  return undefined
}

/** Triggers of CPU and memory measure against requests, which must be there. */
function requestsProblem(object: ScaledObject, { template, limitRanges, isDryRun }: Neighbours): string | undefined {
  const resource = object.spec.triggers.filter(isResourceTrigger)
  if (isDryRun || resource.length === 0) return undefined
  const pod = at(template, 'spec')
  if (pod !== undefined)
    for (const { type, metadata } of resource) {
      const { containerName = '' } = metadata
      if (containerName === '' && isSet(at(pod, 'resources'), type)) continue
      const containers = at(pod, 'containers')
      for (const container of Array.isArray(containers) ? containers : []) {
        const name = String(at(container, 'name'))
        if (containerName !== '' && containerName !== name) continue
        if (isSet(at(container, 'resources'), type) || hasDefault(limitRanges, type)) continue
        return `the scaledobject has a ${type} trigger but the container ${name} doesn't have the ${type} request defined`
      }
    }
  return undefined
}

/** CPU and memory alone never wake what is at zero. */
function zeroProblem({ spec }: ScaledObject, { isDryRun }: Neighbours): string | undefined {
  const { triggers, minReplicaCount } = spec
  return !isDryRun && triggers.length > 0 && triggers.every(isResourceTrigger) && (minReplicaCount ?? 0) === 0
    ? "scaledobject has only cpu/memory triggers AND minReplica is 0 (scale to zero doesn't work in this case)"
    : undefined
}

function isSet(resources: unknown, type: string): boolean {
  return isAmount(at(resources, 'requests', type)) || isAmount(at(resources, 'limits', type))
}

function isAmount(value: unknown): boolean {
  const parsed = typeof value === 'string' || typeof value === 'number' ? parseQuantity(value) : undefined
  return parsed?.ok === true && milliValue(parsed.value) > 0n
}

function hasDefault(ranges: readonly KubeObject[], type: string): boolean {
  return ranges.some(range => {
    const limits = at(range, 'spec', 'limits')
    return (Array.isArray(limits) ? limits : []).some(
      limit =>
        isRecord(limit) &&
        limit['type'] === 'Container' &&
        (isAmount(at(limit, 'defaultRequest', type)) || isAmount(at(limit, 'default', type))),
    )
  })
}

/** Upstream finds out when it is asked the first time; nothing but its own metadata is needed to know. */
export function calendarProblem(triggers: readonly Trigger[]): string | undefined {
  for (const [index, trigger] of triggers.entries()) {
    const why = thrown(() => calendarWindow(trigger))
    if (why !== undefined) return `trigger ${index} of type ${trigger.type}: ${why}`
  }
  return undefined
}

function warningsOf(object: ScaledObject): readonly string[] {
  const { spec } = object
  const { isStepwise, preWarm, problems } = wishesOf(object)
  const isHeldUp = spec.advanced?.horizontalPodAutoscalerConfig?.behavior?.scaleDown?.selectPolicy === 'Disabled'
  const isOfAutoscaler = (spec.minReplicaCount ?? 0) > 0 && spec.idleReplicaCount === undefined
  const isCached = spec.triggers.some(({ useCachedMetrics }) => useCachedMetrics === true)
  const hasModifiers = spec.advanced?.scalingModifiers?.formula !== undefined
  return [
    ...problems,
    ...(isStepwise && isHeldUp
      ? [
          `${annotations.zeroPolicy} waits for the autoscaler, whose behavior has scaleDown.selectPolicy Disabled: from more than its least it never goes to zero`,
        ]
      : []),
    ...(isOfAutoscaler && preWarm !== undefined
      ? [`${annotations.preWarm} has no effect: with minReplicaCount above 0 and no idleReplicaCount it never goes to zero`]
      : []),
    ...(isOfAutoscaler && !isCached && !hasModifiers && spec.pollingInterval !== undefined
      ? [
          'PollingInterval is configured but is not relevant for scaling. It only affects scaling when minReplicaCount = 0, idleReplicaCount is set, or useCachedMetrics is enabled, but it still controls how often KEDA refreshes the ScaledObject status conditions and events',
        ]
      : []),
    ...(isOfAutoscaler && spec.cooldownPeriod !== undefined
      ? [
          'CooldownPeriod is configured but is not relevant. CooldownPeriod is only relevant when minReplicaCount = 0 or idleReplicaCount is set',
        ]
      : []),
  ]
}

const toldWindows = 5

/** When each schedule will be active: what a day without the hour it starts at, or one that comes twice, makes of it is seen here. */
export function windowWarnings(triggers: readonly Trigger[], nowMs: number): readonly string[] {
  return triggers.flatMap((trigger, index) => {
    const window = calendarWindow(trigger)
    if (window === undefined) return []
    const what = `${trigger.type} trigger ${index}`
    const spans = nextWindows(window, nowMs, toldWindows)
    const [first] = spans
    if (first === undefined) return [`${what} is not active within five years`]
    if (first.fromMs === nowMs && first.toMs === undefined) return [`${what} is active at all times`]
    const times = spans.map(({ fromMs, toMs }) => `${minutes(fromMs)} to ${toMs === undefined ? 'no end' : minutes(toMs)}`)
    return [`${what} is active ${times.join(', ')}`]
  })
}

/** `2027-03-28T01:00Z` */
function minutes(ms: number): string {
  return formatTime(ms).replace(/:\d\d(?:\.\d+)?Z$/, 'Z')
}
