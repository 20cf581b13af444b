// The terms of a rule, held to the features of a node, and what they matched: the input of its templates.

import { type Expression, holds } from './expression.ts'
import type { Attributes, FeatureSet } from './feature-set.ts'

export interface Term {
  readonly feature: string
  readonly matchExpressions?: ReadonlyMap<string, Expression>
  /** Judges names of elements. */
  readonly matchName?: Expression
}

/** What a term matched: `Name` and perhaps `Value` for flags and attributes, all attributes of an instance. */
type MatchedElement = ReadonlyMap<string, string>

/** Domain to feature to what was matched there, with the letters of the rule. */
export type Matched = ReadonlyMap<string, ReadonlyMap<string, readonly MatchedElement[]>>

/** How one term came out; `absent`: the node has no feature of that name. */
export interface TermOutcome {
  readonly term: Term
  readonly result: 'matched' | 'unmatched' | 'absent'
  readonly elements: readonly MatchedElement[]
}

export interface MatcherOutcome {
  readonly matched: boolean
  readonly elements: Matched
  /** All up to the first that did not match. */
  readonly terms: readonly TermOutcome[]
}

/**
 * Holds all `terms` to `features`, up to the first that does not match.
 *
 * @throws RuleFailure where an expression cannot be evaluated.
 */
export function matchAll(terms: readonly Term[], features: FeatureSet): MatcherOutcome {
  const elements = new Map<string, Map<string, MatchedElement[]>>()
  const outcomes: TermOutcome[] = []
  for (const term of terms) {
    const outcome = matchTerm(term, features)
    outcomes.push(outcome)
    if (outcome.result !== 'matched') return { matched: false, elements, terms: outcomes }
    const [domain, feature] = domainAndFeature(term.feature)
    const ofDomain = elements.get(domain) ?? new Map<string, MatchedElement[]>()
    elements.set(domain, ofDomain)
    ofDomain.set(feature, [...(ofDomain.get(feature) ?? []), ...outcome.elements])
  }
  return { matched: true, elements, terms: outcomes }
}

function domainAndFeature(name: string): readonly [string, string] {
  const dot = name.indexOf('.')
  return dot === -1 ? [name.toLowerCase(), ''] : [name.slice(0, dot), name.slice(dot + 1)]
}

interface Found {
  readonly flags: ReadonlySet<string> | undefined
  readonly attributes: Attributes | undefined
  readonly instances: readonly Attributes[]
}

function matchTerm(term: Term, features: FeatureSet): TermOutcome {
  const name = term.feature.toLowerCase()
  const instances = features.instances.get(name)
  const found = { flags: features.flags.get(name), attributes: features.attributes.get(name), instances: instances ?? [] }
  if (found.flags === undefined && found.attributes === undefined && instances === undefined)
    return { term, result: 'absent', elements: [] }
  const byExpressions = term.matchExpressions === undefined ? [] : matchExpressions(term.matchExpressions, found)
  if (byExpressions === undefined) return { term, result: 'unmatched', elements: [] }
  const byName = term.matchName === undefined ? [] : matchNames(term.matchName, found)
  if (term.matchName !== undefined && byName.length === 0) return { term, result: 'unmatched', elements: byExpressions }
  return { term, result: 'matched', elements: [...byExpressions, ...byName] }
}

/** Flags and attributes are one union; each instance is held to all expressions alone. */
function matchExpressions(expressions: ReadonlyMap<string, Expression>, found: Found): readonly MatchedElement[] | undefined {
  const union = matchUnion(expressions, found)
  const instances = found.instances.filter(instance => matchesInstance(expressions, instance))
  return union === undefined && instances.length === 0 ? undefined : [...(union ?? []), ...instances]
}

function matchUnion(
  expressions: ReadonlyMap<string, Expression>,
  { flags, attributes }: Found,
): readonly MatchedElement[] | undefined {
  if (flags === undefined && attributes === undefined) return undefined
  const elements: MatchedElement[] = []
  for (const [name, expression] of expressions) {
    const inFlags = flags !== undefined && holds(expression, flags.has(name))
    // A name must be absent from both, so that one look is enough where it is in the first.
    if (expression.op === 'DoesNotExist' && flags !== undefined && !inFlags) return undefined
    const inAttributes = attributes !== undefined && holds(expression, attributes.has(name), attributes.get(name))
    if (expression.op === 'DoesNotExist' && attributes !== undefined && !inAttributes) return undefined
    if (!inFlags && !inAttributes) return undefined
    if (inFlags) elements.push(flagElement(name))
    if (inAttributes) elements.push(attributeElement(name, attributes?.get(name) ?? ''))
  }
  return elements.sort(byElementName)
}

function matchesInstance(expressions: ReadonlyMap<string, Expression>, instance: Attributes): boolean {
  for (const [name, expression] of expressions) {
    if (!holds(expression, instance.has(name), instance.get(name))) return false
  }
  return true
}

function matchNames(expression: Expression, { flags, attributes, instances }: Found): readonly MatchedElement[] {
  const elements: MatchedElement[] = []
  for (const name of flags ?? []) if (holds(expression, true, name)) elements.push(flagElement(name))
  for (const [name, value] of attributes ?? []) if (holds(expression, true, name)) elements.push(attributeElement(name, value))
  elements.sort(byElementName)
  // Every name is judged, so that an expression that cannot be evaluated is told however instances are ordered.
  for (const instance of instances)
    if ([...instance.keys()].filter(name => holds(expression, true, name)).length > 0) elements.push(instance)
  return elements
}

function flagElement(name: string): MatchedElement {
  return new Map([['Name', name]])
}

function attributeElement(name: string, value: string): MatchedElement {
  return new Map([
    ['Name', name],
    ['Value', value],
  ])
}

/** Names in the order of their bytes, as everything that is shown. */
function byElementName(left: MatchedElement, right: MatchedElement): number {
  return Buffer.compare(Buffer.from(left.get('Name') ?? ''), Buffer.from(right.get('Name') ?? ''))
}
