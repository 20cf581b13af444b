// One pod of a compared cycle: what ours and theirs did with it.

export type Verdict =
  /** Both evict it, or both would and the server refuses. */
  | 'agreed'
  /** Each evicts one of two pods between which upstream does not choose. */
  | 'alike'
  | 'ours-only'
  | 'theirs-only'
  /** The cluster changed between the two looks, and with the change ours decides as theirs does, or nobody can tell. */
  | 'drift'

/** Who would evict the pod, by which plugin. */
export interface ShadowSide {
  readonly profile?: string
  readonly strategy?: string
  /** The server's words. */
  readonly refusal?: string
}

export interface ShadowRow {
  /** `namespace/name`. */
  readonly pod: string
  readonly node: string
  readonly verdict: Verdict
  readonly ours?: ShadowSide
  readonly theirs?: ShadowSide
  /** Why the other one did not, or what is odd about an agreement. */
  readonly why?: string
}
