// Disruption budgets across the steps of a simulation: what is evicted, gone, and back again.

import type { PodDisruptionBudget } from '#kube/objects/objects.ts'
import type { Selector } from '#kube/objects/selector.ts'
import { pushTo, SelectorIndex, tellingLabel } from '#kube/objects/selector-index.ts'
import type { ClusterState, PodState } from './cluster-state.ts'
import {
  type BudgetRules,
  type BudgetStatus,
  budgetSelector,
  budgetStatus,
  type EvictionAnswer,
  evictionAnswer,
  firstGeneration,
  replicasIn,
} from './disruption-budget.ts'
import { SortedMap } from './sorted-map.ts'

interface Holding {
  readonly budget: PodDisruptionBudget
  readonly selector: Selector
  /** Looked for when somebody first asks: of 500 budgets a question is about one or two. */
  readonly pods: ReadonlyMap<string, PodState>
}

/**
 * Keeps each budget's pods. The controller is taken to have caught up before each question, so that the numbers are those of
 * `budgetStatus` for the pods as they are then.
 */
export class BudgetLedger {
  readonly #state: ClusterState
  readonly #rules: BudgetRules
  /** By `namespace/name` of the budget. Replaced, never changed: forks share the values. */
  readonly #holdings: Map<string, Holding>
  /** Budgets neither come nor go: forks share it. */
  readonly #index: SelectorIndex<string>

  /** Begins with the budgets and pods of `state`, or where `from` is now. `nowMs` is for evictions that the budgets' statuses remember. */
  constructor(state: ClusterState, options: { readonly nowMs: number }, from?: BudgetLedger) {
    this.#state = state
    this.#rules = { replicasOf: replicasIn(state), nowMs: options.nowMs }
    this.#holdings = from === undefined ? holdingsOf(state) : new Map(from.#holdings)
    this.#index = from === undefined ? indexOf(this.#holdings) : from.#index
  }

  /** The budgets (`namespace/name`) that select a pod. */
  budgetsOf(pod: PodState): readonly string[] {
    return this.#selecting(pod).map(([key]) => key)
  }

  /** The numbers of a budget as they are now. @throws Error for a budget that is not there. */
  statusOf(budget: string): BudgetStatus {
    const holding = this.#holdings.get(budget)
    if (holding === undefined) throw new Error(`budget ${budget}: it is not in this cluster`)
    return budgetStatus(holding.budget, Array.from(holding.pods.values()), this.#rules)
  }

  /** Whether the budget can ever allow a disruption, all its pods being healthy. @throws Error as `statusOf`. */
  canEverAllow(budget: string): boolean {
    const { expectedPods, desiredHealthy, failure } = this.statusOf(budget)
    return failure === undefined && expectedPods > desiredHealthy
  }

  /** What eviction would answer; changes nothing. */
  ask(pod: PodState): EvictionAnswer {
    const current = this.#selecting(pod)
      .map(([, { pods }]) => pods.get(pod.key))
      .find(known => known !== undefined)
    const known = current ?? pod
    if (known.isTerminating || known.isFinished) return { kind: 'allowed', isCounted: false }
    const budgets = this.#selecting(pod).map(([key, { budget }]) => withStatus(budget, this.statusOf(key)))
    return evictionAnswer(asObject(known), budgets)
  }

  /** Evicts a pod: where it is allowed the pod is terminating from then on. */
  evict(pod: PodState): EvictionAnswer {
    const answer = this.ask(pod)
    if (answer.kind === 'allowed') this.put({ ...(this.#known(pod.key) ?? pod), isTerminating: true })
    return answer
  }

  /** The pod (`namespace/name`) is gone. */
  gone(podKey: string): void {
    for (const [key, holding] of this.#holdings) {
      if (!podKey.startsWith(`${holding.budget.metadata.namespace}/`) || !holding.pods.has(podKey)) continue
      const pods = new Map(holding.pods)
      pods.delete(podKey)
      this.#holdings.set(key, { budget: holding.budget, selector: holding.selector, pods })
    }
  }

  /** A pod is there, new or changed: `isReady` and `isTerminating` are as it says. */
  put(pod: PodState): void {
    for (const [key, holding] of this.#selecting(pod))
      this.#holdings.set(key, {
        budget: holding.budget,
        selector: holding.selector,
        pods: new Map(holding.pods).set(pod.key, pod),
      })
  }

  /** A ledger that begins as this one is and goes its own way. */
  fork(): BudgetLedger {
    return new BudgetLedger(this.#state, this.#rules, this)
  }

  #known(podKey: string): PodState | undefined {
    for (const holding of this.#holdings.values()) {
      if (!podKey.startsWith(`${holding.budget.metadata.namespace}/`)) continue
      const pod = holding.pods.get(podKey)
      if (pod !== undefined) return pod
    }
    return undefined
  }

  #selecting(pod: PodState): readonly (readonly [string, Holding])[] {
    return this.#index.selecting(pod.namespace, pod.object.metadata.labels).flatMap(key => {
      const holding = this.#holdings.get(key)
      return holding === undefined ? [] : [[key, holding] as const]
    })
  }
}

