// Makes a cluster what a ScaledObject says: finalizer, pause, target, triggers, autoscaler, conditions. Each step can be done twice.
import type { ScaledTarget } from '#coordination/effects/scale-own.ts'
import { addFinalizer } from '#kube/client/finalizers.ts'
import { messageOf } from '#kube/log.ts'
import { boundsProblem } from '../admission/bounds.ts'
import { formulaOf } from '../admission/modifiers.ts'
import { othersProblem } from '../admission/scaled-object-rules.ts'
import { triggersProblem } from '../admission/triggers.ts'
import { autoscalerName, compositeTarget, repeatedMetrics, wantedAutoscaler } from '../decisions/autoscaler.ts'
import { pausesOf } from '../decisions/pauses.ts'
import { readyMessages } from '../decisions/scale-decision.ts'
import { companionProblems, wishesOf } from '../decisions/wishes.ts'
import type { ScaledObject } from '../kinds/scaled-object.ts'
import type { ScalerCondition } from '../kinds/triggers.ts'
import { kedaFinalizer, scaledObjects } from '../names.ts'
import { WindowBounds } from '../scalers/calendar/time-window.ts'
import { compositeMetric, type HpaMetric, ownerLabel } from '../triggers/metric-names.ts'
import { keepAutoscaler, removeAutoscaler } from './autoscaler-writes.ts'
import {
  annotationsText,
  currentReplicas,
  emitOn,
  FrozenTarget,
  fieldManager,
  type Health,
  type Held,
  isSettled,
  scaleTarget,
  type WorkContext,
} from './held-object.ts'
import { conditionOf, initialConditions, noFallback, typeWords, withConditions, writeStatus } from './status-writes.ts'
import { isThere, kindText, type TargetKind, targetKindOf, targetOf, templateOf } from './target.ts'
import { TriggerSet, UnusableTrigger } from './trigger-set.ts'

export class Settling {
  readonly #context: WorkContext
  /** Ends what is held of a key. */
  readonly #forget: (key: string) => Promise<void>

  constructor(context: WorkContext, forget: (key: string) => Promise<void>) {
    this.#context = context
    this.#forget = forget
  }

