// What is known of one NodeMetrics or PodMetrics when everybody concerned was asked: data, of which all explanation is made.
import type { Node, Pod } from '#kube/objects/objects.ts'
import type { Selector } from '#kube/objects/selector.ts'
import type { PointRules } from '../points/points.ts'

/** One reading of a kubelet's answer, or why there is none. */
export type KubeletReading =
  | {
      readonly kind: 'body'
      readonly body: Buffer
      /** Just before it was asked for; milliseconds since 1970. */
      readonly sentMs: number
      /** When it was there, by both clocks. */
      readonly wallMs: number
      readonly elapsedMs: number
    }
  | { readonly kind: 'forbidden' | 'silent'; readonly message: string }

/** What metrics.k8s.io says of it. */
export type ApiAnswer =
  | { readonly kind: 'served'; readonly timestamp: string; readonly window: string }
  | { readonly kind: 'refused'; readonly message: string }

export interface MetricsFacts {
  readonly kind: 'NodeMetrics' | 'PodMetrics'
  readonly name: string
  /** The namespace of a pod; undefined where it was not found. */
  readonly namespace: string | undefined
  readonly api: ApiAnswer
  /** The Service behind metrics.k8s.io; undefined where that is not known. */
  readonly service: string | undefined
  readonly pod: Pod | undefined
  /** The pod's, or itself. */
  readonly node: Node | undefined
  /** What that node said, the earlier first. */
  readonly readings: readonly KubeletReading[]
  /** Nodes that might say the same pod. */
  readonly others: readonly { readonly node: string; readonly reading: KubeletReading }[]
  /** How many nodes were not asked that might have said it. */
  readonly unasked: number
  readonly rules: PointRules
  readonly nodeSelector: Selector
}
