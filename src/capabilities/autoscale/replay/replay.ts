// A recorded series played through the executor and through an autoscaler as Kubernetes has it: what the replicas would have been. Nothing is
// asked of any cluster; what decides is what decides in one.
import { type AutoscalerDecision, autoscalerDecision, type MetricReading } from '#cluster/horizontal-autoscaler.ts'
import { noMemory } from '#cluster/horizontal-autoscaler-limits.ts'
import type { AutoscalerSpec, MetricSpec } from '#cluster/horizontal-autoscaler-spec.ts'
import { silentLog } from '#kube/log.ts'
import type { Pod } from '#kube/objects/objects.ts'
import { secondsMs } from '#kube/time/duration.ts'
import { autoscalerBounds, wantedAutoscaler } from '../decisions/autoscaler.ts'
import { type Pauses, pausesOf } from '../decisions/pauses.ts'
import { type ScaleDecision, type ScaleInput, scaleDecision } from '../decisions/scale-decision.ts'
import { wishesOf } from '../decisions/wishes.ts'
import type { CompositeFormula } from '../formula/composite.ts'
import { defaultCooldownSeconds, defaultPollingSeconds, type ScaledObject } from '../kinds/scaled-object.ts'
import { annotations } from '../names.ts'
import {
  type CheckInput,
  checkTriggers,
  compositeOf,
  isAskedByAutoscaler,
  type MetricRecord,
  readMetric,
} from '../operator/check.ts'
import { type Health, withHealth } from '../operator/held-object.ts'
import { WindowBounds } from '../scalers/calendar/time-window.ts'
import { compositeMetric } from '../triggers/metric-names.ts'
import { type RecordedTriggers, recordedTriggers, shareOf } from './recorded-triggers.ts'
import type { Series } from './series.ts'

interface ReplayChange {
  readonly atMs: number
  readonly from: number
  readonly to: number
  readonly by: 'ScaledObject' | 'HorizontalPodAutoscaler'
  readonly why: string
}

export interface Replay {
  readonly fromMs: number
  readonly toMs: number
  /** After each step of the autoscaler. */
  readonly replicas: readonly number[]
  readonly changes: readonly ReplayChange[]
  readonly notes: readonly string[]
  readonly podHours: number
  readonly hoursAtZero: number
  /** Changes that take back the one before within {@link flapMs}. */
  readonly flaps: number
  /** Looks at which a trigger failed. */
  readonly failedLooks: number
}

/** As kube-controller-manager looks at autoscalers. */
export const stepMs = 15_000
/** A change that is taken back so soon was not worth it. */
export const flapMs = 600_000
const hourMs = 3_600_000
/** A year. */
export const mostSteps = 2_200_000

interface Played {
  readonly object: ScaledObject
  readonly series: Series
  readonly formula: CompositeFormula | undefined
  /** Replicas at the start; undefined: those while nothing is active. */
  readonly replicas: number | undefined
  readonly signal: AbortSignal
}

/** Plays it. @throws TriggerProblem where triggers and columns do not fit; `signal.reason` */
export async function replay({ object, series, formula, replicas, signal }: Played): Promise<Replay> {
  const fromMs = series.times[0] ?? 0
  const toMs = series.times.at(-1) ?? fromMs
  let nowMs = fromMs
  const triggers = await recordedTriggers(object, series, () => nowMs)
  const play = new Play(object, { triggers, formula, replicas, fromMs, signal })
  const periodMs = secondsMs(object.spec.pollingInterval ?? defaultPollingSeconds)
  const steps: number[] = []
  for (let lookMs = fromMs, roundMs = fromMs; roundMs <= toMs; ) {
    signal.throwIfAborted()
    nowMs = Math.min(lookMs, roundMs)
    play.pass(nowMs)
    if (lookMs === nowMs) {
      await play.look(nowMs)
      lookMs += periodMs
    }
    if (roundMs === nowMs) {
      await play.round(nowMs)
      steps.push(play.replicas)
      roundMs += stepMs
    }
  }
  play.pass(toMs)
  const { changes, podMs, zeroMs, failedLooks } = play
  const isWarmable = wishesOf(object).preWarm !== undefined
  const notes = [
    ...triggers.notes,
    ...(play.pauses.isPaused ? ['It is paused by its annotations: nothing is scaled.'] : []),
    ...(isWarmable ? [`${annotations.preWarm} is not played: nothing was learned, so that it never wakes ahead.`] : []),
  ]
  return {
    ...{ fromMs, toMs, replicas: steps, changes, notes, failedLooks },
    podHours: podMs / hourMs,
    hoursAtZero: zeroMs / hourMs,
    flaps: flapsOf(changes),
  }
}

/** Changes of direction that come soon after the change before. */
export function flapsOf(changes: readonly ReplayChange[]): number {
  return changes.filter(({ from, to, atMs }, at) => {
    const before = changes[at - 1]
    return before !== undefined && to > from !== before.to > before.from && atMs - before.atMs <= flapMs
  }).length
}

