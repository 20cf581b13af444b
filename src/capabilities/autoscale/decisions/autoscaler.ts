// The HorizontalPodAutoscaler of a ScaledObject: what it is to be, and whether the one that is there already says so. Names, labels and
// fields are KEDA's, so that an autoscaler that KEDA wrote is taken over without a change.
import { isDeepStrictEqual } from 'node:util'
import { isRecord } from '#kube/objects/object-shape.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { compareQuantities, parseQuantity, type Quantity } from '#kube/values/quantity.ts'
import { defaultMostReplicas, type ScaledObject } from '../kinds/scaled-object.ts'
import { annotations } from '../names.ts'
import type { OpenBounds } from '../scalers/calendar/time-window.ts'
import { compositeMetric, type HpaMetric, milliQuantity, ownerLabel, type TargetType } from '../triggers/metric-names.ts'
import { pausesOf } from './pauses.ts'

const longestLabel = 63
/** What upstream says of itself on what it writes. */
export const manager = 'keda-operator'

export function autoscalerName({ metadata, spec }: ScaledObject): string {
  const given = spec.advanced?.horizontalPodAutoscalerConfig?.name
  return given === undefined || given === '' ? `keda-hpa-${metadata.name}` : given
}

/** The HPA's bounds while such windows are open: it cannot have none while KEDA goes to zero. */
export function autoscalerBounds(
  { spec }: Pick<ScaledObject, 'spec'>,
  { floor, ceiling = Number.POSITIVE_INFINITY }: OpenBounds = { floor: 0, ceiling: undefined },
): { readonly minReplicas: number; readonly maxReplicas: number } {
  const least = Math.max(1, spec.minReplicaCount ?? 0)
  const maxReplicas = Math.max(least, Math.min(ceiling, spec.maxReplicaCount ?? defaultMostReplicas))
  // Where windows contradict each other, the ceiling holds.
  return { minReplicas: Math.min(maxReplicas, Math.max(least, floor)), maxReplicas }
}

interface CompositeTarget {
  readonly type: TargetType
  readonly value: number
}

/** `undefined`: there is no formula, or its target is no positive number. */
export function compositeTarget({ spec }: ScaledObject): CompositeTarget | undefined {
  const modifiers = spec.advanced?.scalingModifiers
  if (modifiers?.formula === undefined || modifiers.formula === '') return undefined
  const value = Number(modifiers.target)
  return value > 0 && Number.isFinite(value) ? { type: modifiers.metricType ?? 'AverageValue', value } : undefined
}

/** `spec.metrics` of what all triggers ask for: sorted by type, folded into one where a formula is set, each told whose it is. */
export function autoscalerMetrics(object: ScaledObject, metrics: readonly HpaMetric[]): readonly HpaMetric[] {
  const composite = compositeTarget(object)
  const order = ['ContainerResource', 'External', 'Resource']
  if (composite !== undefined) {
    const quantity = milliQuantity(composite.value)
    const target =
      composite.type === 'Value'
        ? ({ type: 'Value', value: quantity } as const)
        : ({ type: 'AverageValue', averageValue: quantity } as const)
    const folded: HpaMetric = { type: 'External', external: { metric: { name: compositeMetric }, target } }
    return [...metrics.filter(({ type }) => type === 'Resource'), owned(folded, object)]
  }
  return metrics
    .map((metric, at) => ({ metric: owned(metric, object), at }))
    .sort((one, other) => order.indexOf(one.metric.type) - order.indexOf(other.metric.type) || one.at - other.at)
    .map(({ metric }) => metric)
}

function owned(metric: HpaMetric, { metadata }: ScaledObject): HpaMetric {
  if (metric.type !== 'External') return metric
  const { name } = metric.external.metric
  const selector = { matchLabels: { [ownerLabel]: metadata.name } }
  return { ...metric, external: { ...metric.external, metric: { name, selector } } }
}

/** Metric names that two triggers share: upstream refuses such an object. */
export function repeatedMetrics(metrics: readonly HpaMetric[]): readonly string[] {
  const all = metrics.flatMap(metric => (metric.type === 'External' ? [metric.external.metric.name] : []))
  return [...new Set(all.filter((name, at) => all.indexOf(name) !== at))]
}

type Rules = Readonly<Record<string, unknown>>
type Behavior = { readonly scaleUp?: Rules | undefined; readonly scaleDown?: Rules | undefined }

/** The object's own behavior, with a paused direction switched off. */
function behaviorOf(object: ScaledObject): Behavior | undefined {
  const given: Behavior | undefined = object.spec.advanced?.horizontalPodAutoscalerConfig?.behavior
  const { isScaleInPaused, isScaleOutPaused } = pausesOf(object)
  if (!isScaleInPaused && !isScaleOutPaused) return given
  const off = (rules: Rules | undefined) => ({ ...rules, selectPolicy: 'Disabled' })
  return {
    ...given,
    ...(isScaleInPaused ? { scaleDown: off(given?.scaleDown) } : {}),
    ...(isScaleOutPaused ? { scaleUp: off(given?.scaleUp) } : {}),
  }
}

