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

/** Both are pure. */
export interface CapabilityFindings {
  readonly cluster?: (facts: ClusterFacts) => readonly Finding[]
  /** What is wrong with one annotation, wherever it is written: in a cluster or in a file of a repository. */
  readonly annotation?: (key: string, value: unknown, place: AnnotationPlace) => readonly Finding[]
}

export interface AnnotationPlace {
  readonly object: string
  readonly file?: string
  readonly line?: number
}

export const capabilityFindings: readonly CapabilityFindings[] = await Promise.all(
  enabledCapabilities.flatMap(({ findings }) => (findings === undefined ? [] : [findings()])),
)
