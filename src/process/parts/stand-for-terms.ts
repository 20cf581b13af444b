// Standing for the Lease of a process again and again: a term that ends by a fault is told, and another is stood for after a while.
import type { Clock } from '#kube/clock.ts'
import type { Leader, LeaseElection } from '#kube/leases/lease.ts'
import { type Log, messageOf } from '#kube/log.ts'
import type { ControllerHealth } from '../health/controller-health.ts'
import { ProcessFault } from './process-fault.ts'

const firstRetryMs = 1_000
const longestRetryMs = 30_000

export interface LeadsTerms {
  /** One term, from the Lease won to everything that led ended. */
  lead(leader: Leader): Promise<void>
  /** From the start of a term until everything that led has ended. */
  readonly isLeading: boolean
  /** Why what led cannot be trusted to have ended, though `lead` has; `undefined` where it has. */
  readonly stuck: unknown
}

interface Around {
  readonly openElection: () => LeaseElection
  /** Before each candidacy. */
  readonly onStand?: (election: LeaseElection) => Promise<void>
  /** Says whether this replica leads or stands by, also where none of its parts does. */
  readonly health: Pick<ControllerHealth, 'add'>
  readonly clock: Clock
  readonly log: Log
  readonly signal: AbortSignal
}

/** Until `signal` is aborted. @throws ProcessFault where what led goes on though the Lease is lost; `terms.stuck`; what ended the last term with the signal */
export async function standForTerms(terms: LeadsTerms, around: Around): Promise<void> {
  const { openElection, onStand, health, clock, log, signal } = around
  const state = () => (terms.isLeading ? 'leading' : 'standby')
  using _told = health.add('leader', () => [{ name: 'election', ok: true, state: state() }])
  for (let failures = 0; !signal.aborted; ) {
    // While we lead, the end is begun by the term itself: parts first, the Lease last.
    const candidacy = new AbortController()
    const onAbort = () => (terms.isLeading ? undefined : candidacy.abort(signal.reason))
    signal.addEventListener('abort', onAbort, { once: true })
    try {
      const election = openElection()
      await onStand?.(election)
      if (signal.aborted) candidacy.abort(signal.reason)
      await election.run(leader => terms.lead(leader), candidacy.signal)
      failures = 0
    } catch (error) {
      if (terms.stuck !== undefined) throw terms.stuck
      if (signal.aborted) throw error
      // What led still runs, whoever leads now.
      if (terms.isLeading) throw new ProcessFault(messageOf(error), { cause: error })
      const delayMs = Math.min(longestRetryMs, firstRetryMs * 2 ** failures++)
      log.error({ delayMs, why: messageOf(error) }, 'term ended by a fault, tried again')
      await clock.after(delayMs, signal).catch((reason: unknown) => {
        if (!signal.aborted) throw reason
      })
    } finally {
      signal.removeEventListener('abort', onAbort)
    }
  }
}
