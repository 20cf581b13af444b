// How long cold starts take, by route and stage.
import { Histogram, type Registry } from 'prom-client'
import { bootStages } from './boot-stage.ts'
import { type Boot, totalOf } from './learned-boots.ts'

/** Quantiles of a sum are none of its parts: the whole start is a series of its own. */
const wholeStage = 'total'
const seconds = [0.5, 1, 2, 5, 10, 20, 40, 80, 160, 320, 640, 1_280]

const made = new WeakMap<Registry, ColdStartMetrics>()

/** The metrics of a registry: made once, whatever starts again. */
export function coldStartMetrics(registry: Registry): ColdStartMetrics {
  const existing = made.get(registry)
  if (existing !== undefined) return existing
  const metrics = new ColdStartMetrics(registry)
  made.set(registry, metrics)
  return metrics
}

export class ColdStartMetrics {
  readonly #took: Histogram<'route' | 'stage'>

  constructor(registry: Registry) {
    this.#took = new Histogram({
      name: 'ballast_gateway_cold_start_seconds',
      help: 'How long each stage of a cold start took, and all of it together (stage total), by route',
      labelNames: ['route', 'stage'],
      buckets: seconds,
      registers: [registry],
    })
  }

  /** A start came to its end. */
  started(route: string, boot: Boot): void {
    for (const stage of bootStages) {
      const tookMs = boot.tookMs[stage]
      if (tookMs !== undefined) this.#took.observe({ route, stage }, tookMs / 1_000)
    }
    this.#took.observe({ route, stage: wholeStage }, totalOf(boot) / 1_000)
  }

  /** The route is no more. */
  forget(route: string): void {
    for (const stage of [...bootStages, wholeStage]) this.#took.remove({ route, stage })
  }
}
