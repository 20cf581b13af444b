// LowNodeUtilization: pods leave nodes that are used much while others are used little. Kept as upstream has it: terminating pods count as
// usage; a node is under by its thresholds alone but gives room in cpu, memory and pods too, so that one full resource stops it all;
// without figures of pods one pod a node goes.
import type { StrategyRun, StrategyView } from '../contract.ts'
import { type Breath, breath } from '../pace.ts'
import type { LowNodeUtilizationArgs } from '../policy/args.ts'
import { StrategyError } from '../strategy-error.ts'
import { measuredUsage, type NodeAverages, type PodSamples } from './measured-usage.ts'
import { capOf, deviationLevels, figuresOf, isOver, isUnder, type NodeFigures } from './node-classes.ts'
import { queriedUsage } from './queried-usage.ts'
import { requestedUsage } from './requested-usage.ts'
import { type Usage, withBasicResources } from './usage.ts'
import { byRawSum, percentTexts, relieve, textOf } from './utilization-evictions.ts'

/** What providers of metrics found out for this cycle; absent where the policy has no such provider. */
export interface MeasuredFigures {
  readonly metrics?: { readonly averages: NodeAverages; readonly podSamples: PodSamples }
  /** The body of the answer to a query. */
  readonly prometheus?: (query: string) => unknown
}

/** The run of one cycle. @throws StrategyError where the source of usage cannot be had */
export function* lowNodeUtilization(args: LowNodeUtilizationArgs, view: StrategyView, measured: MeasuredFigures): StrategyRun {
  const usage = yield* usageFor(args, view, measured)
  const figures = yield* figuresOf(view.nodes, usage, view.pace)
  const { under, over, high } = classified(args, figures)
  const [isUnderused, isOverused] = [new Set(under), new Set(over)]
  for (const one of figures) {
    const category = isUnderused.has(one) ? 'underutilized' : isOverused.has(one) ? 'overutilized' : 'appropriately utilized'
    view.tell(0, 'node has been classified', { category, node: one.node.name, ...textOf(one.usage) })
    if (view.pace.isDue()) yield breath
  }
  view.tell(1, 'Criteria for a node under utilization', percentTexts(args.thresholds))
  view.tell(1, 'Number of underutilized nodes', { totalNumber: under.length })
  view.tell(1, 'Criteria for a node above target utilization', percentTexts(args.targetThresholds))
  view.tell(1, 'Number of overutilized nodes', { totalNumber: over.length })
  const why = nothingToDo(args, { under: under.length, over: over.length, all: figures.length })
  if (why !== undefined) {
    view.tell(1, why, { strategy: args.plugin })
    return
  }
  yield* relieve(
    {
      strategy: args.plugin,
      usage,
      sources: byRawSum(over).toReversed(),
      destinations: under,
      high,
      excludedNamespaces: args.excludedNamespaces,
      ...(args.nodeEvictionLimit === undefined ? {} : { nodeEvictionLimit: args.nodeEvictionLimit }),
      isRemovable: () => true,
      isToGoOn: source => isAboveCap(source, high, usage.resources),
    },
    view,
  )
}

/** The nodes under and over, and what counts as over. A cordoned node is never under. */
function classified(
  args: Pick<LowNodeUtilizationArgs, 'thresholds' | 'targetThresholds' | 'useDeviationThresholds'>,
  figures: readonly NodeFigures[],
): { readonly under: readonly NodeFigures[]; readonly over: readonly NodeFigures[]; readonly high: ReadonlyMap<string, number> } {
  const { low, high } = args.useDeviationThresholds
    ? deviationLevels(figures, args.thresholds, args.targetThresholds)
    : { low: args.thresholds, high: args.targetThresholds }
  const under = new Set(figures.filter(one => one.node.isSchedulable && isUnder(one, low)))
  return { under: [...under], over: figures.filter(one => !under.has(one) && isOver(one, high)), high }
}

function nothingToDo(
  { numberOfNodes }: LowNodeUtilizationArgs,
  { under, over, all }: { readonly under: number; readonly over: number; readonly all: number },
): string | undefined {
  if (under === 0) return 'No node is underutilized, nothing to do here, you might tune your thresholds further'
  if (under <= numberOfNodes) return 'Number of nodes underutilized is less or equal than NumberOfNodes, nothing to do here'
  if (under === all) return 'All nodes are underutilized, nothing to do here'
  if (over === 0) return 'All nodes are under target utilization, nothing to do here'
  return undefined
}

/** Some resource is above what the threshold leaves, or above all there is. */
function isAboveCap(source: NodeFigures, high: ReadonlyMap<string, number>, resources: readonly string[]): boolean {
  const cap = capOf(source, high, resources)
  return Array.from(source.usage).some(([name, used]) => used > (cap.get(name) ?? 0n))
}

function* usageFor(
  { usage, thresholds }: LowNodeUtilizationArgs,
  view: StrategyView,
  measured: MeasuredFigures,
): Generator<Breath, Usage, unknown> {
  const resources = withBasicResources(thresholds.keys())
  switch (usage.kind) {
    case 'requests':
      return yield* requestedUsage(view, resources)
    case 'KubernetesMetrics':
      if (measured.metrics === undefined)
        throw new StrategyError('error initializing usage client: metrics client not initialized')
      return measuredUsage(view, resources, measured.metrics)
    case 'Prometheus':
      if (measured.prometheus === undefined)
        throw new StrategyError('error initializing usage client: prometheus client not initialized')
      return queriedUsage(view, measured.prometheus(usage.query))
  }
}
