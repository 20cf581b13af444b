// What metrics.k8s.io says that nodes and pods use, as amounts. Objects come from the wire: what does not parse is unknown, never 0.
import type { KubeObject } from '#kube/objects/objects.ts'
import { parseTime } from '#kube/time/time.ts'
import { cpuMillicores, wholeNumber } from '#kube/values/quantity.ts'
import type { Amounts } from '../plan-record.ts'
import type { Measurements } from './goals.ts'

/** One NodeMetrics or PodMetrics, understood. */
export interface Measured {
  readonly kind: 'node' | 'pod'
  /** Name of the node, `namespace/name` of the pod. */
  readonly key: string
  /** Millicores and bytes. */
  readonly amounts: Amounts
  /** The object's `timestamp` in milliseconds since 1970; `undefined` where it has none that parses. */
  readonly atMs: number | undefined
}

/** What `object` measured; `undefined` for another kind, and where one of its figures is missing or no quantity. */
export function measuredBy(object: KubeObject): Measured | undefined {
  const { name, namespace = '' } = object.metadata
  if (object.kind === 'NodeMetrics') return measured({ kind: 'node', key: name }, [object['usage']], object)
  const containers = object['containers']
  if (object.kind !== 'PodMetrics' || !Array.isArray(containers) || containers.length === 0) return undefined
  return measured({ kind: 'pod', key: `${namespace}/${name}` }, containers.map(usageField), object)
}

/** Everything that NodeMetrics and PodMetrics among `objects` say, however old it is: of a dump, whose own time it has. */
export function measurementsOf(objects: Iterable<KubeObject>): Measurements {
  const nodes = new Map<string, Amounts>()
  const pods = new Map<string, Amounts>()
  for (const object of objects) {
    const found = measuredBy(object)
    if (found !== undefined) (found.kind === 'node' ? nodes : pods).set(found.key, found.amounts)
  }
  return { nodes, pods }
}

function usageField(container: unknown): unknown {
  return typeof container === 'object' && container !== null && 'usage' in container ? container.usage : undefined
}

function measured(of: Pick<Measured, 'kind' | 'key'>, parts: readonly unknown[], object: KubeObject): Measured | undefined {
  let cpu = 0
  let memory = 0
  for (const part of parts) {
    const figures: { readonly cpu?: unknown; readonly memory?: unknown } = typeof part === 'object' && part !== null ? part : {}
    const [millicores, bytes] = [cpuMillicores(figures.cpu, 'usage.cpu'), wholeNumber(figures.memory, 'usage.memory')]
    if (!millicores.ok || !bytes.ok) return undefined
    cpu += millicores.value
    memory += bytes.value
  }
  const timestamp = object['timestamp']
  const at = typeof timestamp === 'string' ? parseTime(timestamp) : undefined
  return { ...of, amounts: { cpu, memory }, atMs: at?.ok === true ? at.value : undefined }
}
