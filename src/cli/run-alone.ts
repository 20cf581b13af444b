// One part of an agent as all of a process: what `become-alone.ts` has started.
import type { Check } from '#coordination/capability.ts'
import { systemClock } from '#kube/clock.ts'
import type { Log } from '#kube/log.ts'
import { type AgentPart, runAgentParts } from '#process/agent/agent-host.ts'
import { ProcessFault } from '#process/parts/process-fault.ts'
import { processLog } from '#process/process-log.ts'
import { exitCodes } from '#process/surroundings.ts'
import { type HandedOver, handedVariable } from './become-alone.ts'
import { exitCodeOf } from './exit-code.ts'
import type { Started } from './started-process.ts'

interface Surrounding {
  readonly environment: Readonly<Record<string, string | undefined>>
  readonly log: Log
}

/** A part with what goes on around it as long as it does. */
interface AlonePart extends Partial<AsyncDisposable> {
  readonly part: AgentPart
  /** Told how to ask for its checks. */
  readonly onChecks?: (checks: () => readonly Check[]) => void
}

/** Runs the part that `partOf` makes of what was handed over; the process ends as it does after a command. */
export async function runAlone<Known>(
  started: Started,
  partOf: (known: Known, around: Surrounding) => Promise<AlonePart>,
): Promise<void> {
  const { signal, ending } = started
  try {
    const { knows, level, gracefulMs } = handedOver<Known>()
    const log = processLog({ level, clock: systemClock })
    const alone = await partOf(knows, { environment: process.env, log })
    const { part, onChecks } = alone
    const exit = (code: number) => process.exit(code)
    try {
      await runAgentParts({
        parts: [part],
        log,
        gracefulMs,
        signal,
        exit,
        ending,
        ...(onChecks === undefined ? {} : { onChecks }),
      })
    } finally {
      await alone[Symbol.asyncDispose]?.()
    }
    process.exitCode = exitCodes.done
  } catch (error) {
    process.exitCode = exitCodeOf(error, { say: text => void process.stderr.write(`${text}\n`) }, started)
    // What is at fault may keep timers and sockets: it is not waited for.
    if (error instanceof ProcessFault) process.exit()
  }
}

/** As our own program has said it: it is not checked again. */
function handedOver<Known>(): Omit<HandedOver, 'knows'> & { readonly knows: Known } {
  const text = process.env[handedVariable]
  if (text === undefined) throw new Error('it is started by `ballast agent` alone')
  // Those that we start do not get it.
  delete process.env[handedVariable]
  return JSON.parse(text)
}
