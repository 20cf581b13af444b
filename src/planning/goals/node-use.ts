// What nodes draw or cost together: by whether anything runs on them that would have to go elsewhere, and for watts by how much CPU is requested.

import type { ClusterState, PodState } from '#cluster/cluster-state.ts'
import type { GoalPart, GoalRow } from '../model/move-model.ts'
import type { Amounts } from '../plan-record.ts'
import { requestedOn } from './bounds.ts'
import type { FleetGoal, NodeRate } from './policy.ts'

/** A sum of prices or watts is no whole number: what is beyond a bound by less is not. */
const smallest = 1e-9

/** A node of a goal as it stands. */
interface NodeUse {
  readonly rate: NodeRate
  /** Pods that would have to go elsewhere if the node went. */
  readonly holders: number
  /** Requested by all pods, and by those, in millicores. */
  readonly cpu: number
  readonly heldCpu: number
  /** Allocatable, in millicores. */
  readonly allocatable: number
}

/** Whether the pod keeps its node in use: pods of a DaemonSet, of the kubelet, and those that are going away already do not. */
function holdsNode({ object, isTerminating }: PodState): boolean {
  const maker = object.metadata.ownerReferences?.find(owner => owner.controller === true)?.kind
  return !isTerminating && maker !== 'DaemonSet' && maker !== 'Node'
}

/** How the nodes of a goal stand after `change`; it is of pods that hold their nodes, since no others move. */
export function usesOf(
  state: ClusterState,
  { rates = [] }: Pick<FleetGoal, 'rates'>,
  change: ReadonlyMap<string, Amounts> = new Map(),
): readonly NodeUse[] {
  return rates.map(rate => {
    const held = state.podsOn(rate.node).filter(holdsNode)
    const { cpu = 0, pods = 0 } = change.get(rate.node) ?? {}
    return {
      rate,
      holders: held.length + pods,
      cpu: (requestedOn(state, rate.node)['cpu'] ?? 0) + cpu,
      heldCpu: held.reduce((sum, { requests }) => sum + (requests['cpu'] ?? 0), 0) + cpu,
      allocatable: state.nodes.get(rate.node)?.allocatable['cpu'] ?? 0,
    }
  })
}

/** Watts, or the price an hour, of all of them. */
export function figureOfUses(uses: readonly NodeUse[]): number {
  return uses.reduce((sum, use) => sum + (use.holders > 0 ? use.rate.idle + slopeOf(use) * use.cpu : use.rate.unused), 0)
}

/** Whether a bound on watts or prices holds. */
export function isWithinUse(figure: number, atMost: number): boolean {
  return figure <= atMost + smallest
}

/** What all of the nodes draw or cost together at full work: so much are 100 points of such a goal. */
export function wholeOfRates({ rates = [] }: Pick<FleetGoal, 'rates'>): number {
  return rates.reduce((sum, { full }) => sum + full, 0)
}

/** Nodes that nothing holds: whoever switches or deletes nodes could do so with these. */
export function unusedNodes(uses: readonly NodeUse[]): readonly string[] {
  return uses.filter(({ holders }) => holders <= 0).map(({ rate }) => rate.node)
}

/** The row of a goal of watts or cost, with the parts of each node: whether it is in use, and where that counts the CPU of what holds it. */
export function useRow(
  goal: FleetGoal,
  uses: readonly NodeUse[],
  indexes: ReadonlyMap<string, number>,
): Pick<GoalRow, 'parts' | 'measure' | 'bound' | 'limit' | 'used' | 'allocatable'> {
  const parts = uses.flatMap((use): readonly GoalPart[] => {
    const nodes = [indexes.get(use.rate.node) ?? -1]
    const slope = slopeOf(use)
    const step = use.rate.idle - use.rate.unused + slope * (use.cpu - use.heldCpu)
    return [
      { nodes, factor: step, used: use.holders, isStep: true },
      ...(slope === 0 ? [] : [{ nodes, factor: slope, used: use.heldCpu }]),
    ]
  })
  const always = uses.reduce((sum, { rate }) => sum + rate.unused, 0)
  return {
    ...{ parts, measure: 'use', bound: 'max', limit: (goal.max ?? 0) - always },
    used: figureOfUses(uses) - always,
    allocatable: wholeOfRates(goal),
  }
}

/** For each millicore. */
function slopeOf({ rate, allocatable }: Pick<NodeUse, 'rate' | 'allocatable'>): number {
  return allocatable > 0 ? (rate.full - rate.idle) / allocatable : 0
}
