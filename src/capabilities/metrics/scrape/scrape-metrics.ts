// What upstream counts of its scrapes, by its names and buckets, and what it does not.
import { Counter, Gauge, Histogram, type Registry } from 'prom-client'
import type { RejectedLine } from '../decode/reading.ts'
import type { FailureReason } from './scrape-failure.ts'

const standardBuckets = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10]
const lastBucket = 10
const closest = 0.005

/** Buckets of the time that a tick takes: the usual ones, and some around the resolution (seconds). */
export function tickBuckets(resolution: number): readonly number[] {
  if (resolution > lastBucket)
    return [...standardBuckets, lastBucket + (resolution - lastBucket) / 2, resolution, resolution * 1.5, resolution * 2]
  if (standardBuckets.some(bucket => Math.abs(bucket - resolution) < closest)) return standardBuckets
  return [...standardBuckets, resolution].toSorted((a, b) => a - b)
}

/** Twenty buckets of the age of what is served, each 1.364 times the one before. */
export const freshnessBuckets: readonly number[] = Array.from({ length: 20 }, (_, power) => 1.364 ** power)

const made = new WeakMap<Registry, ScrapeMetrics>()

/** The metrics of a registry: made once, whatever starts again; the buckets of a tick are those of its first resolution. */
export function scrapeMetrics(registry: Registry, resolutionMs: number): ScrapeMetrics {
  const existing = made.get(registry)
  if (existing !== undefined) return existing
  const metrics = new ScrapeMetrics(registry, resolutionMs)
  made.set(registry, metrics)
  return metrics
}

export class ScrapeMetrics {
  readonly requestDuration: Histogram<'node'>
  readonly requests: Counter<'success'>
  readonly lastRequest: Gauge<'node'>
  readonly tickDuration: Histogram
  readonly points: Gauge<'type'>
  readonly freshness: Histogram
  readonly storageErrors: Counter<'reason'>
  readonly storageRejected: Counter
  readonly #errors: Counter<'reason'>
  readonly #rejected: Counter<'reason'>
  readonly #stale: Gauge<'node'>
  readonly #dropped: Gauge<'reason'>

  constructor(registry: Registry, resolutionMs: number) {
    const registers = [registry]
    this.requestDuration = new Histogram({
      name: 'metrics_server_kubelet_request_duration_seconds',
      help: 'Duration of requests to kubelets in seconds.',
      labelNames: ['node'],
      buckets: standardBuckets,
      registers,
    })
    this.requests = new Counter({
      name: 'metrics_server_kubelet_request_total',
      help: 'Number of requests to kubelets, by whether they succeeded.',
      labelNames: ['success'],
      registers,
    })
    this.lastRequest = new Gauge({
      name: 'metrics_server_kubelet_last_request_time_seconds',
      help: 'Time of the last request to a kubelet, in seconds since 1970.',
      labelNames: ['node'],
      registers,
    })
    this.tickDuration = new Histogram({
      name: 'metrics_server_manager_tick_duration_seconds',
      help: 'Time that a scrape of all nodes took, in seconds.',
      buckets: [...tickBuckets(resolutionMs / 1_000)],
      registers,
    })
    this.points = new Gauge({
      name: 'metrics_server_storage_points',
      help: 'Number of points that a rate can be served from.',
      labelNames: ['type'],
      registers,
    })
    this.freshness = new Histogram({
      name: 'metrics_server_api_metric_freshness_seconds',
      help: 'Age of what is served, in seconds.',
      buckets: [...freshnessBuckets],
      registers,
    })
    this.#errors = new Counter({
      name: 'ballast_metrics_scrape_errors_total',
      help: 'Scrapes that failed, by reason.',
      labelNames: ['reason'],
      registers,
    })
    this.storageErrors = new Counter({
      name: 'ballast_metrics_storage_errors_total',
      help: 'Questions about local disks that failed, by reason.',
      labelNames: ['reason'],
      registers,
    })
    this.storageRejected = new Counter({
      name: 'ballast_metrics_storage_rejected_total',
      help: 'Figures about local disks that nobody can have measured.',
      registers,
    })
    this.#rejected = new Counter({
      name: 'ballast_metrics_lines_rejected_total',
      help: 'Lines of kubelets that were rejected, by reason.',
      labelNames: ['reason'],
      registers,
    })
    this.#stale = new Gauge({
      name: 'ballast_metrics_stale_seconds',
      help: 'Seconds since a node that cannot be scraped last answered.',
      labelNames: ['node'],
      registers,
    })
    this.#dropped = new Gauge({
      name: 'ballast_metrics_dropped_containers',
      help: 'Containers that keep their pod from being served, by reason.',
      labelNames: ['reason'],
      registers,
    })
  }

  /** Containers that keep their pod from being served, by reason. */
  dropped(counts: Readonly<Record<string, number>>): void {
    for (const [reason, count] of Object.entries(counts)) this.#dropped.set({ reason }, count)
  }

  failed(reason: FailureReason): void {
    this.#errors.inc({ reason })
  }

  rejected(lines: ReadonlyMap<RejectedLine, number>): void {
    for (const [reason, count] of lines) this.#rejected.inc({ reason }, count)
  }

  /** `ageMs`: undefined for a node that answered. */
  stale(node: string, ageMs: number | undefined): void {
    if (ageMs === undefined) this.#stale.remove({ node })
    else this.#stale.set({ node }, ageMs / 1_000)
  }

  /** A node is gone. */
  forget(node: string): void {
    this.requestDuration.remove({ node })
    this.lastRequest.remove({ node })
    this.#stale.remove({ node })
  }
}
