// InterPodAffinity: required terms of the pod and of the pods that are there as a filter, preferred ones as a score.

import type { Labels } from '#kube/objects/selector.ts'
import type { ClusterState } from '../cluster-state.ts'
import type { SchedulerSettings } from '../scheduler-settings.ts'
import type { NodeLoads } from './node-loads.ts'
import type { NodeTable } from './node-table.ts'
import { type AffinityTerm, isEverything, keyedSelector, type PodClass, type PodClasses } from './pod-classes.ts'
import { type Refusal, refusal } from './refusal.ts'

export interface AffinityView {
  readonly table: NodeTable
  readonly loads: NodeLoads
  readonly classes: PodClasses
  readonly namespaces: NamespaceLabels
  /** Class of the pod to be placed. */
  readonly incoming: PodClass
}

/** Labels of the namespaces that are known. */
export class NamespaceLabels {
  readonly #labels: ReadonlyMap<string, Labels>

  constructor(state: ClusterState) {
    this.#labels = new Map(state.objects('Namespace').map(({ metadata }) => [metadata.name, metadata.labels ?? {}]))
  }

  of(namespace: string): Labels | undefined {
    return this.#labels.get(namespace)
  }
}

const affinityUnmet = refusal('InterPodAffinity', "node(s) didn't match pod affinity rules", { isUnresolvable: true })
const antiAffinityBroken = refusal('InterPodAffinity', "node(s) didn't match pod anti-affinity rules", { isUnresolvable: false })
const othersAntiAffinity = refusal('InterPodAffinity', "node(s) didn't satisfy existing pods anti-affinity rules", {
  isUnresolvable: false,
})

/** Whether a node breaks a required term; `undefined` where no term of anybody concerns the pod. */
export function affinityFilter(view: AffinityView): ((node: number) => Refusal | undefined) | undefined {
  const { required, requiredAnti } = view.incoming.terms
  const others = existingAntiAffinity(view)
  if (others.size === 0 && required.length === 0 && requiredAnti.length === 0) return undefined
  const affinity = required.length === 0 ? [] : requiredCounts(view, required)
  const anti = requiredAnti.map(term => termCounts(view, term))
  const isFirst =
    affinity.length > 0 &&
    affinity.every(({ counts }) => counts.every(count => count === 0)) &&
    matchesAll(view, required, view.incoming)
  return node => {
    let isMet = true
    for (const { domainOf, counts } of affinity) {
      const domain = domainOf[node] ?? -1
      if (domain < 0) return affinityUnmet
      if ((counts[domain] ?? 0) === 0) isMet = false
    }
    if (!isMet && !isFirst) return affinityUnmet
    for (const { domainOf, counts } of anti) {
      const domain = domainOf[node] ?? -1
      if (domain >= 0 && (counts[domain] ?? 0) > 0) return antiAffinityBroken
    }
    for (const [key, domains] of others) {
      const domain = view.table.topology(key).domainOf[node] ?? -1
      if (domain >= 0 && domains[domain] === 1) return othersAntiAffinity
    }
    return undefined
  }
}

interface DomainCounts {
  readonly domainOf: Int32Array
  readonly counts: Float64Array
}

/** By topology key: which domains have a pod whose required anti-affinity speaks against the incoming one. */
function existingAntiAffinity(view: AffinityView): ReadonlyMap<string, Uint8Array> {
  const blocked = new Map<string, Uint8Array>()
  for (const podClass of view.classes.withRequiredAntiAffinity) {
    const counts = view.loads.classCounts(podClass.id)
    if (counts === undefined || counts.size === 0) continue
    for (const term of podClass.terms.requiredAnti) {
      if (!speaksOfIncoming(view, term)) continue
      const { domainOf, values } = view.table.topology(term.topologyKey)
      const domains = blocked.get(term.topologyKey) ?? new Uint8Array(values.length)
      blocked.set(term.topologyKey, domains)
      for (const node of counts.keys()) {
        const domain = domainOf[node] ?? -1
        if (domain >= 0) domains[domain] = 1
      }
    }
  }
  for (const [key, domains] of blocked) if (!domains.includes(1)) blocked.delete(key)
  return blocked
}

/** For required affinity a pod counts where it matches all terms at once. */
function requiredCounts(view: AffinityView, terms: readonly AffinityTerm[]): readonly DomainCounts[] {
  const result = terms.map(({ topologyKey }) => emptyCounts(view, topologyKey))
  const [first, ...rest] = terms
  if (first === undefined) return result
  for (const id of matchingClasses(view, first)) {
    const podClass = view.classes.all[id]
    if (podClass === undefined || !matchesAll(view, rest, podClass)) continue
    for (const counts of result) addNodes(counts, view.loads.classCounts(id), 1)
  }
  return result
}

