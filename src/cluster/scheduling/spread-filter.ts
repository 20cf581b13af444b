// PodTopologySpread as a filter: hard constraints.

import type { PodState } from '../cluster-state.ts'
import type { NodeLoads } from './node-loads.ts'
import type { NodeRules } from './node-rules.ts'
import type { NodeTable, Topology } from './node-table.ts'
import { isEverything, type PodClasses } from './pod-classes.ts'
import { type Refusal, refusal } from './refusal.ts'
import type { SpreadConstraint } from './spread-rules.ts'

/** What spread reads of the cluster and the pod. */
export interface SpreadView {
  readonly table: NodeTable
  readonly loads: NodeLoads
  readonly classes: PodClasses
  readonly rules: NodeRules
  readonly pod: PodState
}

const keyMissing = refusal('PodTopologySpread', "node(s) didn't match pod topology spread constraints (missing required label)", {
  isUnresolvable: true,
})
const tooSkewed = refusal('PodTopologySpread', "node(s) didn't match pod topology spread constraints", { isUnresolvable: false })

/** Whether a node breaks a hard constraint; `undefined` where there are none. */
export function spreadFilter(
  view: SpreadView,
  constraints: readonly SpreadConstraint[],
): ((node: number) => Refusal | undefined) | undefined {
  if (constraints.length === 0) return undefined
  const topologies = constraints.map(({ topologyKey }) => view.table.topology(topologyKey))
  const hasAllKeys = (node: number) => topologies.every(({ domainOf }) => (domainOf[node] ?? -1) >= 0)
  const checks = constraints.map((constraint, at) => {
    const topology = topologies[at] ?? view.table.topology(constraint.topologyKey)
    const isCounted = (node: number) => hasAllKeys(node) && isIncluded(view.rules, constraint, node)
    const counts = countedDomains(view, constraint, topology, isCounted)
    let domains = 0
    let least = Number.POSITIVE_INFINITY
    for (const count of counts) {
      if (count < 0) continue
      domains++
      if (count < least) least = count
    }
    const self = constraint.selector.selector.matches(view.pod.object.metadata.labels) ? 1 : 0
    const most = constraint.maxSkew - self + (domains < constraint.minDomains ? 0 : least)
    return { domainOf: topology.domainOf, counts, most }
  })
  return node => {
    for (const { domainOf, counts, most } of checks) {
      const domain = domainOf[node] ?? -1
      if (domain < 0) return keyMissing
      if (Math.max(0, counts[domain] ?? 0) > most) return tooSkewed
    }
    return undefined
  }
}

/** Whether pods on the node count for the constraint. */
export function isIncluded(rules: NodeRules, constraint: SpreadConstraint, node: number): boolean {
  if (constraint.honoursAffinity && rules.isPicked[node] === 0) return false
  return !constraint.honoursTaints || rules.isTolerated[node] !== 0
}

/** Matching pods by domain over the nodes that count; -1 for a domain without such a node. */
function countedDomains(
  view: SpreadView,
  constraint: SpreadConstraint,
  topology: Topology,
  isCounted: (node: number) => boolean,
): Float64Array {
  const counts = new Float64Array(topology.values.length).fill(-1)
  const isNodeCounted = new Uint8Array(view.table.size)
  for (let node = 0; node < view.table.size; node++) {
    if (!isCounted(node)) continue
    isNodeCounted[node] = 1
    const domain = topology.domainOf[node] ?? -1
    if (domain >= 0 && counts[domain] === -1) counts[domain] = 0
  }
  eachMatching(view, constraint, (node, count) => {
    const domain = topology.domainOf[node] ?? -1
    if (isNodeCounted[node] === 1 && domain >= 0) counts[domain] = (counts[domain] ?? 0) + count
  })
  return counts
}

/** Nodes with pods that the constraint counts: same namespace, matching, not terminating. A selector that takes everything counts none. */
export function eachMatching(
  view: SpreadView,
  { selector }: SpreadConstraint,
  visit: (node: number, count: number) => void,
): void {
  if (isEverything(selector.selector)) return
  for (const id of view.classes.matching(view.pod.namespace, selector)) {
    if (view.classes.all[id]?.isTerminating !== false) continue
    for (const [node, count] of view.loads.classCounts(id) ?? []) visit(node, count)
  }
}
