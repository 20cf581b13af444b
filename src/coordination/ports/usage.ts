// What nodes and pods use, by whoever asks kubelets in this process: the same that metrics.k8s.io is answered from, without a way round by
// the API server.
import type { KubeObject } from '#kube/objects/objects.ts'
import { port } from '../capability.ts'

/** Over the last twenty scrapes at most; of a pod each container's own, added up: at the most what it used at one time. */
export interface UsagePeaks {
  /** Billionths of a core, which were not passed in nineteen scrapes of twenty. */
  readonly cpu95: number
  readonly memoryMost: number
  /** Over how many scrapes; of a pod the least of its containers. */
  readonly scrapes: number
}

/** How asking one node's kubelet stands. */
export interface NodeScrapeState {
  readonly node: string
  /** Milliseconds since its points were last taken; undefined: never. */
  readonly ageMs: number | undefined
  /** Why the last asking failed; undefined: it did not. */
  readonly failure: { readonly reason: string; readonly message: string; readonly remedy?: string | undefined } | undefined
}

export interface UsageSource {
  /** Between two askings of a kubelet, and so about between two rates. */
  readonly resolutionMs: number
  /** NodeMetrics of metrics.k8s.io/v1beta1, in any order. Whose use is not known is not among them. */
  nodes(): Iterable<KubeObject>
  /** PodMetrics, in any order. */
  pods(): Iterable<KubeObject>
  /** Undefined: nothing is known of it. */
  podPeaks(namespace: string, pod: string): UsagePeaks | undefined
  /** Until when pods are told by the rules of whoever was here before; absent or undefined: by our own. */
  readonly strictUntilMs?: () => number | undefined
  /** How each node stands that is asked. */
  scrapes(): Iterable<NodeScrapeState>
}

export const usagePort = port<UsageSource>('usage')
