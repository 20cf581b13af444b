// HorizontalPodAutoscalers as autoscaling/v1 shows them: one number, the target of cpu; all the rest travels in annotations.
import type { KubeObject } from '#kube/objects/objects.ts'
import { type Draft, fieldsAt, isFields, itemsAt, jsonText, jsonTree, numberAt, textAt, valueAt } from '../../json-value.ts'

const metricsAnnotation = 'autoscaling.alpha.kubernetes.io/metrics'
const currentAnnotation = 'autoscaling.alpha.kubernetes.io/current-metrics'
const conditionsAnnotation = 'autoscaling.alpha.kubernetes.io/conditions'
const behaviorAnnotation = 'autoscaling.alpha.kubernetes.io/behavior'

/** From storage (v2) to v1. */
export function autoscalerToV1(object: Draft | KubeObject): Draft {
  const { metrics: _, behavior, ...spec }: Draft = { metrics: undefined, ...fieldsAt(object, 'spec') }
  const { currentMetrics: __, conditions, ...status }: Draft = { currentMetrics: undefined, ...fieldsAt(object, 'status') }
  const metrics = itemsAt(object, 'spec', 'metrics')
  const current = itemsAt(object, 'status', 'currentMetrics')
  const cpu = metrics.find(isCpuTarget)
  const currentCpu = current.find(
    metric =>
      metric['type'] === 'Resource' && textAt(metric, 'resource', 'name') === 'cpu' && currentPercent(metric) !== undefined,
  )
  const others = metrics.filter(metric => metric !== cpu).map(specToV1)
  const annotations: Record<string, unknown> = { ...fieldsAt(object, 'metadata', 'annotations') }
  if (others.length > 0) annotations[metricsAnnotation] = jsonText(others)
  if (current.length > 0) annotations[currentAnnotation] = jsonText(current.map(statusToV1))
  if (Array.isArray(conditions) && conditions.length > 0) annotations[conditionsAnnotation] = jsonText(conditions)
  if (isFields(behavior)) annotations[behaviorAnnotation] = jsonText(goBehavior(behavior))
  const percent = numberAt(cpu, 'resource', 'target', 'averageUtilization')
  const used = currentCpu === undefined ? undefined : currentPercent(currentCpu)
  return {
    ...object,
    metadata: { ...fieldsAt(object, 'metadata'), ...(Object.keys(annotations).length === 0 ? {} : { annotations }) },
    spec: { ...spec, ...(percent === undefined ? {} : { targetCPUUtilizationPercentage: percent }) },
    status: { currentReplicas: 0, ...status, ...(used === undefined ? {} : { currentCPUUtilizationPercentage: used }) },
  }
}

/** As a client wrote it in v1, for storage. */
export function autoscalerFromV1(draft: Draft): Draft {
  const { targetCPUUtilizationPercentage: cpu, ...spec }: Draft = {
    targetCPUUtilizationPercentage: undefined,
    ...fieldsAt(draft, 'spec'),
  }
  const { currentCPUUtilizationPercentage: _, ...status }: Draft = {
    currentCPUUtilizationPercentage: undefined,
    ...fieldsAt(draft, 'status'),
  }
  const written = fieldsAt(draft, 'metadata', 'annotations') ?? {}
  const metrics = listIn(written[metricsAnnotation]).map(specFromV1)
  const target = { type: 'Utilization', averageUtilization: cpu }
  if (typeof cpu === 'number') metrics.push({ type: 'Resource', resource: { name: 'cpu', target } })
  const behavior = parsed(written[behaviorAnnotation])
  const conditions = listIn(written[conditionsAnnotation])
  const {
    [metricsAnnotation]: _m,
    [currentAnnotation]: _c,
    [conditionsAnnotation]: _o,
    [behaviorAnnotation]: _b,
    ...left
  } = written
  const { annotations: _a, ...metadata }: Draft = { annotations: undefined, ...fieldsAt(draft, 'metadata') }
  return {
    ...draft,
    metadata: { ...metadata, ...(Object.keys(left).length === 0 ? {} : { annotations: left }) },
    spec: {
      ...spec,
      ...(metrics.length === 0 ? {} : { metrics }),
      ...(isFields(behavior) ? { behavior: wireBehavior(behavior) } : {}),
    },
    ...(draft['status'] === undefined ? {} : { status: { ...status, ...(conditions.length === 0 ? {} : { conditions }) } }),
  }
}

function isCpuTarget(metric: Draft): boolean {
  return (
    metric['type'] === 'Resource' &&
    textAt(metric, 'resource', 'name') === 'cpu' &&
    numberAt(metric, 'resource', 'target', 'averageUtilization') !== undefined
  )
}

function currentPercent(metric: Draft): number | undefined {
  return numberAt(metric, 'resource', 'current', 'averageUtilization')
}

/** Annotations that do not parse are as good as absent, as upstream treats them. */
function parsed(text: unknown): unknown {
  if (typeof text !== 'string') return undefined
  try {
    return jsonTree(text)
  } catch (error) {
    if (error instanceof SyntaxError) return undefined
    throw error
  }
}

