// The policy file of a running process: read again when it changes (a ConfigMap's file changes by a link beside it). What cannot be used
// changes nothing: the older policy stays in force.
import type { Clock } from '#kube/clock.ts'
import type { Log } from '#kube/log.ts'
import type { Problem } from '#kube/problem.ts'
import type { readPolicy } from './policy/read-policy.ts'

type PolicyReading = ReturnType<typeof readPolicy>

/** What became of a changed file. */
export type PolicyChange =
  | Extract<PolicyReading, { readonly ok: true }>
  | { readonly ok: false; readonly problems: readonly Problem[] }

export interface PolicyWatchOptions {
  /** `--policy-config-file` */
  readonly path: string
  /** The text from which the policy in force was read. */
  readonly text: string
  /** Reads and checks a text; PriorityClasses may have changed since the start. What it throws is a refusal too. */
  readonly check: (text: string) => PolicyReading | Promise<PolicyReading>
  /** Called for each change, in order, never twice at once. It is for the receiver to say it, by log, metric and Event. */
  readonly onChange: (change: PolicyChange) => void
  readonly clock: Clock
  readonly log: Log
  /** Default: notices of the operating system where there are any, besides the regular look. */
  readonly notices?: boolean
}
