// From an object to the workloads that it may reload, and back, kept up change by change: no change looks at all workloads.
import type { Matcher } from './matcher.ts'
import { type SourceReference, type SourceType, sourceKey } from './source-state.ts'

interface Entry {
  readonly namespace: string
  readonly matcher: Matcher
  /** Referred to or named. */
  readonly direct: ReadonlyMap<string, SourceReference>
  /** Found by a pattern. */
  readonly matched: Map<string, SourceReference>
}

/** Names of what is there. */
type NamesOf = (type: SourceType, namespace: string) => Iterable<string>

export class SourceIndex {
  readonly #entries = new Map<string, Entry>()
  readonly #bySource = new Map<string, Set<string>>()
  /** Workloads with patterns, by type and namespace of what these are tried on. */
  readonly #byPlace = new Map<string, Set<string>>()
  readonly #namesOf: NamesOf

  constructor(namesOf: NamesOf) {
    this.#namesOf = namesOf
  }

  get size(): number {
    return this.#entries.size
  }

  /** A workload is there, or takes other sources than before. */
  set(workload: string, namespace: string, matcher: Matcher): void {
    this.delete(workload)
    const direct = new Map([...matcher.named, ...matcher.referenced].map(reference => [sourceKey(reference), reference]))
    const entry: Entry = { namespace, matcher, direct, matched: new Map() }
    this.#entries.set(workload, entry)
    for (const key of direct.keys()) addTo(this.#bySource, key, workload)
    for (const type of typesOf(matcher)) {
      addTo(this.#byPlace, placeOf(type, namespace), workload)
      for (const name of this.#namesOf(type, namespace)) this.#try(workload, entry, { type, namespace, name })
    }
  }

  delete(workload: string): void {
    const entry = this.#entries.get(workload)
    if (entry === undefined) return
    this.#entries.delete(workload)
    for (const key of [...entry.direct.keys(), ...entry.matched.keys()]) removeFrom(this.#bySource, key, workload)
    for (const type of typesOf(entry.matcher)) removeFrom(this.#byPlace, placeOf(type, entry.namespace), workload)
  }

  /** An object has come: patterns are tried on its name. What is gone stays with whom it was found for. */
  add(source: SourceReference): void {
    for (const workload of this.#byPlace.get(placeOf(source.type, source.namespace)) ?? []) {
      const entry = this.#entries.get(workload)
      if (entry !== undefined) this.#try(workload, entry, source)
    }
  }

  /** Whether somebody takes it. */
  has(source: SourceReference): boolean {
    return this.#bySource.has(sourceKey(source))
  }

  /** The workloads that may take `source`. */
  workloadsOf(source: SourceReference): ReadonlySet<string> {
    return this.#bySource.get(sourceKey(source)) ?? none
  }

  /** What a workload may take. */
  sourcesOf(workload: string): readonly SourceReference[] {
    const entry = this.#entries.get(workload)
    if (entry === undefined) return []
    if (entry.matched.size === 0) return [...entry.direct.values()]
    return [...new Map([...entry.direct, ...entry.matched]).values()]
  }

  #try(workload: string, entry: Entry, source: SourceReference): void {
    const isFound = entry.matcher.patterns.some(({ type, pattern }) => type === source.type && pattern.isFoundIn(source.name))
    if (!isFound) return
    const key = sourceKey(source)
    entry.matched.set(key, source)
    addTo(this.#bySource, key, workload)
  }
}

const none: ReadonlySet<string> = new Set()

function typesOf({ patterns }: Matcher): ReadonlySet<SourceType> {
  return new Set(patterns.map(({ type }) => type))
}

function placeOf(type: SourceType, namespace: string): string {
  return `${type}/${namespace}`
}

function addTo(map: Map<string, Set<string>>, key: string, value: string): void {
  const known = map.get(key)
  if (known === undefined) map.set(key, new Set([value]))
  else known.add(value)
}

function removeFrom(map: Map<string, Set<string>>, key: string, value: string): void {
  const known = map.get(key)
  if (known?.delete(value) === true && known.size === 0) map.delete(key)
}
