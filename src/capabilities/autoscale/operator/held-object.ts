// What is kept of one ScaledObject between two looks, and what all work on it needs.
import { type OwnScaling, type ScaledTarget, scaleOwn } from '#coordination/effects/scale-own.ts'
import { freezeOf } from '#coordination/freeze.ts'
import type { Api } from '#kube/client/api.ts'
import type { Clock } from '#kube/clock.ts'
import type { EventRecorder } from '#kube/events/events.ts'
import type { Informer } from '#kube/informers/informer-view.ts'
import type { Log } from '#kube/log.ts'
import { at } from '#kube/objects/object-fields.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { isNotFound } from '#kube/objects/status.ts'
import type { KedaMetrics } from '../counts/keda-metrics.ts'
import type { MetricHealth } from '../decisions/fallback.ts'
import type { SpanningGroup } from '../decisions/one-awake.ts'
import type { CompositeFormula } from '../formula/composite.ts'
import type { ScaledObject } from '../kinds/scaled-object.ts'
import type { Trigger } from '../kinds/triggers.ts'
import type { OpenBounds, WindowBounds } from '../scalers/calendar/time-window.ts'
import type { ScalerWorld } from '../scalers/scaler.ts'
import type { GivenParameters } from '../triggers/parameters.ts'
import type { MetricRecord } from './check.ts'
import { replicasOf, type TargetKind, type TargetWatches, targetObject } from './target.ts'
import type { TriggerSet } from './trigger-set.ts'

export interface WorkContext {
  /** Under the guard of the leader. */
  readonly api: Api
  readonly effects: OwnScaling
  readonly clock: Clock
  readonly log: Log
  readonly events: Pick<EventRecorder, 'emit'>
  readonly objects: Informer<ScaledObject>
  readonly autoscalers: Informer<KubeObject>
  readonly watches: TargetWatches
  /** Groups that span namespaces. */
  readonly groups: readonly SpanningGroup[]
  readonly world: ScalerWorld
  /** What a trigger refers to. @throws TriggerProblem, StatusError */
  readonly given: (
    of: {
      readonly trigger: Trigger
      readonly namespace: string
      readonly template: unknown
      readonly container: string | undefined
    },
    signal: AbortSignal,
  ) => Promise<GivenParameters>
  /** Absent: nobody collects. */
  readonly metrics?: KedaMetrics | undefined
  /** Where is kept what was learned of arrivals; absent: it is kept nowhere. */
  readonly ownNamespace?: string | undefined
  /** What the label of our autoscalers says. */
  readonly version: string
  /** An object is to be worked on at once. */
  readonly wake: (key: string) => void
}

/** What is kept of one object between two looks. */
export interface Held {
  readonly uid: string
  /** What was last settled; undefined: nothing yet. */
  settled:
    | {
        readonly generation: number
        readonly annotations: string
        readonly windows: WindowBounds
        /** What the windows made of them that were open. */
        readonly bounds: OpenBounds
        /** As the autoscaler was written. */
        readonly autoscaler: KubeObject
        readonly kind: TargetKind
      }
    | undefined
  triggers: TriggerSet | undefined
  formula: CompositeFormula | undefined
  /** By name of the metric; the last look's, or what the autoscaler was told since. */
  records: Map<string, MetricRecord>
  /** When it was last seen active, which its status may not know yet: the server was away. */
  lastActiveMs: number | undefined
  dueElapsedMs: number
  isStarted: boolean
  /** Triggers whose sources said that they are active. */
  readonly pushed: Set<number>
  /** A source wants other metrics watched, or a window opened or closed: the autoscaler is to be written anew. */
  isAutoscalerStale: boolean
  /** When a push was last written down. */
  pushedElapsedMs: number
  /** Who kept it awake, and whose turn it was, when that was last asked. */
  standing: string
  /** Ends what pushes. */
  stop: AbortController
}

export const fieldManager = 'ballast-autoscale'
const component = 'keda-operator'

export type Health = Readonly<Record<string, MetricHealth>>

export function isSettled({ settled }: Held, object: ScaledObject): boolean {
  return settled?.generation === (object.metadata.generation ?? 0) && settled.annotations === annotationsText(object)
}

/** Annotations change no generation, and some of them what is written. */
export function annotationsText({ metadata }: KubeObject): string {
  return JSON.stringify([metadata.annotations, metadata.labels])
}

export function withHealth(health: unknown, records: readonly MetricRecord[]): Health | undefined {
  const said = records.flatMap(({ name, health: one }) => (one === undefined ? [] : [[name, one] as const]))
  return said.length === 0 ? (health as Health | undefined) : { ...((health ?? {}) as Health), ...Object.fromEntries(said) }
}

export function scalingActive(autoscaler: KubeObject | undefined): Readonly<Record<string, unknown>> | undefined {
  const conditions = at(autoscaler, 'status', 'conditions')
  return Array.isArray(conditions) ? conditions.find(one => at(one, 'type') === 'ScalingActive') : undefined
}

/** Its owner holds the target as it is. */
export class FrozenTarget extends Error {
  constructor(by: string) {
    super(`frozen by ${by}`)
    this.name = 'FrozenTarget'
  }
}

/**
 * Sets the replicas of the target of `object`, which is its owner's to do.
 * @returns how many it had
 * @throws FrozenTarget; as `scaleOwn`
 */
export async function scaleTarget(
  { effects, watches, api, clock }: WorkContext,
  object: ScaledObject,
  target: ScaledTarget,
  replicas: number,
  signal: AbortSignal,
): Promise<number> {
  const nowMs = clock.now()
  const freeze = freezeOf(object, nowMs) ?? freezeOf(await targetObject(target, watches, { api, signal }), nowMs)
  if (freeze !== undefined) throw new FrozenTarget(`${freeze.where}: ${freeze.reason}`)
  return await scaleOwn(effects, target, replicas, { requester: 'autoscale', signal })
}

/**
 * When `object` was last active, as its status or we know; milliseconds since 1970. A time to come is a clock that was ahead: it counts as
 * now, and is written down so, or its cool-down would not end before that time.
 */
export function lastActiveMs({ status }: ScaledObject, held: Pick<Held, 'lastActiveMs'>, nowMs: number): number | undefined {
  const said = status?.lastActiveTime === undefined ? Number.NaN : Date.parse(status.lastActiveTime)
  const known = [said, held.lastActiveMs ?? Number.NaN].filter(ms => !Number.isNaN(ms))
  return known.length === 0 ? undefined : Math.min(nowMs, Math.max(...known))
}

/** Undefined: the target is not there. @throws StatusError; `signal.reason` */
export async function currentReplicas(
  { watches, api }: WorkContext,
  target: ScaledTarget,
  signal: AbortSignal,
): Promise<number | undefined> {
  try {
    return await replicasOf(target, watches, { api, signal })
  } catch (error) {
    if (isNotFound(error)) return undefined
    throw error
  }
}

export function emitOn(
  { events }: Pick<WorkContext, 'events'>,
  object: KubeObject,
  type: 'Normal' | 'Warning',
  reason: string,
  note: string,
): void {
  const { name, namespace, uid } = object.metadata
  const regarding = {
    apiVersion: object.apiVersion,
    kind: object.kind,
    name,
    ...(namespace === undefined ? {} : { namespace }),
    ...(uid === undefined ? {} : { uid }),
  }
  events.emit({ type, reason, action: reason, regarding, note, controller: component })
}
