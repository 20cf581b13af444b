// A drop-in ends in order also by a fault that nobody owns: its work is told to stop, and the fault is thrown when it has.
import { messageOf } from '#kube/log.ts'
import type { FaultSource } from '../parts/fault-source.ts'
import { ProcessFault } from '../parts/process-fault.ts'
import type { Ending } from '../surroundings.ts'

interface EndedBy {
  readonly faults: FaultSource
  /** Told to end. */
  readonly signal: AbortSignal
  readonly ending: Pick<Ending, 'begin'>
  /** Told of the fault at once. */
  readonly onFault: (why: string) => void
}

/** Runs `work` to its end, which its signal asks for. @throws ProcessFault for a fault that nobody owns; what `work` throws without one */
export async function endedInOrder(
  { faults, signal, ending, onFault }: EndedBy,
  work: (signal: AbortSignal) => Promise<void>,
): Promise<void> {
  const stop = new AbortController()
  let fault: unknown
  using _unowned = faults.onUnowned(error => {
    // Telling it may fail too: a log that nobody reads any more.
    if (fault !== undefined) return
    fault = error
    onFault(messageOf(error))
    stop.abort(new DOMException('the process has ended', 'AbortError'))
  })
  try {
    await work(AbortSignal.any([signal, stop.signal]))
  } catch (error) {
    if (fault === undefined) throw error
  } finally {
    ending.begin()
  }
  if (fault !== undefined) throw new ProcessFault(messageOf(fault), { cause: fault })
}
