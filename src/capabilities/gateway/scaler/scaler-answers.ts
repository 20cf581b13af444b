// What a scaler is told of a route: names, targets, values, and whether it is wanted. By upstream's rules, and ours for live connections.
import type { SharedCount } from '../counts/shared-counts.ts'
import type { Route } from '../routing/route.ts'

/** Who asks, and for what: the parameters of a trigger. */
export interface Asked {
  readonly namespace: string
  readonly name: string
  readonly metadata: ReadonlyMap<string, string>
}

const metadataKeys = {
  interceptorRoute: 'interceptorRoute',
  httpScaledObject: 'httpScaledObject',
  interceptorTarget: 'interceptorTargetPendingRequests',
} as const

/** A connection that moved a byte in this time keeps its target awake, whatever is measured. */
const activeWindowMs = 60_000

/** What a question is about. */
export type Subject =
  | {
      readonly kind: 'route'
      readonly key: string
      readonly name: string
      readonly written: 'InterceptorRoute' | 'HTTPScaledObject'
    }
  /** The gateway itself: all its requests. */
  | { readonly kind: 'gateway'; readonly metric: string; readonly target: number }
  | { readonly kind: 'wrong'; readonly why: string }

export function subjectOf({ namespace, name, metadata }: Asked): Subject {
  const route = metadata.get(metadataKeys.interceptorRoute)
  if (route !== undefined) return { kind: 'route', key: `${namespace}/${route}`, name: route, written: 'InterceptorRoute' }
  const object = metadata.get(metadataKeys.httpScaledObject)
  if (object !== undefined) return { kind: 'route', key: `${namespace}/${object}`, name: object, written: 'HTTPScaledObject' }
  const target = metadata.get(metadataKeys.interceptorTarget)
  const wrong = (why: string): Subject => ({ kind: 'wrong', why })
  if (target === undefined)
    return wrong(
      `the trigger names nothing: expected metadata interceptorRoute, httpScaledObject or ${metadataKeys.interceptorTarget}`,
    )
  if (!/^\d{1,9}$/.test(target))
    return wrong(`${metadataKeys.interceptorTarget}: found ${JSON.stringify(target)}, expected a whole number`)
  return { kind: 'gateway', metric: httpMetricName(namespace, name), target: Number(target) }
}

interface MetricSpec {
  readonly metricName: string
  readonly targetSize: number
  readonly targetSizeFloat: number
}

interface MetricValue {
  readonly metricName: string
  readonly metricValue: number
  readonly metricValueFloat: number
}

/** An HTTPScaledObject has one metric of whole numbers, an InterceptorRoute one or two. */
export function specsOf(route: Route): readonly MetricSpec[] {
  const { namespace, name, concurrency, rate } = route
  if (route.kind === 'HTTPScaledObject')
    return [{ metricName: httpMetricName(namespace, name), targetSize: rate?.target ?? concurrency ?? 0, targetSizeFloat: 0 }]
  return [
    ...(concurrency === undefined ? [] : [{ metricName: concurrencyMetric(name), targetSize: 0, targetSizeFloat: concurrency }]),
    ...(rate === undefined ? [] : [{ metricName: rateMetric(name), targetSize: 0, targetSizeFloat: rate.target }]),
  ]
}

interface Numbers extends SharedCount {
  /** Requests for each piece of the window; 0 where the route has none. */
  readonly rate: number
}

/** Values of the metric that is asked for; without a name of all. */
export function valuesOf(route: Route, { concurrency, rate }: Numbers, metricName: string): readonly MetricValue[] {
  if (route.kind === 'HTTPScaledObject') {
    const metricValue = route.rate === undefined ? concurrency : Math.ceil(rate)
    return [{ metricName: httpMetricName(route.namespace, route.name), metricValue, metricValueFloat: 0 }]
  }
  const all = [
    ...(route.concurrency === undefined ? [] : [{ metricName: concurrencyMetric(route.name), value: concurrency }]),
    ...(route.rate === undefined ? [] : [{ metricName: rateMetric(route.name), value: rate }]),
  ]
  return all
    .filter(one => metricName === '' || one.metricName === metricName)
    .map(one => ({ metricName: one.metricName, metricValue: 0, metricValueFloat: one.value }))
}

/** Whether a target is wanted: somebody asks, or a connection lives that a rate does not see. */
export function isWanted(route: Route, numbers: Numbers): boolean {
  if (route.concurrency !== undefined && numbers.concurrency > 0) return true
  if (numbers.rate > 0) return true
  return numbers.concurrency > 0 && numbers.quietMs < activeWindowMs
}

function concurrencyMetric(name: string): string {
  return `http_${name}_concurrency`
}

function rateMetric(name: string): string {
  return `http_${name}_rate`
}

/** What no metric may be named with is written by its number: `http-media_002Fsonarr`. */
export function httpMetricName(namespace: string, name: string): string {
  return `http-${`${namespace}/${name}`.replace(/[^-.0-9A-Za-z]/g, one => `_${one.charCodeAt(0).toString(16).toUpperCase().padStart(4, '0')}`)}`
}
