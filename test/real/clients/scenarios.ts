// What each client is asked to do, the same at a real API server and at the twin.

import { kubectlScenarios } from './kubectl-scenarios.ts'
import { ownScenarios } from './own-scenarios.ts'
import type { ClientSite } from './site.ts'
import { upstreamScenarios } from './upstream-scenarios.ts'

/** What a client did, without what time and chance bring: equal on every server that it works with. */
export interface Done {
  readonly exitCodes: readonly number[]
  /** What it said or left behind, line by line. */
  readonly saw: readonly string[]
}

export interface ClientScenario {
  readonly name: string
  /** Module and version, for the recording. */
  readonly version: string
  readonly command: readonly string[]
  /** Throws PartUnavailable where the program cannot be had, Error where it did not come to its end. */
  run(site: ClientSite): Promise<Done>
}

export const clientScenarios: readonly ClientScenario[] = [...ownScenarios, ...upstreamScenarios, ...kubectlScenarios]
