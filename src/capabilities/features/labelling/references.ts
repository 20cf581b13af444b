// Which features rules look at: of a node's thousands of elements a few are kept, so that a rule that changes asks no server for what is known.

import type { Term } from '../matching/matcher.ts'
import type { Rule } from '../matching/rule.ts'
import { namedElement } from '../rules/allowed-keys.ts'

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

/**
 * The spec of a NodeFeature with what `references` name, before anything of it is checked or copied: of thousands of elements few are left. Features
 * stay known as such, so that what was there and what was not is told apart. What has not the shape of a spec is left as it is, for whoever checks it.
 */
export function prunedSpec(spec: unknown, references: References): unknown {
  if (references === undefined || !isFields(spec) || !isFields(spec['features'])) return spec
  const wanted: Growing = new Map([...references].map(([feature, of]) => [feature, of === 'all' ? of : new Set(of)]))
  const { labels, features } = spec
  if (isFields(labels))
    addNamed(
      wanted,
      Object.values(labels).filter(value => typeof value === 'string'),
    )
  const of = (kind: 'flags' | 'attributes' | 'instances') => {
    const all = features[kind]
    return isFields(all) ? { [kind]: chosen(all, wanted) } : {}
  }
  return { ...spec, features: { ...features, ...of('flags'), ...of('attributes'), ...of('instances') } }
}

type Fields = Readonly<Record<string, unknown>>

/** Features of one kind with the elements that are wanted; lists of devices are kept whole, for templates may show anything of them. */
function chosen(all: Fields, wanted: Growing): Fields {
  const kept: Record<string, unknown> = {}
  for (const [feature, names] of wanted) {
    const found = Object.hasOwn(all, feature) ? all[feature] : undefined
    if (found === undefined) continue
    const elements = isFields(found) ? found['elements'] : undefined
    kept[feature] =
      names === 'all' || !isFields(elements)
        ? found
        : {
            elements: Object.fromEntries(
              [...names].filter(name => Object.hasOwn(elements, name)).map(name => [name, elements[name]]),
            ),
          }
  }
  return kept
}

function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function elementsOf({ matchExpressions, matchName }: Term): Iterable<string> | 'all' {
  return matchName === undefined ? (matchExpressions?.keys() ?? []) : 'all'
}
