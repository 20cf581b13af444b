// What was learned of targets, in one ConfigMap of our own namespace: read once a term, written now and then by whoever leads.
import type { Api } from '#kube/client/api.ts'
import { type Log, messageOf } from '#kube/log.ts'
import { at } from '#kube/objects/object-fields.ts'
import { isRecord } from '#kube/objects/object-shape.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { builtIn } from '#kube/objects/resource.ts'
import { isAlreadyExists, isConflict, isForbidden, isNotFound } from '#kube/objects/status.ts'
import { learnedConfigMap } from '../names.ts'
import { fieldManager } from './held-object.ts'

interface StoreOptions {
  /** Under the guard of the leader. */
  readonly api: Api
  readonly log: Log
  readonly namespace: string
}

type Texts = Readonly<Record<string, string>>

const triesToWrite = 3

export class LearnedStore {
  readonly #options: StoreOptions
  /** What keeps it from being written was said. */
  #isTold = false

  constructor(options: StoreOptions) {
    this.#options = options
  }

  /** All entries; none where there is no ConfigMap, or none that we may read. @throws StatusError; `signal.reason` */
  async read(signal: AbortSignal): Promise<Texts> {
    try {
      return textsAt(await this.#found(signal))
    } catch (error) {
      if (!isForbidden(error)) throw error
      this.#tell(error)
      return {}
    }
  }

  /** Puts `entries` in the place of what is there. Whether they are there now: it goes on without, and says so once. @throws `signal.reason` */
  async write(entries: Texts, signal: AbortSignal): Promise<boolean> {
    try {
      for (let attempt = 1; ; attempt++) {
        const found = await this.#found(signal)
        try {
          await this.#put(found, entries, signal)
          this.#isTold = false
          return true
        } catch (error) {
          // Another wrote it since it was read: only a leader that was, or a person.
          if ((!isConflict(error) && !isAlreadyExists(error)) || attempt === triesToWrite) throw error
        }
      }
    } catch (error) {
      signal.throwIfAborted()
      this.#tell(error)
      return false
    }
  }

  async #found(signal: AbortSignal): Promise<KubeObject | undefined> {
    try {
      return await this.#maps.get(learnedConfigMap, { namespace: this.#options.namespace, signal })
    } catch (error) {
      if (isNotFound(error)) return undefined
      throw error
    }
  }

  async #put(found: KubeObject | undefined, data: Texts, signal: AbortSignal): Promise<void> {
    const options = { namespace: this.#options.namespace, fieldManager, signal }
    if (found !== undefined) {
      await this.#maps.update({ ...found, data }, options)
      return
    }
    const labels = { 'ballast.dev/managed': 'true', 'ballast.dev/capability': 'autoscale' }
    const metadata = { name: learnedConfigMap, namespace: this.#options.namespace, labels }
    await this.#maps.create({ apiVersion: 'v1', kind: 'ConfigMap', metadata, data }, options)
  }

  get #maps() {
    return this.#options.api.resource<KubeObject>(builtIn.configmaps)
  }

  #tell(error: unknown): void {
    if (this.#isTold) return
    this.#isTold = true
    const { log, namespace } = this.#options
    log.warn(
      { namespace, configMap: learnedConfigMap, why: messageOf(error) },
      'what was learned of arrivals is not kept: it is learned anew when this process ends',
    )
  }
}

function textsAt(object: KubeObject | undefined): Texts {
  const data = at(object, 'data')
  if (!isRecord(data)) return {}
  return Object.fromEntries(Object.entries(data).flatMap(([key, text]) => (typeof text === 'string' ? [[key, text]] : [])))
}
