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

const metricSections = {
  Resource: 'resource',
  ContainerResource: 'containerResource',
  Pods: 'pods',
  Object: 'object',
  External: 'external',
} as const

/** Whether a metric is of a known type and has what its type says; others come from dumps, and from servers that check less. */
export function isKnownMetric(metric: MetricSpec): boolean {
  const section: unknown = Object.hasOwn(metricSections, metric.type)
    ? Reflect.get(metric, metricSections[metric.type])
    : undefined
  if (typeof section !== 'object' || section === null) return false
  const isTargeted = typeof Reflect.get(section, 'target') === 'object' && Reflect.get(section, 'target') !== null
  const identifier: unknown = Reflect.get(section, 'metric')
  const isNamed = 'name' in section || (typeof identifier === 'object' && identifier !== null)
  return isTargeted && isNamed && (metric.type !== 'Object' || typeof metric.object.describedObject === 'object')
}

/** Upstream's words for one that is not. */
export function unknownMetric(metric: MetricSpec): string {
  return `unknown metric source type ${JSON.stringify(metric.type)}`
}

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
