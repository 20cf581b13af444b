// What upstream's interceptor counts, by its names, and ours beside them.
import { Counter, Gauge, Histogram, type Registry } from 'prom-client'

/** Others are one: a client may send any. */
const standardMethods = new Set(['CONNECT', 'DELETE', 'GET', 'HEAD', 'OPTIONS', 'PATCH', 'POST', 'PUT', 'TRACE'])
const otherMethod = '_OTHER'

/** Seconds, as OpenTelemetry's conventions for HTTP have them. */
const buckets = [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10]

interface RouteName {
  readonly name: string
  readonly namespace: string
}

/** What is asked when somebody collects. */
interface RouteNow extends RouteName {
  readonly concurrency: number
  readonly waiting: number
}

/** Requests of one method, code and route, counted without a text for each. */
interface Tally {
  readonly labels: {
    readonly code: string
    readonly method: string
    readonly route_name: string
    readonly route_namespace: string
  }
  count: number
  sumSeconds: number
  readonly inBucket: number[]
}

const made = new WeakMap<Registry, RequestMetrics>()

/** The metrics of a registry: made once, whatever starts again. From now on they ask `routes`. */
export function requestMetrics(registry: Registry, routes: () => Iterable<RouteNow>): RequestMetrics {
  const metrics = made.get(registry) ?? new RequestMetrics(registry)
  made.set(registry, metrics)
  metrics.useRoutes(routes)
  return metrics
}

export class RequestMetrics {
  #routes: () => Iterable<RouteNow> = () => []
  readonly #tallies = new Map<string, Map<number, Tally>>()
  readonly #rejections: Counter<'route_name' | 'route_namespace'>

  constructor(registry: Registry) {
    const registers = [registry]
    const tallies = () => this.#all()
    const routes = () => this.#routes()
    new Counter({
      name: 'interceptor_request_count_total',
      help: 'Requests that were answered.',
      labelNames: ['code', 'method', 'route_name', 'route_namespace'],
      registers,
      collect() {
        this.reset()
        for (const { labels, count } of tallies()) this.inc(labels, count)
      },
    })
    registry.registerMetric(new Durations(tallies))
    new Gauge({
      name: 'interceptor_request_concurrency',
      help: 'Requests at this moment.',
      labelNames: ['route_name', 'route_namespace'],
      registers,
      collect() {
        this.reset()
        for (const { name, namespace, concurrency } of routes())
          this.set({ route_name: name, route_namespace: namespace }, concurrency)
      },
    })
    new Gauge({
      name: 'ballast_gateway_held_requests',
      help: 'Requests that wait for their target at this moment.',
      labelNames: ['route_name', 'route_namespace'],
      registers,
      collect() {
        this.reset()
        for (const { name, namespace, waiting } of routes()) this.set({ route_name: name, route_namespace: namespace }, waiting)
      },
    })
    this.#rejections = new Counter({
      name: 'interceptor_cold_start_rejections_total',
      help: 'Requests that found no place to wait.',
      labelNames: ['route_name', 'route_namespace'],
      registers,
    })
  }

  useRoutes(routes: () => Iterable<RouteNow>): void {
    this.#routes = routes
  }

  answered(method: string, code: number, route: RouteName | undefined, seconds: number): void {
    const tally = this.#tally(standardMethods.has(method) ? method : otherMethod, code, route)
    tally.count++
    tally.sumSeconds += seconds
    const at = buckets.findIndex(limit => seconds <= limit)
    const bucket = at === -1 ? buckets.length : at
    tally.inBucket[bucket] = (tally.inBucket[bucket] ?? 0) + 1
  }

  rejected({ name, namespace }: RouteName): void {
    this.#rejections.inc({ route_name: name, route_namespace: namespace })
  }

  /** A route that is no more. */
  forget({ name, namespace }: RouteName): void {
    for (const method of [...standardMethods, otherMethod]) this.#tallies.delete(`${method} ${namespace}/${name}`)
    this.#rejections.remove({ route_name: name, route_namespace: namespace })
  }

  *#all(): Iterable<Tally> {
    for (const tallies of this.#tallies.values()) yield* tallies.values()
  }

  #tally(method: string, code: number, route: RouteName | undefined): Tally {
    const key = `${method} ${route?.namespace ?? ''}/${route?.name ?? ''}`
    let tallies = this.#tallies.get(key)
    if (tallies === undefined) {
      tallies = new Map()
      this.#tallies.set(key, tallies)
    }
    let tally = tallies.get(code)
    if (tally === undefined) {
      const labels = { code: String(code), method, route_name: route?.name ?? '', route_namespace: route?.namespace ?? '' }
      tally = { labels, count: 0, sumSeconds: 0, inBucket: new Array<number>(buckets.length + 1).fill(0) }
      tallies.set(code, tally)
    }
    return tally
  }
}

const durations = 'interceptor_request_duration_seconds'
const durationsHelp = 'Seconds from the request to the end of its answer.'

/** prom-client's histogram hashes its labels for each observation: too dear for every request. */
class Durations extends Histogram<'code' | 'method' | 'route_name' | 'route_namespace'> {
  readonly #tallies: () => Iterable<Tally>

  constructor(tallies: () => Iterable<Tally>) {
    const labelNames = ['code', 'method', 'route_name', 'route_namespace'] as const
    super({ name: durations, help: durationsHelp, labelNames, buckets, registers: [] })
    this.#tallies = tallies
  }

  /** What prom-client makes its text of, and `get()` too; its types leave it out. */
  async getForPromString() {
    const values: object[] = []
    for (const { labels, count, sumSeconds, inBucket } of this.#tallies()) {
      let below = 0
      const add = (metricName: string, value: number, own: { readonly le?: number | string } = {}) =>
        values.push({ labels: { ...own }, sharedLabels: labels, value, metricName })
      for (const [at, le] of buckets.entries()) {
        below += inBucket[at] ?? 0
        add(`${durations}_bucket`, below, { le })
      }
      add(`${durations}_bucket`, count, { le: '+Inf' })
      add(`${durations}_sum`, sumSeconds)
      add(`${durations}_count`, count)
    }
    return { name: durations, help: durationsHelp, type: 'histogram', values, aggregator: 'sum' }
  }
}
