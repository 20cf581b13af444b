// What KEDA's webhook counts, by its names and labels.
import { Counter, type Registry } from 'prom-client'

const made = new WeakMap<Registry, KedaWebhookMetrics>()

/** The metrics of a registry: made once, whatever starts again. */
export function kedaWebhookMetrics(registry: Registry): KedaWebhookMetrics {
  const existing = made.get(registry)
  if (existing !== undefined) return existing
  const metrics = new KedaWebhookMetrics(registry)
  made.set(registry, metrics)
  return metrics
}

class KedaWebhookMetrics {
  readonly #judged: Counter<'namespace' | 'action'>
  readonly #refused: Counter<'namespace' | 'action' | 'reason'>

  constructor(registry: Registry) {
    const registers = [registry]
    this.#judged = new Counter({
      name: 'keda_webhook_scaled_object_validations_total',
      help: 'ScaledObjects that were judged',
      labelNames: ['namespace', 'action'],
      registers,
    })
    this.#refused = new Counter({
      name: 'keda_webhook_scaled_object_validation_errors_total',
      help: 'ScaledObjects that were refused, by why',
      labelNames: ['namespace', 'action', 'reason'],
      registers,
    })
  }

  judged(namespace: string, action: 'create' | 'update', reason: string | undefined): void {
    this.#judged.inc({ namespace, action })
    if (reason !== undefined) this.#refused.inc({ namespace, action, reason })
  }
}
