// Reads the metrics of autoscalers where kube-controller-manager does: metrics.k8s.io, custom.metrics.k8s.io and
// external.metrics.k8s.io, over the API, so that whoever serves them there is asked.

import { type MetricReading, selectorDump } from '#cluster/horizontal-autoscaler.ts'
import type { PodSample } from '#cluster/horizontal-autoscaler-metrics.ts'
import {
  type DescribedObject,
  isKnownMetric,
  type MetricIdentifier,
  type MetricSpec,
  unknownMetric,
} from '#cluster/horizontal-autoscaler-spec.ts'
import type { Transport } from '#kube/client/transport.ts'
import { labelSelectorOf } from '#kube/objects/selector.ts'
import { durationOr0 } from '#kube/time/duration.ts'
import { milliValue, parseQuantity } from '#kube/values/quantity.ts'
import { itemsAt, textAt, valueAt } from '../../json-value.ts'

/** For one answer, real time: an API server ends a request after a minute, and its answer is waited for. */
const readingTimeoutMs = 65_000
const customWindowMs = 60_000

interface MetricQuestion {
  readonly namespace: string
  /** Selector of the target's pods, as the scale has it. */
  readonly selector: string
  /** Plural with group of a kind, for metrics of objects: `ingresses.networking.k8s.io`. */
  readonly resourceOf: (object: DescribedObject) => string | undefined
}

/** Reads one metric; what cannot be read comes back as the reason in upstream's words. */
export async function readMetric(api: Transport, metric: MetricSpec, question: MetricQuestion): Promise<MetricReading> {
  if (!isKnownMetric(metric)) return failed(unknownMetric(metric))
  switch (metric.type) {
    case 'Resource':
      return resourceReading(api, metric.resource.name, undefined, question)
    case 'ContainerResource':
      return resourceReading(api, metric.containerResource.name, metric.containerResource.container, question)
    case 'Pods':
      return podsReading(api, metric.pods.metric, question)
    case 'Object':
      return objectReading(api, metric.object, question)
    case 'External':
      return externalReading(api, metric.external.metric, question)
  }
}

async function resourceReading(
  api: Transport,
  resource: string,
  container: string | undefined,
  { namespace, selector }: MetricQuestion,
): Promise<MetricReading> {
  const path = `/apis/metrics.k8s.io/v1beta1/namespaces/${namespace}/pods`
  const answer = await read(api, path, { labelSelector: selector }, 'get pods.metrics.k8s.io')
  if (!answer.ok) return failed(`unable to fetch metrics from resource metrics API: ${answer.message}`)
  const items = itemsAt(answer.body, 'items')
  if (items.length === 0) return failed('no metrics returned from resource metrics API')
  const samples = new Map<string, PodSample>()
  for (const item of items) {
    const containers = itemsAt(item, 'containers')
    const asked = container === undefined ? containers : containers.filter(({ name }) => name === container)
    const values = asked.map(one => milliOf(valueAt(one, 'usage', resource)))
    if (values.length === 0 || values.includes(undefined)) continue
    const milli = values.reduce<bigint>((sum, value) => sum + (value ?? 0n), 0n)
    samples.set(textAt(item, 'metadata', 'name') ?? '', sampleOf(item, milli, durationOr0(textAt(item, 'window') ?? '')))
  }
  return { kind: 'pods', samples }
}

async function podsReading(api: Transport, metric: MetricIdentifier, question: MetricQuestion): Promise<MetricReading> {
  const path = `/apis/custom.metrics.k8s.io/v1beta2/namespaces/${question.namespace}/pods/*/${metric.name}`
  const query = { labelSelector: question.selector, metricLabelSelector: selectorText(metric) }
  const answer = await read(api, path, query, `get pods.custom.metrics.k8s.io *`)
  if (!answer.ok) return failed(`unable to fetch metrics from custom metrics API: ${answer.message}`)
  const items = itemsAt(answer.body, 'items')
  if (items.length === 0) return failed('no metrics returned from custom metrics API')
  const samples = new Map<string, PodSample>()
  for (const item of items) {
    const seconds = valueAt(item, 'windowSeconds')
    const milli = milliOf(valueAt(item, 'value')) ?? 0n
    const window = typeof seconds === 'number' ? seconds * 1000 : customWindowMs
    samples.set(textAt(item, 'describedObject', 'name') ?? '', sampleOf(item, milli, window))
  }
  return { kind: 'pods', samples }
}

interface ObjectMetric {
  readonly metric: MetricIdentifier
  readonly describedObject: DescribedObject
}

