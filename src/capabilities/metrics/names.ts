// How what metrics serves is registered, and what it reads of others.

export const servedApi = { group: 'metrics.k8s.io', version: 'v1beta1', name: 'v1beta1.metrics.k8s.io' } as const

/** The annotation that says the path of a node's metrics, where it is not the usual one. */
export const pathAnnotation = 'metrics.k8s.io/resource-metrics-path'

/** Fields of nodes that are read: `needs` of whoever holds the watch. */
export const nodeFields: readonly string[] = [
  `metadata.annotations[${pathAnnotation}]`,
  'status.addresses',
  'status.daemonEndpoints',
  'status.conditions.type',
  'status.conditions.status',
]

/** Fields of pods that are read. */
export const podFields: readonly string[] = [
  'status.phase',
  'spec.containers.name',
  // Whether it ended, without times, images and identities: then pods of a workload have one list of them.
  'status.containerStatuses.name',
  'status.containerStatuses.state.terminated.exitCode',
  'status.initContainerStatuses.name',
  'status.initContainerStatuses.state.terminated.exitCode',
]

/** How many nodes and containers have rates, in a line of readiness: `[+]metrics-points ok: 3 nodes and 40 containers have rates`. */
export const pointsWords = {
  said: ({ nodes, containers }: { readonly nodes: number; readonly containers: number }): string =>
    `${nodes} nodes and ${containers} containers have rates`,
  pattern: /^\[\+\]metrics-points ok: (\d+) nodes and (\d+) containers have rates$/m,
} as const

/** What is served, by the names that kubectl takes for it, in lower case. */
export const explainedKinds = {
  podmetrics: 'PodMetrics',
  'podmetrics.metrics.k8s.io': 'PodMetrics',
  'pods.metrics.k8s.io': 'PodMetrics',
  nodemetrics: 'NodeMetrics',
  'nodemetrics.metrics.k8s.io': 'NodeMetrics',
  'nodes.metrics.k8s.io': 'NodeMetrics',
} as const satisfies Readonly<Record<string, string>>
