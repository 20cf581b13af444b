// Which resources are served right now: the built-in ones and those of established CustomResourceDefinitions.
import { versionOrder } from '#kube/objects/api-versions.ts'
import type { ResourceKey } from '../access.ts'
import { byteOrder } from '../ordered-objects.ts'
import { builtInResources } from './built-in-resources.ts'
import { groupVersion, type ResourceType } from './resource-type.ts'

export class ResourceRegistry {
  readonly #builtIn = builtInResources
  readonly #custom = new Map<string, readonly ResourceType[]>()
  #byPath = new Map<string, ResourceType>()
  #byKind = new Map<string, ResourceType>()
  #byKey = new Map<ResourceKey, ResourceType>()
  #generation = 0

  constructor() {
    this.#index()
  }

  /** Rises with each change: what was computed from the set of resources is good for one generation. */
  get generation(): number {
    return this.#generation
  }

  find(group: string, version: string, plural: string): ResourceType | undefined {
    return this.#byPath.get(`${group}/${version}/${plural}`)
  }

  ofKind(apiVersion: string, kind: string): ResourceType | undefined {
    return this.#byKind.get(`${apiVersion}/${kind}`)
  }

  /** The type in whose version the objects of `key` are stored. */
  ofKey(key: ResourceKey): ResourceType | undefined {
    return this.#byKey.get(key)
  }

  /** All types, groups in the order of discovery: built-in ones first, then those of CustomResourceDefinitions by group. */
  all(): readonly ResourceType[] {
    const custom = [...this.#custom.values()].flat()
    return [
      ...this.#builtIn,
      ...custom.sort((left, right) => byteOrder(left.group, right.group) || byteOrder(left.plural, right.plural)),
    ]
  }

  /** Group names in order, each with its versions, the preferred one first. */
  groups(): readonly { readonly group: string; readonly versions: readonly string[] }[] {
    const versions = new Map<string, string[]>()
    for (const type of this.all()) {
      const known = versions.get(type.group)
      if (known === undefined) versions.set(type.group, [type.version])
      else if (!known.includes(type.version)) known.push(type.version)
    }
    return [...versions].map(([group, list]) => ({ group, versions: list.toSorted(versionOrder) }))
  }

  inGroupVersion(group: string, version: string): readonly ResourceType[] {
    return this.all().filter(type => type.group === group && type.version === version)
  }

  /** Keys of everything that can be listed from the store, in order. */
  keys(): readonly ResourceKey[] {
    return [...this.#byKey].filter(([, type]) => type.verbs.includes('watch')).map(([key]) => key)
  }

  /** Serves (or, with no types, no longer serves) the versions of a CustomResourceDefinition. */
  setCustom(definition: string, types: readonly ResourceType[]): void {
    if (types.length === 0) this.#custom.delete(definition)
    else this.#custom.set(definition, types)
    this.#index()
  }

  #index(): void {
    this.#generation++
    this.#byPath = new Map()
    this.#byKind = new Map()
    this.#byKey = new Map()
    for (const type of this.all()) {
      this.#byPath.set(`${type.group}/${type.version}/${type.plural}`, type)
      this.#byKind.set(`${groupVersion(type.group, type.version)}/${type.kind}`, type)
      if (type.version === type.storageVersion && !this.#byKey.has(type.key)) this.#byKey.set(type.key, type)
    }
  }
}

/** The plural name of a kind as `kubectl` guesses it; used for kinds that only a loaded folder names. */
export function guessedPlural(kind: string): string {
  const singular = kind.toLowerCase()
  if (/(s|x|z|ch|sh)$/.test(singular)) return `${singular}es`
  if (/[^aeiou]y$/.test(singular)) return `${singular.slice(0, -1)}ies`
  return `${singular}s`
}