/** `target`: how the API server calls what is scaled. `version`: what the label says of who writes. `bounds`: of the windows that are open. */
export function wantedAutoscaler(
  object: ScaledObject,
  metrics: readonly HpaMetric[],
  {
    target,
    version,
    bounds,
  }: {
    readonly target: { readonly apiVersion: string; readonly kind: string }
    readonly version: string
    readonly bounds?: OpenBounds | undefined
  },
): KubeObject {
  const { metadata, spec } = object
  const name = autoscalerName(object)
  const excluded = new Set(metadata.annotations?.[annotations.excludedLabels]?.split(',') ?? [])
  const behavior = behaviorOf(object)
  return {
    apiVersion: 'autoscaling/v2',
    kind: 'HorizontalPodAutoscaler',
    metadata: {
      name,
      ...(metadata.namespace === undefined ? {} : { namespace: metadata.namespace }),
      labels: {
        'app.kubernetes.io/name': name.slice(0, longestLabel).replace(/[^\p{L}\p{N}]+$/u, ''),
        'app.kubernetes.io/version': version,
        'app.kubernetes.io/part-of': metadata.name,
        'app.kubernetes.io/managed-by': manager,
        ...Object.fromEntries(Object.entries(metadata.labels ?? {}).filter(([key]) => !excluded.has(key))),
      },
      ...(metadata.annotations === undefined ? {} : { annotations: metadata.annotations }),
      ownerReferences: [
        {
          apiVersion: object.apiVersion,
          kind: object.kind,
          name: metadata.name,
          uid: metadata.uid ?? '',
          controller: true,
          blockOwnerDeletion: true,
        },
      ],
    },
    spec: {
      scaleTargetRef: { apiVersion: target.apiVersion, kind: target.kind, name: spec.scaleTargetRef.name },
      ...autoscalerBounds(object, bounds),
      metrics: autoscalerMetrics(object, metrics),
      ...(behavior === undefined ? {} : { behavior }),
    },
  }
}

/** Which parts of `found` do not say yet what `wanted` says; empty: nothing is to be written. Defaults that the server added differ in nothing. */
export function autoscalerDifferences(
  wanted: KubeObject,
  found: KubeObject,
): readonly ('spec' | 'labels' | 'annotations' | 'owner')[] {
  const [want, have] = [fields(wanted['spec']), fields(found['spec'])]
  const areAsMany = listLength(want['metrics']) === listLength(have['metrics'])
  const isSpecSaid =
    areAsMany && isSaid(withoutBehavior(want), withoutBehavior(have)) && isBehaviorSaid(want['behavior'], have['behavior'])
  const owner = found.metadata.ownerReferences?.find(({ controller }) => controller === true)
  return [
    ...(isSpecSaid ? [] : (['spec'] as const)),
    ...(isSaid(wanted.metadata.labels, found.metadata.labels) ? [] : (['labels'] as const)),
    ...(areAnnotationsSaid(wanted.metadata.annotations, found.metadata.annotations) ? [] : (['annotations'] as const)),
    ...(owner?.uid === wanted.metadata.ownerReferences?.[0]?.uid ? [] : (['owner'] as const)),
  ]
}

/** Upstream sees only the loss of all of them. */
function areAnnotationsSaid(want: unknown, have: unknown): boolean {
  return want === undefined ? Object.keys(fields(have)).length === 0 : isSaid(want, have)
}

const nothing: Readonly<Record<string, unknown>> = {}

function fields(value: unknown): Readonly<Record<string, unknown>> {
  return isRecord(value) ? value : nothing
}

function withoutBehavior({ behavior: _behavior, ...rest }: Readonly<Record<string, unknown>>): unknown {
  return rest
}

function listLength(value: unknown): number {
  return Array.isArray(value) ? value.length : 0
}

/** The server fills a behavior with what holds anyway. */
function isBehaviorSaid(want: unknown, have: unknown): boolean {
  if (want === undefined) return have === undefined
  return isSaid(want, have) && !hasMoreRules(fields(want), fields(have))
}

/** A direction that was switched off by a pause and is not any more. */
function hasMoreRules(want: Readonly<Record<string, unknown>>, have: Readonly<Record<string, unknown>>): boolean {
  return ['scaleUp', 'scaleDown'].some(
    key => fields(have[key])['selectPolicy'] === 'Disabled' && fields(want[key])['selectPolicy'] !== 'Disabled',
  )
}

/** Whether `have` says all that `want` says; quantities by their amount. */
function isSaid(want: unknown, have: unknown): boolean {
  if (want === undefined || want === null) return true
  if (Array.isArray(want))
    return Array.isArray(have) && want.length <= have.length && want.every((item, at) => isSaid(item, have[at]))
  if (isRecord(want)) return isRecord(have) && Object.entries(want).every(([key, value]) => isSaid(value, have[key]))
  if (isDeepStrictEqual(want, have)) return true
  const [one, other] = [amount(want), amount(have)]
  return one !== undefined && other !== undefined && compareQuantities(one, other) === 0
}

function amount(value: unknown): Quantity | undefined {
  const parsed = typeof value === 'string' || typeof value === 'number' ? parseQuantity(value) : undefined
  return parsed?.ok === true ? parsed.value : undefined
}
