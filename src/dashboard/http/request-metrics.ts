// Requests and actions in figures. Labels are bounded: routes by their pattern, actions by their name.
import { Counter, Histogram, type Registry } from 'prom-client'
import { freezeActions, planActions, twinActions } from '../contract-names.ts'

const buckets = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10]
const known: readonly string[] = [...planActions, ...freezeActions, ...twinActions]

export class RequestMetrics {
  readonly #seconds: Histogram<'route'>
  readonly #actions: Counter<'action' | 'result'>

  /** Once for each registry: its names are taken then. */
  constructor(registry: Registry) {
    const registers = [registry]
    this.#seconds = new Histogram({
      name: 'ballast_dashboard_request_seconds',
      help: 'From the first line of a request to the end of its answer, of streams to their beginning, by route',
      labelNames: ['route'],
      buckets,
      registers,
    })
    this.#actions = new Counter({
      name: 'ballast_dashboard_actions_total',
      help: 'Actions that were asked for; result is `done` or the code of the refusal',
      labelNames: ['action', 'result'],
      registers,
    })
  }

  request(route: string, ms: number): void {
    this.#seconds.observe({ route }, ms / 1_000)
  }

  /** `result` is `done`, or a code of ours. */
  action(action: string, result: string): void {
    this.#actions.inc({ action: known.includes(action) ? action : 'unknown', result })
  }
}
