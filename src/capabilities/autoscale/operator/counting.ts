// What work on ScaledObjects and ScaledJobs has counted, where anybody collects.
import { isResourceTrigger } from '../admission/modifiers.ts'
import type { CountedObject, CountedReading, KedaMetrics } from '../counts/keda-metrics.ts'
import { pausesOf } from '../decisions/pauses.ts'
import type { ScaledObject } from '../kinds/scaled-object.ts'
import { compositeMetric } from '../triggers/metric-names.ts'
import { type Check, hasFormula, isFailed, type MetricRecord } from './check.ts'

export class Counting {
  readonly #metrics: KedaMetrics | undefined
  readonly #type: CountedObject['type']

  constructor(metrics: KedaMetrics | undefined, type: CountedObject['type']) {
    this.#metrics = metrics
    this.#type = type
  }

  /** `key` is `namespace/name`, as for all below. */
  late(key: string, lateMs: number): void {
    this.#metrics?.looked(this.#of(key), lateMs)
  }

  failed(key: string, count = 1): void {
    this.#metrics?.failed(this.#of(key), count)
  }

  reading(key: string, reading: CountedReading): void {
    this.#metrics?.read(this.#of(key), reading)
  }

  /** What metrics of a ScaledObject said. With a formula nothing is active by itself. */
  read(key: string, object: ScaledObject, records: readonly MetricRecord[]): void {
    for (const record of records)
      this.reading(key, {
        ...{ metric: record.name, trigger: record.trigger, value: record.value, tookMs: record.tookMs },
        isActive: hasFormula(object) || isFailed(record) ? undefined : record.isActive,
        isFailed: isFailed(record),
      })
  }

  /** A whole look at a ScaledObject: also what its formula came to, and CPU and memory, which autoscalers read. */
  looked(key: string, object: ScaledObject, { records, composite, state }: Check): void {
    this.failed(key, 0)
    this.read(key, object, records)
    const common = { isFailed: false, tookMs: undefined }
    if (composite !== undefined && 'value' in composite)
      this.reading(key, {
        ...{ ...common, metric: compositeMetric, value: composite.value, isActive: state.isActive },
        trigger: { index: 0, name: compositeMetric, type: '' },
      })
    if (hasFormula(object)) return
    for (const [index, trigger] of object.spec.triggers.entries())
      if (isResourceTrigger(trigger))
        this.reading(key, {
          ...{ ...common, metric: trigger.type, value: undefined, isActive: true },
          trigger: { index, name: trigger.name, type: trigger.type },
        })
  }

  paused(key: string, object: ScaledObject): void {
    const { isPaused, isScaleInPaused, isScaleOutPaused } = pausesOf(object)
    this.#metrics?.paused(this.#of(key), isPaused || isScaleInPaused || isScaleOutPaused)
  }

  /** Its triggers are closed. */
  closed(key: string): void {
    this.#metrics?.forgetTriggers(this.#of(key))
  }

  gone(key: string): void {
    this.#metrics?.forget(this.#of(key))
  }

  #of(key: string): CountedObject {
    const [namespace = '', name = ''] = key.split('/')
    return { type: this.#type, namespace, name }
  }
}
