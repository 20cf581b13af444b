// What a node draws: idle, and the rest in proportion to the CPU in use.
import type { ClusterState } from '#cluster/cluster-state.ts'
import { requestedOn } from '../goals/bounds.ts'
import type { Measurements } from '../goals/goals.ts'
import type { EnergyNode } from '../goals/policy.ts'

const offTaint = 'ballast.dev/off'
/** A machine that shuts down draws about what it draws idle, for about so long. */
const shutdownSeconds = 60

interface Load {
  /** Millicores. */
  readonly used: number
  readonly allocatable: number
  /** Measured, or for want of that what pods request. */
  readonly by: 'usage' | 'requests'
}

export function loadOf(state: ClusterState, name: string, measured: Measurements | undefined): Load {
  const allocatable = state.nodes.get(name)?.allocatable['cpu'] ?? 0
  const usage = measured?.nodes.get(name)?.['cpu']
  if (usage !== undefined) return { used: usage, allocatable, by: 'usage' }
  return { used: requestedOn(state, name)['cpu'] ?? 0, allocatable, by: 'requests' }
}

/** Watts of a node that is on with so many millicores in use, to a tenth. */
export function wattsOf({ idleWatts, maxWatts }: EnergyNode, { used, allocatable }: Pick<Load, 'used' | 'allocatable'>): number {
  const share = allocatable > 0 ? Math.min(1, Math.max(0, used / allocatable)) : 0
  return tenth(idleWatts + (maxWatts - idleWatts) * share)
}

export function tenth(watts: number): number {
  return Math.round(watts * 10) / 10
}

/** Watts that an empty node saves by being off. */
export function savedWatts({ idleWatts, standbyWatts }: EnergyNode): number {
  return tenth(idleWatts - standbyWatts)
}

/** Seconds that a node has to be off before that has paid for going down and booting. Infinite where it saves nothing. */
export function breakEvenSeconds(node: EnergyNode): number {
  const saved = node.idleWatts - node.standbyWatts
  if (saved <= 0) return Number.POSITIVE_INFINITY
  return (node.bootSeconds * node.maxWatts + shutdownSeconds * node.idleWatts) / saved
}

/** Switched off by us and not back: it draws its standby. */
export function isOff(state: ClusterState, name: string): boolean {
  const node = state.nodes.get(name)
  return node !== undefined && !node.isReady && (node.object.spec?.taints ?? []).some(({ key }) => key === offTaint)
}
