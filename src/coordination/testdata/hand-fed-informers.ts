// Informers over real stores that are fed by hand: for a view without a server.
import type { Clock } from '#kube/clock.ts'
import type { Informers } from '#kube/informers/informer.ts'
import type { Informer } from '#kube/informers/informer-view.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import type { InformerScope } from '#kube/informers/informer-scope.ts'
import { SharedParts } from '#kube/informers/projection.ts'
import type { GroupVersionResource } from '#kube/objects/resource.ts'
import { type Change, Store } from '#kube/informers/store.ts'
import { projectionOf, wantOf } from '#kube/informers/watch-want.ts'

export class HandFedInformers implements Pick<Informers, 'of'> {
  readonly clock: Clock
  /** Why the watch of a resource fails, by its plural name. */
  readonly problems = new Map<string, string>()
  readonly #stores = new Map<string, Store<KubeObject>>()
  readonly #informers = new Map<string, Informer<KubeObject>>()

  constructor(clock: Clock) {
    this.clock = clock
  }

  of<T extends KubeObject>(resource: GroupVersionResource, scope: InformerScope = {}): Informer<T> {
    const informer = this.#informers.get(resource.resource) ?? this.#start(resource, scope)
    // One resource has one type.
    return informer as Informer<T>
  }

  /** The store behind the informer of a resource. @throws Error where nobody asked for the informer */
  store(resource: string): Store<KubeObject> {
    const store = this.#stores.get(resource)
    if (store === undefined) throw new Error(`nobody asked for ${resource}`)
    return store
  }

  objects(): readonly KubeObject[] {
    return Array.from(this.#stores.values()).flatMap(store => Array.from(store.list()))
  }

  #start(resource: GroupVersionResource, scope: InformerScope): Informer<KubeObject> {
    const handlers = new Set<(change: Change<KubeObject>) => void>()
    const store = new Store<KubeObject>({
      clock: this.clock,
      projection: projectionOf(wantOf(scope), new SharedParts()),
      onChange: change => {
        for (const handler of handlers) handler(change)
      },
    })
    const problemOf = () => this.problems.get(resource.resource)
    const informer: Informer<KubeObject> = {
      resource,
      store,
      synced: Promise.resolve(),
      isSynced: true,
      get state() {
        return problemOf() === undefined ? 'synced' : 'failing'
      },
      get problem() {
        return problemOf()
      },
      lastEventElapsed: 0,
      counts: { events: 0, applyMs: 0, skipped: 0, relists: {}, watchRestarts: {} },
      estimatedBytes: 0,
      onChange: handler => {
        for (const object of store.list())
          handler({ type: 'ADDED', object, previous: undefined, initial: true, finalStateUnknown: false })
        handlers.add(handler)
        return () => handlers.delete(handler)
      },
      observe: object => store.observe(object),
      retryNow: () => undefined,
      isPolled: false,
      freshen: async () => undefined,
    }
    this.#stores.set(resource.resource, store)
    this.#informers.set(resource.resource, informer)
    return informer
  }
}
