// What the drop-in watches: of each kind what its rules read and no more, and no kind that nobody asks about.

import { clusterNeeds, podNeed } from '#coordination/facts/cluster-view.ts'
import type { Need } from '#coordination/needs.ts'
import { resourceKey } from '#kube/objects/resource.ts'
import type { DeschedulerPolicy } from '../policy/args.ts'
import { conditionTimes, strategyPodFields } from '../strategies/pod-fields.ts'

/** Not the images, of which a node names fifty. */
const nodeFields = [
  'metadata.annotations[ballast.dev/*]',
  'spec.taints',
  'spec.unschedulable',
  'status.allocatable',
  'status.capacity',
  ...['type', 'status', 'lastTransitionTime'].map(field => `status.conditions.${field}`),
  'status.nodeInfo.kubeletVersion',
]

/** By which owners and scalers are known. */
const ownerKinds: ReadonlySet<string> = new Set([
  ...['deployments.apps', 'replicasets.apps', 'statefulsets.apps', 'jobs.batch', 'replicationcontrollers'],
  ...['scaledobjects.keda.sh', 'scaledjobs.keda.sh'],
])
const replicaSetFields = ['metadata.annotations', 'spec.replicas']

const core = (resource: string, kind: string) => ({ group: '', version: 'v1', resource, kind }) as const

function podFieldsWith(further: readonly string[]): readonly string[] {
  return [...new Set([...(podNeed.fields ?? []), ...further])]
}

/** Without these there is nothing to decide by; the others may be forbidden, and then count as absent. */
export const essentialNeeds: readonly Need[] = [
  { ...core('nodes', 'Node'), mode: 'projection', fields: nodeFields },
  { ...podNeed, fields: podFieldsWith(strategyPodFields.filter(field => field !== conditionTimes)) },
]

const timedPods: Need = { ...podNeed, fields: podFieldsWith(strategyPodFields) }

/** Whether some strategy asks how long a condition of a pod has been as it is. */
function asksConditionTimes({ profiles }: DeschedulerPolicy): boolean {
  const all = profiles.flatMap(({ deschedule, balance }) => [...deschedule, ...balance])
  return all.some(
    args =>
      args.plugin === 'PodLifeTime' &&
      args.conditions.some(({ minTimeSinceLastTransitionSeconds: least }) => least !== undefined),
  )
}

/** What is watched for `policy`. `isEnforced`: owners are asked about. */
export function needsOf(policy: DeschedulerPolicy, { isEnforced }: { readonly isEnforced: boolean }): readonly Need[] {
  const asksClaims = policy.profiles.some(({ evictor }) => evictor.protectedStorageClasses.length > 0)
  return [
    ...(asksConditionTimes(policy) ? essentialNeeds.map(need => (need.kind === 'Pod' ? timedPods : need)) : essentialNeeds),
    { ...core('namespaces', 'Namespace'), mode: 'projection', fields: ['metadata.annotations[ballast.dev/*]'], optional: true },
    {
      group: 'policy',
      version: 'v1',
      resource: 'poddisruptionbudgets',
      kind: 'PodDisruptionBudget',
      mode: 'full',
      optional: true,
    },
    ...(asksClaims
      ? [{ ...core('persistentvolumeclaims', 'PersistentVolumeClaim'), mode: 'full', optional: true } as const]
      : []),
    ...(isEnforced ? ownerNeeds : []),
  ]
}

/** Watched where owner labels hold. */
export const ownerNeeds: readonly Need[] = clusterNeeds
  .filter(need => ownerKinds.has(resourceKey(need)))
  .map(need =>
    need.kind === 'ReplicaSet'
      ? { ...need, mode: 'projection', fields: replicaSetFields, optional: true }
      : { ...need, optional: true },
  )
