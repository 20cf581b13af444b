// Findings that capabilities bring: of their upstreams, their annotations and their own settings.
import { enabledCapabilities } from '#process/enabled-capabilities.ts'
import type { ClusterFacts } from './facts.ts'
import type { Finding } from './finding.ts'

declare module '#coordination/capability.ts' {
  interface CapabilitySections {
    /** What `ballast doctor` finds where it is concerned. */
    readonly findings?: () => Promise<CapabilityFindings>
  }
}

/** All are pure. */
export interface CapabilityFindings {
  readonly cluster?: (facts: ClusterFacts) => readonly Finding[]
  /** Whether it has anything to do where it is enabled; absent: always. */
  readonly isAtWork?: (facts: ClusterFacts) => boolean
  /** What is wrong with one annotation, wherever it is written: in a cluster or in a file of a repository. */
  readonly annotation?: (key: string, value: unknown, place: AnnotationPlace) => readonly Finding[]
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
