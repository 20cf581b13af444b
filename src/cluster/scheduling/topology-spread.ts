// PodTopologySpread: hard constraints as a filter, soft ones and the scheduler's defaults as a score.

import type { Pod, ReplicaSet, Service, TopologySpreadConstraint } from '#kube/objects.ts'
import { exactSelector, type Labels, type Selector, selectorOf } from '#kube/selector.ts'
import type { ClusterState, PodState } from '../cluster-state.ts'
import { controllerOf } from '../ownership.ts'
import type { SchedulerSettings } from '../scheduler-settings.ts'
import { scaledQuotient } from './exact.ts'
import type { NodeLoads } from './node-loads.ts'
import type { NodeRules } from './node-rules.ts'
import type { NodeTable, Topology } from './node-table.ts'
import { isEverything, type KeyedSelector, keyedSelector, type PodClasses, readSelector } from './pod-classes.ts'
import { type Refusal, refusal } from './refusal.ts'

export interface SpreadConstraint {
  readonly maxSkew: number
  readonly topologyKey: string
  readonly selector: KeyedSelector
  readonly minDomains: number
  readonly honoursAffinity: boolean
  readonly honoursTaints: boolean
}

/** A pod's constraints, read once. */
export interface SpreadRules {
  readonly hard: readonly SpreadConstraint[]
  readonly soft: readonly SpreadConstraint[]
  /** Whether only nodes with all keys of the soft constraints take part: not for the scheduler's own defaults. */
  readonly needsAllKeys: boolean
}

const hostname = 'kubernetes.io/hostname'

const systemDefaults: readonly TopologySpreadConstraint[] = [
  { topologyKey: hostname, whenUnsatisfiable: 'ScheduleAnyway', maxSkew: 3 },
  { topologyKey: 'topology.kubernetes.io/zone', whenUnsatisfiable: 'ScheduleAnyway', maxSkew: 5 },
]

/** The constraints of `pod`: its own, or the default ones with the selector that its Services and controller give. */
export function spreadRules(state: ClusterState, pod: PodState, settings: SchedulerSettings): SpreadRules {
  const own = pod.object.spec.topologySpreadConstraints ?? []
  const isSystem = settings.defaultConstraints.kind === 'system'
  const needsAllKeys = own.length > 0 || !isSystem
  const labels = pod.object.metadata.labels ?? {}
  if (own.length > 0) {
    const read = own.map(constraint => readConstraint(constraint, labels))
    return {
      hard: read.filter((_, index) => isHard(own[index])),
      soft: read.filter((_, index) => isSoft(own[index])),
      needsAllKeys,
    }
  }
  const defaults = settings.defaultConstraints.kind === 'system' ? systemDefaults : settings.defaultConstraints.constraints
  const selector = defaults.length === 0 ? undefined : defaultSelector(state, pod)
  if (selector === undefined || isEverything(selector)) return { hard: [], soft: [], needsAllKeys }
  const read = defaults.map(constraint => ({ ...readConstraint(constraint, labels), selector: keyedSelector(selector) }))
  return {
    hard: read.filter((_, index) => isHard(defaults[index])),
    soft: read.filter((_, index) => isSoft(defaults[index])),
    needsAllKeys,
  }
}

function isHard(constraint: TopologySpreadConstraint | undefined): boolean {
  return constraint?.whenUnsatisfiable === 'DoNotSchedule'
}

function isSoft(constraint: TopologySpreadConstraint | undefined): boolean {
  return constraint?.whenUnsatisfiable === 'ScheduleAnyway'
}

function readConstraint(constraint: TopologySpreadConstraint, labels: Labels): SpreadConstraint {
  const selector = readSelector(constraint.labelSelector)
  const keys = (constraint.matchLabelKeys ?? []).filter(key => Object.hasOwn(labels, key))
  const merged: Selector =
    keys.length === 0 || selector.isNothing
      ? selector
      : selectorOf([...selector.requirements, ...keys.map(key => ({ key, operator: '=' as const, values: [labels[key] ?? ''] }))])
  return {
    maxSkew: constraint.maxSkew,
    topologyKey: constraint.topologyKey,
    selector: keyedSelector(merged),
    minDomains: constraint.minDomains ?? 1,
    honoursAffinity: (constraint.nodeAffinityPolicy ?? 'Honor') === 'Honor',
    honoursTaints: constraint.nodeTaintsPolicy === 'Honor',
  }
}

