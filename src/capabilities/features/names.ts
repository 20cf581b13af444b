// Names of node-feature-discovery that nodes, rules and other programs know.

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
