// What is watched to tell how far a cold start is. All of it is optional: where it may not be read, pages and signs of life say less.
import type { Need } from '#coordination/needs.ts'
import { builtIn, type GroupVersionResource } from '#kube/objects/resource.ts'

export const nodeClaims: GroupVersionResource = { group: 'karpenter.sh', version: 'v1', resource: 'nodeclaims' }
export const scaledObjects: GroupVersionResource = { group: 'keda.sh', version: 'v1alpha1', resource: 'scaledobjects' }

/** Of all events only those by which the cluster autoscaler says that it ordered a node for a pod. */
export const orderedSelector = 'reason=TriggeredScaleUp'

const conditionFields = ['type', 'status', 'reason', 'message', 'lastTransitionTime'].map(field => `status.conditions.${field}`)
const statusFields = ['name', 'image', 'ready', 'started', 'restartCount', 'state', 'lastState']
const workloadFields = ['spec.replicas', 'spec.template.metadata.labels', ...conditionFields]

/** A pod says of itself how far it is; its template, with what it is told, is not kept. */
const podFields = [
  ...['metadata.labels', 'spec.nodeName', 'spec.schedulingGates', 'spec.containers.name', 'spec.containers.image'],
  ...['status.phase', 'status.reason', 'status.message', ...conditionFields],
  ...['containerStatuses', 'initContainerStatuses'].flatMap(list => statusFields.map(field => `status.${list}.${field}`)),
]

/** Beside Services, which the gateway watches anyway: of those it takes the selector. */
export const bootNeeds: readonly Need[] = [
  { ...builtIn.pods, kind: 'Pod', mode: 'projection', fields: podFields, optional: true },
  { ...builtIn.deployments, kind: 'Deployment', mode: 'projection', fields: workloadFields, optional: true },
  { ...builtIn.statefulsets, kind: 'StatefulSet', mode: 'projection', fields: workloadFields, optional: true },
  {
    ...builtIn.nodes,
    kind: 'Node',
    mode: 'projection',
    fields: ['status.conditions.type', 'status.conditions.status'],
    optional: true,
  },
  { ...nodeClaims, kind: 'NodeClaim', mode: 'projection', fields: conditionFields, optional: true },
  {
    ...scaledObjects,
    kind: 'ScaledObject',
    mode: 'projection',
    fields: ['metadata.annotations', 'spec.scaleTargetRef', ...conditionFields],
    optional: true,
  },
  {
    ...builtIn.events,
    kind: 'Event',
    mode: 'projection',
    fields: ['reason', 'regarding'],
    fieldSelector: orderedSelector,
    optional: true,
  },
]
