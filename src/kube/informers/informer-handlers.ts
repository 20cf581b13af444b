// Who is told of the changes of one kind.
import { AsyncLocalStorage } from 'node:async_hooks'
import type { Log } from '../log.ts'
import type { KubeObject } from '../objects/objects.ts'
import { type GroupVersionResource, resourceKey } from '../objects/resource.ts'
import type { Change, ObjectReader } from './store.ts'

/** Tells changes to each handler; one that throws does not stop the others. */
export class Handlers<T extends KubeObject> {
  readonly #handlers = new Set<(change: Change<T>) => void>()
  readonly #log: Log
  readonly #resource: GroupVersionResource
  readonly #onFault: (error: unknown) => void

  constructor(log: Log, resource: GroupVersionResource, onFault: ((error: unknown) => void) | undefined) {
    this.#log = log
    this.#resource = resource
    this.#onFault = onFault ?? (() => undefined)
  }

  /** Tells what is there, and then what comes, in the asynchronous context of the caller. Returns what ends that. */
  add(handle: (change: Change<T>) => void, store: ObjectReader<T>): () => void {
    const handler = AsyncLocalStorage.bind((change: Change<T>) => this.#call(handle, change))
    for (const object of [...store.list()]) {
      handler({ type: 'ADDED', object, previous: undefined, initial: true, finalStateUnknown: false })
    }
    this.#handlers.add(handler)
    return () => this.#handlers.delete(handler)
  }

  tell(change: Change<T>): void {
    for (const handler of this.#handlers) handler(change)
  }

  #call(handler: (change: Change<T>) => void, change: Change<T>): void {
    try {
      handler(change)
    } catch (error) {
      this.#log.error(
        { err: error, resource: resourceKey(this.#resource), name: change.object.metadata.name },
        'informer handler threw',
      )
      this.#onFault(error)
    }
  }
}
