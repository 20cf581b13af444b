// Moves by pair of nodes, the largest first; what many pairs have left is one row.
import type { RebalancePlan } from '#coordination/api.ts'
import type { Flow } from '../../contract.ts'

/** So many pairs are told one by one; of more all but the largest are one row. */
const mostPairs = 12

/** The pairs of nodes between which pods go. Sums of all rows are those of the plan. */
export function flowsOf({ spec, status }: RebalancePlan): readonly Flow[] {
  const done = new Set(
    (status?.steps ?? []).filter(({ state }) => state === 'Landed' || state === 'Mismatch').map(({ id }) => id),
  )
  const pairs = new Map<string, Flow>()
  for (const { id, from, to, certificate } of spec.moves) {
    const key = JSON.stringify([from, to])
    const flow = pairs.get(key) ?? { from, to, pairs: 1, pods: 0, cpu: 0, memory: 0, done: 0 }
    pairs.set(key, {
      ...flow,
      pods: flow.pods + 1,
      cpu: flow.cpu + (certificate.requests['cpu'] ?? 0),
      memory: flow.memory + (certificate.requests['memory'] ?? 0),
      done: flow.done + (done.has(id) ? 1 : 0),
    })
  }
  const flows = [...pairs.values()].toSorted((a, b) => b.pods - a.pods || compare(a.from, b.from) || compare(a.to, b.to))
  if (flows.length <= mostPairs) return flows
  return [...flows.slice(0, mostPairs - 1), restOf(flows.slice(mostPairs - 1))]
}

function restOf(flows: readonly Flow[]): Flow {
  const sum = (field: 'pods' | 'cpu' | 'memory' | 'done') => flows.reduce((total, flow) => total + flow[field], 0)
  return { from: '', to: '', pairs: flows.length, pods: sum('pods'), cpu: sum('cpu'), memory: sum('memory'), done: sum('done') }
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}
