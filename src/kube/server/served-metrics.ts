// What a server of APIs counts of its answers, by the names, labels and buckets of Kubernetes's own, so that dashboards of API servers know it.
import { Counter, Gauge, Histogram, type Registry } from 'prom-client'

/** Labels of one kind of request; of what is no resource the path is told in place of a subresource. */
export interface ServedLabels {
  readonly verb: string
  readonly group: string
  readonly version: string
  readonly resource: string
  readonly subresource: string
  readonly scope: '' | 'cluster' | 'namespace' | 'resource'
  readonly component: '' | 'apiserver'
}

const labelNames = ['verb', 'dry_run', 'group', 'version', 'resource', 'subresource', 'scope', 'component'] as const
const secondBuckets = [0.005, 0.025, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 1, 1.25, 1.5, 2, 3, 4, 5, 6, 8, 10, 15, 20, 30, 45, 60]

export class ServedMetrics {
  readonly #requests: Counter<(typeof labelNames)[number] | 'code'>
  readonly #seconds: Histogram<(typeof labelNames)[number]>
  #inFlight: () => number = () => 0

  /** Once for each registry: its names are taken then. */
  constructor(registry: Registry) {
    const registers = [registry]
    this.#requests = new Counter({
      name: 'apiserver_request_total',
      help: 'Requests that were answered, by verb, resource and code.',
      labelNames: [...labelNames, 'code'],
      registers,
    })
    this.#seconds = new Histogram({
      name: 'apiserver_request_duration_seconds',
      help: 'Time from a request to the last byte of its answer, by verb and resource.',
      labelNames,
      buckets: secondBuckets,
      registers,
    })
    const inFlight = () => this.#inFlight()
    new Gauge({
      name: 'apiserver_current_inflight_requests',
      help: 'Requests that are being answered now.',
      labelNames: ['request_kind'],
      registers,
      collect() {
        this.set({ request_kind: 'readOnly' }, inFlight())
        // Nothing is written here.
        this.set({ request_kind: 'mutating' }, 0)
      },
    })
  }

  /** Where the number of requests is asked for that are under way. */
  watchInFlight(count: () => number): void {
    this.#inFlight = count
  }

  answered(labels: ServedLabels, { code, seconds }: { readonly code: number; readonly seconds: number }): void {
    const all = { ...labels, dry_run: '' }
    this.#requests.inc({ ...all, code: String(code) })
    this.#seconds.observe(all, seconds)
  }
}
