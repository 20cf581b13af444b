// Which features rules look at: of a node's thousands of elements a few are kept, so that a rule that changes asks no server for what is known.

import { type FeatureSet, type GrowingFeatures, noFeatures } from '../matching/feature-set.ts'
import type { Term } from '../matching/matcher.ts'
import type { Rule } from '../matching/rule.ts'
import { namedElement } from '../rules/allowed-keys.ts'
import type { NodeFeatureSource } from '../rules/node-outcome.ts'

/** By feature: the elements that are looked at, or all of them; `undefined`: whatever there is. */
export type References = ReadonlyMap<string, ReadonlySet<string> | 'all'> | undefined

/** Always kept: the name that a node has in groups. */
const always: readonly (readonly [string, string])[] = [['system.name', 'nodename']]

/** What `rules` look at. */
export function referencesOf(rules: readonly Rule[]): References {
  // A template may write a value that names any feature.
  if (rules.some(({ labelsTemplate = '' }) => labelsTemplate.includes('@'))) return undefined
  const found = new Map<string, Set<string> | 'all'>()
  for (const [feature, element] of always) add(found, feature, [element])
  for (const rule of rules) {
    for (const term of [...rule.matchFeatures, ...rule.matchAny.flat()]) add(found, term.feature.toLowerCase(), elementsOf(term))
    addNamed(found, [...rule.labels.values(), ...rule.extendedResources.values()])
  }
  return found
}

type Growing = Map<string, Set<string> | 'all'>

function add(found: Growing, feature: string, elements: Iterable<string> | 'all'): void {
  const known = found.get(feature)
  if (known === 'all') return
  if (elements === 'all') found.set(feature, 'all')
  else found.set(feature, new Set([...(known ?? []), ...elements]))
}

/** Values such as `@cpu.model.family`. */
function addNamed(found: Growing, values: Iterable<string>): void {
  for (const value of values) {
    const { feature, element } = namedElement(value) ?? {}
    if (feature !== undefined && element !== undefined) add(found, feature, [element])
  }
}

/** Whether all that `wanted` names is among what `kept` names. */
export function covers(kept: References, wanted: References): boolean {
  if (kept === undefined) return true
  if (wanted === undefined) return false
  return [...wanted].every(([feature, elements]) => {
    const there = kept.get(feature)
    if (there === undefined) return false
    return there === 'all' || (elements !== 'all' && [...elements].every(element => there.has(element)))
  })
}

/** A source with what `references` name: features stay known as such, so that what was there and what was not is told apart. */
export function pruned(source: NodeFeatureSource, references: References): NodeFeatureSource {
  if (references === undefined) return source
  const all: Growing = new Map([...references].map(([feature, of]) => [feature, of === 'all' ? of : new Set(of)]))
  addNamed(all, source.labels.values())
  return { ...source, features: prunedFeatures(source.features, all) }
}

function prunedFeatures({ flags, attributes, instances }: FeatureSet, references: Growing): FeatureSet {
  const kept: GrowingFeatures = noFeatures()
  for (const [feature, elements] of references) {
    const isKept = (element: string) => elements === 'all' || elements.has(element)
    const ofFlags = flags.get(feature)
    const ofAttributes = attributes.get(feature)
    const ofInstances = instances.get(feature)
    if (ofFlags !== undefined) kept.flags.set(feature, new Set([...ofFlags].filter(isKept)))
    if (ofAttributes !== undefined) kept.attributes.set(feature, new Map([...ofAttributes].filter(([name]) => isKept(name))))
    // Devices have few attributes, and templates may show any.
    if (ofInstances !== undefined) kept.instances.set(feature, [...ofInstances])
  }
  return kept
}

function elementsOf({ matchExpressions, matchName }: Term): Iterable<string> | 'all' {
  return matchName === undefined ? (matchExpressions?.keys() ?? []) : 'all'
}
