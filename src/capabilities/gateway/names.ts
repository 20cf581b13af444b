// Names that users of the KEDA HTTP add-on know, and ours beside them.
import type { GroupVersionResource } from '#kube/objects/resource.ts'

export const httpGroup = 'http.keda.sh'

export const httpScaledObjects: GroupVersionResource = {
  group: httpGroup,
  version: 'v1alpha1',
  resource: 'httpscaledobjects',
}
export const interceptorRoutes: GroupVersionResource = { group: httpGroup, version: 'v1beta1', resource: 'interceptorroutes' }

/** Who writes statuses of both kinds in the operator's place. */
export const statusManager = 'ballast-gateway-status'

/** By which upstream's operators elect their leader, and ours in their place. */
export const operatorLease = 'http-add-on.keda.sh'

/** The Service of `ballast gateway`, in the namespace of Ballast, and its port for requests. */
export const gatewayService = { name: 'ballast-gateway', portName: 'http' } as const

/** ClusterRoles of its account, as manifests and chart call them, or the Kustomize component: they are there while it is installed. */
export const gatewayRoles = ['ballast-gateway-workloads', 'ballast-gateway-gateway-workloads'] as const

/** Who writes an EndpointSlice. The cluster's own controllers leave alone what bears another value. */
export const managedByLabel = 'endpointslice.kubernetes.io/managed-by'
export const ownManager = 'ballast.dev'

/** On a ConfigMap whose data may be answered. */
export const responseBodyLabel = 'http.keda.sh/response-body'

/** Annotations of an HTTPScaledObject, as upstream reads them. */
export const upstreamAnnotations = {
  skipCreation: 'httpscaledobject.keda.sh/skip-scaledobject-creation',
  orphan: 'httpscaledobject.keda.sh/orphan-scaledobject',
} as const

/** Annotations of an InterceptorRoute or HTTPScaledObject; upstream passes them over. */
export const annotations = {
  /** `true`: bodies of LLM requests are looked at, and lists of models are answered while the target sleeps. */
  llm: 'ballast.dev/llm',
  /** How often a waiting stream gets a sign of life: `15s`. */
  heartbeat: 'ballast.dev/heartbeat',
  /** `whitespace`: answers of JSON that wait get a space as a sign of life. */
  heartbeatJson: 'ballast.dev/heartbeat-json',
  /** The model that a new pod of Ollama loads before it gets requests. */
  warmModel: 'ballast.dev/warm-model',
  /** `small=ollama,*=ollama-gpu`: which route of the namespace answers for a model. */
  modelTiers: 'ballast.dev/model-tiers',
  /** `fallback`: what finds the queue full goes to the fallback. */
  overflow: 'ballast.dev/overflow',
  /** `page`: people see a page while the target starts; `hold`: they wait as machines do. */
  waiting: 'ballast.dev/waiting',
  /** A path of the target: it says by 200 that it may be stopped. */
  beforeZero: 'ballast.dev/before-zero',
  /** `true`: while nothing of the target's Service is ready, the gateway is what its name leads to. */
  ownEndpoints: 'ballast.dev/own-endpoints',
} as const
