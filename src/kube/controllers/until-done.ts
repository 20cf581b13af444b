// Work that a server, the network or an object may keep from being done: tried again until it is.
import type { Clock } from '../clock.ts'
import { type Log, messageOf } from '../log.ts'
import { isOutside } from '../outside-error.ts'

const firstRetryMs = 1_000
const longestRetryMs = 30_000

interface Around {
  readonly clock: Clock
  readonly log: Log
  /** `the baseline of reloads is read` */
  readonly what: string
}

/**
 * What `work` yields, as soon as it does: what comes from outside is tried again after 1 s, doubled up to 30 s, for ever, and told when it
 * is something else than before. @throws `signal.reason`; what `work` throws that is no OutsideError
 */
export async function untilDone<T>(work: () => Promise<T>, { clock, log, what }: Around, signal: AbortSignal): Promise<T> {
  let told = ''
  for (let retryMs = firstRetryMs; ; retryMs = Math.min(longestRetryMs, retryMs * 2)) {
    try {
      return await work()
    } catch (error) {
      signal.throwIfAborted()
      if (!isOutside(error)) throw error
      const why = messageOf(error)
      if (why !== told) log.warn({ what, why, retryMs }, 'not done yet by what came from outside, tried again')
      told = why
      await clock.after(retryMs, signal)
    }
  }
}
