// What would break first when a node is lost: each loss is played with the scheduler's model.
import type { ClusterState } from '#cluster/cluster-state.ts'
import type { SchedulerSettings } from '#cluster/scheduler-settings.ts'
import type { FleetGoal } from '#planning/goals/policy.ts'
import { takesOver, worstLoss } from '#planning/goals/survival.ts'
import type { Loss } from '#planning/plan-record.ts'

/** With more nodes only the worst loss is played to its end, since each node that is told costs a model of the whole cluster. */
const mostNodesEach = 50

/** Losses that leave pods without a place, the worst first; `undefined` where there is too much to play. */
export function lossesOf(state: ClusterState, settings: SchedulerSettings): readonly Loss[] | undefined {
  const names = [...state.nodes.values()].filter(takesOver).map(({ name }) => name)
  if (names.length === 0) return []
  const worst = worstLoss(state, lossOf(names), whole, settings)
  if (worst === undefined) return undefined
  const each =
    names.length > mostNodesEach ? [worst] : names.flatMap(name => worstLoss(state, lossOf([name]), whole, settings) ?? [])
  return each
    .filter(({ pending }) => pending.length > 0)
    .toSorted((a, b) => b.pending.length - a.pending.length || (a.lost < b.lost ? -1 : 1))
}

/** Nodes may be filled to their brim: it is asked what breaks, not what is comfortable. */
const whole = { headroom: { cpu: 100, memory: 100, pods: 100 } } as const

/** The loss of any one of these nodes. */
function lossOf(names: readonly string[]): FleetGoal {
  const members = names.map(name => ({ name, nodes: [name] }))
  return { name: 'look', measure: 'survives', resource: 'cpu', sets: [{ name: 'nodes', members }], margin: 1, hard: false }
}
