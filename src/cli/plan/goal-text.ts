// A goal in words, as `ballast plan --goal` takes it: `cpu at most 70% on node-role.kubernetes.io/control-plane`.
import type { ClusterState } from '#cluster/cluster-state.ts'
import { parseLabelSelector } from '#kube/objects/selector.ts'
import type { Parsed } from '#kube/problem.ts'

/** A goal as a RebalancePolicy has it, before its schema fills in what is left out. */
type GoalFields = Readonly<Record<string, unknown>>

const where = '--goal'
const example = 'cpu at most 70% on all'
const grammar =
  /^(?:(?<stat>requested|used)\s+)?(?<resource>\S+)\s+(?:at\s+)?(?<bound>most|least)\s+(?<value>\d+(?:\.\d+)?)\s*%(?:\s+on\s+(?<target>.+?))?(?:,?\s+(?<per>each|together))?$/

/**
 * `[requested|used] RESOURCE at most|least N% [on all|NODE[,NODE]|SELECTOR] [each|together]`. Without `on` all nodes are meant. What is a
 * node's name is the node; everything else is a label selector.
 */
export function readGoal(text: string, number: number, state: ClusterState): Parsed<GoalFields> {
  const words = text.trim().replace(/\s+/g, ' ')
  const found = grammar.exec(words)?.groups
  if (found === undefined)
    return refused(text, `[requested|used] RESOURCE at most|at least N% [on TARGET] [each|together], such as "${example}"`)
  const { stat, resource = '', bound, value = '', target = 'all', per } = found
  const nodes = nodesOf(target, state)
  if (!nodes.ok) return nodes
  return {
    ok: true,
    value: {
      name: `goal-${number}`,
      resource,
      ...(bound === 'most' ? { max: Number(value) } : { min: Number(value) }),
      ...nodes.value,
      ...(stat === 'used' ? { stat: 'usage' } : {}),
      ...(per === undefined ? {} : { per }),
    },
  }
}

function nodesOf(target: string, state: ClusterState): Parsed<GoalFields> {
  if (target === 'all') return { ok: true, value: { nodeSelector: {} } }
  const names = target.split(',').map(name => name.trim())
  if (names.every(name => state.nodes.has(name))) return { ok: true, value: { nodes: names } }
  const selector = parseLabelSelector(target, where)
  if (!selector.ok) return selector
  const matching = [...state.nodes.values()].filter(({ object }) => selector.value.matches(object.metadata.labels))
  if (matching.length === 0) {
    const known = [...state.nodes.keys()].slice(0, 3).join(', ')
    return refused(target, `a node, or a label selector that some node matches; nodes are ${known}`)
  }
  return { ok: true, value: { nodes: matching.map(({ name }) => name) } }
}

function refused(found: string, expected: string): Parsed<never> {
  return { ok: false, problem: { code: 'goal-text', where, found, expected } }
}
