// NodeResourcesFit and NodeResourcesBalancedAllocation: room on a node, and the scores that come of it.

import type { FitStrategy, SchedulerSettings, SchedulerVersion } from '../scheduler-settings.ts'
import { scaledQuotient } from './exact.ts'
import type { NodeLoads } from './node-loads.ts'
import type { NodeTable } from './node-table.ts'
import { type Ask, isExtendedResource, isScalarResource } from './pod-info.ts'
import type { Refusal } from './refusal.ts'

/** Whether a node lacks room. Each amount asked for that is not 0 must be free; resources that are not asked for may be overdrawn. */
export function fitFilter(
  table: NodeTable,
  loads: NodeLoads,
  ask: Ask,
  settings: SchedulerSettings,
): (node: number) => Refusal | undefined {
  const { columns } = loads
  const cpu = ask.requests['cpu'] ?? 0
  const memory = ask.requests['memory'] ?? 0
  const ephemeral = ask.requests['ephemeral-storage'] ?? 0
  const scalars = ask.scalars
    .filter(({ resource }) => !isIgnored(resource, settings))
    .map(({ resource, amount }) => ({
      reason: `Insufficient ${resource}`,
      amount,
      allocatable: table.allocatable(resource),
      requested: loads.requested(resource),
    }))
  const lacks = (amount: number, allocatable: Float64Array, requested: Float64Array, node: number) =>
    amount > 0 && amount > (allocatable[node] ?? 0) - (requested[node] ?? 0)
  return node => {
    const isFull = (columns.pods[node] ?? 0) + 1 > (table.pods[node] ?? 0)
    const lacksCpu = lacks(cpu, table.milliCpu, columns.milliCpu, node)
    const lacksMemory = lacks(memory, table.memory, columns.memory, node)
    const lacksEphemeral = lacks(ephemeral, table.ephemeralStorage, columns.ephemeralStorage, node)
    const lacking =
      scalars.length === 0
        ? noScalars
        : scalars.filter(scalar => lacks(scalar.amount, scalar.allocatable, scalar.requested, node))
    if (!isFull && !lacksCpu && !lacksMemory && !lacksEphemeral && lacking.length === 0) return undefined
    const isUnresolvable =
      (lacksCpu && cpu > (table.milliCpu[node] ?? 0)) ||
      (lacksMemory && memory > (table.memory[node] ?? 0)) ||
      (lacksEphemeral && ephemeral > (table.ephemeralStorage[node] ?? 0)) ||
      lacking.some(({ amount, allocatable }) => amount > (allocatable[node] ?? 0))
    const reasons = [
      isFull && 'Too many pods',
      lacksCpu && 'Insufficient cpu',
      lacksMemory && 'Insufficient memory',
      lacksEphemeral && 'Insufficient ephemeral-storage',
    ]
    return {
      filter: 'NodeResourcesFit',
      reasons: [...reasons.filter(reason => reason !== false), ...lacking.map(({ reason }) => reason)],
      isUnresolvable,
    }
  }
}

const noScalars: readonly never[] = []

function isIgnored(resource: string, { ignoredResources, ignoredResourceGroups }: SchedulerSettings): boolean {
  if (!isExtendedResource(resource)) return false
  return ignoredResources.includes(resource) || ignoredResourceGroups.includes(resource.split('/')[0] ?? '')
}

/** One resource as a score sees it. */
interface ScoredResource {
  readonly weight: number
  readonly asked: number
  readonly allocatable: Float64Array
  readonly requested: Float64Array
}