class Play {
  readonly changes: ReplayChange[] = []
  readonly pauses: Pauses
  replicas: number
  podMs = 0
  zeroMs = 0
  failedLooks = 0
  readonly #object: ScaledObject
  readonly #triggers: RecordedTriggers
  readonly #formula: CompositeFormula | undefined
  readonly #signal: AbortSignal
  readonly #startMs: number
  readonly #spec: AutoscalerSpec
  readonly #windows: WindowBounds
  #passedMs: number
  #lastActiveMs: number | undefined
  #health: Health = {}
  #records = new Map<string, MetricRecord>()
  #memory = noMemory
  #isAutoscalerActive = false

  constructor(
    object: ScaledObject,
    given: Pick<Played, 'formula' | 'replicas' | 'signal'> & { readonly triggers: RecordedTriggers; readonly fromMs: number },
  ) {
    const { idleReplicaCount, minReplicaCount } = object.spec
    this.#object = object
    this.#triggers = given.triggers
    this.#formula = given.formula
    this.#signal = given.signal
    this.#startMs = given.fromMs
    this.#windows = new WindowBounds(object.spec.triggers)
    this.#passedMs = given.fromMs
    this.pauses = pausesOf(object)
    this.replicas = this.pauses.replicas ?? given.replicas ?? idleReplicaCount ?? minReplicaCount ?? 0
    const { apiVersion = 'apps/v1', kind = 'Deployment' } = object.spec.scaleTargetRef
    const wanted = wantedAutoscaler(object, given.triggers.all, { target: { apiVersion, kind }, version: '' })
    const spec = wanted['spec'] as AutoscalerSpec
    // All of a pod is one container here.
    this.#spec = { ...spec, metrics: spec.metrics.map(wholePod) }
  }

