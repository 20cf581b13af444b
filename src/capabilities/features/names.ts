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

export const topologyGroup = 'topology.node.k8s.io'
export const topologyVersion = 'v1alpha2'
/** What is where on a node, by the node's name. */
export const nodeResourceTopologies: GroupVersionResource = {
  group: topologyGroup,
  version: topologyVersion,
  resource: 'noderesourcetopologies',
}

/** The namespace of what a master and workers note of themselves; an instance of a master puts its name in front. */
export const trackingNamespace = 'nfd.node.kubernetes.io'

/** The version of the worker that wrote a NodeFeature. */
export const workerVersionAnnotation = `${trackingNamespace}/worker.version`
/** The pod of the worker: a new pod is news, also where it found the same. */
export const workerPodAnnotation = `${trackingNamespace}/worker.pod.uid`

/** The list of features that a NodeFeature is published for; without it all that was found is in it. */
export const publishedForAnnotation = 'ballast.dev/features-for'

/** The name under which the arbiter is asked, and nodes are written. */
export const capabilityName = 'features'
