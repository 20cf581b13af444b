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
import { refusal, type Refusal } from './refusal.ts'

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
    return { hard: read.filter((_, index) => isHard(own[index])), soft: read.filter((_, index) => isSoft(own[index])), needsAllKeys }
  }
  const defaults = settings.defaultConstraints.kind === 'system' ? systemDefaults : settings.defaultConstraints.constraints
  const selector = defaults.length === 0 ? undefined : defaultSelector(state, pod)
  if (selector === undefined || isEverything(selector)) return { hard: [], soft: [], needsAllKeys }
  const read = defaults.map(constraint => ({ ...readConstraint(constraint, labels), selector: keyedSelector(selector) }))
  return { hard: read.filter((_, index) => isHard(defaults[index])), soft: read.filter((_, index) => isSoft(defaults[index])), needsAllKeys }
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

const keyMissing = refusal('PodTopologySpread', "node(s) didn't match pod topology spread constraints (missing required label)", { isUnresolvable: true })
const tooSkewed = refusal('PodTopologySpread', "node(s) didn't match pod topology spread constraints", { isUnresolvable: false })

/** Whether a node breaks a hard constraint; `undefined` where there are none. */
export function spreadFilter(view: SpreadView, constraints: readonly SpreadConstraint[]): ((node: number) => Refusal | undefined) | undefined {
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
function countedDomains(view: SpreadView, constraint: SpreadConstraint, topology: Topology, isCounted: (node: number) => boolean): Float64Array {
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

export interface SpreadScores {
  /** Before normalisation, by position in the feasible nodes; -1 where the node lacks a key that counts. */
  readonly raw: Float64Array
}

/**
 * The raw scores of feasible nodes: the lower the better. `undefined` without soft constraints.
 * `domains` says how many domains of a key are taken to be among the feasible nodes; by default as many as there are.
 */
export function spreadScores(
  view: SpreadView,
  rules: SpreadRules,
  feasible: Int32Array,
  domains: (found: number, constraint: SpreadConstraint) => number = found => found,
): SpreadScores | undefined {
  const { soft, needsAllKeys } = rules
  if (soft.length === 0) return undefined
  const topologies = soft.map(({ topologyKey }) => view.table.topology(topologyKey))
  const hasAllKeys = (node: number) => topologies.every(({ domainOf }) => (domainOf[node] ?? -1) >= 0)
  const raw = new Float64Array(feasible.length)
  let ignored = 0
  if (needsAllKeys) {
    for (const [at, node] of feasible.entries()) {
      if (hasAllKeys(node)) continue
      raw[at] = -1
      ignored++
    }
  }
  for (const [index, constraint] of soft.entries()) {
    const topology = topologies[index] ?? view.table.topology(constraint.topologyKey)
    const isHostname = constraint.topologyKey === hostname
    const counts = isHostname ? nodeCounts(view, constraint) : softCounts(view, constraint, { topology, hasAllKeys, feasible, raw, needsAllKeys })
    const found = isHostname ? feasible.length - ignored : counts.reduce((sum, count) => sum + (count >= 0 ? 1 : 0), 0) + missingDomain(topology, feasible, raw)
    const weight = Math.log(domains(found, constraint) + 2)
    for (const [at, node] of feasible.entries()) {
      if (raw[at] === -1) continue
      const domain = topology.domainOf[node] ?? -1
      if (domain < 0) continue
      const count = (isHostname ? counts[node] : counts[domain]) ?? 0
      raw[at] = (raw[at] ?? 0) + (count * weight + (constraint.maxSkew - 1))
    }
  }
  for (const [at, score] of raw.entries()) if (score !== -1) raw[at] = Math.round(score)
  return { raw }
}

/** Nodes without the label are one more domain, whose name is empty. */
function missingDomain(topology: Topology, feasible: Int32Array, raw: Float64Array): number {
  if (topology.values.includes('')) return 0
  return feasible.some((node, at) => raw[at] !== -1 && (topology.domainOf[node] ?? -1) < 0) ? 1 : 0
}

/** Matching pods on each node. */
function nodeCounts(view: SpreadView, constraint: SpreadConstraint): Float64Array {
  const counts = new Float64Array(view.table.size)
  eachMatching(view, constraint, (node, count) => {
    counts[node] = (counts[node] ?? 0) + count
  })
  return counts
}

/** Matching pods by domain of the feasible nodes; -1 for other domains. Pods on all nodes that the policies include count. */
function softCounts(
  view: SpreadView,
  constraint: SpreadConstraint,
  among: {
    readonly topology: Topology
    readonly hasAllKeys: (node: number) => boolean
    readonly feasible: Int32Array
    readonly raw: Float64Array
    readonly needsAllKeys: boolean
  },
): Float64Array {
  const { topology, feasible, raw } = among
  const counts = new Float64Array(topology.values.length).fill(-1)
  for (const [at, node] of feasible.entries()) {
    const domain = topology.domainOf[node] ?? -1
    if (raw[at] !== -1 && domain >= 0) counts[domain] = 0
  }
  eachMatching(view, constraint, (node, count) => {
    const domain = topology.domainOf[node] ?? -1
    if (domain < 0 || counts[domain] === -1 || (among.needsAllKeys && !among.hasAllKeys(node))) return
    if (isIncluded(view.rules, constraint, node)) counts[domain] = (counts[domain] ?? 0) + count
  })
  return counts
}

/** Raw scores to 0..100, in place: the least raw score is the best. */
export function normaliseSpread(raw: Float64Array): void {
  let least = Number.POSITIVE_INFINITY
  let most = 0
  for (const score of raw) {
    if (score === -1) continue
    if (score < least) least = score
    if (score > most) most = score
  }
  for (const [at, score] of raw.entries()) raw[at] = score === -1 ? 0 : most === 0 ? 100 : scaledQuotient(most + least - score, 100, most)
}
