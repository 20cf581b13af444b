// Findings that capabilities bring: of their upstreams, their annotations and their own settings.

import { assertDistinct } from '#coordination/taken-names.ts'
import type { Api } from '#kube/client/api.ts'
import type { Dial } from '#kube/client/dispatcher.ts'
import type { Clock } from '#kube/clock.ts'
import type { ClusterConfig } from '#kube/credentials/cluster-config.ts'
import type { GroupVersionResource } from '#kube/objects/resource.ts'
import { enabledCapabilities } from '#process/enabled-capabilities.ts'
import type { ClusterFacts } from './facts.ts'
import { type Finding, type FindingKind, findingKinds } from './finding.ts'
import type { HelmfileRelease } from './helmfile.ts'

declare module '#coordination/capability.ts' {
  interface CapabilitySections {
    /** What `ballast doctor` finds where it is concerned. */
    readonly findings?: () => Promise<CapabilityFindings>
  }
}

/** Checks are pure. */
export interface CapabilityFindings {
  /** The kinds of findings that are its own, by id. */
  readonly kinds?: Readonly<Record<string, FindingKind>>
  readonly cluster?: (facts: ClusterFacts) => readonly Finding[]
  /** Whether it has anything to do where it is enabled; absent: always. */
  readonly isAtWork?: (facts: ClusterFacts) => boolean
  /** Kinds of an upstream of which more than metadata is looked at. */
  readonly reads?: readonly GroupVersionResource[]
  /** What is wrong with one annotation, wherever it is written: in a cluster or in a file of a repository. */
  readonly annotation?: (key: string, value: unknown, place: AnnotationPlace) => readonly Finding[]
  /** The release of a helmfile that all others are to wait for. */
  readonly first?: FirstRelease
  /** Absent: everything that it finds follows from objects. */
  readonly look?: Look
}

/** What is asked of others than the API server: only where the area is named, and of a live cluster. */
interface Look {
  readonly area: string
  run(options: LookOptions): Promise<Looked>
}

export interface LookOptions {
  readonly facts: ClusterFacts
  readonly api: Api
  /** As whom, and whom to believe. */
  readonly config: ClusterConfig
  readonly environment: Readonly<Record<string, string | undefined>>
  readonly clock: Clock
  readonly signal: AbortSignal
  /** Where kubelets are in truth, for nodes whose addresses nobody can reach. */
  readonly dial?: Dial | undefined
}

export interface Looked {
  /** For a person, above the findings. */
  readonly lines: readonly string[]
  /** The same for a program. */
  readonly document: object
  readonly findings: readonly Finding[]
  readonly unread: ClusterFacts['unread']
}

export interface FirstRelease {
  readonly isIt: (release: HelmfileRelease) => boolean
  /** What comes of it that `late` do not wait. */
  readonly told: (late: string) => string
}

export interface AnnotationPlace {
  readonly object: string
  readonly file?: string
  readonly line?: number
}

/** By the capability's name. */
export const capabilityFindings: ReadonlyMap<string, CapabilityFindings> = new Map(
  await Promise.all(enabledCapabilities.map(async ({ name, findings }) => [name, (await findings?.()) ?? {}] as const)),
)

/** Kinds by their id, doctor's own among them. @throws Error where an id is taken */
export function kindsById(
  byCapability: ReadonlyMap<string, Pick<CapabilityFindings, 'kinds'>>,
): ReadonlyMap<string, FindingKind> {
  const rows = [
    { by: 'ballast doctor', kinds: findingKinds },
    ...Array.from(byCapability, ([by, { kinds = {} }]) => ({ by, kinds })),
  ].flatMap(({ by, kinds }) => Object.entries<FindingKind>(kinds).map(([name, kind]) => ({ name, by, kind })))
  assertDistinct('kind of finding', rows)
  return new Map(rows.map(({ name, kind }) => [name, kind]))
}

/** Every kind of finding by its id, those of capabilities among them. */
export const knownKinds = kindsById(capabilityFindings)

/** What `ballast doctor AREA` takes. What is found in a repository comes last. */
export const areas: readonly string[] = [
  ...new Set([...knownKinds.values()].map(({ area }) => area)).difference(new Set(['repository'])),
  'repository',
]
