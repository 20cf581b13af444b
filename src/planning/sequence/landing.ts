// Where a replacement will land under each way of steering: as the scheduler is (observe), with a soft taint on every other node
// (prefer), or held by a gate until it is bound to one node (hold).

import type { PodState } from '#cluster/cluster-state.ts'
import type { Placement } from '#cluster/placement.ts'
import type { NodeSelector, Pod, Taint } from '#kube/objects/objects.ts'
import type { PlanPolicy } from '../goals/policy.ts'
import type { Amounts } from '../plan-record.ts'

/** The taint that steers, worth 300 points on each node outside the acceptable ones. */
const steeringTaint: Taint = { key: 'ballast.dev/rebalance', value: 'plan', effect: 'PreferNoSchedule' }

interface Landing {
  /** Nodes that share the top total, and with them all that could win a partial search. */
  readonly nodes: readonly string[]
  /** The total of every node that is feasible. */
  readonly totals: Amounts
  /** Why `to` is not among the feasible. */
  readonly refusal?: { readonly filter: string; readonly reason: string }
}

/** Where `pending` lands in `placement` when the plan wants it on `to`, or as well on any of `acceptable`. */
export function predictLanding(
  placement: Placement,
  pending: PodState,
  options: { readonly mode: PlanPolicy['landing']; readonly to: string; readonly acceptable?: readonly string[] },
): Landing {
  const { mode, to, acceptable = [to] } = options
  if (mode === 'hold') {
    // Bound to one node, a hard spread would count that node alone and pass anything: the pod has to fit as it is, too.
    const free = placement.fits(pending, to)
    if (free.kind === 'refused') return { nodes: [], totals: {}, refusal: { filter: free.filter, reason: free.reasons[0] ?? '' } }
  }
  const evaluation =
    mode === 'hold'
      ? placement.evaluate(boundTo(pending, to))
      : mode === 'prefer'
        ? placement.evaluate(pending, { extraTaints: taintedBut(placement.nodes, new Set(acceptable)) })
        : placement.evaluate(pending)
  const totals: Record<string, number> = {}
  for (const [node, verdict] of evaluation.verdicts) if (verdict.kind === 'feasible') totals[node] = verdict.total
  const verdict = evaluation.verdicts.get(to)
  const landing = { nodes: evaluation.landing, totals }
  if (verdict?.kind !== 'refused') return landing
  return { ...landing, refusal: { filter: verdict.filter, reason: verdict.reasons[0] ?? '' } }
}

function taintedBut(nodes: readonly string[], acceptable: ReadonlySet<string>): ReadonlyMap<string, readonly Taint[]> {
  return new Map(nodes.filter(node => !acceptable.has(node)).map(node => [node, [steeringTaint]]))
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
