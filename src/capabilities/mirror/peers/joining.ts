// Finding the first peers: at the start and whenever none is left, with growing pauses, for ever; and every 30 min anyway.
import type { Clock } from '#kube/clock.ts'
import { type Log, messageOf } from '#kube/log.ts'
import type { Contact } from './address.ts'
import type { Bootstrap } from './bootstrap/bootstrap-way.ts'
import { withSignal } from './links.ts'
import { OwnAddress } from './node.ts'

const firstPauseMs = 50
const longestPauseMs = 10_000
const tryLimitMs = 30_000
const anywayMs = 30 * 60_000

/** Before the try that follows `failures` failed ones: 50 ms doubling to 10 s. */
export function pauseAfter(failures: number): number {
  return Math.min(longestPauseMs, firstPauseMs * 2 ** Math.min(failures - 1, 16))
}

/** What became of one try. */
export type Tried =
  | { readonly outcome: 'joined' }
  /** All that was found is ourselves. */
  | { readonly outcome: 'alone' }
  | { readonly outcome: 'failed'; readonly reason: string }

interface JoiningOptions {
  readonly bootstrap: Bootstrap
  readonly clock: Clock
  readonly log: Log
  /** Reaches a contact. @throws OwnAddress where it is ourselves. */
  readonly reach: (contact: Contact, signal: AbortSignal) => Promise<void>
  /** Asks around who else is there. */
  readonly settle: (signal: AbortSignal) => Promise<void>
  readonly peers: () => number
  readonly onTried: (tried: Tried) => void
}

/** One try, at most 30 s. An empty table afterwards is a failure. */
async function tryToJoin({ bootstrap, clock, reach, settle, peers }: JoiningOptions, signal: AbortSignal): Promise<Tried> {
  const limit = new AbortController()
  const cancel = clock.schedule(tryLimitMs, () => limit.abort(new Error('the try took 30 s')))
  const both = AbortSignal.any([signal, limit.signal])
  try {
    const contacts = await withSignal(bootstrap.find(both), both)
    const results = await withSignal(Promise.allSettled(contacts.map(contact => reach(contact, both))), both)
    const failures = results.flatMap(result => (result.status === 'rejected' ? [result.reason] : []))
    const isOnlyUs =
      contacts.length > 0 && failures.length === contacts.length && failures.every(error => error instanceof OwnAddress)
    if (isOnlyUs && peers() === 0) return { outcome: 'alone' }
    await withSignal(settle(both), both)
    if (peers() > 0) return { outcome: 'joined' }
    const others = failures.filter(error => !(error instanceof OwnAddress))
    const reason = contacts.length === 0 ? 'nobody to begin with was found' : others.map(messageOf).join('; ')
    return { outcome: 'failed', reason: reason === '' ? 'nobody is known after dialling' : reason }
  } catch (error) {
    signal.throwIfAborted()
    return { outcome: 'failed', reason: messageOf(error) }
  } finally {
    cancel()
  }
}

/** Joins, and again when `isOffline` resolves; until `signal` is aborted. */
export async function keepJoined(
  options: JoiningOptions,
  untilOffline: (limitMs: number, signal: AbortSignal) => Promise<void>,
  signal: AbortSignal,
): Promise<void> {
  const { clock, log, onTried, peers } = options
  let failures = 0
  while (!signal.aborted) {
    const tried = await tryToJoin(options, signal)
    onTried(tried)
    if (tried.outcome === 'joined' || peers() > 0) {
      failures = 0
      await untilOffline(anywayMs, signal)
      continue
    }
    failures++
    const facts = tried.outcome === 'failed' ? { attempts: failures, reason: tried.reason } : { attempts: failures }
    const message = tried.outcome === 'failed' ? 'found no other node yet' : 'no other node is there'
    if ((failures & (failures - 1)) === 0) log.info(facts, message)
    else log.debug(facts, message)
    // Somebody may find us meanwhile: that ends the pause, not the search.
    await clock.after(pauseAfter(failures), signal)
  }
}
