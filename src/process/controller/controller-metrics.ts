// What a controller counts of itself: what every process with parts does, and what its arbiter decides.
import type { Registry } from 'prom-client'
import { ArbiterMetrics } from '#coordination/arbiter/arbiter-metrics.ts'
import type { Clock } from '#kube/clock.ts'
import { QueueMetrics } from '#kube/controllers/queue-metrics.ts'
import { PartMetrics } from '../parts/part-metrics.ts'

export class ControllerMetrics extends PartMetrics {
  readonly queues: QueueMetrics
  readonly #arbiter: ArbiterMetrics

  /** Once for each registry: its names are taken then. */
  constructor(registry: Registry, clock: Clock) {
    super(registry)
    this.#arbiter = new ArbiterMetrics(registry, clock)
    this.queues = new QueueMetrics(registry, clock)
  }

  watchArbiter(watched: Parameters<ArbiterMetrics['watch']>[0]): Disposable {
    return this.#arbiter.watch(watched)
  }

  drainYielded(record: Parameters<ArbiterMetrics['yielded']>[0]): void {
    this.#arbiter.yielded(record)
  }
}
