// Rules between pods as rules on classes: required anti-affinity and hard spread, counted by domain of a topology key.

import type { ClusterState, NodeState, PodState } from '#cluster/cluster-state.ts'
import { requiredNodes } from '#cluster/scheduling/node-selector.ts'
import type { PodAffinityTerm, TopologySpreadConstraint } from '#kube/objects/objects.ts'
import { labelSelectorOf, type Selector } from '#kube/objects/selector.ts'
import { untoleratedTaint } from '#kube/objects/tolerations.ts'
import type { Domain, DomainRule } from './move-model.ts'

/** A class of the model with one of its pods, which stands for all. */
interface ClassOfPods {
  readonly pods: readonly PodState[]
  readonly from: number
  readonly destinations: readonly number[]
}

interface DomainRules {
  readonly rules: readonly DomainRule[]
  /** The destinations of each class that unmovable pods leave it. */
  readonly destinations: readonly (readonly number[])[]
}

/** The rules that movable pods keep among each other, and where unmovable ones keep them out. */
export function domainRules(state: ClusterState, classes: readonly ClassOfPods[]): DomainRules {
  const world = new World(state, classes)
  const closed = classes.map(() => new Set<number>())
  const rules = [...antiAffinityRules(world, closed), ...spreadRules(world)]
  const destinations = classes.map((each, index) => each.destinations.filter(node => closed[index]?.has(node) !== true))
  return { rules, destinations }
}

class World {
  readonly state: ClusterState
  readonly classes: readonly ClassOfPods[]
  readonly nodes: readonly NodeState[]
  readonly nodeIndex: ReadonlyMap<string, number>
  readonly fixed: readonly PodState[]
  readonly #domains = new Map<string, ReadonlyMap<string, readonly number[]>>()

  constructor(state: ClusterState, classes: readonly ClassOfPods[]) {
    this.state = state
    this.classes = classes
    this.nodes = [...state.nodes.values()]
    this.nodeIndex = new Map(this.nodes.map((node, index) => [node.name, index]))
    const movable = new Set(classes.flatMap(each => each.pods.map(pod => pod.key)))
    this.fixed = [...state.pods.values()].filter(pod => pod.nodeName !== undefined && !pod.isFinished && !movable.has(pod.key))
  }

  /** Indexes of the nodes with each value of a topology key. */
  domains(key: string): ReadonlyMap<string, readonly number[]> {
    const known = this.#domains.get(key)
    if (known !== undefined) return known
    const byValue = new Map<string, number[]>()
    this.nodes.forEach((node, index) => {
      const value = node.object.metadata.labels?.[key]
      if (value !== undefined) byValue.set(value, [...(byValue.get(value) ?? []), index])
    })
    this.#domains.set(key, byValue)
    return byValue
  }

  nodeOf(pod: PodState): number {
    return this.nodeIndex.get(pod.nodeName ?? '') ?? -1
  }
}

type Match = (pod: PodState) => boolean

interface Holders {
  readonly topologyKey: string
  readonly matches: Match
  readonly classes: Set<number>
  readonly fixed: PodState[]
}

function* antiAffinityRules(world: World, closed: readonly Set<number>[]): Generator<DomainRule> {
  const terms = antiAffinityTerms(world)
  let number = 0
  for (const term of terms) {
    const name = `anti-affinity ${++number} by ${term.topologyKey}`
    const domains = world.domains(term.topologyKey)
    const matched = world.classes.flatMap((each, index) =>
      each.pods[0] !== undefined && term.matches(each.pods[0]) ? [index] : [],
    )
    const matchedFixed = world.fixed.filter(term.matches)
    for (const [, nodes] of domains) {
      const holdsTerm = term.fixed.some(pod => nodes.includes(world.nodeOf(pod)))
      const holdsMatched = matchedFixed.some(pod => nodes.includes(world.nodeOf(pod)))
      if (holdsTerm) close(closed, matched, nodes)
      if (holdsMatched) close(closed, [...term.classes], nodes)
    }
    const empty = [...domains].map(([value, nodes]): Domain => ({ value, nodes, fixed: 0 }))
    const holders = [...term.classes].sort((a, b) => a - b)
    const selfMatching = holders.filter(index => matched.includes(index))
    if (selfMatching.length > 0) yield { kind: 'at-most', name, members: selfMatching, domains: empty, limit: 1 }
    const bystanders = matched.filter(index => !term.classes.has(index))
    if (holders.length > 0 && bystanders.length > 0)
      yield { kind: 'apart', name: `${name}, others`, members: holders, others: bystanders, domains: empty }
    const strangers = holders.filter(index => !matched.includes(index))
    if (strangers.length > 0 && selfMatching.length > 0) {
      yield { kind: 'apart', name: `${name}, holders`, members: strangers, others: selfMatching, domains: empty }
    }
  }
}

function close(closed: readonly Set<number>[], classes: readonly number[], nodes: readonly number[]): void {
  for (const index of classes) for (const node of nodes) closed[index]?.add(node)
}

