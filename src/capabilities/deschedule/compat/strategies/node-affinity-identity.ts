// When two pods ask the same of a node: expressions of a term in whatever order and however often; the terms in the order they have.
import type { NodeSelector, NodeSelectorRequirement, Pod } from '#kube/objects/objects.ts'

/** Equal for pods whose nodeSelector and required node affinity are the same. */
export function nodeChoiceIdentity({ spec }: Pod): string {
  if (spec.nodeSelector === undefined && spec.affinity?.nodeAffinity === undefined) return ';'
  const pairs = Object.entries(spec.nodeSelector ?? {}).map(pair => JSON.stringify(pair))
  return `${pairs.sort().join()};${selectorIdentity(spec.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution)}`
}

function selectorIdentity(selector: NodeSelector | undefined): string {
  if (selector === undefined) return ''
  const terms = (selector.nodeSelectorTerms ?? []).map(({ matchExpressions, matchFields }) =>
    JSON.stringify([requirementsIdentity(matchExpressions), requirementsIdentity(matchFields)]),
  )
  return JSON.stringify(terms.filter((term, at) => term !== terms[at - 1]))
}

function requirementsIdentity(requirements: readonly NodeSelectorRequirement[] | undefined): readonly string[] {
  const texts = (requirements ?? []).map(({ key, operator, values }) =>
    JSON.stringify([key, operator, [...new Set(values)].sort()]),
  )
  return [...new Set(texts)].sort()
}
