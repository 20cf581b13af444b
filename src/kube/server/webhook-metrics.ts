// Metrics of admission webhooks under the names that dashboards of controller-runtime know.

import { Counter, Gauge, Histogram, type Registry } from 'prom-client'
import type { WebhookObserver } from './admission.ts'

const latencySeconds = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10]

/** An observer that counts into `registry`. Once for each registry: its names are taken then. */
export function webhookMetrics(registry: Registry): WebhookObserver {
  const registers = [registry]
  const latency = new Histogram({
    name: 'controller_runtime_webhook_latency_seconds',
    help: 'Time an admission webhook took to answer',
    labelNames: ['webhook'],
    buckets: latencySeconds,
    registers,
  })
  const requests = new Counter({
    name: 'controller_runtime_webhook_requests_total',
    help: 'Admission reviews answered, by the code of the answer',
    labelNames: ['webhook', 'code'],
    registers,
  })
  const inFlight = new Gauge({
    name: 'controller_runtime_webhook_requests_in_flight',
    help: 'Admission reviews being answered now',
    labelNames: ['webhook'],
    registers,
  })
  const panics = new Counter({
    name: 'controller_runtime_webhook_panics_total',
    help: 'Admission reviews whose handler failed or was too slow',
    labelNames: ['webhook'],
    registers,
  })
  return {
    began({ name }) {
      inFlight.inc({ webhook: name })
    },
    ended({ name }, { code, elapsedMs, hasFailed }) {
      inFlight.dec({ webhook: name })
      latency.observe({ webhook: name }, elapsedMs / 1_000)
      requests.inc({ webhook: name, code: String(code) })
      if (hasFailed) panics.inc({ webhook: name })
    },
  }
}