function termCounts(view: AffinityView, term: AffinityTerm): DomainCounts {
  const result = emptyCounts(view, term.topologyKey)
  for (const id of matchingClasses(view, term)) addNodes(result, view.loads.classCounts(id), 1)
  return result
}

function emptyCounts(view: AffinityView, topologyKey: string): DomainCounts {
  const { domainOf, values } = view.table.topology(topologyKey)
  return { domainOf, counts: new Float64Array(values.length) }
}

function addNodes({ domainOf, counts }: DomainCounts, nodes: ReadonlyMap<number, number> | undefined, weight: number): void {
  for (const [node, count] of nodes ?? []) {
    const domain = domainOf[node] ?? -1
    if (domain >= 0) counts[domain] = (counts[domain] ?? 0) + count * weight
  }
}

function matchesAll(view: AffinityView, terms: readonly AffinityTerm[], podClass: PodClass): boolean {
  return terms.every(term => takesNamespace(view, term, podClass.namespace) && term.selector.matches(podClass.labels))
}

function* matchingClasses(view: AffinityView, term: AffinityTerm): Generator<number> {
  const selector = keyedSelector(term.selector)
  const namespaces = term.namespaceSelector.isNothing ? term.namespaces : view.classes.namespaces()
  for (const namespace of namespaces) {
    if (takesNamespace(view, term, namespace)) yield* view.classes.matching(namespace, selector)
  }
}

/** A term of the incoming pod takes the namespaces it names and the known ones its selector picks. */
function takesNamespace(view: AffinityView, term: AffinityTerm, namespace: string): boolean {
  if (term.namespaces.has(namespace) || isEverything(term.namespaceSelector)) return true
  const labels = term.namespaceSelector.isNothing ? undefined : view.namespaces.of(namespace)
  return labels !== undefined && term.namespaceSelector.matches(labels)
}

/** A term of a pod that is there is held against the labels of the incoming pod's namespace, none where it is not known. */
function speaksOfIncoming({ namespaces, incoming }: AffinityView, term: AffinityTerm): boolean {
  const isNamespace =
    term.namespaces.has(incoming.namespace) || term.namespaceSelector.matches(namespaces.of(incoming.namespace) ?? {})
  return isNamespace && term.selector.matches(incoming.labels)
}

/** The raw scores of feasible nodes; `undefined` where no term of anybody concerns the pod. */
export function affinityScores(view: AffinityView, settings: SchedulerSettings, feasible: Int32Array): Float64Array | undefined {
  const own = view.incoming.terms.preferred
  if (own.length === 0 && settings.ignorePreferredTermsOfExistingPods) return undefined
  const byKey = new Map<string, DomainCounts>()
  let isTouched = false
  const add = (term: AffinityTerm, nodes: ReadonlyMap<number, number> | undefined, weight: number) => {
    if (nodes === undefined || nodes.size === 0) return
    const counts = byKey.get(term.topologyKey) ?? emptyCounts(view, term.topologyKey)
    byKey.set(term.topologyKey, counts)
    addNodes(counts, nodes, weight)
    for (const node of nodes.keys()) isTouched ||= (counts.domainOf[node] ?? -1) >= 0
  }
  for (const term of own) {
    for (const id of matchingClasses(view, term)) add(term, view.loads.classCounts(id), term.weight)
  }
  for (const podClass of view.classes.withAffinity) {
    const nodes = view.loads.classCounts(podClass.id)
    if (nodes === undefined || nodes.size === 0) continue
    if (settings.hardPodAffinityWeight > 0) {
      for (const term of podClass.terms.required)
        if (speaksOfIncoming(view, term)) add(term, nodes, settings.hardPodAffinityWeight)
    }
    for (const term of podClass.terms.preferred) if (speaksOfIncoming(view, term)) add(term, nodes, term.weight)
  }
  if (!isTouched) return undefined
  const raw = new Float64Array(feasible.length)
  for (const { domainOf, counts } of byKey.values()) {
    for (const [at, node] of feasible.entries()) {
      const domain = domainOf[node] ?? -1
      if (domain >= 0) raw[at] = (raw[at] ?? 0) + (counts[domain] ?? 0)
    }
  }
  return raw
}

/** Raw scores to 0..100, in place: the least is 0, the most 100; all 0 where they are equal. */
export function normaliseAffinity(raw: Float64Array): void {
  let low = Number.POSITIVE_INFINITY
  let high = Number.NEGATIVE_INFINITY
  for (const score of raw) {
    if (score < low) low = score
    if (score > high) high = score
  }
  for (let at = 0; at < raw.length; at++) raw[at] = affinityScore(raw[at] ?? 0, { low, high })
}

/** 0..100 for a raw score between the least and the greatest: in floating point and in this order, as the scheduler does it. */
export function affinityScore(score: number, { low, high }: { readonly low: number; readonly high: number }): number {
  return high > low ? Math.trunc(100 * ((score - low) / (high - low))) : 0
}
