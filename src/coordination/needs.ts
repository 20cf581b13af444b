// What a part asks of the API server: what it watches, and what it may besides.

/** One kind that is watched. Rights to get, list and watch follow from it. */
export interface Need {
  readonly group: string
  readonly version: string
  readonly resource: string
  readonly kind: string
  /** How much of each object is kept: the fields named, only metadata, or everything. */
  readonly mode: 'projection' | 'metadata' | 'full'
  /** For `projection`: dotted paths, `spec.containers`. */
  readonly fields?: readonly string[]
  readonly labelSelector?: string
  readonly fieldSelector?: string
  /** Default `cluster`. With `namespaces` these are watched one by one, and look like one watch. */
  readonly scope?: 'cluster' | 'own-namespace' | 'agent-namespace' | { readonly namespaces: readonly string[] }
  /** The kind may be absent from the cluster; then the capability does without. */
  readonly optional?: boolean
}

const accessVerbs = ['get', 'list', 'watch', 'create', 'update', 'patch', 'delete', 'deletecollection', 'use', 'bind'] as const

/** A right beyond reading what is watched. */
export interface Permission {
  readonly groups: readonly string[]
  /** Plural names, with sub-resource where meant: `pods/eviction`. */
  readonly resources: readonly string[]
  readonly verbs: readonly (typeof accessVerbs)[number][]
  /** Only the objects of these names; not for `create`, where the server does not know the name yet. */
  readonly names?: readonly string[]
  /** Default `cluster`. `agent-namespace`: where our pods on nodes are. */
  readonly scope?: 'cluster' | 'own-namespace' | 'agent-namespace' | { readonly namespaces: readonly string[] }
  /** Who reads the generated role sees this beside the rule. */
  readonly because: string
}