  /** Everything but the look: finalizer, pause, target, triggers, autoscaler, conditions. Whether it is looked at from now on. */
  async settle(
    key: string,
    found: ScaledObject,
    held: Held,
    signal: AbortSignal,
  ): Promise<'paused' | 'frozen' | 'opened' | 'kept'> {
    const { api, objects, autoscalers, version } = this.#context
    /** What is known so far, and said whether or not the rest can be done. */
    let known: Readonly<Record<string, unknown>> = {}
    let step: string | undefined
    /** Opened here, and not held yet. */
    let fresh: TriggerSet | undefined
    try {
      let object = await this.#begun(found, signal)
      const pauses = pausesOf(object)
      if (pauses.isPaused) {
        return await this.#pause(key, object, { replicas: pauses.replicas, wasHeld: held.triggers !== undefined }, signal)
      }
      if (object.metadata.labels?.[ownerLabel] !== object.metadata.name) object = await this.#label(object, signal)
      step = "ScaledObject doesn't have correct scaleTargetRef specification"
      const kind = await targetKindOf(object, api, signal)
      const target = targetOf(object, kind)
      const replicas = await currentReplicas(this.#context, target, signal)
      if (replicas === undefined) throw await this.#withoutScale(object, target, signal)
      known = {
        scaleTargetKind: kindText(kind),
        scaleTargetGVKR: kind,
        originalReplicaCount: object.status?.originalReplicaCount ?? replicas,
      }
      // Ours: where admission was not asked, the elder of two goes on, and two autoscalers never pull at one target.
      const elders = [...objects.store.list(object.metadata.namespace)].filter(one => isElder(one, object))
      const others = othersProblem(object, { objects: elders })
      if (others !== undefined) throw new Error(others)
      step = "ScaledObject doesn't have correct Idle/Min/Max Replica Counts specification"
      const problemOfBounds = boundsProblem(object.spec)
      if (problemOfBounds !== undefined) throw new Error(problemOfBounds)
      step = "ScaledObject doesn't have correct triggers specification"
      const problem = triggersProblem(object.spec.triggers)
      if (problem !== undefined) throw new Error(problem)
      known = { ...known, ...typeWords(object.spec.triggers) }
      step = 'failed to ensure HPA is correctly created for ScaledObject'
      const open = isSettled(held, object) ? held.triggers : undefined
      const isNew = open === undefined
      held.isAutoscalerStale = false
      // Whatever fails from here on, all of it is done again.
      if (isNew) held.settled = undefined
      const { triggers, metrics } = isNew ? await this.#open(object, held, target, signal) : await metricsOf(object, open, signal)
      if (isNew) fresh = triggers
      const repeated = repeatedMetrics(metrics)
      if (repeated.length > 0)
        throw new Error(`metricName ${repeated.join(', ')} defined multiple times in ScaledObject ${object.metadata.name}`)
      if (metrics.length === 0) throw new Error(`no metric specs returned from scalers for ScaledObject ${key}`)
      await this.#renamed(object, signal)
      const windows = new WindowBounds(object.spec.triggers)
      const bounds = windows.at(this.#context.clock.now(), pauses)
      const wanted = wantedAutoscaler(object, metrics, {
        target: { apiVersion: apiVersion(kind), kind: kind.kind },
        version,
        bounds,
      })
      await keepAutoscaler(wanted, object, { api, autoscalers, signal })
      held.triggers = triggers
      fresh = undefined
      await this.#tellSettled(
        objects.store.get(object.metadata.namespace, object.metadata.name) ?? object,
        { known, metrics, isPaused: pauses.isScaleInPaused || pauses.isScaleOutPaused },
        signal,
      )
      held.settled = {
        generation: object.metadata.generation ?? 0,
        annotations: annotationsText(object),
        windows,
        bounds,
        autoscaler: wanted,
        kind,
      }
      if (!held.isStarted) {
        held.isStarted = true
        emitOn(this.#context, object, 'Normal', 'KEDAScalersStarted', 'Started scalers watch')
      }
      if (isNew)
        for (const ignored of [
          ...wishesOf(object).problems,
          ...companionProblems(object, objects.store.list(object.metadata.namespace)),
        ])
          emitOn(this.#context, object, 'Warning', 'ScaledObjectAnnotationIgnored', ignored)
      return isNew ? 'opened' : 'kept'
    } catch (error) {
      held.isAutoscalerStale = true
      await fresh?.[Symbol.asyncDispose]()
      signal.throwIfAborted()
      await this.#tellFailed(found, { error, step, known }, signal)
      throw error
    }
  }

  async #begun(object: ScaledObject, signal: AbortSignal): Promise<ScaledObject> {
    const { api, objects } = this.#context
    const held = await addFinalizer(api.resource<ScaledObject>(scaledObjects), object, kedaFinalizer, { fieldManager, signal })
    if (held !== object) objects.observe(held)
    if (held.status?.conditions !== undefined) return held
    await writeStatus(api, objects, held, status => ({ ...status, conditions: initialConditions }), signal)
    return objects.store.get(held.metadata.namespace, held.metadata.name) ?? held
  }

  async #label(object: ScaledObject, signal: AbortSignal): Promise<ScaledObject> {
    const { api, objects } = this.#context
    const { name, namespace, uid } = object.metadata
    const body = { metadata: { uid, labels: { [ownerLabel]: name } } }
    const writes = api.resource<ScaledObject>(scaledObjects)
    const labelled = await writes.patch(name, { type: 'merge', body }, { namespace, fieldManager, signal })
    objects.observe(labelled)
    return labelled
  }

  /** Nothing is scaled any more, but to the replicas that it is paused at. Said first: whoever reads the status knows before anything moves. */
  async #pause(
    key: string,
    object: ScaledObject,
    { replicas, wasHeld }: { readonly replicas: number | undefined; readonly wasHeld: boolean },
    signal: AbortSignal,
  ): Promise<'paused' | 'frozen'> {
    const { api, objects, autoscalers } = this.#context
    const wasPaused = conditionOf(object, 'Paused')?.status === 'True'
    const paused: ScalerCondition = {
      type: 'Paused',
      status: 'True',
      reason: 'ScaledObjectPaused',
      message: 'ScaledObject is paused',
    }
    const wasReady = conditionOf(object, 'Ready')?.status === 'True'
    const ready: ScalerCondition = { ...paused, type: 'Ready', reason: readyMessages.reason }
    const said = (status: Readonly<Record<string, unknown>>) => ({
      ...status,
      conditions: withConditions(object.status?.conditions, [ready, ...fallbackSaid(object), paused]),
    })
    await writeStatus(api, objects, object, said, signal)
    await this.#forget(key)
    if (wasHeld) emitOn(this.#context, object, 'Normal', 'KEDAScalersStopped', 'Stopped scalers watch')
    await removeAutoscaler(object.status?.hpaName ?? autoscalerName(object), object, { api, autoscalers, signal })
    if (replicas !== undefined && object.status?.pausedReplicaCount !== replicas) {
      const target = targetOf(object, await targetKindOf(object, api, signal))
      try {
        await scaleTarget(this.#context, object, target, replicas, signal)
      } catch (error) {
        // Its owner wants it as it is: looked at again, without a word each time.
        if (error instanceof FrozenTarget) return 'frozen'
        throw error
      }
      await writeStatus(api, objects, object, status => ({ ...status, pausedReplicaCount: replicas }), signal)
    }
    if (!wasPaused) emitOn(this.#context, object, 'Normal', 'ScaledObjectPaused', 'ScaledObject is paused')
    if (!wasReady) emitOn(this.#context, object, 'Normal', 'ScaledObjectReady', 'ScaledObject is ready for scaling')
    return 'paused'
  }

  /** Why nothing can be scaled: nobody is there, or it has no scale. */
  async #withoutScale(object: ScaledObject, target: ScaledTarget, signal: AbortSignal): Promise<Error> {
    const { resource, name } = target
    const isFound = await isThere(target, this.#context.api, signal)
    const why = isFound ? "Target resource doesn't expose /scale subresource" : "Target resource doesn't exist"
    emitOn(this.#context, object, 'Warning', 'ScaledObjectCheckFailed', why)
    if (isFound) return new Error('the server could not find the requested resource')
    return new Error(`${resource.resource}${resource.group === '' ? '' : `.${resource.group}`} ${JSON.stringify(name)} not found`)
  }

  async #open(object: ScaledObject, held: Held, target: ScaledTarget, signal: AbortSignal) {
    const { world, given, watches, api } = this.#context
    const { namespace = '', name, uid = '', generation = 0 } = object.metadata
    await held.triggers?.[Symbol.asyncDispose]()
    held.triggers = undefined
    const container = object.spec.scaleTargetRef.envSourceContainerName
    const triggers = await TriggerSet.open(
      {
        owner: { kind: 'ScaledObject', namespace, name, uid, generation },
        triggers: object.spec.triggers,
        world,
        given: async (trigger, limit) =>
          given({ trigger, namespace, container, template: await templateOf(target, watches, { api, signal: limit }) }, limit),
      },
      signal,
    )
    for (const { type } of object.spec.triggers)
      emitOn(this.#context, object, 'Normal', 'KEDAScalersStarted', `Scaler ${type} is built`)
    try {
      held.formula = formulaOf(object.spec)
      return await metricsOf(object, triggers, signal)
    } catch (error) {
      await triggers[Symbol.asyncDispose]()
      throw error
    }
  }

  /** An autoscaler of an earlier name goes before the next comes: two would pull at one target. */
  async #renamed(object: ScaledObject, signal: AbortSignal): Promise<void> {
    const { api, autoscalers } = this.#context
    const before = object.status?.hpaName
    if (before !== undefined && before !== autoscalerName(object))
      await removeAutoscaler(before, object, { api, autoscalers, signal })
  }

  async #tellSettled(
    object: ScaledObject,
    {
      known,
      metrics,
      isPaused,
    }: {
      readonly known: Readonly<Record<string, unknown>>
      readonly metrics: readonly HpaMetric[]
      readonly isPaused: boolean
    },
    signal: AbortSignal,
  ): Promise<void> {
    const { api, objects } = this.#context
    const externals = metrics.flatMap(metric => (metric.type === 'External' ? [metric.external.metric.name] : []))
    const resources = metrics.flatMap(metric => (metric.type === 'Resource' ? [metric.resource.name] : []))
    const wasReady = conditionOf(object, 'Ready')?.status === 'True'
    const wasPaused = conditionOf(object, 'Paused')?.status === 'True'
    const { reason, message } = readyMessages
    const conditions = withConditions(object.status?.conditions, [
      { type: 'Ready', status: 'True', reason, message },
      ...fallbackSaid(object),
      isPaused
        ? { type: 'Paused', status: 'True', reason: 'ScaledObjectPaused', message: 'ScaledObject is paused' }
        : {
            type: 'Paused',
            status: 'False',
            ...(wasPaused ? { reason: 'ScaledObjectUnpaused', message: unpausedMessage } : {}),
          },
    ])
    const change = (status: Readonly<Record<string, unknown>>) => ({
      ...status,
      ...known,
      externalMetricNames: externals.length === 0 ? undefined : externals,
      resourceMetricNames: resources.length === 0 ? undefined : resources,
      compositeScalerName: compositeTarget(object) === undefined ? undefined : compositeMetric,
      health: pruned(status['health'], externals),
      pausedReplicaCount: undefined,
      hpaName: autoscalerName(object),
      conditions: conditions.map(one =>
        one.type === 'Paused' && !isPaused && !wasPaused ? (conditionOf(object, 'Paused') ?? one) : one,
      ),
    })
    await writeStatus(api, objects, object, change, signal)
    if (!wasReady) emitOn(this.#context, object, 'Normal', 'ScaledObjectReady', 'ScaledObject is ready for scaling')
    if (wasPaused && !isPaused) emitOn(this.#context, object, 'Normal', 'ScaledObjectUnpaused', unpausedMessage)
    if (isPaused && !wasPaused) emitOn(this.#context, object, 'Normal', 'ScaledObjectPaused', 'ScaledObject is paused')
  }

  async #tellFailed(
    object: ScaledObject,
    {
      error,
      step,
      known,
    }: { readonly error: unknown; readonly step: string | undefined; readonly known: Readonly<Record<string, unknown>> },
    signal: AbortSignal,
  ): Promise<void> {
    const { api, objects } = this.#context
    const message = step === undefined ? messageOf(error) : `${step}: ${messageOf(error)}`
    const current = objects.store.get(object.metadata.namespace, object.metadata.name) ?? object
    const conditions = withConditions(current.status?.conditions, [
      { type: 'Ready', status: 'False', reason: 'ScaledObjectCheckFailed', message },
      { type: 'Active', status: 'Unknown', reason: 'UnknownState', message: 'ScaledObject check failed' },
      ...fallbackSaid(object),
    ])
    if (error instanceof UnusableTrigger) emitOn(this.#context, object, 'Warning', 'KEDAScalerFailed', messageOf(error))
    emitOn(this.#context, object, 'Warning', 'ScaledObjectCheckFailed', message)
    await writeStatus(api, objects, current, status => ({ ...status, ...known, conditions }), signal)
  }
}

function isElder({ metadata: one }: ScaledObject, { metadata: other }: ScaledObject): boolean {
  const [first = '', second = ''] = [one.creationTimestamp, other.creationTimestamp]
  return one.deletionTimestamp === undefined && (first < second || (first === second && one.name < other.name))
}

const unpausedMessage = 'pause annotation removed for ScaledObject'

/** An object that can fall back says so when it is looked at. */
function fallbackSaid({ spec }: ScaledObject): readonly ScalerCondition[] {
  return spec.fallback === undefined ? [noFallback] : []
}

export async function metricsOf(object: ScaledObject, triggers: TriggerSet, signal: AbortSignal) {
  const all = await Promise.all(object.spec.triggers.map((_trigger, index) => triggers.metrics(index, signal)))
  return { triggers, metrics: all.flat() }
}

function apiVersion({ group, version }: TargetKind): string {
  return group === '' ? version : `${group}/${version}`
}

function pruned(health: unknown, names: readonly string[]): unknown {
  const kept = Object.entries((health ?? {}) as Health).filter(([name]) => names.includes(name))
  return kept.length === 0 ? undefined : Object.fromEntries(kept)
}
