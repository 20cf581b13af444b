// What nodes and pods use, by whoever asks kubelets in this process: the same that metrics.k8s.io is answered from, without a way round by
// the API server.
import type { KubeObject } from '#kube/objects/objects.ts'
import { port } from '../capability.ts'

/** What was used over one window. */
interface UsageRate {
  /** Billionths of a core. */
  readonly cpuNanocores: number
  readonly memoryBytes: number
}

/** How asking one node's kubelet stands. */
interface NodeScrapeState {
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
  /** The last twenty rates at most, the oldest first. */
  nodeRates(node: string): readonly UsageRate[]
  containerRates(namespace: string, pod: string, container: string): readonly UsageRate[]
  /** How each node that is asked stands. */
  scrapes(): Iterable<NodeScrapeState>
}

export const usagePort = port<UsageSource>('usage')
