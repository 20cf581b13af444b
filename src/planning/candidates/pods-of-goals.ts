// Which pods a plan of a very large cluster asks about: those that can bring a missed goal closer by themselves. Pods that could only make
// room for others are left alone there, because asking where each of them fits takes too long.
import type { PodState } from '#cluster/cluster-state.ts'
import { requestedOn } from '../goals/bounds.ts'
import { goalRows } from '../goals/goals.ts'
import { furtherResources } from '../goals/resources.ts'
import type { PlanInput } from '../plan-input.ts'

/** Pods times nodes up to which all pods are asked about. */
const mostPairs = 4_000_000
/** Pods of the fullest nodes that are asked about for goals that want more on a node, and for those over several nodes. */
const mostGivers = 10_000

/** Whether a pod is asked about; undefined: all are. */
export function podsOfGoals(input: PlanInput): ((pod: Pick<PodState, 'nodeName'>) => boolean) | undefined {
  const { state, policy } = input
  if (policy.isolation !== undefined || state.pods.size * state.nodes.size <= mostPairs) return undefined
  const names = [...state.nodes.keys()]
  const sources = new Set<string>()
  const toFill = new Set<string>()
  for (const row of goalRows(state, policy, input.measured)) {
    const name = names[row.node]
    if (name === undefined) continue
    if (row.bound === 'max' && row.used > row.limit) sources.add(name)
    if (row.bound === 'min' && row.used < row.limit) toFill.add(name)
  }
  // What a goal over several nodes needs is not told by single nodes: the fullest give.
  if (toFill.size > 0 || policy.fleetGoals.length > 0) for (const name of givers(input, toFill)) sources.add(name)
  return ({ nodeName }) => nodeName !== undefined && sources.has(nodeName)
}

/** The fullest nodes that are to give, in order, with so many pods as are asked about. */
function givers({ state, policy }: PlanInput, toFill: ReadonlySet<string>): readonly string[] {
  const resources = ['cpu', 'memory', ...furtherResources(policy)]
  const fullness = (name: string) => {
    const requested = requestedOn(state, name)
    const { allocatable = {} } = state.nodes.get(name) ?? {}
    return Math.max(...resources.map(resource => (requested[resource] ?? 0) / Math.max(1, allocatable[resource] ?? 0)))
  }
  const ordered = Array.from(state.nodes.keys())
    .filter(name => !toFill.has(name))
    .map(name => ({ name, full: fullness(name) }))
    .sort((a, b) => b.full - a.full || (a.name < b.name ? -1 : 1))
  let pods = 0
  const last = ordered.findIndex(({ name }) => {
    pods += state.podsOn(name).length
    return pods >= mostGivers
  })
  return ordered.slice(0, last < 0 ? ordered.length : last + 1).map(({ name }) => name)
}
