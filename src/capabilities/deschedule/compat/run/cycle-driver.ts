// Runs one cycle: what the pure cycle wishes is done one by one, and each answer given back to it.

import type { Clock } from '#kube/clock.ts'
import { breather } from '#kube/controllers/breather.ts'
import type { EvictionWish } from '../contract.ts'
import { type CycleInput, type CycleReport, runCycle } from '../cycle.ts'
import type { EvictionOutcome } from '../eviction.ts'
import type { CycleListener } from '../instruments/cycle-listener.ts'

interface DrivenBy {
  /** Carries a wish out, or pretends to. */
  readonly evict: (wish: EvictionWish) => Promise<EvictionOutcome>
  readonly listener: Pick<CycleListener, 'step' | 'answered'>
  readonly clock: Clock
}

/**
 * The report of a whole cycle. Aborted, it ends before the next eviction; one that is under way is waited for.
 * @throws `signal.reason`; what `evict` throws
 */
export async function driveCycle(
  input: CycleInput,
  { evict, listener, clock }: DrivenBy,
  signal: AbortSignal,
): Promise<CycleReport> {
  const breathe = breather(clock)
  const cycle = runCycle(input)
  let next = cycle.next()
  while (next.done !== true) {
    const step = next.value
    // Leases are renewed and requests answered meanwhile.
    await breathe()
    signal.throwIfAborted()
    if (step.kind !== 'breath') listener.step(step)
    if (step.kind !== 'evict') {
      next = cycle.next()
      continue
    }
    const outcome = await evict(step.wish)
    listener.answered(step.wish, outcome)
    next = cycle.next(outcome)
  }
  return next.value
}
