// Every object of a cluster by kind, namespace and name: an index that grows and changes, and the immutable lookup that it hands out.

import type { KubeObject } from '#kube/objects/objects.ts'
import { isBuiltInKind, isNamespaced } from './kinds.ts'
import { kindKey } from './ownership.ts'
import { type SortedMap, SortedMapEditor } from './sorted-map.ts'
import type { OwnerLookup } from './state-shapes.ts'

/** Keys (`kindKey`) by plain kind, in order: `ScaledObject` → `ScaledObject.keda.sh`. */
type KeysOfKind = ReadonlyMap<string, readonly string[]>

/** The objects of one moment. */
export class ObjectLookup implements OwnerLookup {
  readonly #byKey: ReadonlyMap<string, SortedMap<KubeObject>>
  readonly #keysOfKind: KeysOfKind

  constructor(byKey: ReadonlyMap<string, SortedMap<KubeObject>>, keysOfKind: KeysOfKind) {
    this.#byKey = byKey
    this.#keysOfKind = keysOfKind
  }

  /** All of a kind in order of namespace and name. */
  objects(kind: string): readonly KubeObject[] {
    const [first, ...others] = this.#named(kind)
    return others.length === 0 ? (first?.list() ?? []) : [first, ...others].flatMap(named => named?.list() ?? [])
  }

  /** Those of a kind in one namespace, in order of name. Costs what there is to find. */
  objectsIn(kind: string, namespace: string): readonly KubeObject[] {
    const isInside = (object: KubeObject) => (object.metadata.namespace ?? '') === namespace
    if (namespace === '' || !isNamespaced(kind)) return this.objects(kind).filter(isInside)
    return this.#named(kind).flatMap(named => Array.from(named.under(`${namespace}/`)).filter(isInside))
  }

  object(kind: string, namespace: string | undefined, name: string): KubeObject | undefined {
    return foundIn(this.#byKey, { keys: keysMeant(kind, this.#byKey, this.#keysOfKind), namespace, name })
  }

  #named(kind: string): readonly SortedMap<KubeObject>[] {
    return keysMeant(kind, this.#byKey, this.#keysOfKind).flatMap(key => this.#byKey.get(key) ?? [])
  }
}

/** Objects by kind, namespace and name; refuses a second of one name. */
export class ObjectIndex implements OwnerLookup {
  readonly #byKey = new Map<string, SortedMapEditor<KubeObject>>()
  #keysOfKind: KeysOfKind = new Map()

  /** False where another object has the name already. */
  add(object: KubeObject): boolean {
    if (this.holder(object) !== undefined) return false
    this.set(object)
    return true
  }

  /** Files the object, in place of whatever has its name. */
  set(object: KubeObject): void {
    const key = kindKey(object.apiVersion, object.kind)
    let named = this.#byKey.get(key)
    if (named === undefined) {
      named = new SortedMapEditor()
      this.#byKey.set(key, named)
      this.#rename(object.kind, keys => [...keys, key].toSorted())
    }
    named.set(objectKey(key, object.metadata.namespace, object.metadata.name), object)
  }

  remove(object: KubeObject): void {
    const key = kindKey(object.apiVersion, object.kind)
    const named = this.#byKey.get(key)
    if (named === undefined) return
    named.delete(objectKey(key, object.metadata.namespace, object.metadata.name))
    if (named.size > 0) return
    this.#byKey.delete(key)
    this.#rename(object.kind, keys => keys.filter(other => other !== key))
  }

  /** The object that has the name of `object`. */
  holder(object: KubeObject): KubeObject | undefined {
    const key = kindKey(object.apiVersion, object.kind)
    return this.#byKey.get(key)?.get(objectKey(key, object.metadata.namespace, object.metadata.name))
  }

  object(kind: string, namespace: string | undefined, name: string): KubeObject | undefined {
    return foundIn(this.#byKey, { keys: keysMeant(kind, this.#byKey, this.#keysOfKind), namespace, name })
  }

  /** What is filed now, at the price of what changed. */
  snapshot(): ObjectLookup {
    return new ObjectLookup(new Map(Array.from(this.#byKey, ([key, named]) => [key, named.snapshot()])), this.#keysOfKind)
  }

  #rename(kind: string, change: (keys: readonly string[]) => readonly string[]): void {
    const keys = change(this.#keysOfKind.get(kind) ?? [])
    const others = Array.from(this.#keysOfKind).filter(([other]) => other !== kind)
    this.#keysOfKind = new Map(keys.length === 0 ? others : [...others, [kind, keys]])
  }
}

/** A kind as it is filed; a name that is not of a built-in kind is all kinds of that name whatever their groups. */
function keysMeant(kind: string, byKey: ReadonlyMap<string, unknown>, keysOfKind: KeysOfKind): readonly string[] {
  return byKey.has(kind) || isBuiltInKind(kind) ? [kind] : (keysOfKind.get(kind) ?? [])
}

function foundIn(
  byKey: ReadonlyMap<string, { get(key: string): KubeObject | undefined }>,
  wanted: { readonly keys: readonly string[]; readonly namespace: string | undefined; readonly name: string },
): KubeObject | undefined {
  for (const key of wanted.keys) {
    const named = byKey.get(key)
    const found = named?.get(objectKey(key, wanted.namespace, wanted.name)) ?? named?.get(wanted.name)
    if (found !== undefined) return found
  }
  return undefined
}

/** Custom resources may lie outside namespaces: what has no namespace is filed without one, but for kinds that must have one. */
export function objectKey(kind: string, namespace: string | undefined, name: string): string {
  if (namespace !== undefined && namespace !== '') return isNamespaced(kind) ? `${namespace}/${name}` : name
  return kind === 'Pod' ? `default/${name}` : name
}
