// metrics.k8s.io/v1beta1: what is measured of the nodes and pods that there are. What exists, and its labels, come from the watches; points
// without an object are never served.
import type { Clock } from '#kube/clock.ts'
import type { Informer } from '#kube/informers/informer-view.ts'
import type { KubeObject, Node, Pod } from '#kube/objects/objects.ts'
import type { Selector } from '#kube/objects/selector.ts'
import { notFound } from '#kube/objects/status.ts'
import {
  type AggregatedApi,
  type AggregatedResource,
  aggregatedApi,
  type LateObject,
  type TableColumn,
} from '#kube/server/aggregated-api.ts'
import { canonicalText, parseQuantity } from '#kube/values/quantity.ts'
import type { ContainerUsage, PodAbsence, Points } from '../points/points.ts'
import { type Exposed, encodeMetrics, encodePodMetrics, type Measured, nodeMetrics, podMetrics } from './metrics-objects.ts'
import { OrderedObjects } from './ordered-objects.ts'

export interface MetricsSource {
  readonly nodes: Pick<Informer<Node>, 'store' | 'onChange'>
  readonly pods: Pick<Informer<Pod>, 'store' | 'onChange'>
  readonly points: Points
  /** Nodes that are left out are neither scraped nor listed. */
  readonly nodeSelector: Selector
  readonly exposed: Exposed
  readonly clock: Clock
  /** Told of the age of each item that is served, in seconds. */
  readonly onServed: (ageSeconds: number) => void
}

/** Lists of equal questions within this time are one. */
const sharedMs = 250

/** Pods of a list between two looks at the clocks. */
const looksAMoment = 256

const usageSchema = { type: 'object', additionalProperties: { type: 'string' } }
const timeSchemas = { timestamp: { type: 'string', format: 'date-time' }, window: { type: 'string' } }

const unknownField = (field: string) =>
  `${JSON.stringify(field)} is not a known field selector: only "metadata.name", "metadata.namespace"`

const core = (resource: string) => ({ group: '', resource })
const measured = (resource: string) => ({ group: 'metrics.k8s.io', resource })

export function metricsApi(source: MetricsSource): AggregatedApi {
  return aggregatedApi({
    group: 'metrics.k8s.io',
    version: 'v1beta1',
    resources: [nodesResource(source), podsResource(source)],
  })
}

function nodesResource({ nodes, points, nodeSelector, exposed, clock, onServed }: MetricsSource): AggregatedResource {
  const metricsOf = (node: Node): KubeObject | undefined => {
    const usage = points.nodeUsage(node.metadata.name, clock.elapsed())
    if (usage === undefined) return undefined
    onServed((clock.now() - usage.timeMs) / 1_000)
    return nodeMetrics(measuredOf(node), usage, { nowMs: clock.now(), exposed })
  }
  const ordered = new OrderedObjects(nodes)
  return {
    name: 'nodes',
    kind: 'NodeMetrics',
    namespaced: false,
    *list({ labelSelector }) {
      for (const node of ordered.selected(undefined, labelSelector))
        yield node !== undefined && nodeSelector.matches(node.metadata.labels ?? {}) ? metricsOf(node) : undefined
    },
    get({ name }) {
      const node = nodes.store.get(undefined, name)
      // Upstream's cache has nodes by their singular, and pods by their plural.
      if (node === undefined) throw notFound(core('node'), name)
      const found = nodeSelector.matches(node.metadata.labels ?? {}) ? metricsOf(node) : undefined
      if (found === undefined) throw notFound(measured('nodemetrics'), name)
      return found
    },
    columns: columnsOf,
    protobuf: encodeMetrics,
    unknownField,
    sharedMs,
    schema: { type: 'object', properties: { ...timeSchemas, usage: usageSchema } },
  }
}

