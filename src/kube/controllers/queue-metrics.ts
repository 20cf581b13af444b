// What a work queue counts, under the names that dashboards of client-go know.
import { Counter, Gauge, Histogram, type Registry } from 'prom-client'
import type { Clock } from '../clock.ts'
import type { QueueObserver } from './queue.ts'

const labelNames = ['name', 'controller'] as const
const buckets = [1e-8, 1e-7, 1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 0.1, 1, 10, 100, 1000]

/** Counts of the queues of a process. Made once for a registry. */
export class QueueMetrics {
  readonly #clock: Clock
  readonly #adds: Counter<(typeof labelNames)[number]>
  readonly #retries: Counter<(typeof labelNames)[number]>
  readonly #waits: Histogram<(typeof labelNames)[number]>
  readonly #works: Histogram<(typeof labelNames)[number]>
  /** Keys that are worked on, and since when, by the name of their queue. */
  readonly #working = new Map<string, Map<string, number>>()
  readonly #depths = new Map<string, number>()

  constructor(registry: Registry, clock: Clock) {
    this.#clock = clock
    const registers = [registry]
    const named = (name: string, help: string) => ({ name: `workqueue_${name}`, help, labelNames, registers })
    this.#adds = new Counter(named('adds_total', 'Keys made ready'))
    this.#retries = new Counter(named('retries_total', 'Keys given back with a back-off'))
    this.#waits = new Histogram({
      ...named('queue_duration_seconds', 'Time that keys were ready before they were taken'),
      buckets,
    })
    this.#works = new Histogram({ ...named('work_duration_seconds', 'Time that keys were worked on'), buckets })
    this.#gauge(registry, 'depth', 'Keys that are ready', name => this.#depths.get(name) ?? 0)
    const ages = (name: string) => [...(this.#working.get(name)?.values() ?? [])].map(since => (clock.elapsed() - since) / 1000)
    this.#gauge(registry, 'unfinished_work_seconds', 'Ages of all work under way, together', name =>
      ages(name).reduce((sum, age) => sum + age, 0),
    )
    this.#gauge(registry, 'longest_running_processor_seconds', 'Age of the oldest work under way', name =>
      Math.max(0, ...ages(name)),
    )
  }

  /** For the queue of this name: it is its controller's, too. */
  of(name: string): QueueObserver {
    const labels = { name, controller: name }
    const working = new Map<string, number>()
    this.#working.set(name, working)
    this.#depths.set(name, 0)
    return {
      added: depth => {
        this.#adds.inc(labels)
        this.#depths.set(name, depth)
      },
      retried: () => this.#retries.inc(labels),
      taken: (key, waitedMs, depth) => {
        working.set(key, this.#clock.elapsed())
        this.#waits.observe(labels, waitedMs / 1000)
        this.#depths.set(name, depth)
      },
      done: key => {
        const since = working.get(key)
        working.delete(key)
        if (since !== undefined) this.#works.observe(labels, (this.#clock.elapsed() - since) / 1000)
      },
    }
  }

  #gauge(registry: Registry, name: string, help: string, value: (name: string) => number): void {
    const names = () => this.#working.keys()
    new Gauge({
      name: `workqueue_${name}`,
      help,
      labelNames,
      registers: [registry],
      collect() {
        for (const one of names()) this.set({ name: one, controller: one }, value(one))
      },
    })
  }
}
