// RemovePodsViolatingTopologySpreadConstraint: pods of domains that have too many. Kept as upstream has it: of a domain the pods of the
// highest priority go first (its comments say the opposite); every constraint is balanced alone; a pod that fits nowhere counts as moved
// all the same; `minDomains` is not looked at; a constraint without a selector means no pod.
import type { PodState } from '#cluster/cluster-state.ts'
import type { StrategyRun, StrategyView } from '../contract.ts'
import type { TopologySpreadArgs } from '../policy/args.ts'
import { choosing } from './pod-choice.ts'
import { byNodeAndKey, compare } from './pod-order.ts'
import { includesNode, type SpreadConstraint, spreadConstraintsOf } from './spread-constraints.ts'
import { balance, type Domain, isBalanced } from './spread-domains.ts'
import { Wishing } from './wishing.ts'

export function* topologySpread(args: TopologySpreadArgs, view: StrategyView): StrategyRun {
  const wishing = new Wishing(view, args.plugin)
  const isChosen = choosing(args)
  const pods = view.nodes.flatMap(node => view.activePods(node.name).filter(pod => isChosen(pod) && wishing.passesFilter(pod)))
  const marked = new Set<PodState>()
  for (const [, ofNamespace] of [...Map.groupBy(pods, pod => pod.namespace)].sort(([a], [b]) => compare(a, b))) {
    for (const constraint of spreadConstraintsOf(ofNamespace, new Set<string>(args.constraints))) {
      const domains = domainsOf(constraint, ofNamespace, view)
      if (isBalanced(domains, constraint.maxSkew)) continue
      for (const pod of movedPods(domains, constraint, args, view, wishing)) marked.add(pod)
    }
  }
  const full = new Set<string>()
  for (const pod of [...marked].sort(byNodeAndKey)) {
    if (full.has(pod.nodeName ?? '') || !wishing.passesBoth(pod)) continue
    const ending = yield* wishing.wish(pod)
    if (ending === 'node-limit') full.add(pod.nodeName ?? '')
    if (ending === 'total-limit') return
  }
}

/** Values of the key on nodes that count, some of them without pods, and those where pods are that the constraint means. */
function domainsOf(constraint: SpreadConstraint, pods: readonly PodState[], view: StrategyView): readonly Domain[] {
  const domains = new Map<string, PodState[]>()
  const values = new Map<string, string>()
  for (const node of view.nodes) {
    const { labels = {} } = node.object.metadata
    const value = Object.hasOwn(labels, constraint.topologyKey) ? labels[constraint.topologyKey] : undefined
    if (value === undefined) continue
    values.set(node.name, value)
    if (includesNode(constraint, node)) domains.set(value, [])
  }
  for (const pod of pods) {
    const value = values.get(pod.nodeName ?? '')
    if (value === undefined || pod.isTerminating || !constraint.selector.matches(pod.object.metadata.labels)) continue
    const domain = domains.get(value)
    if (domain === undefined) domains.set(value, [pod])
    else domain.push(pod)
  }
  return Array.from(domains, ([value, of]) => ({ value, pods: of }))
}

/** The pods that `balance` moves and that have somewhere to go, or all that it moves where the policy does not ask. */
function movedPods(
  domains: readonly Domain[],
  constraint: SpreadConstraint,
  args: TopologySpreadArgs,
  view: StrategyView,
  wishing: Wishing,
): readonly PodState[] {
  const mean = domains.reduce((sum, { pods }) => sum + pods.length, 0) / domains.length
  const below = new Set(domains.filter(({ pods }) => pods.length < mean).map(({ value }) => value))
  const targets = view.nodes.filter(node => {
    const value = node.object.metadata.labels?.[constraint.topologyKey]
    return value !== undefined && below.has(value) && includesNode(constraint, node)
  })
  const known = new Map<PodState, boolean>()
  const fits = (pod: PodState) => {
    const fit = known.get(pod) ?? view.fit.fitsAnyOther(pod, targets)
    known.set(pod, fit)
    return fit
  }
  const moved = balance(domains, { maxSkew: constraint.maxSkew, mean, fits })
  return moved.filter(pod => !args.topologyBalanceNodeFit || fits(pod) || wishing.stays(pod, 'it does not fit on any other node'))
}
