// Finds what may select a pod by the pod's labels: a namespace may have thousands of pods and of what selects them, and looking at each with each
// takes minutes.
import type { Labels, Selector } from './selector.ts'

/** A label that everything has that a selector selects, with the values that it may have; undefined: its requirements tell none. */
export function tellingLabel({
  requirements,
}: Selector): { readonly key: string; readonly values: readonly string[] } | undefined {
  return requirements.find(({ operator }) => operator === '=' || operator === '==' || operator === 'in')
}

interface Entry<Item> {
  readonly item: Item
  readonly selector: Selector
  readonly number: number
}

/** Selectors of one namespace, or of several whose names go into `place`. */
export class SelectorIndex<Item> {
  readonly #byLabel = new Map<string, Entry<Item>[]>()
  readonly #others = new Map<string, Entry<Item>[]>()
  #size = 0

  /** `place`: a namespace. */
  add(place: string, selector: Selector, item: Item): void {
    const entry = { item, selector, number: this.#size++ }
    const label = tellingLabel(selector)
    if (label === undefined) pushTo(this.#others, place, entry)
    else for (const value of new Set(label.values)) pushTo(this.#byLabel, labelText(place, label.key, value), entry)
  }

  /** What selects these labels, in the order in which it was added. */
  selecting(place: string, labels: Labels | undefined): readonly Item[] {
    const found = [...(this.#others.get(place) ?? [])]
    for (const [key, value] of Object.entries(labels ?? {}))
      found.push(...(this.#byLabel.get(labelText(place, key, value)) ?? []))
    const selecting = found.filter(({ selector }) => selector.matches(labels))
    return selecting.sort((a, b) => a.number - b.number).map(({ item }) => item)
  }
}

/** Neither a namespace nor a label's key has a space. */
const labelText = (place: string, key: string, value: string): string => `${place} ${key} ${value}`

/** Adds an item to the list of a key. */
export function pushTo<Item>(map: Map<string, Item[]>, key: string, item: Item): void {
  const items = map.get(key)
  if (items === undefined) map.set(key, [item])
  else items.push(item)
}
