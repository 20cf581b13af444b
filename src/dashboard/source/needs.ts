// What the dashboard reads of a cluster by watches: what the model and the rules read, and what it shows beside.
import { verdictAnnotation } from '#coordination/account/told-verdict.ts'
import { disruptionPermits, planKind, rebalancePlans, rebalancePolicies } from '#coordination/api.ts'
import type { Need } from '#coordination/needs.ts'
import { nfsInventoryName } from '#coordination/shown-notes.ts'
import type { WatchNeed } from '#kube/informers/watch-pool.ts'
import type { GroupVersionResource } from '#kube/objects/resource.ts'
import { builtIn } from '#kube/objects/resource.ts'
import { twinGroup } from '#twin/faults/fault-spec.ts'

/** Fields of Events that are watched; there may be too many Events to keep everything. */
export const eventFields: readonly string[] = [
  `metadata.annotations[${verdictAnnotation}]`,
  ...['eventTime', 'series', 'reason', 'note', 'reportingController', 'reportingInstance', 'regarding'],
  ...['deprecatedFirstTimestamp', 'deprecatedLastTimestamp', 'deprecatedCount', 'deprecatedSource'],
]

/** Routes of requests, rules that label nodes, snapshots of volumes: shown where they are and may be read. */
export const dispensableKinds: readonly GroupVersionResource[] = [
  { group: 'http.keda.sh', version: 'v1beta1', resource: 'interceptorroutes' },
  { group: 'http.keda.sh', version: 'v1alpha1', resource: 'httpscaledobjects' },
  { group: 'nfd.k8s-sigs.io', version: 'v1alpha1', resource: 'nodefeaturerules' },
  { group: 'snapshot.storage.k8s.io', version: 'v1', resource: 'volumesnapshots' },
  { group: 'snapshot.storage.k8s.io', version: 'v1', resource: 'volumesnapshotcontents' },
]

/** What capabilities note in ConfigMaps for pages to show. No other is read. */
export const shownNotes = { resource: builtIn.configmaps, fieldSelector: `metadata.name=${nfsInventoryName}` } as const

export const twinClocks: GroupVersionResource = { group: twinGroup, version: 'v1alpha1', resource: 'twinclocks' }
export const twinFaults: GroupVersionResource = { group: twinGroup, version: 'v1alpha1', resource: 'twinfaults' }

/** Where leaders of the control plane, and ours, say that they live; `''` stands for our own namespace. */
export const leaseNamespaces = (own: string): readonly string[] => [...new Set(['kube-system', own])]

/** What is shown beside the model. Leases only where they tell the time: each node has one, and renews it every 10 s. */
export const pageNeeds: readonly Need[] = [
  { ...disruptionPermits, kind: 'DisruptionPermit', mode: 'full' },
  { ...rebalancePlans, kind: planKind, mode: 'full' },
  { ...rebalancePolicies, kind: 'RebalancePolicy', mode: 'full' },
  { ...builtIn.events, kind: 'Event', mode: 'projection', fields: eventFields },
  { ...builtIn.horizontalpodautoscalers, kind: 'HorizontalPodAutoscaler', mode: 'full' },
  { ...builtIn.leases, kind: 'Lease', mode: 'full', scope: { namespaces: leaseNamespaces('') } },
]

/** The same as watches; `ownNamespace` is ours. */
export function shownNeeds(ownNamespace: string): readonly WatchNeed[] {
  return pageNeeds.map(({ kind: _, scope, ...need }) =>
    scope === undefined ? need : { ...need, namespaces: leaseNamespaces(ownNamespace) },
  )
}