function indexOf(holdings: ReadonlyMap<string, Holding>): SelectorIndex<string> {
  const index = new SelectorIndex<string>()
  for (const [key, { budget, selector }] of holdings) index.add(budget.metadata.namespace ?? '', selector, key)
  return index
}

function holdingsOf(state: ClusterState): Map<string, Holding> {
  const podsIn = new PodsByLabel(state)
  const holdings = new Map<string, Holding>()
  for (const object of state.objects('PodDisruptionBudget')) {
    // Checked when the cluster was read.
    const budget = object as PodDisruptionBudget
    holdings.set(`${budget.metadata.namespace}/${budget.metadata.name}`, new FirstHolding(budget, podsIn))
  }
  return holdings
}

class FirstHolding implements Holding {
  readonly budget: PodDisruptionBudget
  readonly selector: Selector
  readonly #podsIn: PodsByLabel
  #pods: ReadonlyMap<string, PodState> | undefined

  constructor(budget: PodDisruptionBudget, podsIn: PodsByLabel) {
    this.budget = budget
    this.selector = budgetSelector(budget)
    this.#podsIn = podsIn
  }

  get pods(): ReadonlyMap<string, PodState> {
    this.#pods ??= this.#selected()
    return this.#pods
  }

  #selected(): ReadonlyMap<string, PodState> {
    const pods = new Map<string, PodState>()
    for (const pod of this.#podsIn.of(this.budget.metadata.namespace ?? '', tellingLabel(this.selector)))
      if (this.selector.matches(pod.object.metadata.labels)) pods.set(pod.key, pod)
    return pods
  }
}

/** The pods of namespaces, and those of them that have a label, in order of their keys. */
class PodsByLabel {
  readonly #in: (namespace: string) => Iterable<PodState>
  readonly #known = new Map<string, ReadonlyMap<string, readonly PodState[]>>()

  constructor(state: ClusterState) {
    this.#in = podsByNamespace(state)
  }

  of(namespace: string, label: ReturnType<typeof tellingLabel>): Iterable<PodState> {
    if (label === undefined) return this.#in(namespace)
    const place = `${namespace} ${label.key}`
    const known = this.#known.get(place) ?? this.#grouped(namespace, label.key)
    this.#known.set(place, known)
    const [first = '', ...more] = label.values
    if (more.length === 0) return known.get(first) ?? []
    const pods = [...new Set(label.values)].flatMap(value => known.get(value) ?? [])
    return pods.sort((a, b) => (a.key < b.key ? -1 : 1))
  }

  #grouped(namespace: string, key: string): ReadonlyMap<string, readonly PodState[]> {
    const grouped = new Map<string, PodState[]>()
    for (const pod of this.#in(namespace)) {
      const { labels = {} } = pod.object.metadata
      const value = Object.hasOwn(labels, key) ? labels[key] : undefined
      if (value !== undefined) pushTo(grouped, value, pod)
    }
    return grouped
  }
}

/** Where pods lie in order of their keys those of a namespace are found without looking at the others. */
function podsByNamespace({ pods }: ClusterState): (namespace: string) => Iterable<PodState> {
  if (pods instanceof SortedMap) return namespace => pods.under(`${namespace}/`)
  let grouped: ReadonlyMap<string, readonly PodState[]> | undefined
  return namespace => {
    grouped ??= Map.groupBy(pods.values(), pod => pod.namespace)
    return grouped.get(namespace) ?? []
  }
}

/** The budget as the controller would have it, which has caught up. */
function withStatus(budget: PodDisruptionBudget, { failure, ...status }: BudgetStatus): PodDisruptionBudget {
  return { ...budget, status: { ...status, observedGeneration: budget.metadata.generation ?? firstGeneration } }
}

/** The pod's object with the readiness the simulation gives it. */
function asObject({ object, isReady, nodeName }: PodState): PodState['object'] {
  const phase = isReady ? 'Running' : (object.status?.phase ?? (nodeName === undefined ? 'Pending' : 'Running'))
  return { ...object, status: { ...object.status, phase, conditions: [{ type: 'Ready', status: isReady ? 'True' : 'False' }] } }
}