  /** The time until `nowMs` is over. */
  pass(nowMs: number): void {
    this.podMs += this.replicas * (nowMs - this.#passedMs)
    if (this.replicas === 0) this.zeroMs += nowMs - this.#passedMs
    this.#passedMs = nowMs
  }

  /** What the operator does every polling interval. */
  async look(nowMs: number): Promise<void> {
    const check = await checkTriggers(this.#input(nowMs))
    this.#records = new Map(check.records.map(record => [record.name, record]))
    this.#health = withHealth(this.#health, check.records) ?? {}
    if (check.state.isError) this.failedLooks++
    const { spec } = this.#object
    const input: ScaleInput = {
      target: { kind: spec.scaleTargetRef.kind ?? 'Deployment', namespace: '', name: spec.scaleTargetRef.name },
      state: check.state,
      pauses: this.pauses,
      wishes: wishesOf(this.#object),
      // Nobody else is played.
      keeping: undefined,
      turn: { kind: 'free' },
      minReplicas: spec.minReplicaCount,
      idleReplicas: spec.idleReplicaCount,
      cooldownMs: secondsMs(spec.cooldownPeriod ?? defaultCooldownSeconds),
      initialCooldownMs: secondsMs(spec.initialCooldownPeriod ?? 0),
      fallbackReplicas: spec.fallback?.replicas,
      currentReplicas: this.replicas,
      createdMs: this.#startMs,
      lastActiveMs: this.#lastActiveMs,
      nowMs,
    }
    const decision = scaleDecision(input)
    if (decision.isActivity) this.#lastActiveMs = nowMs
    if (decision.replicas !== undefined) this.#scale(nowMs, decision.replicas, 'ScaledObject', whyOf(input, decision))
  }

  /** What the autoscaler does every {@link stepMs}; a paused object has none. */
  async round(nowMs: number): Promise<void> {
    if (this.pauses.isPaused) return
    const { replicas } = this
    const spec = { ...this.#spec, ...autoscalerBounds(this.#object, this.#windows.at(nowMs, this.pauses)) }
    const isMeasured = replicas !== 0 && replicas <= spec.maxReplicas && replicas >= (spec.minReplicas ?? 1)
    const decision = autoscalerDecision({
      spec,
      replicas,
      statusReplicas: replicas,
      pods: podsOf(replicas),
      readings: isMeasured ? await this.#readings(nowMs) : [],
      memory: this.#memory,
      nowMs,
      hasOwnTolerances: true,
    })
    this.#memory = decision.memory
    const active = decision.conditions.find(({ type }) => type === 'ScalingActive')
    if (active !== undefined) this.#isAutoscalerActive = active.status === 'True'
    this.#scale(nowMs, decision.replicas, 'HorizontalPodAutoscaler', rescaleText(decision))
  }

  #scale(atMs: number, to: number, by: ReplayChange['by'], why: string): void {
    if (to === this.replicas) return
    this.changes.push({ atMs, from: this.replicas, to, by, why })
    this.replicas = to
  }

  #input(nowMs: number): CheckInput {
    const isObserved = this.#isAutoscalerActive && isAskedByAutoscaler(this.#object)
    return {
      object: this.#object,
      triggers: this.#triggers,
      formula: this.#formula,
      replicas: async () => ({ current: this.replicas, ready: this.replicas }),
      observed: metric => (isObserved ? this.#records.get(metric) : undefined),
      health: this.#health,
      nowMs: () => nowMs,
      log: silentLog,
      signal: this.#signal,
    }
  }

  async #readings(nowMs: number): Promise<readonly MetricReading[]> {
    const readings: MetricReading[] = []
    for (const metric of this.#spec.metrics) {
      if (metric.type === 'External')
        readings.push(
          metric.external.metric.name === compositeMetric
            ? await this.#composite(nowMs)
            : await this.#external(metric.external.metric.name, nowMs),
        )
      else if (metric.type === 'Resource') readings.push(this.#resource(metric.resource.name))
    }
    return readings
  }

  async #external(name: string, nowMs: number): Promise<MetricReading> {
    const record = await this.#record(name, nowMs)
    if (record.value === undefined) return { kind: 'failed', message: record.failure ?? 'nothing is known of it' }
    return { kind: 'total', milli: milliOf(record.value) }
  }

  async #composite(nowMs: number): Promise<MetricReading> {
    const names = this.#triggers.all.flatMap(metric => (metric.type === 'External' ? [metric.external.metric.name] : []))
    const records = await Promise.all(names.map(name => this.#record(name, nowMs)))
    const failed = records.find(({ outcome }) => outcome === 'error' || outcome === 'impossible')
    if (failed !== undefined) return { kind: 'failed', message: failed.failure ?? 'nothing is known of it' }
    const composite = compositeOf(this.#object, this.#formula, records)
    if (composite === undefined || 'failure' in composite)
      return { kind: 'failed', message: composite?.failure ?? 'there is no formula' }
    return { kind: 'total', milli: milliOf(composite.value) }
  }

  /** As the autoscaler is told: of the last look where the trigger says so, else asked now. */
  async #record(name: string, nowMs: number): Promise<MetricRecord> {
    const { triggers, all } = this.#triggers
    const metric = all.find(one => one.type === 'External' && one.external.metric.name === name)
    if (metric?.type !== 'External') throw new Error(`there is no metric ${name}`)
    const index = Number(/^s(\d+)-/.exec(name)?.[1])
    const cached = triggers[index]?.useCachedMetrics === true ? this.#records.get(name) : undefined
    if (cached !== undefined) return cached
    const { observed: _observed, ...input } = this.#input(nowMs)
    const record = await readMetric(input, index, metric)
    this.#records.set(name, record)
    this.#health = withHealth(this.#health, [record]) ?? {}
    return record
  }

  #resource(name: string): MetricReading {
    const index = this.#triggers.triggers.findIndex(({ type }) => type === name)
    const total = this.#triggers.used(index)
    if (total === undefined) return { kind: 'failed', message: 'the series has no value then' }
    const isShare = this.#triggers.triggers[index]?.metricType === 'Utilization'
    // Every pod asks for one unit, so that per cent of its request are hundredths.
    const milli = shareOf(isShare ? total / 100 : total, this.replicas)
    const sample = { milli, atMs: this.#passedMs, windowMs: stepMs }
    return { kind: 'pods', samples: new Map(podsOf(this.replicas).map(({ metadata }) => [metadata.name, sample])) }
  }
}

function wholePod(metric: MetricSpec): MetricSpec {
  if (metric.type !== 'ContainerResource') return metric
  const { name, target } = metric.containerResource
  return { type: 'Resource', resource: { name, target } }
}

function milliOf(value: number): bigint {
  return BigInt(Math.round(value * 1_000))
}

function whyOf({ state, pauses, cooldownMs }: ScaleInput, { outcome }: ScaleDecision): string {
  switch (outcome) {
    case 'activate':
      return pauses.isForced ? 'activation is forced by annotation' : `active: ${state.activeMetrics.join(', ')}`
    case 'deactivate':
      return `nothing was active for ${cooldownMs / 1_000} s`
    case 'raise-to-least':
      return 'below minReplicaCount'
    default:
      return outcome
  }
}

function rescaleText({ rescale = '', conditions }: AutoscalerDecision): string {
  const limit = conditions.find(({ type, status }) => type === 'ScalingLimited' && status === 'True')
  const name = rescale.replace(/^external metric ([^(]+)\(.*\)/, '$1')
  return limit === undefined ? name : `${name} (${limit.reason})`
}

const unit = { cpu: '1', memory: '1' }
const pods: Pod[] = []

/** So many pods that run, and are ready since long ago. */
function podsOf(count: number): readonly Pod[] {
  while (pods.length < count)
    pods.push({
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: `pod-${pods.length}` },
      spec: { containers: [{ name: 'main', image: 'main', resources: { requests: unit } }] },
      status: {
        phase: 'Running',
        startTime: '1970-01-01T00:00:00Z',
        conditions: [{ type: 'Ready', status: 'True', lastTransitionTime: '1970-01-01T00:00:00Z' }],
      },
    })
  return pods.slice(0, count)
}
