// Selectors of stored objects, parsed once per object.
import type { LabelSelector } from '#kube/objects/objects.ts'
import { exactSelector, labelSelectorOf, nothing, type Selector } from '#kube/objects/selector.ts'

const parsed = new WeakMap<object, Selector>()

/** What `selector` selects; one that does not parse (the API server lets none pass) selects nothing. */
export function selectorFor(selector: LabelSelector | undefined): Selector {
  if (selector === undefined) return nothing
  const known = parsed.get(selector)
  if (known !== undefined) return known
  const result = labelSelectorOf(selector)
  const value = result.ok ? result.value : nothing
  parsed.set(selector, value)
  return value
}

/** What a map of labels selects, as Services and ReplicationControllers have it: absent or empty is nothing. */
export function mapSelectorFor(labels: Readonly<Record<string, string>> | undefined): Selector {
  if (labels === undefined || Object.keys(labels).length === 0) return nothing
  const known = parsed.get(labels)
  if (known !== undefined) return known
  const value = exactSelector(labels)
  parsed.set(labels, value)
  return value
}
