// The cluster as the cycles see it: watches of what the policy in force reads, and one state of them at a time.
import type { ClusterReading } from '#cluster/cluster-state.ts'
import { ClusterView } from '#coordination/facts/cluster-view.ts'
import type { Need } from '#coordination/needs.ts'
import type { Clock } from '#kube/clock.ts'
import type { Informers } from '#kube/informers/informer.ts'
import type { Informer } from '#kube/informers/informer-view.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { settledStaleness } from './cache-age.ts'
import { essentialNeeds } from './needs.ts'

export class WatchedCluster implements AsyncDisposable {
  readonly needs: readonly Need[]
  readonly view: ClusterView
  readonly #informers: Informers
  readonly #essential: readonly Informer<KubeObject>[]
  readonly #clock: Clock

  /** Begins to watch `needs`, shared with other holders of `informers`. */
  constructor(informers: Informers, clock: Clock, needs: readonly Need[]) {
    this.needs = needs
    this.#clock = clock
    this.#informers = informers.share({
      needs: needs.map(({ mode, group, version, resource, fields }) => ({
        mode,
        group,
        version,
        resource,
        ...(fields !== undefined && { fields }),
      })),
    })
    this.view = new ClusterView(this.#informers, clock, needs)
    this.#essential = essentialNeeds.map(({ group, version, resource }) => this.#informers.of({ group, version, resource }))
  }

  /** Resolves when everything is there that can be had. @throws `signal.reason` */
  async synced(signal: AbortSignal): Promise<void> {
    await this.#informers.allSynced(signal)
    await this.view.snapshot(signal)
  }

  /** Why nothing may be decided now; `undefined`: it may. Waits a while for watches that were silent. @throws `signal.reason` */
  staleness(signal: AbortSignal): Promise<string | undefined> {
    return settledStaleness(this.#essential, this.#clock, signal)
  }

  /** The cluster of this moment, and what of it is set aside. @throws `signal.reason` */
  async reading(signal: AbortSignal): Promise<ClusterReading> {
    await this.view.snapshot(signal)
    return this.view.reading()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.view[Symbol.dispose]()
    await this.#informers[Symbol.asyncDispose]()
  }
}
