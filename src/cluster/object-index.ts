// Every object of a cluster by kind, namespace and name.

import type { KubeObject } from '#kube/objects.ts'
import { isNamespaced } from './kinds.ts'
import { kindKey, type OwnerLookup } from './ownership.ts'

/** Objects by kind, namespace and name; refuses a second of one name. */
export class ObjectIndex implements OwnerLookup {
  readonly #byKind = new Map<string, Map<string, KubeObject>>()
  readonly #ordered = new Map<string, readonly KubeObject[]>()
  readonly #keysOfKind = new Map<string, Set<string>>()

  add(object: KubeObject): boolean {
    const key = kindKey(object.apiVersion, object.kind)
    let named = this.#byKind.get(key)
    if (named === undefined) {
      named = new Map()
      this.#byKind.set(key, named)
      const keys = this.#keysOfKind.get(object.kind) ?? new Set()
      this.#keysOfKind.set(object.kind, keys.add(key))
    }
    const name = objectKey(object.kind, object.metadata.namespace, object.metadata.name)
    if (named.has(name)) return false
    named.set(name, object)
    this.#ordered.delete(key)
    return true
  }

  remove(object: KubeObject): void {
    const key = kindKey(object.apiVersion, object.kind)
    this.#byKind.get(key)?.delete(objectKey(object.kind, object.metadata.namespace, object.metadata.name))
    this.#ordered.delete(key)
  }

  objects(kind: string): readonly KubeObject[] {
    if (this.#byKind.has(kind)) return this.#inOrder(kind)
    return Array.from(this.#keysOfKind.get(kind) ?? []).flatMap(key => this.#inOrder(key))
  }

  object(kind: string, namespace: string | undefined, name: string): KubeObject | undefined {
    const keys = this.#byKind.has(kind) ? [kind] : (this.#keysOfKind.get(kind) ?? [])
    for (const key of keys) {
      const named = this.#byKind.get(key)
      const found = named?.get(objectKey(kind, namespace, name)) ?? named?.get(name)
      if (found !== undefined) return found
    }
    return undefined
  }

  #inOrder(key: string): readonly KubeObject[] {
    const known = this.#ordered.get(key)
    if (known !== undefined) return known
    const ordered = Array.from(this.#byKind.get(key) ?? [])
      .toSorted(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0))
      .map(([, object]) => object)
    this.#ordered.set(key, ordered)
    return ordered
  }
}

/** Custom resources may lie outside namespaces: what has no namespace is filed without one, but for kinds that must have one. */
function objectKey(kind: string, namespace: string | undefined, name: string): string {
  if (namespace !== undefined && namespace !== '') return isNamespaced(kind) ? `${namespace}/${name}` : name
  return kind === 'Pod' ? `default/${name}` : name
}
