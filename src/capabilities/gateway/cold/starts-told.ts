// How long a route's target takes to start, told in its status: the condition ColdStart, after each start.
import type { Api } from '#kube/client/api.ts'
import type { Clock } from '#kube/clock.ts'
import type { Informer } from '#kube/informers/informer-view.ts'
import { type Log, messageOf } from '#kube/log.ts'
import { withCondition } from '#kube/objects/conditions.ts'
import { listAt } from '#kube/objects/object-fields.ts'
import type { Condition, KubeObject } from '#kube/objects/objects.ts'
import { isConflict, isForbidden, isNotFound } from '#kube/objects/status.ts'
import { coldStartCondition } from './cold-start-condition.ts'
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

  /** Writes the condition; what fails is told in the log, once where the right is not there, and tried again after the next start. */
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
    const [namespace, name = ''] = key.split('/')
    const kind = this.#kinds.find(one => one.store.get(namespace, name) !== undefined)
    let object = kind?.store.get(namespace, name)
    if (kind === undefined) return
    const resource = this.#api.resource<KubeObject>(kind.resource)
    for (let attempt = 1; object !== undefined; attempt++) {
      const { uid, resourceVersion, generation = 0 } = object.metadata
      const have = listAt(object, 'status', 'conditions') as readonly Condition[]
      const conditions = withCondition(have, coldStartCondition(boots, generation), this.#clock.now())
      if (conditions === have) return
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
}
