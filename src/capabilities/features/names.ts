// Names of node-feature-discovery that nodes, rules and other programs know.

import type { GroupVersionResource } from '#kube/objects/resource.ts'

export const nfdGroup = 'nfd.k8s-sigs.io'
export const nfdVersion = 'v1alpha1'

/** The namespace of keys that rules and workers write without one. */
export const featureNamespace = 'feature.node.kubernetes.io'
/** The namespace of labels that name a whole profile of a node. */
export const profileNamespace = 'profile.node.kubernetes.io'

/** The label that says which node a NodeFeature describes. */
export const nodeNameLabel = 'nfd.node.kubernetes.io/node-name'

/** A key with the namespace that it gets where it has none. */
export function withFeatureNamespace(key: string): string {
  return key.includes('/') ? key : `${featureNamespace}/${key}`
}

const ofGroup = (resource: string): GroupVersionResource => ({ group: nfdGroup, version: nfdVersion, resource })

export const nodeFeatures = ofGroup('nodefeatures')
export const nodeFeatureRules = ofGroup('nodefeaturerules')
export const nodeFeatureGroups = ofGroup('nodefeaturegroups')

/** What a topology updater publishes: one object a node, by its name. */
export const nodeResourceTopologies: GroupVersionResource = {
  group: 'topology.node.k8s.io',
  version: 'v1alpha2',
  resource: 'noderesourcetopologies',
}

/** The namespace of what a master and workers note of themselves; an instance of a master puts its name in front. */
export const trackingNamespace = 'nfd.node.kubernetes.io'

/** The version of the worker that wrote a NodeFeature. */
export const workerVersionAnnotation = `${trackingNamespace}/worker.version`
/** The pod of the worker: a new pod is news, also where it found the same. */
export const workerPodAnnotation = `${trackingNamespace}/worker.pod.uid`

/** The name under which the arbiter is asked, and nodes are written. */
export const capabilityName = 'features'
