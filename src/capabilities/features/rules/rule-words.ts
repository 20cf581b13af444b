// Why a rule does not match, in a sentence.

import type { Expression } from '../matching/expression.ts'
import type { MatcherOutcome, TermOutcome } from '../matching/matcher.ts'
import type { RuleReport } from './node-outcome.ts'

/** What keeps the rule from matching, or why it failed; empty where it matches. */
export function whyNot({ outcome, why, output }: RuleReport): string {
  if (outcome === 'matched') return ''
  if (outcome === 'failed') return why ?? ''
  const looks = output?.looks ?? []
  const sentences = [...new Set(looks.filter(({ matched }) => !matched).map(lookWords))]
  return sentences.length > 1 ? `none of these holds: ${sentences.join('; ')}` : (sentences[0] ?? '')
}

function lookWords({ terms }: MatcherOutcome): string {
  const last = terms.at(-1)
  return last === undefined ? 'it has no terms' : termWords(last)
}

function termWords({ term, result }: TermOutcome): string {
  if (result === 'absent') return `the node has no feature ${term.feature.toLowerCase()}`
  const expressions = [...(term.matchExpressions ?? [])].map(([name, expression]) => expressionWords(name, expression))
  const names = term.matchName === undefined ? [] : [expressionWords('a name', term.matchName)]
  return `${term.feature.toLowerCase()} has not: ${[...expressions, ...names].join(' and ')}`
}

function expressionWords(name: string, { op, value = [] }: Expression): string {
  return value.length === 0 ? `${name} ${op}` : `${name} ${op} ${value.join(', ')}`
}

/** Features that a rule names and that no node has: an old worker, or a slip of the pen. */
export function unknownFeatures(reports: readonly (readonly RuleReport[])[]): readonly string[] {
  const seen = new Map<string, boolean>()
  for (const { term, result } of reports.flat().flatMap(({ output }) => (output?.looks ?? []).flatMap(({ terms }) => terms))) {
    const feature = term.feature.toLowerCase()
    seen.set(feature, (seen.get(feature) ?? false) || result !== 'absent')
  }
  return [...seen].filter(([, isThere]) => !isThere).map(([feature]) => feature)
}
