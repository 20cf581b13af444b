// Which features rules look at: of a node's thousands of elements a few are kept, so that a rule that changes asks no server for what is known.

import { type Expression, holds } from '../matching/expression.ts'
import type { Rule } from '../matching/rule.ts'
import { RuleFailure } from '../matching/rule-failure.ts'
import { namedElement } from './allowed-keys.ts'

/** The elements of a feature that rules look at. */
export interface Looked {
  /** Elements by their name. */
  readonly elements: ReadonlySet<string>
  /** Elements whose name an expression takes; by the text of the expression. */
  readonly names: ReadonlyMap<string, Expression>
}

/** By feature; `undefined`: whatever there is. */
export type References = ReadonlyMap<string, Looked> | undefined

/** Always kept: the name that a node has in groups. */
const always = ['system.name', 'nodename'] as const

/** Whether rules look at an element of a feature. */
export function looksAt(references: References, feature: string, element: string): boolean {
  if (references === undefined) return true
  const looked = references.get(feature)
  return looked !== undefined && isTakenBy(looked, element)
}

/** What `rules` look at. */
export function referencesOf(rules: readonly Rule[]): References {
  // A template may write a value that names any feature.
  return rules.some(({ labelsTemplate = '' }) => labelsTemplate.includes('@')) ? undefined : namedReferences(rules)
}

/** What `rules` name in so many words. */
export function namedReferences(rules: readonly Rule[]): NonNullable<References> {
  const found: Growing = new Map()
  add(found, always[0], [always[1]])
  for (const rule of rules) {
    for (const { feature, matchExpressions, matchName } of [...rule.matchFeatures, ...rule.matchAny.flat()])
      add(found, feature.toLowerCase(), matchExpressions?.keys() ?? [], matchName)
    addNamed(found, [...rule.labels.values(), ...rule.extendedResources.values()])
  }
  return found
}

type Growing = Map<string, { readonly elements: Set<string>; readonly names: Map<string, Expression> }>

function add(found: Growing, feature: string, elements: Iterable<string>, name?: Expression): void {
  const known = found.get(feature) ?? { elements: new Set(), names: new Map() }
  for (const element of elements) known.elements.add(element)
  if (name !== undefined) known.names.set(JSON.stringify(name), name)
  found.set(feature, known)
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
  return [...wanted].every(([feature, { elements, names }]) => {
    const there = kept.get(feature)
    return there !== undefined && elements.isSubsetOf(there.elements) && [...names.keys()].every(name => there.names.has(name))
  })
}

/**
 * The spec of a NodeFeature with what `references` name, before anything of it is checked or copied: of thousands of elements few are left. Features
 * stay known as such, so that what was there and what was not is told apart. What has not the shape of a spec is left as it is, for whoever checks it.
 */
export function prunedSpec(spec: unknown, references: References): unknown {
  if (references === undefined || !isFields(spec) || !isFields(spec['features'])) return spec
  const wanted: Growing = new Map(
    [...references].map(([feature, { elements, names }]) => [feature, { elements: new Set(elements), names: new Map(names) }]),
  )
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
  for (const [feature, looked] of wanted) {
    const found = Object.hasOwn(all, feature) ? all[feature] : undefined
    if (found === undefined) continue
    const elements = isFields(found) ? found['elements'] : undefined
    kept[feature] = isFields(elements) ? { elements: keptElements(elements, looked) } : found
  }
  return kept
}

function isTakenBy({ elements, names }: Looked, name: string): boolean {
  return elements.has(name) || [...names.values()].some(one => takes(one, name))
}

function keptElements(elements: Fields, looked: Looked): Fields {
  const { elements: wanted, names } = looked
  // In their own order, in which an expression that cannot be evaluated meets them.
  const kept =
    names.size === 0
      ? [...wanted].filter(name => Object.hasOwn(elements, name))
      : Object.keys(elements).filter(name => isTakenBy(looked, name))
  return Object.fromEntries(kept.map(name => [name, elements[name]]))
}

/** An expression that cannot be evaluated takes every name: the rule is to fail as on all of them. */
function takes(expression: Expression, name: string): boolean {
  try {
    return holds(expression, true, name)
  } catch (error) {
    if (error instanceof RuleFailure) return true
    throw error
  }
}

/** By the text that `of` gives. */
export function sortedBy<T>(all: readonly T[], of: (one: T) => string): readonly T[] {
  return all.toSorted((left, right) => (of(left) < of(right) ? -1 : of(left) > of(right) ? 1 : 0))
}

function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
