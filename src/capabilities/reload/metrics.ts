// What reload counts: upstream's names, labels and buckets, so that dashboards and alerts of before go on; and a few of ours.
import { Counter, Gauge, Histogram, type Registry } from 'prom-client'
import type { QueueObserver } from '#kube/controllers/queue.ts'
import { type ReceivedResource, type SkipReason, skipReasons } from './telling/telling.ts'

const results = ['success', 'error', 'skipped'] as const
type Result = (typeof results)[number]
const workloadKinds = ['Deployment', 'DaemonSet', 'StatefulSet', 'CronJob', 'Job'] as const
const resourceTypes: readonly ReceivedResource[] = ['configmaps', 'secrets']
const eventTypes = ['add', 'update', 'delete'] as const

const reconcileBuckets = [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10]
const actionBuckets = [0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60]
const queueBuckets = [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5]

const made = new WeakMap<Registry, ReloadMetrics>()

/** The metrics of a registry: made once, whatever starts again. */
export function reloadMetrics(registry: Registry): ReloadMetrics {
  const existing = made.get(registry)
  if (existing !== undefined) return existing
  const metrics = new ReloadMetrics(registry)
  made.set(registry, metrics)
  return metrics
}

export class ReloadMetrics {
  readonly queue: QueueObserver
  readonly #registry: Registry
  readonly #executed: Counter<'success'>
  #executedByNamespace: Counter<'success' | 'namespace'> | undefined
  readonly #reconciles: Counter<'result'>
  readonly #reconcileSeconds: Histogram<'result'>
  readonly #actions: Counter<'workload_kind' | 'result'>
  readonly #actionSeconds: Histogram<'workload_kind'>
  readonly #skipped: Counter<'reason'>
  readonly #errors: Counter<'type'>
  readonly #retries: Counter
  readonly #received: Counter<'event_type' | 'resource_type'>
  readonly #processed: Counter<'event_type' | 'resource_type' | 'result'>
  readonly #scanned: Counter<'kind'>
  readonly #matched: Counter<'kind'>
  readonly #throttled: Counter
  readonly #forbidden: Counter<'kind'>
  readonly #alerts: Counter<'result'>

