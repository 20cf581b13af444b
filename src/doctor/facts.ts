// What doctor knows of a cluster: objects as they were read, and what could not be read. Checks are functions of this.
import type { Right } from '#coordination/rbac.ts'
import type { KubeObject } from '#kube/objects/objects.ts'

export interface ClusterFacts {
  readonly objects: readonly KubeObject[]
  /** Kinds that were not read, and why. */
  readonly unread: readonly { readonly kind: string; readonly why: string }[]
  readonly nowMs: number
  /** What Ballast's controller is configured to do; `undefined`: it is not installed, or its configuration cannot be read. */
  readonly ours: OwnFacts | undefined
}

export interface OwnFacts {
  readonly namespace: string
  /** Names of enabled capabilities. */
  readonly enabled: readonly string[]
  /** Sections of those, by name, as their schemas gave them. */
  readonly configurations: Readonly<Record<string, unknown>>
  /** Its ConfigMap was read; else what is enabled is a guess. */
  readonly isConfigured: boolean
  /** Are pods of ours running, or wanted? */
  readonly isRunning: boolean
  /** Name of the ServiceAccount. */
  readonly account: string
  /** What it needs, by what is enabled and how. */
  readonly rights: readonly Right[]
}

export const ofKind = (facts: ClusterFacts, ...kinds: readonly string[]): readonly KubeObject[] =>
  facts.objects.filter(({ kind }) => kinds.includes(kind))
