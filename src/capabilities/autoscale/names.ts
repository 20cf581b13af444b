// Names that KEDA's users know: groups, annotations, labels, finalizers. They are kept, so that manifests work unchanged.
import type { GroupVersionResource } from '#kube/objects/resource.ts'

export const kedaGroup = 'keda.sh'
export const eventingGroup = 'eventing.keda.sh'
export const kedaVersion = 'v1alpha1'

const keda = (resource: string): GroupVersionResource => ({ group: kedaGroup, version: kedaVersion, resource })
const eventing = (resource: string): GroupVersionResource => ({ group: eventingGroup, version: kedaVersion, resource })

export const scaledObjects = keda('scaledobjects')
export const scaledJobs = keda('scaledjobs')
export const triggerAuthentications = keda('triggerauthentications')
export const clusterTriggerAuthentications = keda('clustertriggerauthentications')
export const cloudEventSources = eventing('cloudeventsources')
export const clusterCloudEventSources = eventing('clustercloudeventsources')

export const kedaFinalizer = 'finalizer.keda.sh'

/** Annotations of a ScaledObject; the first also of a ScaledJob. */
export const annotations = {
  paused: 'autoscaling.keda.sh/paused',
  pausedReplicas: 'autoscaling.keda.sh/paused-replicas',
  pausedScaleIn: 'autoscaling.keda.sh/paused-scale-in',
  pausedScaleOut: 'autoscaling.keda.sh/paused-scale-out',
  forceActivation: 'autoscaling.keda.sh/force-activation',
  transferOwnership: 'scaledobject.keda.sh/transfer-hpa-ownership',
  excludedLabels: 'scaledobject.keda.sh/hpa-excluded-labels',
  /** Ours, as are those below; KEDA passes them over. */
  zeroPolicy: 'ballast.dev/scale-to-zero-policy',
  wakes: 'ballast.dev/wakes',
  oneAwake: 'ballast.dev/one-awake',
  priority: 'ballast.dev/one-awake-priority',
  pullAhead: 'ballast.dev/pull-ahead',
  preWarm: 'ballast.dev/pre-warm',
} as const

/** The condition of a ScaledObject that may be awake before anybody comes. */
export const preWarmCondition = 'PreWarm'
/** What was learned of arrivals, in our own namespace. */
export const learnedConfigMap = 'ballast-autoscale-arrivals'

/** On a HorizontalPodAutoscaler: `false` lets it stand beside a ScaledObject of the same target. */
export const ownershipAnnotation = 'validations.keda.sh/hpa-ownership'
export const jobLabel = 'scaledjob.keda.sh/name'
export const jobGeneration = 'scaledjob.keda.sh/generation'
export const jobExcludedLabels = 'scaledjob.keda.sh/job-excluded-labels'

/** What is served of external metrics, and how the API server registers it. */
export const externalMetrics = {
  group: 'external.metrics.k8s.io',
  version: 'v1beta1',
  name: 'v1beta1.external.metrics.k8s.io',
} as const
