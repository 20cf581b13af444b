// What a process counts of its parts, its configuration and its way to the API server.
import { Counter, Gauge, type Registry } from 'prom-client'
import { countedTransport, requestMetrics, watchInformers } from '#kube/client/client-metrics.ts'
import type { RequestObserver } from '#kube/client/retrying-transport.ts'
import type { Transport } from '#kube/client/transport.ts'
import type { Clock } from '#kube/clock.ts'
import type { Informers } from '#kube/informers/informer.ts'
import type { Reload } from '../configuration/controller-settings.ts'
import { type PartObserver, type PartRecord, partStates } from './part-record.ts'

const partLabels = ['capability', 'part'] as const

export class PartMetrics implements PartObserver {
  readonly #registry: Registry
  readonly #restarts: Counter<(typeof partLabels)[number]>
  readonly #faults: Counter<(typeof partLabels)[number]>
  readonly #interruptions: Counter<(typeof partLabels)[number]>
  readonly #reloads: Counter<'result'>

  /** Once for each registry: its names are taken then. */
  constructor(registry: Registry) {
    const registers = [registry]
    this.#registry = registry
    this.#reloads = new Counter({
      name: 'ballast_config_reloads_total',
      help: 'Changed configurations, by whether they hold now',
      labelNames: ['result'],
      registers,
    })
    for (const result of ['applied', 'refused']) this.#reloads.inc({ result }, 0)
    this.#restarts = new Counter({
      name: 'ballast_part_restarts_total',
      help: 'Starts of a part beyond its first in this process',
      labelNames: partLabels,
      registers,
    })
    this.#faults = new Counter({
      name: 'ballast_part_faults_total',
      help: 'Faults of a part: what it threw and nobody caught',
      labelNames: partLabels,
      registers,
    })
    this.#interruptions = new Counter({
      name: 'ballast_part_interruptions_total',
      help: 'Lives of a part that a server, the network or an object ended; it starts again for ever',
      labelNames: partLabels,
      registers,
    })
  }

  reloaded(result: Reload['kind']): void {
    this.#reloads.inc({ result })
  }

  /** Shows the state of each of `records`: 1 for the one it is in. */
  watchParts(records: readonly PartRecord[]): void {
    new Gauge({
      name: 'ballast_part_state',
      help: '1 for the state that a part is in, 0 for the others',
      labelNames: [...partLabels, 'state'],
      registers: [this.#registry],
      collect() {
        for (const { capability, part, state: now } of records)
          for (const state of partStates) this.set({ capability, part, state }, state === now ? 1 : 0)
      },
    })
    for (const { capability, part } of records) {
      this.#restarts.inc({ capability, part }, 0)
      this.#faults.inc({ capability, part }, 0)
      this.#interruptions.inc({ capability, part }, 0)
    }
  }

  /** Says whether this replica leads, under the name that leader elections of others have. Once for each registry. */
  watchLeading(lease: string, isLeading: () => boolean): void {
    new Gauge({
      name: 'leader_election_master_status',
      help: '1 in the replica that holds the Lease, 0 in those that stand by',
      labelNames: ['name'],
      registers: [this.#registry],
      collect() {
        this.set({ name: lease }, isLeading() ? 1 : 0)
      },
    })
  }

  /** Counts what goes over `transport`. Once for each registry. */
  counted(transport: Transport, server: { readonly host: string; readonly clock: Clock }): Transport {
    return countedTransport(transport, { registry: this.#registry, ...server })
  }

  /** Counts what is sent again. Once for each registry. */
  requests(host: string): RequestObserver {
    return requestMetrics({ registry: this.#registry, host })
  }

  watchInformers(informers: Informers, clock: Clock): void {
    watchInformers(this.#registry, () => informers.all(), clock)
  }

  restarted({ capability, part }: PartRecord): void {
    this.#restarts.inc({ capability, part })
  }

  faulted({ capability, part }: PartRecord): void {
    this.#faults.inc({ capability, part })
  }

  interrupted({ capability, part }: PartRecord): void {
    this.#interruptions.inc({ capability, part })
  }
}
