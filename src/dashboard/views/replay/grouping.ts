// Which boxes are drawn: a node each while there are few; of many a pool each, and of one pool its nodes with what they exchange pods with.
import { mostReplayBoxes, type ReplayBox } from '../../contract-replay.ts'
import { poolLabels } from '../nodes/pool-labels.ts'

export interface Group {
  readonly name: string
  readonly kind: ReplayBox['kind']
  readonly nodes: readonly string[]
}

interface GroupingFacts {
  /** Every node, in order of name. */
  readonly nodes: readonly string[]
  readonly labelsOf: (node: string) => Readonly<Record<string, string>>
  /** Nodes that the plan changes or that a goal names: they come first. */
  readonly told: ReadonlySet<string>
  /** Pairs of nodes that moves connect. */
  readonly pairs: readonly (readonly [from: string, to: string])[]
  /** Looked into. */
  readonly pool: string | undefined
}

/** So few nodes stand in order of their names, whatever the plan does with them. */
const fewNodes = 12

/** The boxes in order; `undefined`: there is no pool of that name. */
export function groupsOf(facts: GroupingFacts): readonly Group[] | undefined {
  const { nodes, pool, pairs } = facts
  if (nodes.length <= mostReplayBoxes) return pool === undefined ? inOrder(facts, nodes).map(nodeGroup) : undefined
  const pools = poolsOf(facts)
  if (pool === undefined)
    return nodes.length > mostReplayBoxes && pools.size <= mostReplayBoxes
      ? Array.from(pools, ([name, names]) => ({ name, kind: 'pool' as const, nodes: names }))
      : largestPools(pools)
  const own = pools.get(pool)
  if (own === undefined) return undefined
  const ordered = inOrder(facts, own)
  const shown = ordered.slice(0, mostReplayBoxes)
  const rest = ordered.slice(mostReplayBoxes)
  const here = new Set(own)
  const others = new Set(pairs.flatMap(([from, to]) => (here.has(from) === here.has(to) ? [] : [here.has(from) ? to : from])))
  return [
    ...shown.map(nodeGroup),
    ...(rest.length === 0 ? [] : [{ name: `other nodes of ${pool}`, kind: 'others' as const, nodes: rest }]),
    ...(others.size === 0 ? [] : [{ name: 'nodes of other pools', kind: 'others' as const, nodes: [...others].toSorted() }]),
  ]
}

function nodeGroup(name: string): Group {
  return { name, kind: 'node', nodes: [name] }
}

function inOrder({ nodes: all, told }: GroupingFacts, nodes: readonly string[]): readonly string[] {
  if (all.length <= fewNodes) return nodes
  return [...nodes.filter(node => told.has(node)), ...nodes.filter(node => !told.has(node))]
}

/** By the first label that tells several pools apart, else by zone, else by role. */
function poolsOf({ nodes, labelsOf }: GroupingFacts): ReadonlyMap<string, readonly string[]> {
  const keys: readonly ((node: string) => string | undefined)[] = [
    ...poolLabels.map(label => (node: string) => labelsOf(node)[label]),
    node => labelsOf(node)['topology.kubernetes.io/zone'],
    roleOf,
  ]
  function roleOf(node: string): string {
    const isControl = ['control-plane', 'master'].some(role => Object.hasOwn(labelsOf(node), `node-role.kubernetes.io/${role}`))
    return isControl ? 'control-plane' : 'worker'
  }
  for (const key of keys) {
    const groups = Map.groupBy(nodes, node => key(node) ?? '(none)')
    if (groups.size > 1) return new Map([...groups].toSorted(([a], [b]) => (a < b ? -1 : 1)))
  }
  return Map.groupBy(nodes, roleOf)
}

/** The largest pools, where there are more than can be drawn; the others together. */
function largestPools(pools: ReadonlyMap<string, readonly string[]>): readonly Group[] {
  const bySize = [...pools].toSorted(([a, one], [b, other]) => other.length - one.length || (a < b ? -1 : 1))
  const rest = bySize.slice(mostReplayBoxes - 1).flatMap(([, nodes]) => nodes)
  return [
    ...bySize.slice(0, mostReplayBoxes - 1).map(([name, nodes]) => ({ name, kind: 'pool' as const, nodes })),
    ...(rest.length === 0 ? [] : [{ name: 'other pools', kind: 'others' as const, nodes: rest }]),
  ]
}
