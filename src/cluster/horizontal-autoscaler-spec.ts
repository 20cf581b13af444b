// The words of a HorizontalPodAutoscaler (autoscaling/v2) as far as its decisions need them.
import type { LabelSelector } from '#kube/objects/objects.ts'

export type MetricTarget = {
  readonly type: 'Utilization' | 'Value' | 'AverageValue'
  readonly averageUtilization?: number
  readonly averageValue?: string
  readonly value?: string
}

export interface MetricIdentifier {
  readonly name: string
  readonly selector?: LabelSelector
}

export interface DescribedObject {
  readonly apiVersion?: string
  readonly kind: string
  readonly name: string
}

export type MetricSpec =
  | { readonly type: 'Resource'; readonly resource: { readonly name: string; readonly target: MetricTarget } }
  | {
      readonly type: 'ContainerResource'
      readonly containerResource: { readonly name: string; readonly container: string; readonly target: MetricTarget }
    }
  | { readonly type: 'Pods'; readonly pods: { readonly metric: MetricIdentifier; readonly target: MetricTarget } }
  | {
      readonly type: 'Object'
      readonly object: {
        readonly metric: MetricIdentifier
        readonly describedObject: DescribedObject
        readonly target: MetricTarget
      }
    }
  | { readonly type: 'External'; readonly external: { readonly metric: MetricIdentifier; readonly target: MetricTarget } }

export interface ScalingPolicy {
  readonly type: 'Pods' | 'Percent'
  readonly value: number
  readonly periodSeconds: number
}

export interface ScalingRules {
  readonly stabilizationWindowSeconds?: number
  readonly selectPolicy?: 'Max' | 'Min' | 'Disabled'
  readonly policies?: readonly ScalingPolicy[]
  /** A quantity such as `0.05`. */
  readonly tolerance?: string
}

export interface AutoscalerSpec {
  readonly minReplicas?: number
  readonly maxReplicas: number
  readonly metrics: readonly MetricSpec[]
  readonly behavior?: { readonly scaleUp?: ScalingRules; readonly scaleDown?: ScalingRules }
}
