// How long a route's target takes to start, told in its status after each start (conditions ColdStart and LearnedStarts), and read from there
// by replicas that come later. One patch has both, so that a kill leaves what was there or all of it.
import type { Api } from '#kube/client/api.ts'
import type { Clock } from '#kube/clock.ts'
import type { Informer } from '#kube/informers/informer-view.ts'
import { type Log, messageOf } from '#kube/log.ts'
import { listAt } from '#kube/objects/object-fields.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { isConflict, isForbidden, isNotFound } from '#kube/objects/status.ts'
import { conditionsWith, keptBoots, keptText } from './cold-start-condition.ts'
import type { Boot } from './learned-boots.ts'

/** Somebody else wrote in between. */
const tries = 3

type Kind = Pick<Informer<KubeObject>, 'resource' | 'observe'> & {
  readonly store: Pick<Informer<KubeObject>['store'], 'get'>
}

export class StartsTold {
  readonly #clock: Clock
  readonly #log: Log
  readonly #api: Api
  /** The first that has an object of the name is the route's. */
  readonly #kinds: readonly Kind[]
  /** What was read last, by route. */
  #read: ReadonlyMap<string, string> = new Map()
  #isRefused = false

  constructor(options: {
    readonly clock: Clock
    readonly log: Log
    readonly api: Api
    readonly kinds: readonly Kind[]
  }) {
    this.#clock = options.clock
    this.#log = options.log
    this.#api = options.api
    this.#kinds = options.kinds
  }

  /** Gives `remember` what stands in the status of each of `routes`, where it is other than when it was read last. */
  recall(routes: Iterable<string>, remember: (key: string, boots: readonly Boot[]) => void): void {
    const read = new Map<string, string>()
    for (const key of routes) {
      const { object } = this.#found(key)
      const text = keptText(object)
      if (text === undefined) continue
      read.set(key, text)
      if (this.#read.get(key) === text) continue
      const kept = keptBoots(object)
      if ('boots' in kept) remember(key, kept.boots)
      else this.#log.warn({ route: key, why: kept.problem }, 'what was learned of starts cannot be read, and is learned anew')
    }
    this.#read = read
  }

  /** Writes the conditions; what fails is told in the log, once where the right is not there, and tried again after the next start. */
  tell(key: string, boots: readonly Boot[], signal: AbortSignal): void {
    void this.#tell(key, boots, signal).catch((error: unknown) => {
      if (signal.aborted) return
      const facts = { route: key, why: messageOf(error) }
      const message = 'how long a start took is not in the status'
      // With upstream's roles an interceptor has no such right, at no start.
      if (isForbidden(error) && this.#isRefused) this.#log.debug(facts, message)
      else this.#log.warn(facts, message)
      if (isForbidden(error)) this.#isRefused = true
    })
  }

  async #tell(key: string, boots: readonly Boot[], signal: AbortSignal): Promise<void> {
    const { namespace, name, kind, object: known } = this.#found(key)
    if (kind === undefined) return
    let object = known
    const resource = this.#api.resource<KubeObject>(kind.resource)
    for (let attempt = 1; object !== undefined; attempt++) {
      const { uid, resourceVersion } = object.metadata
      const conditions = conditionsWith(object, boots, this.#clock.now())
      if (conditions === listAt(object, 'status', 'conditions')) return
      try {
        const body = { metadata: { uid, resourceVersion }, status: { conditions } }
        const patch = { type: 'merge', body } as const
        const options = { namespace, subresource: 'status', fieldManager: 'ballast-gateway-status', signal }
        kind.observe(await resource.patch(name, patch, options))
        return
      } catch (error) {
        if (isNotFound(error)) return
        if (!isConflict(error) || attempt >= tries) throw error
      }
      object = await resource.get(name, { namespace, signal })
    }
  }

  #found(key: string) {
    const [namespace = '', name = ''] = key.split('/')
    const kind = this.#kinds.find(one => one.store.get(namespace, name) !== undefined)
    return { namespace, name, kind, object: kind?.store.get(namespace, name) }
  }
}