/** Each distinct required anti-affinity term with all who hold it. */
function antiAffinityTerms(world: World): Iterable<Holders> {
  const terms = new Map<string, Holders>()
  const collect = (pod: PodState, add: (holders: Holders) => void) => {
    for (const term of pod.object.spec.affinity?.podAntiAffinity?.requiredDuringSchedulingIgnoredDuringExecution ?? []) {
      const text = JSON.stringify([pod.namespace, term, keyedLabels(pod, term)])
      const known = terms.get(text) ?? {
        topologyKey: term.topologyKey,
        matches: termMatch(world.state, pod, term),
        classes: new Set<number>(),
        fixed: [],
      }
      terms.set(text, known)
      add(known)
    }
  }
  world.classes.forEach((each, index) => {
    const [pod] = each.pods
    if (pod !== undefined) collect(pod, holders => holders.classes.add(index))
  })
  for (const pod of world.fixed) collect(pod, holders => holders.fixed.push(pod))
  return terms.values()
}

function keyedLabels(
  pod: PodState,
  term: { readonly matchLabelKeys?: readonly string[]; readonly mismatchLabelKeys?: readonly string[] },
): unknown {
  return [...(term.matchLabelKeys ?? []), ...(term.mismatchLabelKeys ?? [])].map(key => pod.object.metadata.labels?.[key])
}

function termMatch(state: ClusterState, holder: PodState, term: PodAffinityTerm): Match {
  const selector = parsed(term.labelSelector)
  const spaces = term.namespaceSelector === undefined ? undefined : parsed(term.namespaceSelector)
  const named = term.namespaces ?? []
  const own = holder.object.metadata.labels ?? {}
  const isIn = (namespace: string) => {
    if (named.includes(namespace)) return true
    if (spaces !== undefined) return spaces.matches(state.object('Namespace', undefined, namespace)?.metadata.labels)
    return named.length === 0 && namespace === holder.namespace
  }
  const sameLabels = (pod: PodState) =>
    (term.matchLabelKeys ?? []).every(key => own[key] === undefined || pod.object.metadata.labels?.[key] === own[key]) &&
    (term.mismatchLabelKeys ?? []).every(key => own[key] === undefined || pod.object.metadata.labels?.[key] !== own[key])
  return pod => isIn(pod.namespace) && selector.matches(pod.object.metadata.labels) && sameLabels(pod)
}

function parsed(given: Parameters<typeof labelSelectorOf>[0]): Pick<Selector, 'matches'> {
  const selector = labelSelectorOf(given)
  return selector.ok ? selector.value : { matches: () => false }
}

function* spreadRules(world: World): Generator<DomainRule> {
  const seen = new Set<string>()
  for (const each of world.classes) {
    const [pod] = each.pods
    if (pod === undefined) continue
    const hard = (pod.object.spec.topologySpreadConstraints ?? []).filter(
      constraint => constraint.whenUnsatisfiable === 'DoNotSchedule',
    )
    for (const constraint of hard) {
      const { affinity, nodeSelector, tolerations } = pod.object.spec
      const keys = hard.map(other => other.topologyKey)
      const text = JSON.stringify([
        pod.namespace,
        constraint,
        keyedLabels(pod, constraint),
        keys,
        affinity?.nodeAffinity,
        nodeSelector,
        tolerations,
      ])
      if (seen.has(text)) continue
      seen.add(text)
      yield spreadRule(world, pod, constraint, { keys, number: seen.size })
    }
  }
}

function spreadRule(
  world: World,
  holder: PodState,
  constraint: TopologySpreadConstraint,
  { keys, number }: { readonly keys: readonly string[]; readonly number: number },
): DomainRule {
  const selector = parsed(constraint.labelSelector)
  const own = holder.object.metadata.labels ?? {}
  const counts: Match = pod =>
    pod.namespace === holder.namespace &&
    !pod.isTerminating &&
    selector.matches(pod.object.metadata.labels) &&
    (constraint.matchLabelKeys ?? []).every(key => own[key] === undefined || pod.object.metadata.labels?.[key] === own[key])
  const isEligible = eligibleNodes(holder, constraint, keys)
  const domains = [...world.domains(constraint.topologyKey)].flatMap(([value, all]): Domain[] => {
    const nodes = all.filter(index => isEligible(world.nodes[index]))
    if (nodes.length === 0) return []
    return [{ value, nodes, fixed: world.fixed.filter(pod => counts(pod) && nodes.includes(world.nodeOf(pod))).length }]
  })
  const members = world.classes.flatMap((each, index) => (each.pods[0] !== undefined && counts(each.pods[0]) ? [index] : []))
  // Fewer domains than asked for count as an empty one.
  const kind = domains.length < (constraint.minDomains ?? 1) ? 'at-most' : 'skew'
  return { kind, name: `spread ${number} by ${constraint.topologyKey}`, members, domains, limit: constraint.maxSkew }
}

function eligibleNodes(
  holder: PodState,
  constraint: TopologySpreadConstraint,
  keys: readonly string[],
): (node: NodeState | undefined) => boolean {
  const isWanted = requiredNodes(holder.object)
  const tolerations = holder.object.spec.tolerations ?? []
  const repels = (node: NodeState) =>
    untoleratedTaint(
      tolerations,
      node.object.spec?.taints ?? [],
      taint => taint.effect === 'NoSchedule' || taint.effect === 'NoExecute',
    ) !== undefined
  return node => {
    if (node === undefined || keys.some(key => node.object.metadata.labels?.[key] === undefined)) return false
    if ((constraint.nodeAffinityPolicy ?? 'Honor') === 'Honor' && !isWanted(node.object)) return false
    return (constraint.nodeTaintsPolicy ?? 'Ignore') === 'Ignore' || !repels(node)
  }
}
