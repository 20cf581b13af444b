// PodTopologySpread as a score: soft constraints, and the scheduler's defaults.

import { scaledQuotient } from './exact.ts'
import type { Topology } from './node-table.ts'
import { eachMatching, isIncluded, type SpreadView } from './spread-filter.ts'
import { hostname, type SpreadConstraint, type SpreadRules } from './spread-rules.ts'

/** Each soft constraint over the feasible nodes: counts, and how many domains there are. */
interface SoftCount {
  readonly constraint: SpreadConstraint
  readonly domainOf: Int32Array
  /** By node for the hostname, by domain for other keys. */
  readonly counts: Float64Array
  /** Fewest and most domains that the nodes found can have. */
  readonly fewest: number
  readonly most: number
}

/** So many combinations of numbers of domains are told apart. */
const mostVariants = 64

/**
 * The raw scores of feasible nodes, the lower the better, by position; -1 for a node that lacks a key that counts. Empty without soft
 * constraints. Each number of domains has its own scores: there is more than one variant where only `found` of the feasible nodes
 * are found and these may have more or fewer domains. `undefined` where there are too many variants.
 */
export function spreadScores(
  view: SpreadView,
  rules: SpreadRules,
  feasible: Int32Array,
  found: number,
): readonly Float64Array[] | undefined {
  const { soft, needsAllKeys } = rules
  if (soft.length === 0) return []
  const topologies = soft.map(({ topologyKey }) => view.table.topology(topologyKey))
  const hasAllKeys = (node: number) => !needsAllKeys || topologies.every(({ domainOf }) => (domainOf[node] ?? -1) >= 0)
  const counted = needsAllKeys ? feasible.filter(hasAllKeys) : feasible
  const ignored = feasible.length - counted.length
  const softCounts = soft.map((constraint, index): SoftCount => {
    const topology = topologies[index] ?? view.table.topology(constraint.topologyKey)
    const { domainOf } = topology
    if (constraint.topologyKey === hostname) {
      const spare = feasible.length - found
      const fewest = Math.max(0, found - ignored)
      return { constraint, domainOf, counts: nodeCounts(view, constraint), fewest, most: found - Math.max(0, ignored - spare) }
    }
    const sizes = domainSizes(topology, counted)
    const counts = domainCounts(view, constraint, { topology, hasAllKeys })
    return { constraint, domainOf, counts, fewest: fewestDomains(sizes, found - ignored), most: Math.min(sizes.length, found) }
  })
  if (softCounts.reduce((product, { fewest, most }) => product * (most - fewest + 1), 1) > mostVariants) return undefined
  const start = new Float64Array(feasible.length)
  if (needsAllKeys) for (let at = 0; at < start.length; at++) if (!hasAllKeys(feasible[at] ?? 0)) start[at] = -1
  let variants: readonly Float64Array[] = [start]
  for (const count of softCounts) {
    variants = variants.flatMap(raw =>
      Array.from({ length: count.most - count.fewest + 1 }, (_, more) =>
        withConstraint(raw, feasible, { count, domains: count.fewest + more }),
      ),
    )
  }
  for (const raw of variants)
    for (let at = 0; at < raw.length; at++) {
      const score = raw[at] ?? 0
      if (score > 0) raw[at] = Math.round(score)
    }
  return variants
}

function withConstraint(
  raw: Float64Array,
  feasible: Int32Array,
  { count, domains }: { readonly count: SoftCount; readonly domains: number },
): Float64Array {
  const { constraint, domainOf, counts } = count
  const isHostname = constraint.topologyKey === hostname
  const weight = Math.log(domains + 2)
  const more = constraint.maxSkew - 1
  const sums = raw.slice()
  for (let at = 0; at < sums.length; at++) {
    const node = feasible[at] ?? 0
    const domain = domainOf[node] ?? -1
    const score = sums[at] ?? 0
    if (score >= 0 && domain >= 0) sums[at] = score + ((counts[isHostname ? node : domain] ?? 0) * weight + more)
  }
  return sums
}

/** How many of the nodes each domain has, the biggest first; nodes without the label are one more domain. */
function domainSizes({ domainOf, values }: Topology, nodes: Int32Array): readonly number[] {
  const sizes = new Int32Array(values.length + 1)
  for (let at = 0; at < nodes.length; at++) {
    const domain = (domainOf[nodes[at] ?? 0] ?? -1) + 1
    sizes[domain] = (sizes[domain] ?? 0) + 1
  }
  return Array.from(sizes.filter(size => size > 0)).toSorted((a, b) => b - a)
}

/** How few domains `found` nodes can come from. */
function fewestDomains(sizes: readonly number[], found: number): number {
  let left = found
  let domains = 0
  for (const size of sizes) {
    if (left <= 0) break
    left -= size
    domains++
  }
  return domains
}

/** Matching pods on each node. */
function nodeCounts(view: SpreadView, constraint: SpreadConstraint): Float64Array {
  const counts = new Float64Array(view.table.size)
  eachMatching(view, constraint, (node, count) => {
    counts[node] = (counts[node] ?? 0) + count
  })
  return counts
}

/** Matching pods by domain. Pods on all nodes that the policies include count, feasible or not. */
function domainCounts(
  view: SpreadView,
  constraint: SpreadConstraint,
  among: { readonly topology: Topology; readonly hasAllKeys: (node: number) => boolean },
): Float64Array {
  const { topology, hasAllKeys } = among
  const counts = new Float64Array(topology.values.length)
  eachMatching(view, constraint, (node, count) => {
    const domain = topology.domainOf[node] ?? -1
    if (domain >= 0 && hasAllKeys(node) && isIncluded(view.rules, constraint, node))
      counts[domain] = (counts[domain] ?? 0) + count
  })
  return counts
}

/** Raw scores to 0..100, in place: the least raw score is the best. */
export function normaliseSpread(raw: Float64Array): void {
  let low = Number.POSITIVE_INFINITY
  let high = 0
  for (const score of raw) {
    if (score === -1) continue
    if (score < low) low = score
    if (score > high) high = score
  }
  for (let at = 0; at < raw.length; at++) {
    const score = raw[at] ?? -1
    raw[at] = score === -1 ? 0 : spreadScore(score, { low, high })
  }
}

/** 0..100 for a raw score between the least and the greatest. */
export function spreadScore(score: number, { low, high }: { readonly low: number; readonly high: number }): number {
  return high === 0 ? 100 : scaledQuotient(high + low - score, 100, high)
}
