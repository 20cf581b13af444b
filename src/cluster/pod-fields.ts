// What the model and the plans read of a pod: the fields that informers keep, and those that a plan's hash is made of.

import { FieldPaths } from '#kube/objects/field-paths.ts'
import type { PodSpec } from '#kube/objects/objects.ts'
import { evictionMarks } from './ownership.ts'

const container = ['name', 'image', 'resources', 'ports', 'restartPolicy']
const containerStatus = ['name', 'resources', 'allocatedResources']

/** Under `spec`. Volumes that any node can mount as they are say nothing about where a pod can run; local ones may be lost. */
const specFields = [
  'nodeName',
  'priority',
  'preemptionPolicy',
  'nodeSelector',
  'affinity',
  'tolerations',
  'topologySpreadConstraints',
  'schedulingGates',
  'resourceClaims',
  'overhead',
  'resources',
  'hostNetwork',
  'terminationGracePeriodSeconds',
  ...['containers', 'initContainers'].flatMap(list => container.map(field => `${list}.${field}`)),
  'volumes[!configMap|secret|projected|downwardAPI]',
]

const statusFields = [
  'phase',
  'startTime',
  'nominatedNodeName',
  'resourceClaimStatuses',
  'resources',
  'allocatedResources',
  ...['type', 'status', 'reason'].map(field => `conditions.${field}`),
  ...['containerStatuses', 'initContainerStatuses'].flatMap(list => containerStatus.map(field => `${list}.${field}`)),
]

/** Annotations by which users say what may become of a pod. */
const annotations = [
  `${evictionMarks}*`,
  'kubernetes.io/config.*',
  'karpenter.sh/*',
  'cluster-autoscaler.kubernetes.io/*',
  'controller.kubernetes.io/pod-deletion-cost',
  'ballast.dev/*',
]

/** Paths as FieldPaths has them; names, times, labels and owners go without saying. */
export const podFields: readonly string[] = [
  `metadata.annotations[${annotations.join('|')}]`,
  ...specFields.map(path => `spec.${path}`),
  ...statusFields.map(path => `status.${path}`),
]

const specPaths = new FieldPaths(specFields)

/** The part of a spec that any decision rests on: the same for a pod as it is and for one of which only `podFields` were kept. */
export function decisiveSpec(spec: PodSpec): object {
  return specPaths.pick(spec)
}
