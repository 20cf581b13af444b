// What is watched to tell how far a cold start is. All of it is optional: where it may not be read, pages and signs of life say less.
import type { Need } from '#coordination/needs.ts'
import type { Informers } from '#kube/informers/informer.ts'
import type { InformerScope } from '#kube/informers/informer-scope.ts'
import type { Informer } from '#kube/informers/informer-view.ts'
import type { KubeObject, Pod } from '#kube/objects/objects.ts'
import { builtIn, type GroupVersionResource } from '#kube/objects/resource.ts'
import type { BootObjects } from './boot-facts.ts'

const nodeClaims: GroupVersionResource = { group: 'karpenter.sh', version: 'v1', resource: 'nodeclaims' }
const scaledObjects: GroupVersionResource = { group: 'keda.sh', version: 'v1alpha1', resource: 'scaledobjects' }

/** Those events alone by which the cluster autoscaler says that it ordered a node for a pod. */
const orderedSelector = 'reason=TriggeredScaleUp'

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

/** What is watched by these needs, and what tells that some of it changed. What may not be read is empty, and holds up nobody. */
export function bootObjects(informers: Pick<Informers, 'of'>): {
  readonly objects: BootObjects
  readonly changing: readonly Pick<Informer<KubeObject>, 'onChange'>[]
} {
  const watched = <T extends KubeObject = KubeObject>(resource: GroupVersionResource, more: InformerScope = {}) =>
    informers.of<T>(resource, { optional: true, dispensable: true, ...more })
  const pods = watched<Pod>(builtIn.pods)
  const deployments = watched(builtIn.deployments)
  const statefulSets = watched(builtIn.statefulsets)
  const nodes = watched(builtIn.nodes)
  const claims = watched(nodeClaims)
  const scalers = watched(scaledObjects)
  const events = watched(builtIn.events, { fieldSelector: orderedSelector })
  const objects: BootObjects = {
    services: informers.of(builtIn.services).store,
    pods: pods.store,
    deployments: deployments.store,
    statefulSets: statefulSets.store,
    nodes: nodes.store,
    claims: claims.store,
    scaledObjects: scalers.store,
    events: events.store,
  }
  // A Pod's handler takes Pods alone, and gives them to nobody.
  const told: Pick<Informer<KubeObject>, 'onChange'> = { onChange: handler => pods.onChange(handler) }
  return { objects, changing: [told, deployments, statefulSets, nodes, claims, scalers, events] }
}
