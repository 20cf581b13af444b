// Names and numbers of external metrics: what a HorizontalPodAutoscaler is told to ask for, letter for letter as KEDA names it.
import { canonicalText, parseQuantity } from '#kube/values/quantity.ts'

/** The metric of a formula over all external triggers. */
export const compositeMetric = 'composite-metric'
/** The label that says whose metric is asked for. */
export const ownerLabel = 'scaledobject.keda.sh/name'

/** `s<index>-<text>`, with what metric names may not hold replaced. */
export function metricName(index: number, tail: string): string {
  return `s${index}-${tail.replaceAll(/[/.:%()]/g, '-')}`
}

/** As Go's `url.QueryEscape`, since metrics are named so. */
export function queryEscaped(name: string): string {
  return encodeURIComponent(name)
    .replaceAll(/[!'()*]/g, char => `%${char.charCodeAt(0).toString(16).toUpperCase()}`)
    .replaceAll('%20', '+')
}

/** What an external scaler calls a metric of ours. */
export function withoutIndex(index: number, name: string): string | undefined {
  const prefix = `s${index}-`
  return name.startsWith(prefix) ? name.slice(prefix.length) : undefined
}

/** A quantity of three decimals; what is no number or negative is 0, as upstream says it. */
export function milliQuantity(value: number): string {
  if (!Number.isFinite(value) || value < 0) return '0'
  const parsed = parseQuantity(value.toFixed(3))
  return parsed.ok ? canonicalText(parsed.value) : '0'
}

export type TargetType = 'AverageValue' | 'Value'

/** A metric of `spec.metrics` of an autoscaling/v2 HorizontalPodAutoscaler. */
export type HpaMetric =
  | {
      readonly type: 'External'
      readonly external: {
        readonly metric: { readonly name: string; readonly selector?: { readonly matchLabels: Readonly<Record<string, string>> } }
        readonly target: ValueTarget
      }
    }
  | { readonly type: 'Resource'; readonly resource: { readonly name: string; readonly target: ResourceTarget } }
  | {
      readonly type: 'ContainerResource'
      readonly containerResource: { readonly name: string; readonly container: string; readonly target: ResourceTarget }
    }

type ValueTarget =
  | { readonly type: 'AverageValue'; readonly averageValue: string }
  | { readonly type: 'Value'; readonly value: string }

export type ResourceTarget =
  | { readonly type: 'Utilization'; readonly averageUtilization: number }
  | { readonly type: 'AverageValue'; readonly averageValue: string }

/** An external metric as a trigger asks for it; the label of its owner is added where the autoscaler is written. */
export function externalMetric(name: string, type: TargetType, target: number): HpaMetric {
  const quantity = milliQuantity(target)
  return {
    type: 'External',
    external: {
      metric: { name },
      target: type === 'Value' ? { type, value: quantity } : { type, averageValue: quantity },
    },
  }
}
