// What is done for one ScaledObject: settled where its spec changed, looked at where its time has come, scaled as the look decides. All that
// must outlive this process is in its status.
import { isDeepStrictEqual } from 'node:util'
import { removeFinalizer } from '#kube/client/finalizers.ts'
import { isNotFound } from '#kube/objects/status.ts'
import { secondsMs } from '#kube/time/duration.ts'
import { isResourceTrigger } from '../admission/modifiers.ts'
import { autoscalerDifferences, autoscalerName, compositeTarget } from '../decisions/autoscaler.ts'
import { pausesOf } from '../decisions/pauses.ts'
import { defaultPollingSeconds, type ScaledObject } from '../kinds/scaled-object.ts'
import { kedaFinalizer, scaledObjects } from '../names.ts'
import { compositeMetric, milliQuantity } from '../triggers/metric-names.ts'
import { Acting } from './acting.ts'
import {
  type Check,
  type CheckInput,
  checkTriggers,
  compositeOf,
  isAskedByAutoscaler,
  type MetricRecord,
  readMetric,
} from './check.ts'
import { Companions } from './companions.ts'
import { Counting } from './counting.ts'
import {
  currentReplicas,
  emitOn,
  FrozenTarget,
  fieldManager,
  type Health,
  type Held,
  isSettled,
  scaleTarget,
  scalingActive,
  type WorkContext,
  withHealth,
} from './held-object.ts'
import { keyOf } from './object-queue.ts'
import { PreWarming } from './pre-warming.ts'
import { Settling } from './settling.ts'
import { conditionOf, writeStatus } from './status-writes.ts'
import { followStream } from './stream-retry.ts'
import { readySince, replicasOf, targetOf } from './target.ts'
import { type TriggerSet, UnusableTrigger } from './trigger-set.ts'

/** A source that pushes five times a second is written down so seldom. */
const pushWriteMs = 10_000
/** A target that its owner froze is asked for again so often. */
const frozenRetryMs = 60_000
/** Autoscalers ask every 15 s. */
const observedFreshMs = 60_000

export class ScaledObjectWork implements AsyncDisposable {
  readonly #context: WorkContext
  readonly #held = new Map<string, Held>()
  readonly #settling: Settling
  readonly #acting: Acting
  readonly #counting: Counting
  readonly #companions: Companions
  readonly #preWarming: PreWarming

  constructor(context: WorkContext) {
    this.#context = context
    this.#settling = new Settling(context, key => this.#forget(key))
    this.#companions = new Companions(context)
    this.#preWarming = new PreWarming(context)
    this.#acting = new Acting(context, this.#companions, this.#preWarming)
    this.#counting = new Counting(context.metrics, 'scaledobject')
  }

  /** Keeps what is learned, until `signal` is aborted. */
  async run(signal: AbortSignal): Promise<void> {
    await this.#preWarming.run(signal)
  }

