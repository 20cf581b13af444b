// Which nodes either side is on while they are swapped: a label of the node says it, and a DaemonSet's controller takes pods away and puts
// them there as it changes. Nothing is restarted for it.
import { isTree, type ValuesTree, valueAt } from '#upstreams/values-tree.ts'

/** Upstream's mark: it is there; `none`: neither, for the moment between; `ballast`: ours. Without the label: upstream, or all are done. */
const keptOff = (label: string) => ({ key: label, operator: 'NotIn', values: ['none', ownMark] })

export const ownMark = 'ballast'

const required = ['nodeAffinity', 'requiredDuringSchedulingIgnoredDuringExecution', 'nodeSelectorTerms']

const termsOf = (affinity: unknown): readonly unknown[] => {
  const terms = valueAt(affinity, required)
  return Array.isArray(terms) ? terms : []
}

const expressionsOf = (term: unknown): readonly unknown[] => {
  const expressions = valueAt(term, ['matchExpressions'])
  return Array.isArray(expressions) ? expressions : []
}

const isPin =
  (label: string) =>
  (expression: unknown): boolean =>
    valueAt(expression, ['key']) === label

/** Is it kept off nodes that are marked already? Any term lets it run, so each has to say it. */
export function isPinned(affinity: unknown, label: string): boolean {
  const terms = termsOf(affinity)
  return terms.length > 0 && terms.every(term => expressionsOf(term).some(isPin(label)))
}

/** `affinity` that besides keeps off nodes which are marked for neither or ours. */
export function pinned(affinity: unknown, label: string): ValuesTree {
  const terms = termsOf(unpinned(affinity, label))
  const changed = (terms.length === 0 ? [{}] : terms).map(term => ({
    ...(isTree(term) ? term : {}),
    matchExpressions: [...expressionsOf(term), keptOff(label)],
  }))
  return withTerms(affinity, changed)
}

/** What `pinned` was given. */
export function unpinned(affinity: unknown, label: string): ValuesTree {
  const terms = termsOf(affinity).flatMap(term => {
    const expressions = expressionsOf(term)
    if (!isTree(term) || !expressions.some(isPin(label))) return [term]
    const { matchExpressions: _said, ...rest } = term
    const others = expressions.filter(expression => !isPin(label)(expression))
    // A term of nothing matches no node.
    if (others.length === 0) return Object.keys(rest).length === 0 ? [] : [rest]
    return [{ ...rest, matchExpressions: others }]
  })
  return withTerms(affinity, terms)
}

function withTerms(affinity: unknown, terms: readonly unknown[]): ValuesTree {
  const whole = isTree(affinity) ? affinity : {}
  const { nodeAffinity: nodes, ...others } = whole
  const { requiredDuringSchedulingIgnoredDuringExecution: _before, ...preferred } = isTree(nodes) ? nodes : {}
  const said =
    terms.length === 0
      ? preferred
      : { ...preferred, requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms: terms } }
  return Object.keys(said).length === 0 ? others : { ...others, nodeAffinity: said }
}
