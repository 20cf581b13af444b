// A disruption that we did not grant: seen in the cluster, counted like our own, never recorded as a permit.

/**
 * `pod-lost`: an eviction, a preemption or pressure took one pod of a workload. `rollout`: a new template replaces its pods.
 * `scaled`: somebody wrote its replicas. `drain`: a node is being emptied.
 */
export type ObservationKind = 'pod-lost' | 'rollout' | 'scaled' | 'drain'

export interface Observation {
  readonly kind: ObservationKind
  /** `namespace/Kind/name`; of a drain `undefined`. */
  readonly workload: string | undefined
  readonly namespace: string | undefined
  /** Nodes that lost pods by it, as far as it is known. */
  readonly nodes: readonly string[]
  readonly atMs: number
  /** Who, as users know it: `kubectl drain`, `kubelet (memory pressure)`, `kustomize-controller`; `somebody` where nothing tells. */
  readonly by: string
  /** What in the cluster shows it. */
  readonly evidence: string
  /** `scaled`: the replicas before and after. */
  readonly replicas?: { readonly from: number; readonly to: number }
}

/** What others did, as far back as any rule looks. */
export interface Observations {
  /** On one workload (`namespace/Kind/name`), oldest first; drains that took pods of it among them, each as it looks from there. */
  ofWorkload(workload: string): readonly Observation[]
  /** Everything at or after `ms`, oldest first. */
  since(ms: number): readonly Observation[]
  /** When a workload was last scaled up from 0, by anybody, us too; `undefined` where it was not, or was put to 0 since. */
  wokenMs?(workload: string): number | undefined
}

export const nothingObserved: Observations = { ofWorkload: () => [], since: () => [] }
