// What a cluster has and does not use: requests beyond what was measured, and nodes with next to nothing on them.
import type { ClusterState } from '#cluster/cluster-state.ts'
import type { Measurements } from '#planning/goals/goals.ts'
import { nodeShares } from '#planning/goals/goals.ts'
import type { EnergyNode } from '#planning/goals/policy.ts'
import type { IdleNode, Waste, Wasted } from './look.ts'

/** Percent of allocatable; a node below it in CPU and memory is idle. */
const idleBelow = 10

const resources = ['cpu', 'memory'] as const

/** `energy`: what nodes draw, where their owner says it. */
export function wasteOf(state: ClusterState, measured: Measurements, energy: readonly EnergyNode[]): Waste {
  return { resources: resources.map(resource => wasted(state, resource, measured)), idle: idleNodes(state, energy) }
}

function wasted(state: ClusterState, resource: Wasted['resource'], measured: Measurements): Wasted {
  let [allocatable, requested, amount, pods] = [0, 0, 0, 0]
  for (const node of state.nodes.values()) {
    allocatable += node.allocatable[resource] ?? 0
    for (const pod of state.podsOn(node.name)) {
      const asked = pod.requests[resource] ?? 0
      requested += asked
      const used = measured.pods.get(pod.key)?.[resource]
      if (used === undefined) continue
      pods += 1
      amount += Math.max(0, asked - used)
    }
  }
  return { resource, allocatable, requested, ...(pods === 0 ? {} : { unused: { amount, pods } }) }
}

/** Ready nodes that take pods and have next to none. */
function idleNodes(state: ClusterState, energy: readonly EnergyNode[]): readonly IdleNode[] {
  const shares = Map.groupBy(nodeShares(state), ({ node }) => node)
  return [...state.nodes.values()].flatMap(({ name, isReady, isSchedulable }) => {
    const percent = (resource: string) => shares.get(name)?.find(one => one.resource === resource)?.percent ?? 0
    const [cpu, memory] = [percent('cpu'), percent('memory')]
    if (!isReady || !isSchedulable || cpu >= idleBelow || memory >= idleBelow) return []
    const watts = energy.find(one => one.name === name)?.idleWatts
    return [{ name, cpu, memory, ...(watts === undefined ? {} : { watts }) }]
  })
}