/** What the Services that select the pod ask of labels, and what its ReplicaSet, StatefulSet or ReplicationController does. */
function defaultSelector(state: ClusterState, pod: PodState): Selector {
  const labels = pod.object.metadata.labels ?? {}
  const merged = new Map<string, string>()
  for (const object of state.objects('Service')) {
    if (object.metadata.namespace !== pod.namespace) continue
    // A Service as the API server or a checked file has it.
    const selector = (object as Service).spec?.selector
    if (selector === undefined || selector === null || !exactSelector(selector).matches(labels)) continue
    for (const [key, value] of Object.entries(selector)) merged.set(key, value)
  }
  const owner = controllerOf(pod.object.metadata)
  const isReplicas = owner?.apiVersion === 'apps/v1' && (owner.kind === 'ReplicaSet' || owner.kind === 'StatefulSet')
  const isController = owner?.apiVersion === 'v1' && owner.kind === 'ReplicationController'
  const found = isReplicas || isController ? state.object(owner.kind, pod.namespace, owner.name) : undefined
  if (found !== undefined && isController) {
    const { spec } = found as Pod & { readonly spec: { readonly selector?: Readonly<Record<string, string>> } }
    for (const [key, value] of Object.entries(spec?.selector ?? {})) merged.set(key, value)
  }
  const own = exactSelector(Object.fromEntries(merged))
  if (found === undefined || isController) return own
  const owned = readSelector((found as ReplicaSet).spec?.selector)
  return owned.isNothing ? own : selectorOf([...own.requirements, ...owned.requirements])
}

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

function isIncluded(rules: NodeRules, constraint: SpreadConstraint, node: number): boolean {
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
function eachMatching(view: SpreadView, { selector }: SpreadConstraint, visit: (node: number, count: number) => void): void {
  if (isEverything(selector.selector)) return
  for (const id of view.classes.matching(view.pod.namespace, selector)) {
    if (view.classes.all[id]?.isTerminating !== false) continue
    for (const [node, count] of view.loads.classCounts(id) ?? []) visit(node, count)
  }
}

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
  const counted = feasible.filter(hasAllKeys)
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
  let variants: readonly Float64Array[] = [Float64Array.from(feasible, node => (hasAllKeys(node) ? 0 : -1))]
  for (const count of softCounts) {
    variants = variants.flatMap(raw =>
      Array.from({ length: count.most - count.fewest + 1 }, (_, more) =>
        withConstraint(raw, feasible, { count, domains: count.fewest + more }),
      ),
    )
  }
  return variants.map(raw => raw.map(score => (score < 0 ? score : Math.round(score))))
}

function withConstraint(
  raw: Float64Array,
  feasible: Int32Array,
  { count, domains }: { readonly count: SoftCount; readonly domains: number },
): Float64Array {
  const { constraint, domainOf, counts } = count
  const isHostname = constraint.topologyKey === hostname
  const weight = Math.log(domains + 2)
  return raw.map((score, at) => {
    const node = feasible[at] ?? 0
    const domain = domainOf[node] ?? -1
    if (score < 0 || domain < 0) return score
    return score + (((isHostname ? counts[node] : counts[domain]) ?? 0) * weight + (constraint.maxSkew - 1))
  })
}

/** How many of the nodes each domain has, the biggest first; nodes without the label are one more domain. */
function domainSizes({ domainOf }: Topology, nodes: Int32Array): readonly number[] {
  const sizes = new Map<number, number>()
  for (const node of nodes) {
    const domain = domainOf[node] ?? -1
    sizes.set(domain, (sizes.get(domain) ?? 0) + 1)
  }
  return Array.from(sizes.values()).toSorted((a, b) => b - a)
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
