// What a drop-in's command line and environment come to, with what is wrong about them.
import type { Problem } from '#kube/problem.ts'
import type { tlsSettings } from '#kube/server/serving/tls-settings.ts'

/** One variable that cannot be used: upstream's sentence, and why. */
export interface EnvironmentProblem {
  readonly message: string
  readonly error: string
}

/** What a command line and its environment come to. */
export type Parsed<Settings> =
  | { readonly ok: false; readonly problems: readonly Problem[] }
  | {
      readonly ok: true
      readonly settings: Settings
      readonly warnings: readonly string[]
      readonly refused: readonly EnvironmentProblem[]
    }

/** Versions and ciphers of connections by TLS. */
export type WireSettings = Omit<ReturnType<typeof tlsSettings>, 'unavailable'>