function listIn(text: unknown): Draft[] {
  const value = parsed(text)
  return Array.isArray(value) ? value.filter(isFields) : []
}

/** By source: where v2 keeps a metric, and which names v1 has for its parts. */
const sources = {
  Resource: 'resource',
  ContainerResource: 'containerResource',
  Pods: 'pods',
  Object: 'object',
  External: 'external',
} as const

function sourceOf(metric: Draft): (typeof sources)[keyof typeof sources] | undefined {
  const type = metric['type']
  return typeof type === 'string' && type in sources ? sources[type as keyof typeof sources] : undefined
}

function present(fields: Draft): Draft {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined))
}

/** The names of targets or current values in v1: `targetValue`, `currentValue`. */
function valuesToV1(source: string, values: Draft | undefined, prefix: 'target' | 'current'): Draft {
  const average = valueAt(values, 'averageValue')
  return present({
    [`${prefix}AverageUtilization`]: valueAt(values, 'averageUtilization'),
    [`${prefix}Value`]: valueAt(values, 'value') ?? (source === 'object' && average !== undefined ? '0' : undefined),
    [source === 'object' ? 'averageValue' : `${prefix}AverageValue`]: average,
  })
}

function identifierToV1(source: string, content: Draft): Draft {
  const name = textAt(content, 'metric', 'name')
  const selector = valueAt(content, 'metric', 'selector')
  return present({
    name: content['name'],
    container: content['container'],
    target: content['describedObject'],
    metricName: name,
    [source === 'external' ? 'metricSelector' : 'selector']: selector,
  })
}

function specToV1(metric: Draft): Draft {
  const source = sourceOf(metric)
  const content = source === undefined ? undefined : fieldsAt(metric, source)
  if (source === undefined || content === undefined) return metric
  const values = valuesToV1(source, fieldsAt(content, 'target'), 'target')
  return { type: metric['type'], [source]: { ...identifierToV1(source, content), ...values } }
}

function statusToV1(metric: Draft): Draft {
  const source = sourceOf(metric)
  const content = source === undefined ? undefined : fieldsAt(metric, source)
  if (source === undefined || content === undefined) return metric
  const values = valuesToV1(source, fieldsAt(content, 'current'), 'current')
  return { type: metric['type'], [source]: { ...identifierToV1(source, content), ...values } }
}

function specFromV1(metric: Draft): Draft {
  const source = sourceOf(metric)
  const content = source === undefined ? undefined : fieldsAt(metric, source)
  if (source === undefined || content === undefined) return metric
  const averageUtilization = content['targetAverageUtilization']
  const averageValue = content['targetAverageValue'] ?? (source === 'object' ? content['averageValue'] : undefined)
  const value = averageValue === undefined ? content['targetValue'] : undefined
  const type = averageUtilization !== undefined ? 'Utilization' : averageValue !== undefined ? 'AverageValue' : 'Value'
  const target = present({ type, averageUtilization, averageValue, value })
  const selector = content['metricSelector'] ?? content['selector']
  const isNamed = source === 'resource' || source === 'containerResource'
  const identifier = isNamed
    ? present({ name: content['name'], container: content['container'] })
    : { metric: present({ name: content['metricName'], selector }) }
  const described = source === 'object' ? { describedObject: content['target'] } : {}
  return { type: metric['type'], [source]: { ...identifier, ...described, target } }
}

/** The annotation holds Go's own form: field names in capitals, what is absent as null. */
function goBehavior(behavior: Draft): Draft {
  const rules = (name: string) => {
    const given = fieldsAt(behavior, name)
    if (given === undefined) return null
    return {
      StabilizationWindowSeconds: given['stabilizationWindowSeconds'] ?? null,
      SelectPolicy: given['selectPolicy'] ?? null,
      Policies: itemsAt(given, 'policies').map(({ type, value, periodSeconds }) => ({
        Type: type,
        Value: value,
        PeriodSeconds: periodSeconds,
      })),
      Tolerance: given['tolerance'] ?? null,
    }
  }
  return { ScaleUp: rules('scaleUp'), ScaleDown: rules('scaleDown') }
}

function wireBehavior(behavior: Draft): Draft {
  const rules = (name: string) => {
    const given = fieldsAt(behavior, name)
    if (given === undefined) return undefined
    const policies = itemsAt(given, 'Policies').map(({ Type, Value, PeriodSeconds }) => ({
      type: Type,
      value: Value,
      periodSeconds: PeriodSeconds,
    }))
    return present({
      stabilizationWindowSeconds: given['StabilizationWindowSeconds'] ?? undefined,
      selectPolicy: given['SelectPolicy'] ?? undefined,
      policies: policies.length === 0 ? undefined : policies,
      tolerance: given['Tolerance'] ?? undefined,
    })
  }
  return present({ scaleUp: rules('ScaleUp'), scaleDown: rules('ScaleDown') })
}
