// RemovePodsViolatingTopologySpreadConstraint: pods of domains that have too many. Kept as upstream has it: of a domain the pods of the
// highest priority go first (its comments say the opposite); every constraint is balanced alone; a pod that fits nowhere counts as moved
// all the same; `minDomains` is not looked at; a constraint without a selector means no pod.
import type { PodState } from '#cluster/cluster-state.ts'
import type { StrategyRun, StrategyView } from '../contract.ts'
import { type Breath, breath, type Pace, sorted } from '../pace.ts'
import type { GroupedPods } from '../pod-shapes.ts'
import type { TopologySpreadArgs } from '../policy/args.ts'
import { choosing } from './pod-choice.ts'
import { byNodeAndKey, compare } from './pod-order.ts'
import { type SpreadConstraint, spreadConstraintsOf } from './spread-constraints.ts'
import { balance, type Domain, isBalanced } from './spread-domains.ts'
import { SpreadTopology } from './spread-topology.ts'
import { Wishing } from './wishing.ts'

export function* topologySpread(args: TopologySpreadArgs, view: StrategyView): StrategyRun {
  const wishing = new Wishing(view, args.plugin)
  const topology = new SpreadTopology(view.nodes)
  const { constraints, pods } = yield* constrained(args, view, wishing)
  const marked = new Set<PodState>()
  for (const [namespace, ofNamespace] of [...constraints].sort(([a], [b]) => compare(a, b))) {
    for (const constraint of ofNamespace.values()) {
      const domains = yield* domainsOf(constraint, topology, {
        pods: pods.matching(namespace, constraint.selector),
        pace: view.pace,
      })
      if (isBalanced(domains, constraint.maxSkew)) continue
      for (const pod of yield* movedPods(domains, constraint, { args, view, wishing, topology })) marked.add(pod)
    }
  }
  const full = new Set<string>()
  for (const pod of yield* sorted([...marked], byNodeAndKey, view.pace)) {
    if (view.pace.isDue()) yield breath
    if (full.has(pod.nodeName ?? '') || !wishing.passesBoth(pod)) continue
    const ending = yield* wishing.wish(pod)
    if (ending === 'node-limit') full.add(pod.nodeName ?? '')
    if (ending === 'total-limit') return
  }
}

interface Constrained {
  /** Each constraint once, by namespace and identity. */
  readonly constraints: ReadonlyMap<string, ReadonlyMap<string, SpreadConstraint>>
  /** Those that count. */
  readonly pods: GroupedPods
}

function* constrained(args: TopologySpreadArgs, view: StrategyView, wishing: Wishing): Generator<Breath, Constrained, unknown> {
  const isChosen = choosing(args, view)
  const allowed = new Set<string>(args.constraints)
  const constraintsOf = view.byShape(pod => spreadConstraintsOf(pod, allowed))
  const constraints = new Map<string, Map<string, SpreadConstraint>>()
  const counting: PodState[] = []
  for (const node of view.nodes) {
    for (const pod of view.activePods(node.name)) {
      if (view.pace.isDue()) yield breath
      if (!isChosen(pod) || !wishing.passesFilter(pod)) continue
      counting.push(pod)
      for (const constraint of constraintsOf(pod)) {
        const known = constraints.get(pod.namespace) ?? new Map<string, SpreadConstraint>()
        constraints.set(pod.namespace, known)
        if (!known.has(constraint.identity)) known.set(constraint.identity, constraint)
      }
    }
  }
  return { constraints, pods: yield* view.grouped(counting) }
}

/** Values of the key on nodes that count, some of them without pods, and those where pods are that the constraint means. */
function* domainsOf(
  constraint: SpreadConstraint,
  topology: SpreadTopology,
  { pods, pace }: { readonly pods: Iterable<PodState>; readonly pace: Pace },
): Generator<Breath, readonly Domain[], unknown> {
  const valueByNode = topology.valuesOf(constraint.topologyKey)
  const domains = new Map<string, PodState[]>()
  const values = topology.domains(constraint)
  for (const value of values) domains.set(value, [])
  if (pace.isDue(1 + values.size)) yield breath
  for (const pod of pods) {
    if (pace.isDue()) yield breath
    const value = valueByNode.get(pod.nodeName ?? '')
    if (value === undefined || pod.isTerminating) continue
    const domain = domains.get(value)
    if (domain === undefined) domains.set(value, [pod])
    else domain.push(pod)
  }
  return Array.from(domains, ([value, of]) => ({ value, pods: of }))
}

interface Moving {
  readonly args: TopologySpreadArgs
  readonly view: StrategyView
  readonly wishing: Wishing
  readonly topology: SpreadTopology
}

/** The pods that `balance` moves and that have somewhere to go, or all that it moves where the policy does not ask. */
function* movedPods(
  domains: readonly Domain[],
  constraint: SpreadConstraint,
  { args, view, wishing, topology }: Moving,
): Generator<Breath, readonly PodState[], unknown> {
  const mean = domains.reduce((sum, { pods }) => sum + pods.length, 0) / domains.length
  const below = new Set(domains.filter(({ pods }) => pods.length < mean).map(({ value }) => value))
  const targets = topology.targets(constraint, below)
  const known = new Map<PodState, boolean>()
  const fits = (pod: PodState) => {
    const fit = known.get(pod) ?? view.fit.fitsAnyOther(pod, targets)
    known.set(pod, fit)
    return fit
  }
  const moved = yield* balance(domains, { maxSkew: constraint.maxSkew, mean, fits, pace: view.pace })
  return yield* wishing.picked(
    moved,
    pod => !args.topologyBalanceNodeFit || fits(pod) || wishing.stays(pod, 'it does not fit on any other node'),
  )
}
