// The kinds the components read, by resource key: what #kube/objects.ts does not have is described here.
// The store holds checked objects; this map is where they get their types.
import type { ResourceClaim, ResourceClaimTemplate } from '#cluster/devices/device-shapes.ts'
import type {
  Condition,
  CSINode,
  DaemonSet,
  Deployment,
  IntOrString,
  KubeObject,
  LabelSelector,
  Namespace,
  Node,
  PersistentVolume,
  PersistentVolumeClaim,
  Pod,
  PodDisruptionBudget,
  PodTemplateSpec,
  ReplicaSet,
  Service,
  StatefulSet,
  StorageClass,
} from '#kube/objects/objects.ts'

interface Lease extends KubeObject {
  readonly spec?: {
    readonly holderIdentity?: string
    readonly leaseDurationSeconds?: number
    readonly renewTime?: string
  }
}

export interface ClusterRole extends KubeObject {
  readonly aggregationRule?: { readonly clusterRoleSelectors?: readonly LabelSelector[] }
  readonly rules?: readonly Readonly<Record<string, unknown>>[]
}

export interface ControllerRevision extends KubeObject {
  readonly revision: number
  readonly data?: unknown
}

export interface ReplicationController extends KubeObject {
  readonly spec: {
    readonly replicas?: number
    readonly minReadySeconds?: number
    readonly selector?: Readonly<Record<string, string>>
    readonly template?: PodTemplateSpec
  }
  readonly status?: Readonly<Record<string, unknown>>
}

export interface PodFailurePolicyRule {
  readonly action: 'FailJob' | 'Ignore' | 'Count' | 'FailIndex'
  readonly onExitCodes?: {
    readonly containerName?: string
    readonly operator: 'In' | 'NotIn'
    readonly values: readonly number[]
  }
  readonly onPodConditions?: readonly { readonly type: string; readonly status?: string }[]
}

export interface JobSpec {
  readonly parallelism?: number
  readonly completions?: number
  readonly completionMode?: 'NonIndexed' | 'Indexed'
  readonly backoffLimit?: number
  readonly backoffLimitPerIndex?: number
  readonly maxFailedIndexes?: number
  readonly successPolicy?: { readonly rules: readonly { readonly succeededIndexes?: string; readonly succeededCount?: number }[] }
  readonly activeDeadlineSeconds?: number
  readonly ttlSecondsAfterFinished?: number
  readonly suspend?: boolean
  readonly managedBy?: string
  readonly podReplacementPolicy?: string
  readonly podFailurePolicy?: { readonly rules: readonly PodFailurePolicyRule[] }
  readonly selector?: LabelSelector
  readonly template: PodTemplateSpec
}

export interface Job extends KubeObject {
  readonly spec: JobSpec
  readonly status?: {
    readonly startTime?: string
    readonly completionTime?: string
    readonly active?: number
    readonly ready?: number
    readonly succeeded?: number
    readonly failed?: number
    readonly completedIndexes?: string
    readonly uncountedTerminatedPods?: { readonly succeeded?: readonly string[]; readonly failed?: readonly string[] }
    readonly conditions?: readonly Condition[]
    readonly [field: string]: unknown
  }
}

export interface CronJob extends KubeObject {
  readonly spec: {
    readonly schedule: string
    readonly timeZone?: string
    readonly startingDeadlineSeconds?: number
    readonly concurrencyPolicy?: 'Allow' | 'Forbid' | 'Replace'
    readonly suspend?: boolean
    readonly successfulJobsHistoryLimit?: number
    readonly failedJobsHistoryLimit?: number
    readonly jobTemplate: {
      readonly metadata?: {
        readonly labels?: Readonly<Record<string, string>>
        readonly annotations?: Readonly<Record<string, string>>
      }
      readonly spec: JobSpec
    }
  }
  readonly status?: {
    readonly active?: readonly { readonly name?: string; readonly namespace?: string; readonly uid?: string }[]
    readonly lastScheduleTime?: string
    readonly lastSuccessfulTime?: string
  }
}

export interface ServicePort {
  readonly name?: string
  readonly port: number
  readonly protocol?: string
  readonly targetPort?: IntOrString
  readonly appProtocol?: string
}

/** The fields endpoints are made from. */
export interface EndpointService extends Service {
  readonly spec?: {
    readonly selector?: Readonly<Record<string, string>>
    readonly ports?: readonly ServicePort[]
    readonly clusterIP?: string
    readonly type?: string
    readonly publishNotReadyAddresses?: boolean
  }
  readonly status?: Readonly<Record<string, unknown>>
}

export interface Kinds {
  readonly pods: Pod
  readonly nodes: Node
  readonly namespaces: Namespace
  readonly services: EndpointService
  readonly endpoints: KubeObject
  readonly 'endpointslices.discovery.k8s.io': KubeObject
  readonly 'replicasets.apps': ReplicaSet
  readonly replicationcontrollers: ReplicationController
  readonly 'deployments.apps': Deployment
  readonly 'statefulsets.apps': StatefulSet
  readonly 'daemonsets.apps': DaemonSet
  readonly 'controllerrevisions.apps': ControllerRevision
  readonly 'jobs.batch': Job
  readonly 'cronjobs.batch': CronJob
  readonly 'poddisruptionbudgets.policy': PodDisruptionBudget
  readonly 'leases.coordination.k8s.io': Lease
  readonly persistentvolumes: PersistentVolume
  readonly persistentvolumeclaims: PersistentVolumeClaim
  readonly 'storageclasses.storage.k8s.io': StorageClass
  readonly 'csinodes.storage.k8s.io': CSINode
  readonly 'resourceclaims.resource.k8s.io': ResourceClaim
  readonly 'resourceclaimtemplates.resource.k8s.io': ResourceClaimTemplate
  readonly 'resourceslices.resource.k8s.io': KubeObject
  readonly 'deviceclasses.resource.k8s.io': KubeObject
  readonly serviceaccounts: KubeObject
  readonly 'clusterroles.rbac.authorization.k8s.io': ClusterRole
  readonly configmaps: KubeObject
  readonly events: KubeObject
}

export type KnownResource = keyof Kinds

/** An event of the store about an object of one kind. */
export interface KindEvent<T extends KubeObject> {
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED'
  readonly object: T
  readonly previous: T | undefined
}
