// The parts of a process on a node, each on its own, until the process is asked to end.
import type { AloneEntry, Check, Running } from '#coordination/capability.ts'
import { systemClock } from '#kube/clock.ts'
import type { Log } from '#kube/log.ts'
import { OutsideError } from '#kube/outside-error.ts'
import { PartHost } from '../parts/part-host.ts'
import { PartRecord } from '../parts/part-record.ts'
import { ProcessFault } from '../parts/process-fault.ts'
import { processFaults } from '../parts/process-faults.ts'
import { type HostedPart, PartStuckError } from '../parts/supervised-part.ts'
import type { Ending } from '../surroundings.ts'

export interface AgentPart {
  readonly capability: string
  readonly role: string
  /** Starts one life of it. */
  readonly start: (life: Parameters<HostedPart['start']>[0]) => Promise<Running<unknown>>
  /** The program that is this part and nothing else, where there is one. */
  readonly alone?: AloneProgram | undefined
}

/** What the command line hands over to a program that carries nothing of it. */
export interface AloneProgram extends AloneEntry {
  /** What it is to know, as JSON has it; never a secret. */
  readonly knows: unknown
}

interface AgentHostOptions {
  readonly parts: readonly AgentPart[]
  readonly log: Log
  /** How long a part may take to end in order. */
  readonly gracefulMs: number
  /** Told how to ask for the checks of all parts. */
  readonly onChecks?: (checks: () => readonly Check[]) => void
  readonly signal: AbortSignal
  /** Ends the process at once. */
  readonly exit: (code: number) => void
  readonly ending: Ending
}

/**
 * Resolves when all have ended after `signal`. Where one part is all there is, and something here keeps it from even starting (a port
 * that is taken, a file), its error is thrown: whoever started the process is to see it. @throws ProcessFault where a part does not end, or something went wrong that no part owns
 */
export async function runAgentParts({ parts, log, gracefulMs, onChecks, signal, exit, ending }: AgentHostOptions): Promise<void> {
  using faults = processFaults(exit, ending)
  const fatal = Promise.withResolvers<never>()
  fatal.promise.catch(() => undefined) // raced below
  using _unowned = faults.onUnowned(error =>
    fatal.reject(new ProcessFault('something that no part owns failed', { cause: error })),
  )
  const stop = new AbortController()
  const host = new PartHost({ clock: systemClock, log, tell: () => undefined, signal: stop.signal, gracefulMs })
  const names: string[] = []
  for (const part of parts) {
    const record = new PartRecord(
      { capability: part.capability, part: `node-${part.role}`, state: 'stopped' },
      { clock: systemClock },
    )
    names.push(record.name)
    host.add({ record, start: life => started(part, life) }, undefined)
  }
  onChecks?.(() => names.flatMap(name => host.checksOf(name) ?? []))
  let hasStarted = false
  async function started(part: AgentPart, life: Parameters<HostedPart['start']>[0]): Promise<Running<unknown>> {
    try {
      const running = await part.start(life)
      hasStarted = true
      return running
    } catch (error) {
      // What a server says is no reason to end: an outage would restart every pod.
      const isLasting = !(error instanceof OutsideError)
      if (!hasStarted && parts.length === 1 && isLasting && !life.signal.aborted) fatal.reject(error)
      throw error
    }
  }
  try {
    await Promise.race([aborted(signal), host.stuck, fatal.promise])
  } catch (error) {
    if (error instanceof PartStuckError) throw new ProcessFault(error.message, { cause: error })
    throw error
  } finally {
    ending.begin()
    await host[Symbol.asyncDispose]()
  }
}

function aborted(signal: AbortSignal): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>()
  if (signal.aborted) resolve()
  else signal.addEventListener('abort', () => resolve(), { once: true })
  return promise
}
