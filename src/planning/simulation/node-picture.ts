// The nodes after a step: how full, in which state, how many watts.

import type { ClusterState } from '#cluster/cluster-state.ts'
import { nodeUtilisation } from '#cluster/utilisation.ts'
import type { ResourceShare, SimulatedNode } from './report.ts'

/** What a node takes at rest, at full load, and switched off. */
export interface NodeWatts {
  readonly idle: number
  readonly max: number
  readonly standby: number
}

export type WattsByNode = ReadonlyMap<string, NodeWatts>

/** Every node in order of names. Watts lie between idle and max by the share of CPU that is requested. */
export function nodePictures(state: ClusterState, watts: WattsByNode, off: ReadonlySet<string>): readonly SimulatedNode[] {
  return [...state.nodes.values()].map(node => {
    const use = nodeUtilisation(state, node.name)
    const share = (resource: string): ResourceShare => {
      const { numerator, denominator, truncated } = use.percent(resource)
      return {
        requested: numerator,
        allocatable: denominator,
        percent: rounded(denominator === 0 ? 0 : (100 * numerator) / denominator),
        printed: truncated,
      }
    }
    const cpu = share('cpu')
    const known = watts.get(node.name)
    return {
      node: node.name,
      state: off.has(node.name) ? 'off' : !node.isReady ? 'not-ready' : node.isSchedulable ? 'ready' : 'cordoned',
      pods: use.pods,
      podsAllocatable: node.allocatable['pods'] ?? 0,
      cpu,
      memory: share('memory'),
      ...(known === undefined ? {} : { watts: rounded(off.has(node.name) ? known.standby : wattsAt(known, cpu)) }),
    }
  })
}

function wattsAt({ idle, max }: NodeWatts, { requested, allocatable }: ResourceShare): number {
  const used = allocatable === 0 ? 0 : Math.min(1, requested / allocatable)
  return idle + (max - idle) * used
}

/** Watts of the nodes that are known. */
export function wattsTogether(nodes: readonly SimulatedNode[]): number | undefined {
  const known = nodes.flatMap(({ watts }) => (watts === undefined ? [] : [watts]))
  return known.length === 0 ? undefined : rounded(known.reduce((sum, watts) => sum + watts, 0))
}

function rounded(value: number): number {
  return Math.round(value * 100) / 100
}
