// What a worker counts: upstream's name, labels and buckets.

import { Histogram, type Registry } from 'prom-client'

const buckets = [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1]

export interface WorkerMetrics {
  readonly seconds: Histogram<'node'>
}

const made = new WeakMap<Registry, WorkerMetrics>()

/** The metrics of a registry: made once, whatever starts again. */
export function workerMetrics(registry: Registry): WorkerMetrics {
  const existing = made.get(registry)
  if (existing !== undefined) return existing
  const metrics: WorkerMetrics = {
    seconds: new Histogram({
      name: 'nfd_worker_feature_discovery_duration_seconds',
      help: 'How long a look at the node took',
      labelNames: ['node'] as const,
      buckets,
      registers: [registry],
    }),
  }
  made.set(registry, metrics)
  return metrics
}
