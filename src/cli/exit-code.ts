// What a process ends with, by what was thrown, and what it says of it.
import { isOutside } from '#kube/outside-error.ts'
import { InputError } from '#kube/problem.ts'
import { CommandRefused, exitCodes } from '#process/surroundings.ts'
import type { Started } from './started-process.ts'

/** A command that was stopped before it had an answer ends as shells say it: 128 and the signal's number. */
export function exitCodeOf(
  error: unknown,
  terminal: { readonly say: (text: string) => void },
  { signal, interrupted }: Pick<Started, 'signal' | 'interrupted'>,
): number {
  if (signal.aborted && (error === signal.reason || (error instanceof Error && error.name === 'AbortError'))) return interrupted()
  if (error instanceof InputError) {
    terminal.say(error.message)
    return exitCodes.badInput
  }
  if (error instanceof CommandRefused) {
    terminal.say(`ballast: ${error.message}`)
    return error.code
  }
  if (error instanceof Error && isOutside(error)) {
    // A port that is taken, a folder that may not be written, what an API server refuses: no fault of ours to trace.
    terminal.say(`ballast: ${error.message}`)
    return exitCodes.failed
  }
  terminal.say(`ballast: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`)
  return exitCodes.failed
}
