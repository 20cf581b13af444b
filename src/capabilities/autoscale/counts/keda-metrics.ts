// What KEDA counts, by its names and labels, so that dashboards and alerts of before go on.
import { Counter, Gauge, Histogram, type Registry } from 'prom-client'
import type { AskedCounts, AskedMetric } from '../scalers/asking.ts'
import { scalerName } from './scaler-names.ts'

const scalerLabels = ['namespace', 'metric', 'scaledObject', 'scaler', 'triggerIndex', 'type'] as const
const objectLabels = ['namespace', 'scaledObject'] as const
const jobLabels = ['namespace', 'scaledJob'] as const
const loopLabels = ['namespace', 'type', 'resource'] as const
const askedLabels = ['namespace', 'scaled_resource', 'scaler', 'trigger_name', 'metric_name', 'status_code'] as const
const emptyLabels = ['namespace', 'scaledResource', 'triggerName', 'metricName', 'resourceType', 'ignoreNullValues'] as const
const sentLabels = ['namespace', 'cloudeventsource', 'eventsink', 'state'] as const

type ScalerLabels = Record<(typeof scalerLabels)[number], string>

type SentLabels = Record<(typeof sentLabels)[number], string>

/** Whose series it is. */
export interface CountedObject {
  readonly type: 'scaledobject' | 'scaledjob'
  readonly namespace: string
  readonly name: string
}

/** One metric of one trigger as it was read. */
export interface CountedReading {
  readonly metric: string
  readonly trigger: { readonly index: number; readonly name?: string | undefined; readonly type: string }
  /** Undefined: none came. */
  readonly value: number | undefined
  /** Undefined: it is not said, as where a formula decides. */
  readonly isActive: boolean | undefined
  readonly isFailed: boolean
  /** Milliseconds that the source took; undefined: it was not asked. */
  readonly tookMs: number | undefined
}

/** What is registered, counted when metrics are read. */
export interface Registered {
  /** Types of the triggers of all objects. */
  readonly triggers: () => Iterable<string>
  /** Kinds as KEDA's labels call them, and the namespace of each object; empty: it has none. */
  readonly resources: () => Iterable<{ readonly type: string; readonly namespace: string }>
}

const made = new WeakMap<Registry, KedaMetrics>()

/** The metrics of a registry: made once, whatever starts again. */
export function kedaMetrics(registry: Registry): KedaMetrics {
  const existing = made.get(registry)
  if (existing !== undefined) return existing
  const metrics = new KedaMetrics(registry)
  made.set(registry, metrics)
  return metrics
}

export class KedaMetrics implements AskedCounts {
  readonly #value: Gauge<(typeof scalerLabels)[number]>
  readonly #latency: Gauge<(typeof scalerLabels)[number]>
  readonly #active: Gauge<(typeof scalerLabels)[number]>
  readonly #errors: Counter<(typeof scalerLabels)[number]>
  readonly #objectErrors: Counter<(typeof objectLabels)[number]>
  readonly #paused: Gauge<(typeof objectLabels)[number]>
  readonly #jobErrors: Counter<(typeof jobLabels)[number]>
  readonly #loop: Gauge<(typeof loopLabels)[number]>
  readonly #sent: Counter<(typeof sentLabels)[number]>
  readonly #queued: Gauge<'namespace'>
  readonly #asked: Counter<(typeof askedLabels)[number]>
  readonly #askedSeconds: Histogram<'scaler' | 'status_code'>
  readonly #empty: Counter<(typeof emptyLabels)[number]>
  readonly #all: readonly { reset(): void }[]
  /** Labels of the series of each object, by its key: prom-client removes by whole labels only. */
  readonly #series = new Map<string, Map<string, ScalerLabels>>()
  readonly #sentBy = new Map<string, Map<string, SentLabels>>()
  /** How the series of what was asked for each object are taken away. */
  readonly #askedBy = new Map<string, Map<string, () => void>>()
  #registered: Registered | undefined

