// What rules look at, as the controller tells it: heard by a watch of one ConfigMap. While nobody tells, or what is told cannot be read, nothing is left out.

import type { Api } from '#kube/client/api.ts'
import type { Clock } from '#kube/clock.ts'
import { Informers } from '#kube/informers/informer.ts'
import type { Informer } from '#kube/informers/informer-view.ts'
import type { Log } from '#kube/log.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { builtIn } from '#kube/objects/resource.ts'
import type { Random } from '#kube/random.ts'
import type { References } from '../rules/references.ts'
import { readSpread, readWantedList, spreadKey, wantedConfigMap, wantedKey } from '../rules/wanted-list.ts'

interface Wanted {
  readonly references: References
  /** Absent: everything. */
  readonly digest?: string
}

interface WantedFeaturesOptions {
  readonly api: Api
  /** Where the worker publishes. */
  readonly namespace: string
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
  readonly signal: AbortSignal
}

export class WantedFeatures implements AsyncDisposable {
  readonly #options: WantedFeaturesOptions
  readonly #informers: Informers
  readonly #map: Informer<KubeObject>
  readonly #unsubscribe: () => void
  #current: Wanted = { references: undefined }
  /** When a list is followed that is another than the one that was published for. */
  #dueMs = Number.POSITIVE_INFINITY

  constructor(options: WantedFeaturesOptions) {
    const { api, namespace, clock, random, log, signal } = options
    this.#options = options
    this.#informers = new Informers(api, { clock, random, log, signal })
    this.#map = this.#informers.of<KubeObject>(builtIn.configmaps, {
      namespace,
      fieldSelector: `metadata.name=${wantedConfigMap}`,
      // By the role of upstream's worker nobody may read it: then everything is published.
      optional: true,
    })
    this.#unsubscribe = this.#map.onChange(({ type, object }) => this.#heard(type === 'DELETED' ? undefined : object))
  }

  /** What is to be published. */
  get current(): Wanted {
    return this.#current
  }

  /** Whether what was published is to be published anew, for another list. */
  get isDue(): boolean {
    return this.#options.clock.elapsed() >= this.#dueMs
  }

  /** The list that is current now is what is published for next. */
  taken(): void {
    this.#dueMs = Number.POSITIVE_INFINITY
  }

  /** When the server has said what the list is, or that there is none, or that we may not ask. @throws `signal.reason` */
  async synced(signal: AbortSignal): Promise<void> {
    await this.#informers.allSynced(signal)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#unsubscribe()
    await this.#informers[Symbol.asyncDispose]()
  }

  #heard(map: KubeObject | undefined): void {
    const { clock, random, log } = this.#options
    const data = dataOf(map)
    const next = this.#read(data[wantedKey])
    if (next.digest === this.#current.digest) return
    this.#current = next
    const delayMs = Math.floor(random() * readSpread(data[spreadKey]))
    this.#dueMs = Math.min(this.#dueMs, clock.elapsed() + delayMs)
    log.info({ list: next.digest ?? 'everything', delayMs }, 'another list of what rules look at')
  }

  #read(text: string | undefined): Wanted {
    if (text === undefined) return { references: undefined }
    const read = readWantedList(text)
    if (read.ok) return read
    this.#options.log.warn(
      { why: read.why, configMap: `${this.#options.namespace}/${wantedConfigMap}` },
      'what rules look at cannot be read: everything is published',
    )
    return { references: undefined }
  }
}

function dataOf(map: KubeObject | undefined): Readonly<Record<string, string>> {
  const data: unknown = map?.['data']
  // The cast: the API server takes nothing but texts there.
  return typeof data === 'object' && data !== null ? (data as Readonly<Record<string, string>>) : {}
}
