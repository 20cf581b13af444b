// What upstreams were recorded to do to the drop-in cluster when nobody held them: the files of test/fixtures/upstream-disruptions.

/** One write of an upstream that takes pods away, or tries to. */
export interface UpstreamAct {
  readonly verb: 'evict' | 'rollout'
  /** Pod or workload of the namespace shop. */
  readonly subject: string
  /** What the API server answered: 201 and 200 for done, 429 for a budget. */
  readonly code: number
  /** After the first act. */
  readonly afterSeconds: number
}

export interface RecordedUpstream {
  readonly upstream: string
  readonly version: string
  readonly command: string
  /** What happened in the cluster. */
  readonly when: string
  readonly server: string
  readonly revision: number
  readonly acts: readonly UpstreamAct[]
}
