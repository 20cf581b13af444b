// Where a replacement will land under each way of steering: as the scheduler is (observe), with a soft taint on every other node
// (prefer), or held by a gate until it is bound to one node (hold).

import type { PodState } from '#cluster/cluster-state.ts'
import type { Evaluation, Placement } from '#cluster/placement.ts'
import type { NodeSelector, Pod, Taint } from '#kube/objects/objects.ts'
import type { PlanPolicy } from '../goals/policy.ts'
import type { Amounts } from '../plan-record.ts'

/** The taint that steers, worth 300 points on each node outside the acceptable ones. */
const steeringTaint: Taint = { key: 'ballast.dev/rebalance', value: 'plan', effect: 'PreferNoSchedule' }

/** One of so many landings may be elsewhere. */
const landingsPerMiss = 1_000
/** A move whose replacement lands where it may with less probability is not planned. */
export const leastLikely = 1 - 1 / landingsPerMiss

interface Landing {
  /** Nodes that share the top total, and with them all that could win a partial search. */
  readonly nodes: readonly string[]
  /** The total of every node that is feasible. */
  readonly totals: Amounts
  /** How probable it is that it lands where it may: 1 where nothing else can be. */
  readonly likely: number
  /** Why `to` is not among the feasible. */
  readonly refusal?: { readonly filter: string; readonly reason: string }
}

/** Where `pending` lands in `placement` when the plan wants it on `to`, or as well on any node that it `accepts`. */
export function predictLanding(
  placement: Placement,
  pending: PodState,
  options: {
    readonly mode: PlanPolicy['landing']
    readonly to: string
    readonly accepts?: (node: string) => boolean
  },
): Landing {
  const { mode, to, accepts = node => node === to } = options
  if (mode === 'hold') {
    // Bound to one node, a hard spread would count that node alone and pass anything: the pod has to fit as it is, too.
    const free = placement.fits(pending, to)
    if (free.kind === 'refused')
      return { nodes: [], totals: {}, likely: 0, refusal: { filter: free.filter, reason: free.reasons[0] ?? '' } }
  }
  const evaluation =
    mode === 'hold'
      ? placement.evaluate(boundTo(pending, to))
      : mode === 'prefer'
        ? placement.evaluate(pending, { extraTaints: taintedBut(placement.nodes, accepts) })
        : placement.evaluate(pending)
  const totals: Record<string, number> = {}
  for (const [node, verdict] of evaluation.verdicts) if (verdict.kind === 'feasible') totals[node] = verdict.total
  const verdict = evaluation.verdicts.get(to)
  const landing = {
    nodes: evaluation.landing,
    totals,
    likely: likelihood(evaluation, { totals, order: () => placement.searchOrder, accepts }),
  }
  if (verdict?.kind !== 'refused') return landing
  return { ...landing, refusal: { filter: verdict.filter, reason: verdict.reasons[0] ?? '' } }
}

/**
 * How probable it is that a pod lands on a node that `accepts` says. Where another node could win, the pod misses only where the scheduler
 * finds none of the `sure` ones: those that are accepted and have more points than the best of the others. It finds `found` of the feasible
 * nodes in a row, from a start that nobody knows. The less favourable counts of two reckonings: the part of all starts in its own order of
 * nodes, and nodes drawn in no order, since nodes that came later may lie elsewhere.
 */
function likelihood(
  { landing, found }: Pick<Evaluation, 'landing' | 'found'>,
  {
    totals,
    order,
    accepts,
  }: { readonly totals: Amounts; readonly order: () => readonly string[]; readonly accepts: (node: string) => boolean },
): number {
  if (landing.length === 0) return 0
  const others = landing.filter(node => !accepts(node))
  if (others.length === 0) return 1
  const best = others.reduce((most, node) => Math.max(most, totals[node] ?? 0), Number.NEGATIVE_INFINITY)
  const feasible = Object.entries(totals)
  const sure = new Set(feasible.flatMap(([node, total]) => (total > best && accepts(node) ? [node] : [])))
  return 1 - Math.max(missedByDraws(feasible.length, sure.size, found), missedByStarts(order(), totals, sure, found))
}

/** The product of (feasible - sure - i) / (feasible - i) for i below `found`: draws without putting back that have none. */
function missedByDraws(feasible: number, sure: number, found: number): number {
  let missed = 1
  for (let at = 0; at < found && missed > 0; at++) missed *= Math.max(0, feasible - sure - at) / (feasible - at)
  return missed
}

/** The part of all nodes from which on the next `found` feasible ones have none. */
function missedByStarts(order: readonly string[], totals: Amounts, sure: ReadonlySet<string>, found: number): number {
  const isFeasible = (name: string) => Object.hasOwn(totals, name)
  const row = order.filter(isFeasible)
  // How many starts come to each feasible node first: itself, and those right before it that are not feasible.
  const starts: number[] = []
  let before = 0
  for (const name of order) {
    if (!isFeasible(name)) before++
    else {
      starts.push(before + 1)
      before = 0
    }
  }
  starts[0] = (starts[0] ?? 0) + before
  const isSure = (at: number) => Number(sure.has(row[at % row.length] ?? ''))
  let inside = 0
  for (let at = 0; at < found; at++) inside += isSure(at)
  let missed = 0
  for (let at = 0; at < row.length; at++) {
    if (inside === 0) missed += starts[at] ?? 0
    inside += isSure(at + found) - isSure(at)
  }
  return missed / Math.max(1, order.length)
}

function taintedBut(nodes: readonly string[], accepts: (node: string) => boolean): ReadonlyMap<string, readonly Taint[]> {
  return new Map(nodes.filter(node => !accepts(node)).map(node => [node, [steeringTaint]]))
}

/** The pod with the required node affinity that `hold` adds while the gate is on: appended to each term, or a term of its own. */
function boundTo(pending: PodState, to: string): PodState {
  const field = { key: 'metadata.name', operator: 'In', values: [to] }
  const { affinity } = pending.object.spec
  const terms = affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution?.nodeSelectorTerms ?? []
  const required: NodeSelector = {
    nodeSelectorTerms:
      terms.length === 0
        ? [{ matchFields: [field] }]
        : terms.map(term => ({ ...term, matchFields: [...(term.matchFields ?? []), field] })),
  }
  const nodeAffinity = { ...affinity?.nodeAffinity, requiredDuringSchedulingIgnoredDuringExecution: required }
  const object: Pod = { ...pending.object, spec: { ...pending.object.spec, affinity: { ...affinity, nodeAffinity } } }
  return { ...pending, object }
}
