// HighNodeUtilization: pods leave nodes that are used little, so that these can go. Kept as upstream has it: cordoned nodes are sources;
// every other schedulable node is a destination, however full, since room is a sum; nothing but that room ends it.
import type { PodState } from '#cluster/cluster-state.ts'
import type { StrategyRun, StrategyView } from '../contract.ts'
import { breath } from '../pace.ts'
import type { HighNodeUtilizationArgs } from '../policy/args.ts'
import { figuresOf, isUnder } from './node-classes.ts'
import { requestedUsage } from './requested-usage.ts'
import { withBasicResources } from './usage.ts'
import { byRawSum, percentTexts, relieve, textOf } from './utilization-evictions.ts'

export function* highNodeUtilization(args: HighNodeUtilizationArgs, view: StrategyView): StrategyRun {
  const usage = yield* requestedUsage(view, withBasicResources(args.thresholds.keys()))
  const figures = yield* figuresOf(view.nodes, usage, view.pace)
  const under = figures.filter(one => isUnder(one, args.thresholds))
  const isUnderused = new Set(under)
  const destinations = figures.filter(one => !isUnderused.has(one) && one.node.isSchedulable)
  for (const one of figures) {
    if (view.pace.isDue()) yield breath
    view.tell(0, 'node has been classified', {
      category: isUnderused.has(one) ? 'underutilized' : 'overutilized',
      node: one.node.name,
      ...textOf(one.usage),
    })
  }
  view.tell(1, 'Criteria for a node below target utilization', percentTexts(args.thresholds))
  view.tell(1, 'Number of underutilized nodes', { totalNumber: under.length })
  const why = nothingToDo(args, { under: under.length, destinations: destinations.length, all: figures.length })
  if (why !== undefined) {
    view.tell(1, why, { strategy: args.plugin })
    return
  }
  const named = [...args.thresholds.keys()]
  yield* relieve(
    {
      strategy: args.plugin,
      usage,
      sources: byRawSum(under),
      destinations,
      // Destinations may be filled to the brim.
      high: new Map(),
      excludedNamespaces: args.excludedNamespaces,
      isRemovable: pod => !args.onlyThresholdingResources || asksFor(pod, named),
      isToGoOn: () => true,
    },
    view,
  )
}

function nothingToDo(
  { numberOfNodes }: HighNodeUtilizationArgs,
  { under, destinations, all }: { readonly under: number; readonly destinations: number; readonly all: number },
): string | undefined {
  if (under === 0) return 'No node is underutilized, nothing to do here, you might tune your thresholds further'
  if (under <= numberOfNodes) return 'Number of nodes underutilized is less or equal than NumberOfNodes, nothing to do here'
  if (under === all) return 'All nodes are underutilized, nothing to do here'
  if (destinations === 0) return 'No node is available to schedule the pods, nothing to do here'
  return undefined
}

/** A container or init container has a request of one of these, be it 0. */
function asksFor({ object: { spec } }: PodState, resources: readonly string[]): boolean {
  return [...spec.containers, ...(spec.initContainers ?? [])].some(container =>
    resources.some(name => Object.hasOwn(container.resources?.requests ?? {}, name)),
  )
}
