// Preemption: which pods of lower priority have to go, and from which node, so that a pod that fits nowhere gets a place. Pure:
// placements are forked, nothing is changed.

import type { PodState } from '#cluster/cluster-state.ts'
import { budgetSelector } from '#cluster/disruption-budget.ts'
import type { Placement } from '#cluster/placement.ts'
import type { PodDisruptionBudget } from '#kube/objects/objects.ts'

interface PreemptionInput {
  readonly placement: Placement
  readonly pod: PodState
  /** Pods that stand on a node, finished ones left out. */
  readonly podsOn: (node: string) => readonly PodState[]
  readonly budgets: readonly PodDisruptionBudget[]
}

interface Preemption {
  readonly node: string
  /** Most important first. */
  readonly victims: readonly PodState[]
}

interface Candidate extends Preemption {
  readonly violations: number
}

/** The node on which the least is lost, by kube-scheduler's order of what counts; `undefined` where no victims would help. */
export function preemptionFor(input: PreemptionInput): Preemption | undefined {
  if (input.pod.object.spec.preemptionPolicy === 'Never') return undefined
  const candidates = input.placement.nodes.map(node => candidateOn(input, node)).filter(candidate => candidate !== undefined)
  return candidates.toSorted(compare)[0]
}

/** All pods of lower priority are taken away; as many as possible are put back, the most important first, those that a budget protects before others. */
function candidateOn({ placement, pod, podsOn, budgets }: PreemptionInput, node: string): Candidate | undefined {
  const lower = podsOn(node).filter(other => other.priority < pod.priority && placement.nodeOf(other.key) === node)
  if (lower.length === 0) return undefined
  const trial = placement.fork()
  for (const other of lower) trial.remove(other.key, { claims: 'held' })
  if (trial.fits(pod, node).kind === 'refused') return undefined
  const { violating, free } = byBudget(lower.toSorted(moreImportantFirst), budgets)
  const victims: PodState[] = []
  let violations = 0
  for (const other of [...violating, ...free]) {
    trial.bind(other, node)
    if (trial.fits(pod, node).kind === 'feasible') continue
    trial.remove(other.key, { claims: 'held' })
    victims.push(other)
    if (violating.includes(other)) violations++
  }
  return { node, victims: victims.toSorted(moreImportantFirst), violations }
}

/** Pods whose loss a budget no longer allows, counting those before them. */
function byBudget(
  pods: readonly PodState[],
  budgets: readonly PodDisruptionBudget[],
): { readonly violating: readonly PodState[]; readonly free: readonly PodState[] } {
  const left = new Map(budgets.map(budget => [budget, budget.status?.disruptionsAllowed ?? 0]))
  const violating: PodState[] = []
  const free: PodState[] = []
  for (const pod of pods) {
    let isViolating = false
    for (const [budget, allowed] of left) {
      if (budget.metadata.namespace !== pod.namespace || !budgetSelector(budget).matches(pod.object.metadata.labels)) continue
      if (budget.status?.disruptedPods?.[pod.name] !== undefined) continue
      left.set(budget, allowed - 1)
      if (allowed <= 0) isViolating = true
    }
    ;(isViolating ? violating : free).push(pod)
  }
  return { violating, free }
}

function moreImportantFirst(a: PodState, b: PodState): number {
  return b.priority - a.priority || startedMs(a) - startedMs(b) || (a.key < b.key ? -1 : 1)
}

/** Fewest budgets broken, lowest top priority, lowest sum, fewest victims, the one whose most important victims started last, name. */
function compare(a: Candidate, b: Candidate): number {
  const top = (candidate: Candidate) => candidate.victims[0]?.priority ?? Number.NEGATIVE_INFINITY
  const sum = (candidate: Candidate) => candidate.victims.reduce((total, victim) => total + victim.priority + 2 ** 31, 0)
  const since = (candidate: Candidate) =>
    Math.min(...candidate.victims.filter(victim => victim.priority === top(candidate)).map(startedMs))
  return (
    a.violations - b.violations ||
    order(top(a), top(b)) ||
    sum(a) - sum(b) ||
    a.victims.length - b.victims.length ||
    order(since(b), since(a)) ||
    (a.node < b.node ? -1 : 1)
  )
}

/** Also for infinities, whose difference is no number. */
function order(a: number, b: number): number {
  return a < b ? -1 : a > b ? 1 : 0
}

function startedMs(pod: PodState): number {
  const ms = Date.parse(pod.object.status?.startTime ?? '')
  return Number.isNaN(ms) ? Number.MAX_SAFE_INTEGER : ms
}
