// What scenarios of autoscalers serve as metrics: one table a namespace, read through the three APIs of metrics.
import type { Loose } from './scenario.ts'

export interface MetricsTable {
  /** Usage by pod and container; pods that are not named have no metrics. */
  readonly pods?: Readonly<Record<string, Readonly<Record<string, Readonly<Record<string, string>>>>>>
  /** Custom metrics of pods: by metric, by pod. */
  readonly custom?: Readonly<Record<string, Readonly<Record<string, string>>>>
  /** Custom metrics of objects: by metric. */
  readonly objects?: Readonly<Record<string, string>>
  readonly external?: Readonly<Record<string, readonly string[]>>
}

export const metricsGroups = [
  { group: 'metrics.k8s.io', version: 'v1beta1' },
  { group: 'custom.metrics.k8s.io', version: 'v1beta2' },
  { group: 'external.metrics.k8s.io', version: 'v1beta1' },
] as const

/** The tables of all namespaces, as a server of the three APIs answers from them. */
export class MetricsTables {
  readonly #tables = new Map<string, MetricsTable>()
  readonly #asked = new Map<string, number>()
  readonly #now: () => number

  constructor(now: () => number) {
    this.#now = now
  }

  set(namespace: string, table: MetricsTable): void {
    this.#tables.set(namespace, table)
  }

  /** How often metrics of the namespace were asked for. */
  asked(namespace: string): number {
    return this.#asked.get(namespace) ?? 0
  }

  /** Undefined for what is none of its paths. */
  answer(path: string): { readonly status: number; readonly body: Loose } | undefined {
    const [, , group = '', version = '', , namespace = '', ...rest] = decodeURIComponent(path).split('/')
    if (!metricsGroups.some(known => known.group === group && known.version === version)) return undefined
    if (namespace === '') return ok(resourceList(group, version))
    this.#asked.set(namespace, this.asked(namespace) + 1)
    const table = this.#tables.get(namespace) ?? {}
    // Later than any pod's becoming ready: no sample is too early.
    const timestamp = `${new Date(this.#now() + 120_000).toISOString().slice(0, 19)}Z`
    if (group === 'metrics.k8s.io') {
      const items = Object.entries(table.pods ?? {}).map(([name, containers]) => ({
        metadata: { name, namespace },
        timestamp,
        window: '15s',
        containers: Object.entries(containers).map(([container, usage]) => ({ name: container, usage })),
      }))
      return ok({ kind: 'PodMetricsList', apiVersion: 'metrics.k8s.io/v1beta1', metadata: {}, items })
    }
    const metric = rest.at(-1) ?? ''
    if (group === 'external.metrics.k8s.io') {
      const values = table.external?.[metric]
      if (values === undefined) return missing(metric)
      const items = values.map(value => ({ metricName: metric, metricLabels: {}, timestamp, value }))
      return ok({ kind: 'ExternalMetricValueList', apiVersion: 'external.metrics.k8s.io/v1beta1', metadata: {}, items })
    }
    const byObject = rest[0] === 'pods' && rest[1] === '*' ? table.custom?.[metric] : objectMetric(table, metric, rest)
    if (byObject === undefined) return missing(metric)
    const items = Object.entries(byObject).map(([name, value]) => ({
      describedObject: { kind: rest[0] === 'pods' ? 'Pod' : 'Object', namespace, name },
      metric: { name: metric },
      timestamp,
      value,
    }))
    return ok({ kind: 'MetricValueList', apiVersion: 'custom.metrics.k8s.io/v1beta2', metadata: {}, items })
  }
}

function objectMetric(table: MetricsTable, metric: string, rest: readonly string[]) {
  const value = table.objects?.[metric]
  return value === undefined ? undefined : { [rest[1] ?? '']: value }
}

function ok(body: Loose) {
  return { status: 200, body }
}

function missing(metric: string) {
  const message = `the server could not find the metric ${metric}`
  return { status: 404, body: { kind: 'Status', apiVersion: 'v1', status: 'Failure', message, reason: 'NotFound', code: 404 } }
}

function resourceList(group: string, version: string): Loose {
  const pods = { name: 'pods', singularName: '', namespaced: true, kind: 'PodMetrics', verbs: ['get'] }
  return { kind: 'APIResourceList', apiVersion: 'v1', groupVersion: `${group}/${version}`, resources: [pods] }
}