  /** Does what is due for `namespace/name`. @returns milliseconds until it is due again; undefined: not before it changes. @throws what the server says */
  async reconcile(key: string, signal: AbortSignal): Promise<number | undefined> {
    const { objects, clock } = this.#context
    const [namespace = '', name = ''] = key.split('/')
    const object = objects.store.get(namespace, name)
    const held = this.#held.get(key)
    if (object === undefined || (held !== undefined && held.uid !== object.metadata.uid)) await this.#forget(key)
    if (object === undefined) {
      this.#preWarming.forget(key)
      this.#counting.gone(key)
      return undefined
    }
    if (object.metadata.deletionTimestamp !== undefined) return this.#finish(key, object, signal)
    const current = this.#heldOf(key, object)
    if (!isSettled(current, object) || current.isAutoscalerStale || this.#isAutoscalerOther(object, current)) {
      const settled = await this.#settling.settle(key, object, current, signal).catch((error: unknown) => {
        if (error instanceof UnusableTrigger) this.#counting.failed(key)
        throw error
      })
      this.#counting.paused(key, object)
      if (settled === 'opened') this.#counting.closed(key)
      if (settled === 'paused') return undefined
      if (settled === 'frozen') return frozenRetryMs
      if (settled === 'opened' && current.triggers !== undefined) this.#followPushes(key, current, current.triggers)
      current.dueElapsedMs = clock.elapsed()
    }
    await this.#takePushes(objects.store.get(namespace, name) ?? object, current, signal)
    const isSpanOther = this.#preWarming.takeDue(key)
    if (this.#isStandingOther(object, current) || isSpanOther) current.dueElapsedMs = clock.elapsed()
    const waitMs = current.dueElapsedMs - clock.elapsed()
    if (waitMs > 0) return this.#untilNext(object, current)
    this.#counting.late(key, -waitMs)
    const periodMs = secondsMs(object.spec.pollingInterval ?? defaultPollingSeconds)
    current.dueElapsedMs = clock.elapsed() + periodMs
    await this.#look(objects.store.get(namespace, name) ?? object, current, signal)
    return this.#untilNext(object, current)
  }

  /** Until the next look, until a window or a span opens or closes, or until its group may let it wake. */
  #untilNext(object: ScaledObject, { dueElapsedMs, settled }: Held): number {
    const { clock } = this.#context
    const standingMs = this.#companions.changesInMs(this.#companions.standing(object)) ?? Number.POSITIVE_INFINITY
    const changeMs = settled?.windows.nextChangeMs(clock.now()) ?? Number.POSITIVE_INFINITY
    const warmMs = this.#preWarming.changesInMs(keyOf(object))
    return Math.max(0, Math.min(dueElapsedMs - clock.elapsed(), changeMs - clock.now(), standingMs, warmMs))
  }

  /** How many are looked at. */
  get size(): number {
    return [...this.#held.values()].filter(({ triggers }) => triggers !== undefined).length
  }

  /**
   * A metric for the autoscaler, read now unless its trigger is to be told as of the last look.
   * @throws Error why it cannot be told
   */
  async metric(namespace: string, name: string, metric: string, signal: AbortSignal): Promise<readonly MetricValue[]> {
    const key = `${namespace}/${name}`
    const [object, held] = [this.#context.objects.store.get(namespace, name), this.#held.get(key)]
    if (object === undefined || held?.triggers === undefined || held.settled === undefined)
      throw new Error(`no matching metrics found for ${metric}: ScaledObject ${key} is not settled`)
    const wanted = await this.#metricsFor(object, held.triggers, metric, signal)
    if (wanted.length === 0) throw new Error(`no matching metrics found for ${metric}`)
    const input = this.#input(object, held, signal)
    const records = await Promise.all(
      wanted.map(async ({ index, metric: one }) => {
        const cached =
          object.spec.triggers[index]?.useCachedMetrics === true ? held.records.get(one.external.metric.name) : undefined
        return cached ?? (await readMetric(input, index, one))
      }),
    )
    for (const record of records) held.records.set(record.name, record)
    this.#counting.read(key, object, records)
    await this.#writeHealth(object, records, signal)
    const failed = records.find(({ outcome }) => outcome === 'error' || outcome === 'impossible')
    // What stands in for one metric of a formula stands for all of it.
    const isStoodIn = metric === compositeMetric && records.some(({ outcome }) => outcome === 'fallback')
    if (failed !== undefined && !isStoodIn) throw new Error(`metric ${failed.name} encountered error: ${failed.failure}`)
    if (metric !== compositeMetric)
      return records.flatMap(({ name: of, value, atMs }) =>
        value === undefined ? [] : [{ name: of, quantity: milliQuantity(value), atMs }],
      )
    const composite = compositeOf(object, held.formula, records)
    if (composite === undefined || 'failure' in composite) throw new Error(composite?.failure ?? 'there is no formula')
    return [{ name: compositeMetric, quantity: signedMilli(composite.value), atMs: this.#context.clock.now() }]
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#companions[Symbol.dispose]()
    await Promise.all([...this.#held.keys()].map(key => this.#forget(key)))
  }

  #heldOf(key: string, object: ScaledObject): Held {
    const known = this.#held.get(key)
    if (known !== undefined) return known
    const held: Held = {
      uid: object.metadata.uid ?? '',
      settled: undefined,
      triggers: undefined,
      formula: undefined,
      records: new Map(),
      lastActiveMs: undefined,
      dueElapsedMs: this.#context.clock.elapsed(),
      isStarted: false,
      pushed: new Set(),
      isAutoscalerStale: false,
      pushedElapsedMs: Number.NEGATIVE_INFINITY,
      standing: '',
      stop: new AbortController(),
    }
    this.#held.set(key, held)
    return held
  }

  async #forget(key: string): Promise<void> {
    const held = this.#held.get(key)
    this.#held.delete(key)
    this.#counting.closed(key)
    held?.stop.abort(new DOMException('the ScaledObject is gone or paused', 'AbortError'))
    await held?.triggers?.[Symbol.asyncDispose]()
  }

  /** Another began or ceased to need it, or to be in its way: it is looked at now. */
  #isStandingOther(object: ScaledObject, held: Held): boolean {
    const { keeping, turn } = this.#companions.standing(object)
    const [before, now] = [held.standing, JSON.stringify([keeping, turn.kind])]
    held.standing = now
    return before !== now && before !== ''
  }

  /** It is away, somebody changed it, or a window opened or closed. */
  #isAutoscalerOther(object: ScaledObject, { settled }: Held): boolean {
    const { autoscalers, clock } = this.#context
    if (settled === undefined || !autoscalers.isSynced) return false
    if (!isDeepStrictEqual(settled.windows.at(clock.now(), pausesOf(object)), settled.bounds)) return true
    const found = autoscalers.store.get(object.metadata.namespace, autoscalerName(object))
    return found === undefined || autoscalerDifferences(settled.autoscaler, found).includes('spec')
  }

  /** What pushes wakes at once; that it is not active any more is left to the next look. */
  #followPushes(key: string, held: Held, triggers: TriggerSet): void {
    const { clock, log, wake } = this.#context
    held.stop.abort(new DOMException('its triggers are opened anew', 'AbortError'))
    held.stop = new AbortController()
    const { signal } = held.stop
    for (const index of triggers.triggers.keys()) {
      const scaler = triggers.scaler(index)
      const around = { clock, log, signal, key, index }
      if (scaler?.pushes !== undefined)
        void followStream(
          limit => scaler.pushes?.(limit),
          around,
          isActive => {
            if (!isActive) return
            held.pushed.add(index)
            wake(key)
          },
        )
      if (scaler?.metricChanges !== undefined)
        void followStream(
          limit => scaler.metricChanges?.(limit),
          around,
          metrics => {
            if (metrics.length === 0 || held.triggers !== triggers) return
            triggers.replaceMetrics(index, metrics)
            held.isAutoscalerStale = true
            wake(key)
          },
        )
    }
  }

  /** Acts on what was pushed, at once where it wakes something; what is awake already is written down now and then. */
  async #takePushes(object: ScaledObject, held: Held, signal: AbortSignal): Promise<void> {
    const { clock } = this.#context
    const { triggers, settled } = held
    const indexes = [...held.pushed]
    if (indexes.length === 0 || triggers === undefined || settled === undefined) return
    const names = object.status?.externalMetricNames ?? []
    const active = names.filter(name => indexes.some(index => name.startsWith(`s${index}-`)))
    const isKnown = active.every(name => object.status?.triggersActivity?.[name]?.isActive === true)
    const current = await currentReplicas(this.#context, targetOf(object, settled.kind), signal)
    for (const index of indexes) held.pushed.delete(index)
    if (active.length === 0 || (isKnown && current !== 0 && clock.elapsed() - held.pushedElapsedMs < pushWriteMs)) return
    held.pushedElapsedMs = clock.elapsed()
    const check: Check = {
      state: { isActive: true, isError: false, activeMetrics: active },
      records: [],
      composite: undefined,
      isFallingBack: conditionOf(object, 'Fallback')?.status === 'True',
      isOfPush: true,
    }
    try {
      await this.#acting.act(object, check, { held, kind: settled.kind }, signal)
    } catch (error) {
      // It is tried again by what was pushed, not by the next look alone.
      held.pushedElapsedMs = Number.NEGATIVE_INFINITY
      for (const index of indexes) held.pushed.add(index)
      throw error
    }
  }

  #input(
    object: ScaledObject,
    held: Held,
    signal: AbortSignal,
  ): Omit<CheckInput, 'triggers'> & { readonly triggers: TriggerSet } {
    const { clock, log, watches, api } = this.#context
    const { triggers, settled } = held
    if (triggers === undefined || settled === undefined) throw new Error('its triggers are not open')
    const target = targetOf(object, settled.kind)
    return {
      object,
      triggers,
      formula: held.formula,
      health: healthOf(object),
      observed: this.#areObservationsGood(object) ? metric => fresh(held.records.get(metric), clock.now()) : () => undefined,
      replicas: async () => ({
        current: (await replicasOf(target, watches, { api, signal })) ?? 0,
        ready: (await readySince(target, watches, { api, signal })).length,
      }),
      nowMs: () => clock.now(),
      log,
      signal,
    }
  }

  /** While the autoscaler asks by itself, sources are not asked twice. */
  #areObservationsGood(object: ScaledObject): boolean {
    if (!isAskedByAutoscaler(object)) return false
    const autoscaler = this.#context.autoscalers.store.get(object.metadata.namespace, autoscalerName(object))
    return scalingActive(autoscaler)?.['status'] === 'True'
  }

  async #look(object: ScaledObject, held: Held, signal: AbortSignal): Promise<void> {
    const { settled } = held
    if (settled === undefined) return
    const input = this.#input(object, held, signal)
    const check = await checkTriggers(input)
    held.records = new Map(check.records.map(record => [record.name, record]))
    this.#counting.looked(keyOf(object), object, check)
    await this.#acting.act(object, check, { held, kind: settled.kind }, signal)
  }

  async #writeHealth(object: ScaledObject, records: readonly MetricRecord[], signal: AbortSignal): Promise<void> {
    const { api, objects } = this.#context
    if (object.spec.fallback === undefined) return
    await writeStatus(api, objects, object, status => ({ ...status, health: withHealth(status['health'], records) }), signal)
  }

  /** It goes: what was promised for its end is done, then nothing holds it. */
  async #finish(key: string, object: ScaledObject, signal: AbortSignal): Promise<undefined> {
    const { api } = this.#context
    const wasHeld = this.#held.get(key)?.triggers !== undefined
    await this.#forget(key)
    this.#counting.gone(key)
    if (object.metadata.finalizers?.includes(kedaFinalizer) !== true) return undefined
    if (wasHeld) emitOn(this.#context, object, 'Normal', 'KEDAScalersStopped', 'Stopped scalers watch')
    const original = object.status?.originalReplicaCount
    const kind = object.status?.scaleTargetGVKR
    if (object.spec.advanced?.restoreToOriginalReplicaCount === true && original !== undefined && kind !== undefined) {
      await scaleTarget(this.#context, object, targetOf(object, kind), original, signal).catch((error: unknown) => {
        if (error instanceof FrozenTarget) {
          const note = `Not restored to ${original} replicas: ${error.message}`
          emitOn(this.#context, object, 'Warning', 'KEDAScaleTargetDeactivationFailed', note)
        } else if (!isNotFound(error)) throw error
      })
    }
    await removeFinalizer(api.resource<ScaledObject>(scaledObjects), object, kedaFinalizer, { fieldManager, signal })
    emitOn(this.#context, object, 'Warning', 'ScaledObjectDeleted', 'ScaledObject was deleted')
    return undefined
  }

  async #metricsFor(object: ScaledObject, triggers: TriggerSet, metric: string, signal: AbortSignal) {
    const isComposite = metric === compositeMetric && compositeTarget(object) !== undefined
    const all = await Promise.all(
      object.spec.triggers.map(async (trigger, index) =>
        isResourceTrigger(trigger) || !(isComposite || metric.toLowerCase().startsWith(`s${index}-`))
          ? []
          : (await triggers.metrics(index, signal)).map(one => ({ index, metric: one })),
      ),
    )
    return all.flat().flatMap(({ index, metric: one }) => {
      if (one.type !== 'External') return []
      const isAsked = isComposite || one.external.metric.name.toLowerCase() === metric.toLowerCase()
      return isAsked ? [{ index, metric: one }] : []
    })
  }
}

/** What the autoscaler was told a while ago may be another adapter's by now: the source is asked. */
function fresh(record: MetricRecord | undefined, nowMs: number): MetricRecord | undefined {
  return record !== undefined && Math.abs(nowMs - record.atMs) <= observedFreshMs ? record : undefined
}

interface MetricValue {
  readonly name: string
  readonly quantity: string
  readonly atMs: number
}

function signedMilli(value: number): string {
  return value < 0 ? `-${milliQuantity(-value)}` : milliQuantity(value)
}

function healthOf(object: ScaledObject): Health {
  return (object.status?.health ?? {}) as Health
}
