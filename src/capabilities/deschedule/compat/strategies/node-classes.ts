// Which nodes are used too little and which too much: percentages of what there is, against thresholds for all nodes or deviations from
// the mean.
import type { NodeState } from '#cluster/cluster-state.ts'
import { type Breath, breath, type Pace } from '../pace.ts'
import type { Thresholds } from '../policy/args.ts'
import { type Amounts, capacityOf, type Usage } from './usage.ts'

/** A node's figures cost as much as so many looks at a pod. */
const unitsOfNode = 8

/** A node with its figures of this moment. `usage` goes down as pods are evicted. */
export interface NodeFigures {
  readonly node: NodeState
  readonly capacity: Amounts
  readonly usage: Map<string, bigint>
  /** Percent by resource, of those that the node has. */
  readonly percent: ReadonlyMap<string, number>
}

interface Levels {
  readonly low: Thresholds
  readonly high: Thresholds
}

export function* figuresOf(
  nodes: readonly NodeState[],
  usage: Usage,
  pace: Pace,
): Generator<Breath, readonly NodeFigures[], unknown> {
  const figures: NodeFigures[] = []
  for (const node of nodes) {
    const [capacity, used] = [capacityOf(node), new Map(usage.node(node.name))]
    figures.push({ node, capacity, usage: used, percent: percentages(used, capacity) })
    if (pace.isDue(unitsOfNode)) yield breath
  }
  return figures
}

/** Percentages of the resources that the node has; 0 where it has none of one. */
function percentages(usage: Amounts, capacity: Amounts): ReadonlyMap<string, number> {
  const percent = new Map<string, number>()
  for (const [name, used] of usage) {
    const whole = capacity.get(name)
    if (whole !== undefined) percent.set(name, whole > 0n ? (Number(used) / Number(whole)) * 100 : 0)
  }
  return percent
}

/** The mean of each resource over the nodes that have it, less `thresholds` and plus `targets`, within 0 and 100. */
export function deviationLevels(figures: readonly NodeFigures[], thresholds: Thresholds, targets: Thresholds): Levels {
  const [low, high] = [new Map<string, number>(), new Map<string, number>()]
  for (const name of thresholds.keys()) {
    const percents = figures.flatMap(({ percent }) => percent.get(name) ?? [])
    if (percents.length === 0) continue
    const mean = percents.reduce((sum, percent) => sum + percent, 0) / percents.length
    low.set(name, clamped(mean - (thresholds.get(name) ?? 0)))
    high.set(name, clamped(mean + (targets.get(name) ?? 0)))
  }
  return { low, high }
}

function clamped(percent: number): number {
  return Math.min(Math.max(percent, 0), 100)
}

/** Exactly the threshold is under; a resource that the node does not have counts as 0. */
export function isUnder({ percent }: NodeFigures, low: Thresholds): boolean {
  return Array.from(low).every(([name, level]) => (percent.get(name) ?? 0) <= level)
}

/** Exactly the threshold is not over. */
export function isOver({ percent }: NodeFigures, high: Thresholds): boolean {
  return Array.from(high).some(([name, level]) => (percent.get(name) ?? 0) > level)
}

/** How much of each resource a node may use: the part that the threshold says, cut to whole units, or all. */
export function capOf({ capacity }: NodeFigures, high: Thresholds, resources: readonly string[]): Amounts {
  return new Map(
    resources.map(name => {
      const [whole, level] = [capacity.get(name) ?? 0n, high.get(name)]
      // The order of the factors is upstream's: doubles round by it.
      return [name, level === undefined ? whole : BigInt(Math.trunc(level * 0.01 * Number(whole)))]
    }),
  )
}