function podsResource({ pods, points, exposed, clock, onServed }: MetricsSource): AggregatedResource {
  const momentOf = () => ({ nowMs: clock.now(), elapsedMs: clock.elapsed(), exposed })
  const metricsOf = (pod: Pod, told: ReturnType<typeof momentOf>): LateObject | undefined => {
    const found = points.podUsage(pod.metadata, finishedOf(pod), told.elapsedMs)
    if (isAbsence(found)) return undefined
    let oldestMs = Number.POSITIVE_INFINITY
    for (const { usage } of found) if (usage.timeMs < oldestMs) oldestMs = usage.timeMs
    onServed((told.nowMs - oldestMs) / 1_000)
    return new ListedPod(pod, found, told)
  }
  const ordered = new OrderedObjects(pods)
  return {
    name: 'pods',
    kind: 'PodMetrics',
    namespaced: true,
    *list({ namespace, labelSelector }) {
      let moment = momentOf()
      let looks = 0
      for (const pod of ordered.selected(namespace, labelSelector)) {
        if (++looks % looksAMoment === 0) moment = momentOf()
        yield pod !== undefined && isRunning(pod) ? metricsOf(pod, moment) : undefined
      }
    },
    get({ namespace = '', name }) {
      const pod = pods.store.get(namespace, name)
      if (pod === undefined || !isRunning(pod)) throw notFound(core('pods'), name)
      const found = metricsOf(pod, momentOf())
      if (found === undefined) throw notFound(measured('podmetrics'), `${namespace}/${name}`)
      return found.make()
    },
    columns: columnsOf,
    protobuf: encodeMetrics,
    unknownField,
    sharedMs,
    schema: {
      type: 'object',
      properties: {
        ...timeSchemas,
        containers: { type: 'array', items: { type: 'object', properties: { name: { type: 'string' }, usage: usageSchema } } },
      },
    },
  }
}

/** A pod of a list, which is an object only for those who read it. */
class ListedPod implements LateObject {
  readonly #pod: Pod
  readonly #containers: readonly ContainerUsage[]
  readonly #told: Parameters<typeof podMetrics>[3]

  constructor(pod: Pod, containers: readonly ContainerUsage[], told: Parameters<typeof podMetrics>[3]) {
    this.#pod = pod
    this.#containers = containers
    this.#told = told
  }

  get metadata(): Pod['metadata'] {
    return this.#pod.metadata
  }

  make(): KubeObject {
    return podMetrics(measuredOf(this.#pod), this.#containers, this.#pod.spec.containers, this.#told)
  }

  protobuf(): Uint8Array {
    return encodePodMetrics(this.#pod.metadata, this.#containers, this.#pod.spec.containers, this.#told)
  }
}

export function isAbsence(found: unknown): found is PodAbsence {
  return !Array.isArray(found)
}

/** Containers that ended: what a kubelet still says of them is no use of now. */
export function finishedOf(pod: Pod): ReadonlySet<string> {
  const { containerStatuses = [], initContainerStatuses = [] } = pod.status ?? {}
  if (!containerStatuses.some(hasEnded) && !initContainerStatuses.some(hasEnded)) return none
  return new Set([...containerStatuses, ...initContainerStatuses].filter(hasEnded).map(({ name }) => name))
}

const none: ReadonlySet<string> = new Set()

function hasEnded({ state }: { readonly state?: { readonly terminated?: unknown } }): boolean {
  return state?.terminated !== undefined
}

export function isRunning(pod: Pod): boolean {
  return pod.status?.phase === 'Running'
}

export function measuredOf({ metadata: { name, namespace, labels } }: KubeObject): Measured {
  return { name, ...(namespace === undefined ? {} : { namespace }), ...(labels === undefined ? {} : { labels }) }
}

/** Name, the resources of the first item, and the window; nothing for an empty list. */
function columnsOf(items: readonly KubeObject[]): readonly TableColumn[] {
  const [first] = items
  if (first === undefined) return []
  const names = [...sumsOf(first).keys()].toSorted()
  return [
    { name: 'Name', format: 'name', description: 'Name of the resource', cell: ({ metadata }) => metadata.name },
    ...names.map((name): TableColumn => ({ name, format: 'quantity', cell: object => sumsOf(object).get(name) ?? '0' })),
    { name: 'Window', format: 'duration', cell: object => String(object['window']) },
  ]
}

/** What an object uses of each resource; of a pod the sum of its containers. */
function sumsOf(object: KubeObject): ReadonlyMap<string, string> {
  const containers = Array.isArray(object['containers']) ? object['containers'] : [object]
  const sums = new Map<string, { nanos: bigint; format: 'DecimalSI' | 'BinarySI' | 'DecimalExponent' }>()
  for (const { usage } of containers)
    for (const [name, text] of Object.entries(usage as Readonly<Record<string, string>>)) {
      const amount = parseQuantity(text)
      if (!amount.ok) continue
      const sum = sums.get(name)
      sums.set(name, { nanos: (sum?.nanos ?? 0n) + amount.value.nanos, format: sum?.format ?? amount.value.format })
    }
  return new Map([...sums].map(([name, sum]) => [name, canonicalText(sum)]))
}
