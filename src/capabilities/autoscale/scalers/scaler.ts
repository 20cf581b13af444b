// What every scaler is: opened for one trigger, it says which metrics an autoscaler is to watch, and reads them. A scaler decides nothing.
import type { Clock } from '#kube/clock.ts'
import type { Log } from '#kube/log.ts'
import type { Pod } from '#kube/objects/objects.ts'
import { externalMetric, type HpaMetric, metricName, type TargetType } from '../triggers/metric-names.ts'
import { type GivenParameters, type ParameterTable, TriggerProblem } from '../triggers/parameters.ts'
import type { AskedCounts } from './asking.ts'
import type { Outgoing } from './outgoing.ts'

/** One trigger of one object, with all that it refers to resolved. */
export interface OpenedTrigger {
  readonly type: string
  readonly name: string | undefined
  /** Its place in `spec.triggers`; the metric's name begins with it. */
  readonly index: number
  /** As the object says it; external metrics know `AverageValue` and `Value`. */
  readonly metricType: string | undefined
  readonly given: GivenParameters
  readonly owner: {
    readonly kind: 'ScaledObject' | 'ScaledJob'
    readonly namespace: string
    readonly name: string
    readonly uid: string
    readonly generation: number
  }
}

export interface MetricReading {
  readonly values: readonly { readonly name: string; readonly value: number }[]
  /** Above its activation threshold, strictly. */
  readonly isActive: boolean
}

export interface Scaler extends AsyncDisposable {
  /** What the autoscaler is to watch. @throws Error where the source must be asked for that and does not answer; `signal.reason` */
  metrics(signal: AbortSignal): Promise<readonly HpaMetric[]>
  /** @throws Error where the source does not answer, or not with a number; `signal.reason` */
  read(metric: string, signal: AbortSignal): Promise<MetricReading>
  /**
   * Whether it is active, whenever that is told; for sources that push. Ends by itself only where the source knows no such stream.
   * @throws Error when the stream ends or breaks; `signal.reason`
   */
  pushes?(signal: AbortSignal): AsyncIterable<boolean>
  /** Metrics that a source wants watched from now on; ends as `pushes` does. @throws as `pushes` */
  metricChanges?(signal: AbortSignal): AsyncIterable<readonly HpaMetric[]>
}

/** What scalers may know of the cluster. */
export interface ClusterReads {
  pods(namespace: string): Iterable<Pod>
  /** Its values by their keys, secrets decoded. @throws StatusError; TriggerProblem where we do not read Secrets of that namespace */
  data(
    kind: 'ConfigMap' | 'Secret',
    namespace: string,
    name: string,
    signal: AbortSignal,
  ): Promise<Readonly<Record<string, string>>>
  /** Ready addresses of a Service with the ports of their slice. @throws StatusError */
  endpoints(namespace: string, service: string, signal: AbortSignal): Promise<readonly ServiceEndpoint[]>
}

export interface ServiceEndpoint {
  readonly address: string
  readonly ports: readonly number[]
}

/** What scalers are given of the process they run in. */
export interface ScalerWorld {
  readonly clock: Clock
  readonly log: Log
  readonly outgoing: Outgoing
  readonly cluster: ClusterReads
  /** Undefined: nobody collects. */
  readonly counts?: AskedCounts | undefined
}

/** A type of trigger: its parameters, which are its documentation too, and how it is opened. */
export interface ScalerKind {
  readonly types: readonly string[]
  /** One sentence on what it reads. */
  readonly about: string
  readonly parameters: ParameterTable
  /** @throws TriggerProblem where the trigger cannot be used as it is written */
  open(trigger: OpenedTrigger, world: ScalerWorld): Promise<Scaler>
}

/** The type of target that an external metric may have. @throws TriggerProblem for Utilization and unknown ones */
export function targetType({ metricType }: Pick<OpenedTrigger, 'metricType'>): TargetType {
  if (metricType === undefined || metricType === '' || metricType === 'AverageValue') return 'AverageValue'
  if (metricType === 'Value') return 'Value'
  throw new TriggerProblem(
    `metricType ${JSON.stringify(metricType)} is unsupported for external metrics: expected 'Value' or 'AverageValue'`,
  )
}

/** A scaler of one metric, as most are: `tail` names it after its index. */
export function oneMetric(
  trigger: OpenedTrigger,
  {
    tail,
    target,
    activation,
    read,
    close,
  }: {
    readonly tail: string
    readonly target: number
    readonly activation: number
    /** With `isActive` where more than the value decides it. */
    readonly read: (signal: AbortSignal) => Promise<number | { readonly value: number; readonly isActive: boolean }>
    readonly close?: () => PromiseLike<void>
  },
): Scaler {
  const metrics = [externalMetric(metricName(trigger.index, tail), targetType(trigger), target)]
  return {
    metrics: async () => metrics,
    async read(name, signal) {
      const found = await read(signal)
      const { value, isActive } = typeof found === 'number' ? { value: found, isActive: found > activation } : found
      return { values: [{ name, value }], isActive }
    },
    [Symbol.asyncDispose]: async () => close?.(),
  }
}
