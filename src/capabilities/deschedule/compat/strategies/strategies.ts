// The ten strategies by the name of their plugin: where each runs, and how.
import type { ExtensionPoint, StrategyMaker, StrategyRun, StrategyView } from '../contract.ts'
import type { StrategyArgs, StrategyName } from '../policy/args.ts'
import { failedPods } from './failed-pods.ts'
import { highNodeUtilization } from './high-node-utilization.ts'
import { interPodAntiAffinity } from './inter-pod-anti-affinity.ts'
import { lowNodeUtilization, type MeasuredFigures } from './low-node-utilization.ts'
import { nodeAffinity } from './node-affinity.ts'
import { nodeTaints } from './node-taints.ts'
import { podLifeTime } from './pod-life-time.ts'
import { removeDuplicates } from './remove-duplicates.ts'
import { tooManyRestarts } from './too-many-restarts.ts'
import { topologySpread } from './topology-spread.ts'

/** The extension point of each strategy. */
export const strategyPoints: Readonly<Record<StrategyName, ExtensionPoint>> = {
  HighNodeUtilization: 'balance',
  LowNodeUtilization: 'balance',
  PodLifeTime: 'deschedule',
  RemoveDuplicates: 'balance',
  RemoveFailedPods: 'deschedule',
  RemovePodsHavingTooManyRestarts: 'deschedule',
  RemovePodsViolatingInterPodAntiAffinity: 'deschedule',
  RemovePodsViolatingNodeAffinity: 'deschedule',
  RemovePodsViolatingNodeTaints: 'deschedule',
  RemovePodsViolatingTopologySpreadConstraint: 'balance',
}

/** What makes the run of any strategy in a cycle for which `measured` was fetched. */
export function strategyMaker(measured: MeasuredFigures): StrategyMaker {
  return (args, view) => runOf(args, view, measured)
}

function runOf(args: StrategyArgs, view: StrategyView, measured: MeasuredFigures): StrategyRun {
  switch (args.plugin) {
    case 'HighNodeUtilization':
      return highNodeUtilization(args, view)
    case 'LowNodeUtilization':
      return lowNodeUtilization(args, view, measured)
    case 'PodLifeTime':
      return podLifeTime(args, view)
    case 'RemoveDuplicates':
      return removeDuplicates(args, view)
    case 'RemoveFailedPods':
      return failedPods(args, view)
    case 'RemovePodsHavingTooManyRestarts':
      return tooManyRestarts(args, view)
    case 'RemovePodsViolatingInterPodAntiAffinity':
      return interPodAntiAffinity(args, view)
    case 'RemovePodsViolatingNodeAffinity':
      return nodeAffinity(args, view)
    case 'RemovePodsViolatingNodeTaints':
      return nodeTaints(args, view)
    case 'RemovePodsViolatingTopologySpreadConstraint':
      return topologySpread(args, view)
  }
}
