// Calls of `api.MetricsService` between adapter and operator, counted by the names that upstream's middleware gives them.
import { Counter, Histogram, type Registry } from 'prom-client'
import { systemClock } from '#kube/clock.ts'

const labels = { grpc_type: 'unary', grpc_service: 'api.MetricsService', grpc_method: 'GetMetrics' } as const
const labelNames = Object.keys(labels)
/** Upstream's, in seconds. */
const buckets = [0.001, 0.01, 0.1, 0.3, 0.6, 1, 3, 6, 9, 20, 30, 60, 90, 120]

export class RpcMetrics {
  readonly #started: Counter
  readonly #handled: Counter
  readonly #received: Counter
  readonly #sent: Counter
  readonly #seconds: Histogram
  readonly #side: 'server' | 'client'

  constructor(registry: Registry, side: 'server' | 'client') {
    const registers = [registry]
    const prefix = `keda_internal_metricsservice_grpc_${side}`
    const counter = (name: string, help: string, names: readonly string[] = labelNames) =>
      new Counter({ name: `${prefix}_${name}`, help, labelNames: [...names], registers })
    this.#started = counter('started_total', 'Calls that began')
    this.#handled = counter('handled_total', 'Calls that ended, by their code', [...labelNames, 'grpc_code'])
    this.#received = counter('msg_received_total', 'Messages that came')
    this.#sent = counter('msg_sent_total', 'Messages that were sent')
    this.#seconds = new Histogram({
      name: `${prefix}_handling_seconds`,
      help: 'Time of calls',
      labelNames: [...labelNames],
      buckets,
      registers,
    })
    this.#side = side
  }

  /** Counts one call. `codeOf`: the name of gRPC's code for what it threw. @throws as `call` */
  async counted<Result>(call: () => Promise<Result>, codeOf: (error: unknown) => string): Promise<Result> {
    const beganMs = systemClock.elapsed()
    const [first, last] = this.#side === 'server' ? [this.#received, this.#sent] : [this.#sent, this.#received]
    this.#started.inc(labels)
    first.inc(labels)
    let grpc_code = 'OK'
    try {
      return await call()
    } catch (error) {
      grpc_code = codeOf(error)
      throw error
    } finally {
      // As upstream's middleware has it: a failure is a message, too.
      last.inc(labels)
      this.#handled.inc({ ...labels, grpc_code })
      this.#seconds.observe(labels, (systemClock.elapsed() - beganMs) / 1_000)
    }
  }
}
