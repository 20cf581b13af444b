// Node selectors and node affinity: which nodes a term picks. Rules of component-helpers nodeaffinity.

import type { Node, NodeSelector, NodeSelectorRequirement, NodeSelectorTerm, Pod } from '#kube/objects/objects.ts'
import { labelSelectorOf, type Selector, selectorOf } from '#kube/objects/selector.ts'
import type { SelectorOperator, SelectorRequirement } from '#kube/objects/selector-requirement.ts'

/** Whether a term holds of a node; a term whose expressions make no sense holds of none. */
type NodeTest = (node: Node) => boolean

const operators: Readonly<Record<string, SelectorOperator>> = {
  In: 'in',
  NotIn: 'notin',
  Exists: 'exists',
  DoesNotExist: '!',
  Gt: 'gt',
  Lt: 'lt',
}

/** What `spec.nodeSelector` and the required node affinity of `pod` ask, together. */
export function requiredNodes(pod: Pod): NodeTest {
  const pairs = Object.entries(pod.spec.nodeSelector ?? {})
  const selector = selectorOf(pairs.map(([key, value]) => ({ key, operator: '=', values: [value] })))
  const required = pod.spec.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution
  const affinity = required === undefined ? undefined : nodeSelectorTest(required)
  return node => selector.matches(node.metadata.labels) && (affinity === undefined || affinity(node))
}

/** Any of the terms: each empty term, and a selector without terms, picks no node. */
export function nodeSelectorTest(selector: NodeSelector): NodeTest {
  const terms = (selector.nodeSelectorTerms ?? []).map(nodeTermTest)
  return node => terms.some(term => term(node))
}

/** The terms of a persistent volume, which see a node's labels alone: a field of theirs is not looked at. */
export function labelTermsTest(selector: NodeSelector): (labels: Readonly<Record<string, string>> | undefined) => boolean {
  const terms = (selector.nodeSelectorTerms ?? []).flatMap(term => {
    if (isEmptyTerm(term)) return []
    const expressions = expressionsOf(term.matchExpressions ?? [])
    return expressions === undefined || fieldsOf(term.matchFields ?? []) === undefined ? [] : [expressions]
  })
  return labels => terms.some(term => term.matches(labels))
}

/** All expressions and fields of one term. */
export function nodeTermTest(term: NodeSelectorTerm): NodeTest {
  const expressions = expressionsOf(term.matchExpressions ?? [])
  const fields = fieldsOf(term.matchFields ?? [])
  if (isEmptyTerm(term) || expressions === undefined || fields === undefined) return () => false
  return node => expressions.matches(node.metadata.labels) && fields.every(field => field(node))
}

/** An empty preferred term has no say. */
export function isEmptyTerm(term: NodeSelectorTerm): boolean {
  return (term.matchExpressions ?? []).length === 0 && (term.matchFields ?? []).length === 0
}

/**
 * The node names that the required affinity comes down to where each of its terms names nodes by field; `undefined` where some term does not.
 * The scheduler looks at no other nodes then.
 */
export function firstFew(pod: Pod): ReadonlySet<string> | undefined {
  const terms = pod.spec.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution?.nodeSelectorTerms ?? []
  if (terms.length === 0) return undefined
  const names = new Set<string>()
  for (const term of terms) {
    const lists = (term.matchFields ?? [])
      .filter(field => field.key === 'metadata.name' && field.operator === 'In')
      .map(field => new Set(field.values))
    const [first, ...others] = lists
    if (first === undefined) return undefined
    for (const name of others.reduce((common, list) => common.intersection(list), first)) names.add(name)
  }
  return names
}

function expressionsOf(requirements: readonly NodeSelectorRequirement[]): Selector | undefined {
  const read: SelectorRequirement[] = []
  for (const { key, operator: name, values = [] } of requirements) {
    const operator = Object.hasOwn(operators, name) ? operators[name] : undefined
    if (operator === undefined) return undefined
    if (operator === 'gt' || operator === 'lt') {
      if (values.length !== 1 || !/^[-+]?[0-9]+$/.test(values[0] ?? '')) return undefined
    } else if (!labelSelectorOf({ matchExpressions: [{ key, operator: listOperator(name), values }] }).ok) return undefined
    read.push({ key, operator, values })
  }
  return selectorOf(read)
}

function listOperator(name: string): 'In' | 'NotIn' | 'Exists' | 'DoesNotExist' {
  return name === 'In' || name === 'NotIn' || name === 'Exists' ? name : 'DoesNotExist'
}

/** One test a field; `undefined` where one makes no sense. A node has one field, its name. */
function fieldsOf(requirements: readonly NodeSelectorRequirement[]): readonly NodeTest[] | undefined {
  const tests: NodeTest[] = []
  for (const { key, operator, values = [] } of requirements) {
    const value = values[0]
    if (values.length !== 1 || (operator !== 'In' && operator !== 'NotIn')) return undefined
    const isName = key === 'metadata.name'
    tests.push(node => ((isName ? node.metadata.name : '') === value) === (operator === 'In'))
  }
  return tests
}
