// What was measured, as metrics.k8s.io tells it. Objects come from the wire: what does not parse is unknown.
import type { ClusterState } from '#cluster/cluster-state.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { parseTime } from '#kube/time/time.ts'
import { cpuMillicores, wholeNumber } from '#kube/values/quantity.ts'
import { rfc3339 } from '../../words/time.ts'

export interface Usage {
  /** Millicores and bytes. */
  readonly cpu: number
  readonly memory: number
  readonly at: string | null
}

/** Use of a node by the NodeMetrics of `state`. */
export function nodeUsage(metrics: KubeObject | undefined): Usage | undefined {
  return metrics === undefined ? undefined : usageOf(metrics, [metrics['usage']])
}

/** Use of a pod: the sum of its containers. */
export function podUsage(state: ClusterState, namespace: string, name: string): Usage | undefined {
  const metrics = state.object('PodMetrics', namespace, name)
  const containers = metrics?.['containers']
  if (metrics === undefined || !Array.isArray(containers)) return undefined
  return usageOf(metrics, containers.map(usageField))
}

function usageField(container: unknown): unknown {
  return typeof container === 'object' && container !== null && 'usage' in container ? container.usage : undefined
}

function usageOf(metrics: KubeObject, parts: readonly unknown[]): Usage | undefined {
  let cpu = 0
  let memory = 0
  for (const part of parts) {
    const { cpu: cores, memory: bytes }: { readonly cpu?: unknown; readonly memory?: unknown } =
      typeof part === 'object' && part !== null ? part : {}
    const [millicores, whole] = [cpuMillicores(cores, 'usage.cpu'), wholeNumber(bytes, 'usage.memory')]
    if (!millicores.ok || !whole.ok) return undefined
    cpu += millicores.value
    memory += whole.value
  }
  const timestamp = metrics['timestamp']
  const at = typeof timestamp === 'string' ? parseTime(timestamp) : undefined
  return { cpu, memory, at: at?.ok === true ? rfc3339(at.value) : null }
}
