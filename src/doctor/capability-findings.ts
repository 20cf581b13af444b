// Findings that capabilities bring: of their upstreams, their annotations and their own settings.
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
  /** What is wrong with one annotation, wherever it is written: in a cluster or in a file of a repository. */
  readonly annotation?: (key: string, value: unknown, place: AnnotationPlace) => readonly Finding[]
  /** The release of a helmfile that all others are to wait for. */
  readonly first?: FirstRelease
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

/** Every kind of finding by its id, those of capabilities among them. */
export const knownKinds: ReadonlyMap<string, FindingKind> = new Map(
  [findingKinds, ...Array.from(capabilityFindings.values(), ({ kinds }) => kinds ?? {})].flatMap(kinds =>
    Object.entries<FindingKind>(kinds),
  ),
)

/** What `ballast doctor AREA` takes. What is found in a repository comes last. */
export const areas: readonly string[] = [
  ...new Set([...knownKinds.values()].map(({ area }) => area)).difference(new Set(['repository'])),
  'repository',
]
