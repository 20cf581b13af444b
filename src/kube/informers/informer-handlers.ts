// Who is told of the changes of one kind. An object that a reader cannot take is set aside for that reader, by name; it is told again when it
// changes. A reader that can take none of many is at fault itself.
import { AsyncLocalStorage } from 'node:async_hooks'
import type { Log } from '../log.ts'
import { nameForMessages } from '../objects/object-shape.ts'
import type { KubeObject } from '../objects/objects.ts'
import { type GroupVersionResource, resourceKey } from '../objects/resource.ts'
import type { Change, ObjectReader } from './store.ts'

/** Objects that one reader may have set aside: another is its own fault. */
const mostSetAside = 8

/** Told what a reader threw; `alone` names the object where it is set aside and the reader goes on. */
export type HandlerFault = (error: unknown, alone?: string) => void

/** Tells changes to each handler; one that throws does not stop the others. */
export class Handlers<T extends KubeObject> {
  readonly #handlers = new Set<(change: Change<T>) => void>()
  readonly #log: Log
  readonly #resource: GroupVersionResource
  readonly #onFault: HandlerFault

  constructor(log: Log, resource: GroupVersionResource, onFault: HandlerFault | undefined) {
    this.#log = log
    this.#resource = resource
    this.#onFault = onFault ?? (() => undefined)
  }

  /** Tells what is there, and then what comes, in the asynchronous context of the caller. Returns what ends that. */
  add(handle: (change: Change<T>) => void, store: ObjectReader<T>): () => void {
    const setAside = new Set<string>()
    const handler = AsyncLocalStorage.bind((change: Change<T>) => this.#call(handle, change, setAside))
    for (const object of [...store.list()]) {
      handler({ type: 'ADDED', object, previous: undefined, initial: true, finalStateUnknown: false })
    }
    this.#handlers.add(handler)
    return () => this.#handlers.delete(handler)
  }

  tell(change: Change<T>): void {
    for (const handler of this.#handlers) handler(change)
  }

  #call(handler: (change: Change<T>) => void, change: Change<T>, setAside: Set<string>): void {
    const name = nameForMessages(change.object)
    try {
      handler(change)
      if (setAside.size > 0) setAside.delete(name)
    } catch (error) {
      const resource = resourceKey(this.#resource)
      if (change.type === 'DELETED') setAside.delete(name)
      else setAside.add(name)
      const isAlone = setAside.size <= mostSetAside
      this.#log.error({ err: error, resource, name, isAlone }, 'informer handler threw')
      this.#onFault(error, isAlone ? `${resource} ${name}` : undefined)
    }
  }
}
