// What a process is given by whoever starts it, and how it is refused: the parts of a process read no environment and end no process.
import { type Grace, graceOf } from './ending.ts'

/** What a process has around it. */
export interface ProcessSurroundings {
  readonly environment: Readonly<Record<string, string | undefined>>
  /** Aborted by SIGINT and SIGTERM. */
  readonly signal: AbortSignal
  readonly ending: Ending
}

/** How the process ends when it does not do so by itself. */
export interface Ending {
  readonly grace: Grace
  /** From now on the process has the time of `grace.atAllMs`. A signal has begun that; so does a fault that nobody owns. */
  begin(): void
}

/** Where the process is somebody else's: nothing here ends it. */
export const embeddedEnding: Ending = { grace: graceOf({}), begin: () => undefined }

/** design.md's exit codes. */
export const exitCodes = { done: 0, failed: 1, badInput: 2, notSo: 3, infeasible: 4 } as const
export type ExitCode = (typeof exitCodes)[keyof typeof exitCodes]

/** A refusal that ends a command with words but without a stack: what was attempted, and the exit code. */
export class CommandRefused extends Error {
  override readonly name = 'CommandRefused'
  readonly code: ExitCode
  constructor(message: string, code: ExitCode = exitCodes.badInput) {
    super(message)
    this.code = code
  }
}
