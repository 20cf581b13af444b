// NodeMetrics and PodMetrics of metrics.k8s.io/v1beta1, as their clients read them.
import type { KubeObject } from '#kube/objects/objects.ts'
import { formatDuration } from '#kube/time/duration.ts'
import { formatTime } from '#kube/time/time.ts'
import type { ContainerUsage } from '../points/points.ts'
import type { Usage } from '../points/usage-rate.ts'
import { bytesText, cpuText } from './quantities.ts'

/** Whose usage is told: of a Node or Pod only this much is known. */
export interface Measured {
  readonly name: string
  readonly namespace?: string
  readonly labels?: Readonly<Record<string, string>>
}

interface Told {
  /** Milliseconds since 1970: the time of the answer. */
  readonly nowMs: number
  /** Whether swap is told where it was measured. */
  readonly exposeSwap: boolean
}

const apiVersion = 'metrics.k8s.io/v1beta1'

export function nodeMetrics(node: Measured, usage: Usage, told: Told): KubeObject {
  return {
    kind: 'NodeMetrics',
    apiVersion,
    metadata: metadataOf(node, told),
    ...timeOf(usage),
    usage: usageOf(usage, told),
  }
}

/** `order`: names of the containers as the pod's spec has them; others follow by name. */
export function podMetrics(
  pod: Measured,
  containers: readonly ContainerUsage[],
  order: readonly string[],
  told: Told,
): KubeObject {
  const oldest = containers.reduce<Usage | undefined>(
    (least, { usage }) => (least === undefined || usage.timeMs < least.timeMs ? usage : least),
    undefined,
  )
  const place = (name: string) => (order.includes(name) ? order.indexOf(name) : order.length)
  const ordered = containers.toSorted((a, b) => place(a.name) - place(b.name) || (a.name < b.name ? -1 : 1))
  return {
    kind: 'PodMetrics',
    apiVersion,
    metadata: metadataOf(pod, told),
    ...timeOf(oldest),
    containers: ordered.map(({ name, usage }) => ({ name, usage: usageOf(usage, told) })),
  }
}

function metadataOf({ name, namespace, labels }: Measured, { nowMs }: Told): KubeObject['metadata'] {
  return {
    name,
    ...(namespace === undefined ? {} : { namespace }),
    creationTimestamp: formatTime(nowMs),
    ...(labels === undefined || Object.keys(labels).length === 0 ? {} : { labels }),
  }
}

function timeOf(usage: Usage | undefined): { readonly timestamp: string | null; readonly window: string } {
  if (usage === undefined) return { timestamp: null, window: '0s' }
  return { timestamp: formatTime(usage.timeMs), window: formatDuration(BigInt(usage.windowNs)) }
}

function usageOf({ cpuNanocores, memoryBytes, swapBytes }: Usage, { exposeSwap }: Told): Readonly<Record<string, string>> {
  return {
    cpu: cpuText(cpuNanocores),
    memory: bytesText(memoryBytes),
    ...(exposeSwap && swapBytes !== undefined ? { swap: bytesText(swapBytes) } : {}),
  }
}
