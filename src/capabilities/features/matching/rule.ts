// One rule, held to the features of a node: whether it matches, and what it wants to be written.

import { expandTemplate } from '../templates/key-values.ts'
import type { FeatureSet } from './feature-set.ts'
import { type Matched, type MatcherOutcome, matchAll, type Term } from './matcher.ts'

export interface Taint {
  readonly key: string
  readonly value?: string
  readonly effect: string
}

export interface Rule {
  readonly name: string
  readonly labels: ReadonlyMap<string, string>
  readonly labelsTemplate?: string
  readonly annotations: ReadonlyMap<string, string>
  readonly vars: ReadonlyMap<string, string>
  readonly varsTemplate?: string
  readonly taints: readonly Taint[]
  readonly extendedResources: ReadonlyMap<string, string>
  readonly matchFeatures: readonly Term[]
  /** One of them must hold, each a list of terms that hold together. */
  readonly matchAny: readonly (readonly Term[])[]
}

export interface RuleOutcome {
  readonly matched: boolean
  readonly labels: ReadonlyMap<string, string>
  readonly vars: ReadonlyMap<string, string>
  readonly annotations: ReadonlyMap<string, string>
  readonly taints: readonly Taint[]
  readonly extendedResources: ReadonlyMap<string, string>
  /** What was looked at, for people: the members of `matchAny` first, then `matchFeatures`. */
  readonly looks: readonly MatcherOutcome[]
}

/**
 * Runs one rule. Templates see what their matcher matched; what is written out overrides what templates give.
 *
 * @throws RuleFailure where an expression or a template cannot be evaluated.
 */
export function runRule(rule: Rule, features: FeatureSet): RuleOutcome {
  const labels = new Map<string, string>()
  const vars = new Map<string, string>()
  const looks: MatcherOutcome[] = []
  const expand = (elements: Matched) => {
    expandTemplate(rule.labelsTemplate, elements, labels)
    expandTemplate(rule.varsTemplate, elements, vars)
  }
  const templated = (rule.labelsTemplate ?? '') !== '' || (rule.varsTemplate ?? '') !== ''
  let any = rule.matchAny.length === 0
  for (const terms of rule.matchAny) {
    const look = matchAll(terms, features)
    looks.push(look)
    if (!look.matched) continue
    any = true
    if (!templated) break
    expand(look.elements)
  }
  if (!any) return unmatched(looks)
  if (rule.matchFeatures.length > 0) {
    const look = matchAll(rule.matchFeatures, features)
    looks.push(look)
    if (!look.matched) return unmatched(looks)
    expand(look.elements)
  }
  for (const [key, value] of rule.labels) labels.set(key, value)
  for (const [key, value] of rule.vars) vars.set(key, value)
  return {
    matched: true,
    labels,
    vars,
    annotations: rule.annotations,
    taints: rule.taints,
    extendedResources: rule.extendedResources,
    looks,
  }
}

function unmatched(looks: readonly MatcherOutcome[]): RuleOutcome {
  const nothing = new Map<string, string>()
  return { matched: false, labels: nothing, vars: nothing, annotations: nothing, taints: [], extendedResources: nothing, looks }
}
