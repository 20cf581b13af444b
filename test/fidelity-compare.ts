// Two answers to the same request, field by field.
import type { Identities } from './fidelity-identities.ts'

export interface FieldDifference {
  /** `.metadata.labels.app`; list items by number, objects in lists by `[namespace/name]`. */
  readonly path: string
  readonly real: unknown
  readonly twin: unknown
  /** Leaves that are wrong or missing with it. */
  readonly fields: number
}

export interface Comparison {
  /** Leaves of both answers together. */
  readonly fields: number
  readonly differences: readonly FieldDifference[]
}

type Fields = Readonly<Record<string, unknown>>

export function compareAnswers(real: unknown, twin: unknown, identities: Identities): Comparison {
  const comparison = new Comparing(identities)
  comparison.compare(real, twin, '', '')
  return comparison
}

class Comparing implements Comparison {
  fields = 0
  readonly differences: FieldDifference[] = []
  readonly #identities: Identities

  constructor(identities: Identities) {
    this.#identities = identities
  }

  compare(real: unknown, twin: unknown, path: string, name: string): void {
    if (Array.isArray(real) && Array.isArray(twin)) this.#compareLists(real, twin, path, name)
    else if (isFields(real) && isFields(twin)) this.#compareObjects(real, twin, path)
    else {
      const fields = Math.max(leaves(real), leaves(twin))
      this.fields += fields
      const isSame = (real ?? undefined) === (twin ?? undefined) || this.#identities.isSame(real, twin, name)
      if (!isSame) this.differences.push({ path, real, twin, fields })
    }
  }

  #compareObjects(real: Fields, twin: Fields, path: string): void {
    // Identities first: what they say is looked up in the fields beside them.
    const order = (name: string) => (name === 'metadata' ? 0 : name === 'uid' ? 1 : 2)
    const translated = new Map(Object.entries(real).map(([name, value]) => [this.#identities.translated(name), value]))
    const names = [...new Set([...translated.keys(), ...Object.keys(twin)])]
      // Null says nothing: one server leaves it out, the other writes it.
      .filter(name => (translated.get(name) ?? twin[name] ?? null) !== null)
      .toSorted((left, right) => order(left) - order(right))
    if (names.length === 0) this.fields++
    for (const name of names) this.compare(translated.get(name), twin[name], `${path}.${name}`, name)
    this.#compareState(real, twin, path)
  }

  #compareState(real: Fields, twin: Fields, path: string): void {
    const [uid, before, after] = [twin['uid'], real['resourceVersion'], twin['resourceVersion']]
    if (typeof uid !== 'string' || typeof before !== 'string' || typeof after !== 'string') return
    if (!this.#identities.isSameState(uid, before, after))
      this.differences.push({ path: `${path}.resourceVersion`, real: before, twin: after, fields: 1 })
  }

  #compareLists(real: readonly unknown[], twin: readonly unknown[], path: string, name: string): void {
    if (real.length === 0 && twin.length === 0) this.fields++
    const [left, right] = [keysOf(real, name), keysOf(twin, name)]
    const keyed = (keys: readonly (string | undefined)[]): keys is readonly string[] =>
      keys.every(item => item !== undefined) && new Set(keys).size === keys.length
    if (!keyed(left) || !keyed(right)) {
      for (let index = 0; index < Math.max(real.length, twin.length); index++) {
        this.compare(real[index], twin[index], `${path}.${index}`, name)
      }
      return
    }
    const realKeys = left.map(item => this.#identities.translated(item))
    for (const item of new Set([...realKeys, ...right])) {
      this.compare(real[realKeys.indexOf(item)], twin[right.indexOf(item)], `${path}[${item}]`, name)
    }
    const shared = (keys: readonly string[], others: readonly string[]) => keys.filter(item => others.includes(item)).join()
    if (name !== 'managedFields' && !ruleLists.has(name) && shared(realKeys, right) !== shared(right, realKeys))
      this.differences.push({ path: `${path}.order`, real: realKeys, twin: right, fields: 1 })
  }
}

/** What somebody may do is told in the order in which a Go map yields bindings: none. */
const ruleLists: ReadonlySet<string> = new Set(['resourceRules', 'nonResourceRules'])

function keysOf(items: readonly unknown[], name: string): readonly (string | undefined)[] {
  if (name === 'managedFields') return items.map(managerOf)
  if (ruleLists.has(name)) return items.map(item => JSON.stringify(item))
  if (name !== 'events') return items.map(keyOf)
  const counts = new Map<string, number>()
  return items.map(item => {
    const event = `${isFields(item) ? String(item['type']) : ''} ${keyOf(item) ?? ''}`
    const count = (counts.get(event) ?? 0) + 1
    counts.set(event, count)
    return `${event} ${count}`
  })
}

/** An object's place in a list, that of a row's or an event's object, or undefined for what is no object. */
function keyOf(item: unknown): string | undefined {
  if (!isFields(item)) return undefined
  const object = isFields(item['object']) ? item['object'] : item
  const metadata = object['metadata']
  if (!isFields(metadata) || typeof metadata['name'] !== 'string') return undefined
  return `${typeof metadata['namespace'] === 'string' ? `${metadata['namespace']}/` : ''}${metadata['name']}`
}

/** Entries of one second have no order. */
function managerOf(item: unknown): string | undefined {
  return isFields(item)
    ? ['manager', 'operation', 'subresource', 'apiVersion'].map(name => String(item[name] ?? '')).join(' ')
    : undefined
}

function leaves(value: unknown): number {
  if (typeof value !== 'object' || value === null) return 1
  const inner = Object.values(value)
  return inner.length === 0 ? 1 : inner.reduce((sum: number, item) => sum + leaves(item), 0)
}

function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
