import type { KubeObject } from '../objects/objects.ts'
import type { Store } from './store.ts'

/** What a streaming list has told so far, projected as the store keeps it: the store has it when the list is whole. */
export class InitialObjects<T extends KubeObject> {
  readonly #store: Pick<Store<T>, 'project' | 'release'>
  readonly #held = new Map<string, T>()

  constructor(store: Pick<Store<T>, 'project' | 'release'>) {
    this.#store = store
  }

  /** Holds it in place of what was held under its name. */
  hold(object: T): void {
    this.letGo(object)
    this.#held.set(keyOf(object), this.#store.project(object))
  }

  /** It was deleted while the list was told. */
  letGo(object: T): void {
    const held = this.#held.get(keyOf(object))
    if (held !== undefined) this.#store.release(held)
    this.#held.delete(keyOf(object))
  }

  /** Hands everything over; nothing is held then. */
  take(): readonly T[] {
    const objects = [...this.#held.values()]
    this.#held.clear()
    return objects
  }

  /** Gives back to the store what a list that broke off has told. */
  release(): void {
    for (const object of this.take()) this.#store.release(object)
  }
}

function keyOf(object: KubeObject): string {
  return `${object.metadata.namespace ?? ''}/${object.metadata.name}`
}
