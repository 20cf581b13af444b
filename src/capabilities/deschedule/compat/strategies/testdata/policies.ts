// Policies of one strategy each, as users write them, for holding ours against upstream on the same clusters.
import type { StrategyName } from '../../policy/args.ts'
import { strategyPoints } from '../strategies.ts'

type Fields = Readonly<Record<string, unknown>>

interface PolicyCase {
  readonly strategy: StrategyName
  readonly name: string
  readonly args: Fields
  readonly evictor?: Fields
  /** Limits of the policy as a whole. */
  readonly limits?: Fields
}

const required = 'requiredDuringSchedulingIgnoredDuringExecution'
const preferred = 'preferredDuringSchedulingIgnoredDuringExecution'
const everything: Fields = {
  podProtections: { defaultDisabled: ['PodsWithLocalStorage', 'DaemonSetPods', 'FailedBarePods'] },
}

export const policyCases: readonly PolicyCase[] = [
  row('LowNodeUtilization', 'default thresholds', { thresholds: { cpu: 30, memory: 30, pods: 40 }, targetThresholds: { cpu: 50, memory: 50, pods: 60 } }),
  row('LowNodeUtilization', 'cpu alone, nodeFit', { thresholds: { cpu: 40 }, targetThresholds: { cpu: 45 } }, { nodeFit: true }),
  row('LowNodeUtilization', 'deviations', { thresholds: { cpu: 10, pods: 5 }, targetThresholds: { cpu: 10, pods: 5 }, useDeviationThresholds: true }),
  row('LowNodeUtilization', 'extended resource, namespaces out, two a node', {
    thresholds: { cpu: 45, 'example.com/gpu': 30 },
    targetThresholds: { cpu: 50, 'example.com/gpu': 40 },
    evictableNamespaces: { exclude: ['beta'] },
    evictionLimits: { node: 2 },
  }),
  row('LowNodeUtilization', 'reference cluster', { thresholds: { cpu: 20, memory: 20, pods: 20 }, targetThresholds: { cpu: 50, memory: 50, pods: 50 } }),
  row('HighNodeUtilization', 'cpu and memory', { thresholds: { cpu: 40, memory: 40 } }),
  row('HighNodeUtilization', 'only thresholding resources', { thresholds: { cpu: 60, 'example.com/gpu': 60 }, evictionModes: ['OnlyThresholdingResources'] }, everything),
  row('LowNodeUtilization', 'three in all', { thresholds: { cpu: 40 }, targetThresholds: { cpu: 45 } }, {}, { maxNoOfPodsToEvictTotal: 3 }),
  row('LowNodeUtilization', 'few a node and a namespace', { thresholds: { cpu: 40 }, targetThresholds: { cpu: 45 } }, {}, { maxNoOfPodsToEvictPerNode: 2, maxNoOfPodsToEvictPerNamespace: 1 }),
  row('PodLifeTime', 'few a node and in all', { maxPodLifeTimeSeconds: 43_200 }, {}, { maxNoOfPodsToEvictPerNode: 3, maxNoOfPodsToEvictTotal: 8 }),
  row('RemovePodsHavingTooManyRestarts', 'one a node', { podRestartThreshold: 20 }, everything, { maxNoOfPodsToEvictPerNode: 1 }),
  row('RemoveDuplicates', 'plain', {}),
  row('RemoveDuplicates', 'kinds out, all pods', { excludeOwnerKinds: ['StatefulSet'], namespaces: { exclude: ['gamma'] } }, everything),
  row('RemovePodsViolatingTopologySpreadConstraint', 'plain', {}),
  row('RemovePodsViolatingTopologySpreadConstraint', 'soft too, fit or not', { constraints: ['DoNotSchedule', 'ScheduleAnyway'], topologyBalanceNodeFit: false }, everything),
  row('RemovePodsViolatingTopologySpreadConstraint', 'one namespace, nodeFit', { namespaces: { include: ['alpha', 'beta'] } }, { nodeFit: true }),
  row('RemovePodsViolatingInterPodAntiAffinity', 'plain', {}),
  row('RemovePodsViolatingInterPodAntiAffinity', 'two namespaces, nodeFit', { namespaces: { include: ['alpha', 'beta'] } }, { ...everything, nodeFit: true }),
  row('RemovePodsViolatingNodeAffinity', 'required', { nodeAffinityType: [required] }),
  row('RemovePodsViolatingNodeAffinity', 'both', { nodeAffinityType: [required, preferred] }, everything),
  row('RemovePodsViolatingNodeTaints', 'plain', {}),
  row('RemovePodsViolatingNodeTaints', 'soft too, some out', { includePreferNoSchedule: true, excludedTaints: ['dedicated=ml'] }, everything),
  row('RemovePodsViolatingNodeTaints', 'some in', { includedTaints: ['dedicated'] }, { minReplicas: 2 }),
  row('RemovePodsHavingTooManyRestarts', 'with init', { podRestartThreshold: 100, includingInitContainers: true }),
  row('RemovePodsHavingTooManyRestarts', 'in a crash loop', { podRestartThreshold: 20, states: ['CrashLoopBackOff'] }, everything),
  row('PodLifeTime', 'old', { maxPodLifeTimeSeconds: 86_400 }),
  row('PodLifeTime', 'states and owners', { maxPodLifeTimeSeconds: 7_200, states: ['CrashLoopBackOff', 'OOMKilled', 'Pending'], ownerKinds: { exclude: ['Job'] } }, everything),
  row('PodLifeTime', 'conditions', { conditions: [{ type: 'Ready', status: 'False', minTimeSinceLastTransitionSeconds: 14_400 }], labelSelector: { matchExpressions: [{ key: 'revision', operator: 'Exists' }] } }, everything),
  row('PodLifeTime', 'exit codes', { exitCodes: [137], includingInitContainers: true }),
  row('RemoveFailedPods', 'plain', {}, everything),
  row('RemoveFailedPods', 'reasons and codes', { minPodLifetimeSeconds: 18_000, reasons: ['OOMKilled', 'Evicted'], exitCodes: [1, 137], excludeOwnerKinds: ['Job'] }),
]

function row(strategy: StrategyName, name: string, args: Fields, evictor: Fields = {}, limits: Fields = {}): PolicyCase {
  return { strategy, name, args, evictor, limits }
}

/** The policy file of a case. */
export function policyText({ strategy, args, evictor = {}, limits = {} }: PolicyCase): string {
  return JSON.stringify({
    apiVersion: 'descheduler/v1alpha2',
    kind: 'DeschedulerPolicy',
    ...limits,
    profiles: [
      {
        name: 'side',
        pluginConfig: [
          { name: 'DefaultEvictor', args: evictor },
          { name: strategy, args },
        ],
        plugins: { [strategyPoints[strategy]]: { enabled: [strategy] } },
      },
    ],
  })
}
