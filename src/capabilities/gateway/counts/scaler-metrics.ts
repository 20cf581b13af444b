// What upstream's scaler counts of asking interceptors, by its names.
import { Counter, Gauge, Histogram, type Registry } from 'prom-client'

interface Round {
  readonly tookMs: number
  readonly peers: number
  readonly unreached: number
}

const made = new WeakMap<Registry, (round: Round) => void>()

/** What is told of each round; the metrics of a registry are made once, whatever starts again. */
export function scalerMetrics(registry: Registry): (round: Round) => void {
  const existing = made.get(registry)
  if (existing !== undefined) return existing
  const tell = madeFor(registry)
  made.set(registry, tell)
  return tell
}

function madeFor(registry: Registry): (round: Round) => void {
  const registers = [registry]
  const took = new Histogram({
    name: 'scaler_pinger_fetch_duration_seconds',
    help: 'Seconds to ask all other replicas once.',
    buckets: [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5],
    registers,
  })
  const errors = new Counter({
    name: 'scaler_pinger_fetch_errors_total',
    help: 'Rounds in which none of the other replicas was reached.',
    registers,
  })
  const unreached = new Gauge({
    name: 'scaler_pinger_unreachable_pods',
    help: 'Other replicas that were not reached in the last round.',
    registers,
  })
  const endpoints = new Gauge({ name: 'scaler_pinger_endpoints', help: 'Other replicas that are asked.', registers })
  return round => {
    took.observe(round.tookMs / 1_000)
    if (round.peers > 0 && round.unreached === round.peers) errors.inc()
    unreached.set(round.unreached)
    endpoints.set(round.peers)
  }
}