  constructor(registry: Registry) {
    this.#registry = registry
    const registers = [registry]
    const counter = <Label extends string>(name: string, help: string, ...labelNames: Label[]) =>
      new Counter({ name, help, labelNames, registers })
    const histogram = <Label extends string>(name: string, help: string, buckets: number[], ...labelNames: Label[]) =>
      new Histogram({ name, help, buckets, labelNames, registers })
    this.#executed = counter('reloader_reload_executed_total', 'Reloads of workloads, by whether they succeeded', 'success')
    this.#reconciles = counter('reloader_reconcile_total', 'Changed objects that were worked off, by how that went', 'result')
    this.#reconcileSeconds = histogram(
      'reloader_reconcile_duration_seconds',
      'Time that a changed object took to be worked off',
      reconcileBuckets,
      'result',
    )
    this.#actions = counter('reloader_action_total', 'Reloads by kind of workload', 'workload_kind', 'result')
    this.#actionSeconds = histogram(
      'reloader_action_latency_seconds',
      'Time from the receipt of a change to the reloaded workload',
      actionBuckets,
      'workload_kind',
    )
    this.#skipped = counter('reloader_skipped_total', 'Changes that led to no reload, by why', 'reason')
    this.#errors = counter('reloader_errors_total', 'Errors by type', 'type')
    this.#retries = counter('reloader_retries_total', 'Work that was given back with a back-off')
    this.#received = counter(
      'reloader_events_received_total',
      'What the watches told, by type and resource',
      'event_type',
      'resource_type',
    )
    this.#processed = counter(
      'reloader_events_processed_total',
      'What the watches told and was worked off',
      'event_type',
      'resource_type',
      'result',
    )
    this.#scanned = counter('reloader_workloads_scanned_total', 'Workloads asked whether they use what changed', 'kind')
    this.#matched = counter('reloader_workloads_matched_total', 'Workloads that were to be reloaded', 'kind')
    this.#throttled = counter('ballast_reload_throttled_total', 'Times that the rate guard held a workload back')
    this.#forbidden = counter('ballast_reload_forbidden_total', 'Refusals for lack of a right, by kind', 'kind')
    this.#alerts = counter('ballast_reload_alerts_total', 'Alerts by whether the receiver took them', 'result')
    this.queue = queueMetrics(registers)
    this.#begin()
  }

  /** Counts by namespace too, from now on. */
  countByNamespace(): void {
    this.#executedByNamespace ??= new Counter({
      name: 'reloader_reload_executed_total_by_namespace',
      help: 'Reloads of workloads by namespace',
      labelNames: ['success', 'namespace'],
      registers: [this.#registry],
    })
  }

  acted(of: { readonly kind: string; readonly namespace: string }, result: 'success' | 'error', seconds: number): void {
    const success = String(result === 'success')
    this.#executed.inc({ success })
    this.#executedByNamespace?.inc({ success, namespace: of.namespace })
    this.#actions.inc({ workload_kind: of.kind, result })
    this.#actionSeconds.observe({ workload_kind: of.kind }, seconds)
  }

  reconciled(result: Result, seconds: number): void {
    this.#reconciles.inc({ result })
    this.#reconcileSeconds.observe({ result }, seconds)
    if (result === 'error') this.#errors.inc({ type: 'handler_error' })
  }

  skipped(reason: SkipReason): void {
    this.#skipped.inc({ reason })
  }

  received(eventType: (typeof eventTypes)[number], resourceType: ReceivedResource): void {
    this.#received.inc({ event_type: eventType, resource_type: resourceType })
  }

  processed(resourceType: ReceivedResource, result: 'success' | 'dropped'): void {
    this.#processed.inc({ event_type: 'unknown', resource_type: resourceType, result })
  }

  scanned(kind: string, count: number): void {
    this.#scanned.inc({ kind }, count)
  }

  matched(kind: string, count: number): void {
    this.#matched.inc({ kind }, count)
  }

  retried(): void {
    this.#retries.inc()
  }

  throttled(): void {
    this.#throttled.inc()
  }

  forbidden(kind: string): void {
    this.#forbidden.inc({ kind })
  }

  alerted(result: 'success' | 'error' | 'dropped'): void {
    this.#alerts.inc({ result })
  }

  /** What is known beforehand is there at 0: a rate over it has a start. */
  #begin(): void {
    for (const success of ['true', 'false']) this.#executed.inc({ success }, 0)
    for (const result of results) {
      this.#reconciles.inc({ result }, 0)
      this.#reconcileSeconds.zero({ result })
    }
    for (const kind of workloadKinds) {
      for (const result of ['success', 'error']) this.#actions.inc({ workload_kind: kind, result }, 0)
      this.#actionSeconds.zero({ workload_kind: kind })
      this.#scanned.inc({ kind }, 0)
      this.#matched.inc({ kind }, 0)
    }
    for (const reason of skipReasons) this.#skipped.inc({ reason }, 0)
    for (const type of ['handler_error', 'invalid_handler_type']) this.#errors.inc({ type }, 0)
    for (const resource of resourceTypes) {
      for (const event of eventTypes) this.#received.inc({ event_type: event, resource_type: resource }, 0)
      for (const result of ['success', 'dropped'])
        this.#processed.inc({ event_type: 'unknown', resource_type: resource, result }, 0)
    }
    for (const result of ['success', 'error', 'dropped']) this.#alerts.inc({ result }, 0)
  }
}

function queueMetrics(registers: Registry[]): QueueObserver {
  const depth = new Gauge({ name: 'reloader_workqueue_depth', help: 'Workloads that are ready to be looked at', registers })
  const adds = new Counter({ name: 'reloader_workqueue_adds_total', help: 'Workloads made ready to be looked at', registers })
  const latency = new Histogram({
    name: 'reloader_workqueue_latency_seconds',
    help: 'Time that workloads were ready before they were looked at',
    buckets: queueBuckets,
    registers,
  })
  return {
    added(ready) {
      adds.inc()
      depth.set(ready)
    },
    retried: () => undefined,
    taken(_key, waitedMs, ready) {
      latency.observe(waitedMs / 1000)
      depth.set(ready)
    },
    done: () => undefined,
  }
}
