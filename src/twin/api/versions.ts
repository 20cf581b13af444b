// Objects in the version a client asks for. Only three kinds differ between the versions that are served: events, autoscalers
// and custom resources.
import type { KubeObject } from '#kube/objects.ts'
import { type Draft, fieldsAt, frozen, isFields, itemsAt, numberAt, textAt, valueAt } from '../json-value.ts'
import { apiVersionOf, type ResourceType } from './resource-type.ts'

const converted = new WeakMap<KubeObject, Map<string, KubeObject>>()

/** A stored object as `type` serves it. The result is frozen. */
export function inVersion(type: ResourceType, object: KubeObject): KubeObject {
  const apiVersion = apiVersionOf(type)
  if (object.apiVersion === apiVersion) return object
  let versions = converted.get(object)
  if (versions === undefined) {
    versions = new Map()
    converted.set(object, versions)
  }
  let found = versions.get(apiVersion)
  if (found === undefined) {
    found = frozen({ ...converter(type).fromStorage(object), apiVersion, kind: type.kind, metadata: object.metadata })
    versions.set(apiVersion, found)
  }
  return found
}

/** An object as a client wrote it in the version of `type`, in the version in which it is stored. */
export function toStorage(type: ResourceType, draft: Draft): Draft {
  return converter(type).toStorage(draft)
}

interface Converter {
  fromStorage(object: Draft | KubeObject): Draft
  toStorage(draft: Draft): Draft
}

const unchanged: Converter = { fromStorage: object => ({ ...object }), toStorage: draft => draft }

function converter(type: ResourceType): Converter {
  if (type.group === 'events.k8s.io') return events
  if (type.key === 'horizontalpodautoscalers.autoscaling' && type.version === 'v1') return autoscalersV1
  return unchanged
}

/** `[name in events.k8s.io, name in core]` */
const eventFields = [
  ['regarding', 'involvedObject'],
  ['note', 'message'],
  ['deprecatedSource', 'source'],
  ['deprecatedFirstTimestamp', 'firstTimestamp'],
  ['deprecatedLastTimestamp', 'lastTimestamp'],
  ['deprecatedCount', 'count'],
  ['reportingController', 'reportingComponent'],
] as const

function renamed(object: Draft | KubeObject, from: 0 | 1, to: 0 | 1): Draft {
  const names = new Map<string, string>(eventFields.map(pair => [pair[from], pair[to]]))
  return Object.fromEntries(Object.entries(object).map(([name, value]) => [names.get(name) ?? name, value]))
}

const events: Converter = {
  fromStorage: object => renamed(object, 1, 0),
  toStorage: draft => renamed(draft, 0, 1),
}

const metricsAnnotation = 'autoscaling.alpha.kubernetes.io/metrics'

/** autoscaling/v1 knows one number, the target of cpu; the other metrics travel in an annotation. */
const autoscalersV1: Converter = {
  fromStorage: object => {
    const metrics = itemsAt(object, 'spec', 'metrics')
    const {
      metrics: _all,
      behavior: _behavior,
      ...spec
    } = { metrics: undefined, behavior: undefined, ...fieldsAt(object, 'spec') }
    const cpu = metrics
      .map(metric => numberAt(metric, 'resource', 'target', 'averageUtilization'))
      .find(value => value !== undefined)
    const {
      currentMetrics: _current,
      conditions: _conditions,
      ...status
    } = { currentMetrics: undefined, conditions: undefined, ...fieldsAt(object, 'status') }
    const current = itemsAt(object, 'status', 'currentMetrics').map(metric =>
      numberAt(metric, 'resource', 'current', 'averageUtilization'),
    )
    return {
      ...object,
      spec: { ...spec, ...(cpu === undefined ? {} : { targetCPUUtilizationPercentage: cpu }) },
      status: { ...status, ...(current[0] === undefined ? {} : { currentCPUUtilizationPercentage: current[0] }) },
    }
  },
  toStorage: draft => {
    const spec: Draft = { ...fieldsAt(draft, 'spec') }
    const cpu = spec['targetCPUUtilizationPercentage']
    delete spec['targetCPUUtilizationPercentage']
    const written = textAt(draft, 'metadata', 'annotations', metricsAnnotation)
    const others: unknown = written === undefined ? [] : JSON.parse(written)
    const own =
      typeof cpu === 'number'
        ? [{ type: 'Resource', resource: { name: 'cpu', target: { type: 'Utilization', averageUtilization: cpu } } }]
        : []
    const metrics = [...own, ...(Array.isArray(others) ? others.filter(isFields) : [])]
    if (metrics.length > 0) spec['metrics'] = metrics
    return { ...draft, spec, ...(valueAt(draft, 'status') === undefined ? {} : { status: draft['status'] }) }
  },
}