  constructor(registry: Registry) {
    const registers = [registry]
    const gauge = <Label extends string>(name: string, help: string, labelNames: readonly Label[]) =>
      new Gauge({ name: `keda_${name}`, help, labelNames: [...labelNames], registers })
    const counter = <Label extends string>(name: string, help: string, labelNames: readonly Label[]) =>
      new Counter({ name: `keda_${name}`, help, labelNames: [...labelNames], registers })
    this.#value = gauge('scaler_metrics_value', 'Value of each metric as its autoscaler is told', scalerLabels)
    this.#latency = gauge('scaler_metrics_latency_seconds', 'Time that the source of a metric took to answer', scalerLabels)
    this.#active = gauge('scaler_active', '1 where a trigger is active, else 0', scalerLabels)
    this.#errors = counter('scaler_detail_errors_total', 'Failures of each trigger', scalerLabels)
    this.#objectErrors = counter('scaled_object_errors_total', 'Failures of each ScaledObject', objectLabels)
    this.#paused = gauge('scaled_object_paused', '1 where a ScaledObject is paused, else 0', objectLabels)
    this.#jobErrors = counter('scaled_job_errors_total', 'Failures of each ScaledJob', jobLabels)
    this.#loop = gauge('internal_scale_loop_latency_seconds', 'How much later than planned an object was looked at', loopLabels)
    this.#sent = counter('cloudeventsource_events_emitted_total', 'CloudEvents that were delivered or failed', sentLabels)
    this.#queued = gauge('cloudeventsource_events_queued', 'CloudEvents that wait to be sent', ['namespace'])
    this.#asked = counter('scaler_http_requests_total', 'Requests by HTTP to sources', askedLabels)
    this.#askedSeconds = new Histogram({
      name: 'keda_scaler_http_request_duration_seconds',
      help: 'Time of requests by HTTP to sources',
      labelNames: ['scaler', 'status_code'],
      registers,
    })
    this.#empty = counter('scaler_empty_upstream_responses_total', 'Queries that came to nothing', emptyLabels)
    this.#all = [
      ...[this.#value, this.#latency, this.#active, this.#errors, this.#objectErrors, this.#paused, this.#jobErrors],
      ...[this.#loop, this.#sent, this.#queued, this.#asked, this.#askedSeconds, this.#empty],
    ]
    const registered = () => this.#registered
    new Gauge({
      name: 'keda_trigger_registered_total',
      help: 'Triggers of all objects by type',
      labelNames: ['type'],
      registers,
      collect() {
        this.reset()
        for (const type of registered()?.triggers() ?? []) this.inc({ type })
      },
    })
    new Gauge({
      name: 'keda_resource_registered_total',
      help: "Objects of KEDA's kinds by kind and namespace",
      labelNames: ['type', 'namespace'],
      registers,
      collect() {
        this.reset()
        for (const { type, namespace } of registered()?.resources() ?? [])
          this.inc({ type, namespace: namespace === '' ? 'default' : namespace })
      },
    })
  }

  /** From now on these are there; until it is disposed of, which takes every series away. */
  begin(registered: Registered): Disposable {
    this.#registered = registered
    return {
      [Symbol.dispose]: () => {
        if (this.#registered !== registered) return
        this.#registered = undefined
        for (const one of this.#all) one.reset()
        this.#series.clear()
        this.#sentBy.clear()
        this.#askedBy.clear()
      },
    }
  }

  read(of: CountedObject, { metric, trigger, value, isActive, isFailed, tookMs }: CountedReading): void {
    const labels: ScalerLabels = {
      ...{ namespace: of.namespace, scaledObject: of.name, type: of.type, metric },
      ...{ scaler: scalerName(trigger), triggerIndex: String(trigger.index) },
    }
    const key = keyOf(of)
    const series = this.#series.get(key) ?? new Map<string, ScalerLabels>()
    this.#series.set(key, series.set(`${labels.triggerIndex} ${labels.scaler} ${metric}`, labels))
    if (value !== undefined) this.#value.set(labels, value)
    if (isActive !== undefined) this.#active.set(labels, isActive ? 1 : 0)
    if (tookMs !== undefined) this.#latency.set(labels, tookMs / 1_000)
    this.#errors.inc(labels, isFailed ? 1 : 0)
    this.failed(of, isFailed ? 1 : 0)
  }

  answered(of: AskedMetric, { status, seconds }: { readonly status: number | undefined; readonly seconds: number }): void {
    const { owner, trigger, metric } = of
    const scaler = trigger.type
    const status_code = status === undefined ? 'error' : String(status)
    const labels = {
      ...{ namespace: owner.namespace, scaled_resource: owner.name, scaler, trigger_name: trigger.name ?? '' },
      ...{ metric_name: metric, status_code },
    }
    this.#asked.inc(labels)
    this.#askedSeconds.observe({ scaler, status_code }, seconds)
    this.#keep(of, `answered ${JSON.stringify(labels)}`, () => this.#asked.remove(labels))
  }

  empty(of: AskedMetric, ignoresNull: boolean): void {
    const { owner, trigger, metric } = of
    const labels = {
      ...{ namespace: owner.namespace, scaledResource: owner.name, triggerName: trigger.name ?? '', metricName: metric },
      ...{ resourceType: owner.kind, ignoreNullValues: String(ignoresNull) },
    }
    this.#empty.inc(labels)
    this.#keep(of, `empty ${JSON.stringify(labels)}`, () => this.#empty.remove(labels))
  }

  #keep({ owner: { kind, namespace, name } }: AskedMetric, series: string, remove: () => void): void {
    const key = keyOf({ type: kind === 'ScaledJob' ? 'scaledjob' : 'scaledobject', namespace, name })
    const kept = this.#askedBy.get(key) ?? new Map<string, () => void>()
    this.#askedBy.set(key, kept.set(series, remove))
  }

  /** Counts failures; 0 has its series begin. */
  failed({ type, namespace, name }: CountedObject, count: number): void {
    if (type === 'scaledobject') this.#objectErrors.inc({ namespace, scaledObject: name }, count)
    else this.#jobErrors.inc({ namespace, scaledJob: name }, count)
  }

  paused({ namespace, name }: CountedObject, isPaused: boolean): void {
    this.#paused.set({ namespace, scaledObject: name }, isPaused ? 1 : 0)
  }

  looked({ type, namespace, name }: CountedObject, lateMs: number): void {
    this.#loop.set({ namespace, type, resource: name }, lateMs / 1_000)
  }

  /** Its triggers are others from now on, or it is paused: what they said holds no longer. */
  forgetTriggers(of: CountedObject): void {
    for (const labels of this.#series.get(keyOf(of))?.values() ?? [])
      for (const one of [this.#value, this.#latency, this.#active, this.#errors]) one.remove(labels)
    this.#series.delete(keyOf(of))
  }

  /** It is gone. */
  forget(of: CountedObject): void {
    const { type, namespace, name } = of
    this.forgetTriggers(of)
    this.#loop.remove({ namespace, type, resource: name })
    for (const remove of this.#askedBy.get(keyOf(of))?.values() ?? []) remove()
    this.#askedBy.delete(keyOf(of))
    if (type === 'scaledjob') this.#jobErrors.remove({ namespace, scaledJob: name })
    else for (const one of [this.#objectErrors, this.#paused]) one.remove({ namespace, scaledObject: name })
  }

  /** `source`: by which its series go again. */
  eventSent(source: string, labels: SentLabels): void {
    this.#sent.inc(labels)
    const series = this.#sentBy.get(source) ?? new Map<string, SentLabels>()
    this.#sentBy.set(source, series.set(`${labels.namespace} ${labels.state}`, labels))
  }

  sourceGone(source: string): void {
    for (const labels of this.#sentBy.get(source)?.values() ?? []) this.#sent.remove(labels)
    this.#sentBy.delete(source)
  }

  /** How many wait for the receivers of one namespace's sources; empty: the cluster's. Undefined: it has none. */
  eventsQueued(namespace: string, count: number | undefined): void {
    if (count === undefined) this.#queued.remove({ namespace })
    else this.#queued.set({ namespace }, count)
  }
}

function keyOf({ type, namespace, name }: CountedObject): string {
  return `${type} ${namespace}/${name}`
}