/** The fit score of each feasible node, 0 to 100. */
export function fitScores(
  table: NodeTable,
  loads: NodeLoads,
  ask: Ask,
  { strategy, feasible }: { readonly strategy: FitStrategy; readonly feasible: Int32Array },
): Float64Array {
  const resources = strategy.resources.flatMap(({ name, weight }): ScoredResource[] => {
    const asked = ask.scored[name] ?? 0
    if (asked === 0 && isScalarResource(name)) return []
    const nonZero = name === 'cpu' ? loads.columns.nonZeroMilliCpu : name === 'memory' ? loads.columns.nonZeroMemory : undefined
    return [{ weight, asked, allocatable: table.allocatable(name), requested: nonZero ?? loads.requested(name) }]
  })
  const scoreOf = resourceScore(strategy)
  const isRatio = strategy.kind === 'RequestedToCapacityRatio'
  const scores = new Float64Array(feasible.length)
  for (let at = 0; at < feasible.length; at++) {
    const node = feasible[at] ?? 0
    let sum = 0
    let weights = 0
    for (const { weight, asked, allocatable, requested } of resources) {
      const capacity = allocatable[node] ?? 0
      if (capacity === 0) continue
      const score = scoreOf((requested[node] ?? 0) + asked, capacity)
      if (isRatio && score <= 0) continue
      sum += score * weight
      weights += weight
    }
    scores[at] = weights === 0 ? 0 : isRatio ? Math.round(sum / weights) : Math.floor(sum / weights)
  }
  return scores
}

function resourceScore(strategy: FitStrategy): (requested: number, capacity: number) => number {
  switch (strategy.kind) {
    case 'LeastAllocated':
      return (requested, capacity) => (requested > capacity ? 0 : scaledQuotient(capacity - requested, 100, capacity))
    case 'MostAllocated':
      return (requested, capacity) => scaledQuotient(Math.min(requested, capacity), 100, capacity)
    case 'RequestedToCapacityRatio': {
      const points = strategy.shape.map(({ utilization, score }) => ({ x: utilization, y: score * 10 }))
      return (requested, capacity) => brokenLine(points, requested > capacity ? 100 : scaledQuotient(requested, 100, capacity))
    }
  }
}

/** The line through `points` at `x`, level before the first and after the last; the part within a segment is truncated. */
function brokenLine(points: readonly { readonly x: number; readonly y: number }[], x: number): number {
  const next = points.findIndex(point => x <= point.x)
  const right = points[next]
  const left = points[next - 1]
  if (right === undefined) return points.at(-1)?.y ?? 0
  if (left === undefined) return right.y
  return left.y + Math.trunc(((right.y - left.y) * (x - left.x)) / (right.x - left.x))
}

/**
 * How evenly each feasible node's resources are used with the pod, 0 to 100; `undefined` for pods without requests of them.
 * From 1.36: how much the pod betters it, around 75.
 */
export function balancedScores(
  table: NodeTable,
  loads: NodeLoads,
  ask: Ask,
  {
    resources,
    version,
    feasible,
  }: { readonly resources: readonly string[]; readonly version: SchedulerVersion; readonly feasible: Int32Array },
): Float64Array | undefined {
  if (resources.every(name => (ask.requests[name] ?? 0) === 0)) return undefined
  const columns = resources
    .filter(name => (ask.requests[name] ?? 0) !== 0 || !isScalarResource(name))
    .map(name => ({ asked: ask.requests[name] ?? 0, allocatable: table.allocatable(name), requested: loads.requested(name) }))
  const fractions: number[] = []
  const balanceOf = (node: number, withPod: boolean): number => {
    fractions.length = 0
    for (const { asked, allocatable, requested } of columns) {
      const capacity = allocatable[node] ?? 0
      if (capacity === 0) continue
      fractions.push(Math.min(1, ((requested[node] ?? 0) + (withPod ? asked : 0)) / capacity))
    }
    return Math.trunc((1 - deviation(fractions)) * 100)
  }
  const scores = new Float64Array(feasible.length)
  for (let at = 0; at < feasible.length; at++) {
    const node = feasible[at] ?? 0
    const withPod = balanceOf(node, true)
    scores[at] = version === '1.34' ? withPod : 50 + Math.trunc((50 + withPod - balanceOf(node, false)) / 2)
  }
  return scores
}

/** Standard deviation, in the order of operations that the scheduler uses: half the distance for two. */
function deviation(fractions: readonly number[]): number {
  const [first, second] = fractions
  if (first === undefined || second === undefined) return 0
  if (fractions.length === 2) return Math.abs((first - second) / 2)
  let total = 0
  for (const fraction of fractions) total += fraction
  const mean = total / fractions.length
  let squares = 0
  for (const fraction of fractions) squares += (fraction - mean) * (fraction - mean)
  return Math.sqrt(squares / fractions.length)
}