async function objectReading(
  api: Transport,
  { metric, describedObject }: ObjectMetric,
  { namespace, resourceOf }: MetricQuestion,
): Promise<MetricReading> {
  const resource = resourceOf(describedObject)
  // The order of the words is upstream's.
  const { kind, name } = describedObject
  const refused = (why: string) => failed(`unable to get metric ${metric.name}: ${kind} on ${namespace} ${name}/${why}`)
  if (resource === undefined) {
    const group = describedObject.apiVersion?.includes('/') === true ? describedObject.apiVersion : 'v1'
    return refused(`no matches for kind "${describedObject.kind}" in version "${group}"`)
  }
  const where = describedObject.kind === 'Namespace' ? 'metrics' : `${resource}/${describedObject.name}`
  const path = `/apis/custom.metrics.k8s.io/v1beta2/namespaces/${namespace}/${where}/${metric.name}`
  const verb = `get ${resource}.custom.metrics.k8s.io ${describedObject.name}`
  const answer = await read(api, path, { metricLabelSelector: selectorText(metric) }, verb)
  if (!answer.ok) return refused(`unable to fetch metrics from custom metrics API: ${answer.message}`)
  const item = itemsAt(answer.body, 'items')[0]
  if (item === undefined) return refused('unable to fetch metrics from custom metrics API: no metrics returned')
  return { kind: 'total', milli: milliOf(valueAt(item, 'value')) ?? 0n }
}

async function externalReading(api: Transport, metric: MetricIdentifier, { namespace }: MetricQuestion): Promise<MetricReading> {
  const path = `/apis/external.metrics.k8s.io/v1beta1/namespaces/${namespace}/${metric.name}`
  const refused = (message: string) =>
    failed(`unable to get external metric ${namespace}/${metric.name}/${selectorDump(metric.selector)}: ${message}`)
  const answer = await read(api, path, { labelSelector: selectorText(metric) }, `get ${metric.name}.external.metrics.k8s.io`)
  if (!answer.ok) return refused(`unable to fetch metrics from external metrics API: ${answer.message}`)
  const items = itemsAt(answer.body, 'items')
  if (items.length === 0) return refused('no metrics returned from external metrics API')
  return { kind: 'total', milli: items.reduce((sum, item) => sum + (milliOf(valueAt(item, 'value')) ?? 0n), 0n) }
}

type Read = { readonly ok: true; readonly body: unknown } | { readonly ok: false; readonly message: string }

async function read(api: Transport, path: string, query: Readonly<Record<string, string>>, what: string): Promise<Read> {
  const asked = Object.fromEntries(Object.entries(query).filter(([, value]) => value !== ''))
  const late = AbortSignal.timeout(readingTimeoutMs)
  const answer = await api
    .request({
      ...{ verb: 'GET', path, query: asked, headers: { accept: 'application/json' } },
      ...{ timeoutMs: readingTimeoutMs, signal: late },
    })
    .catch((cause: unknown) => {
      if (!late.aborted) throw cause
      return undefined
    })
  if (answer === undefined) return { ok: false, message: messageOf(504, '', what) }
  const text = new TextDecoder().decode(answer.body)
  if (answer.status === 200) return { ok: true, body: JSON.parse(text) }
  return { ok: false, message: messageOf(answer.status, text, what) }
}

/** As client-go words an answer that is no success. */
function messageOf(status: number, text: string, what: string): string {
  if (text.startsWith('{')) {
    const message = textAt(JSON.parse(text), 'message')
    if (message !== undefined) return message
  }
  if (status === 404) return `the server could not find the requested resource (${what})`
  if (status === 504)
    return `the server was unable to return a response in the time allotted, but may still be processing the request (${what})`
  if (status === 503) return `the server is currently unable to handle the request (${what})`
  if (status === 403) return `unknown (${what})`
  return `an error on the server (${JSON.stringify(text.trim())}) has prevented the request from succeeding (${what})`
}

function failed(message: string): MetricReading {
  return { kind: 'failed', message }
}

function sampleOf(item: unknown, milli: bigint, window: number): PodSample {
  return { milli, atMs: Date.parse(textAt(item, 'timestamp') ?? '') || 0, windowMs: window }
}

function milliOf(value: unknown): bigint | undefined {
  if (typeof value !== 'string' && typeof value !== 'number') return undefined
  const parsed = parseQuantity(value)
  return parsed.ok ? milliValue(parsed.value) : undefined
}

function selectorText({ selector }: MetricIdentifier): string {
  const parsed = labelSelectorOf(selector ?? {})
  return parsed.ok ? parsed.value.toString() : ''
}
