// What the server has to say before the first cycle. A process with an interval asks until it hears; one that runs a single cycle ends, as
// upstream does, and whoever started it tries again.
import type { Clock } from '#kube/clock.ts'
import { untilDone } from '#kube/controllers/until-done.ts'
import { messageOf } from '#kube/log.ts'
import { OutsideError } from '#kube/outside-error.ts'
import { DeschedulerFailed } from './descheduler-failed.ts'
import type { DeschedulerLog } from './descheduler-log.ts'

/** A server that is starting has no discovery yet, and a proxy in its place never: which of them it is shows later. */
export class NotServed extends OutsideError {
  override readonly name = 'NotServed'
}

interface Around {
  readonly settings: { readonly deschedulingIntervalMs: number }
  readonly clock: Clock
  readonly log: Pick<DeschedulerLog, 'machinery'>
  readonly what: string
}

/** @throws `signal.reason`; what comes from outside where there is one cycle only, DeschedulerFailed for what is not served */
export async function answered<T>(
  ask: () => Promise<T>,
  { settings, clock, log, what }: Around,
  signal: AbortSignal,
): Promise<T> {
  if (settings.deschedulingIntervalMs > 0) return untilDone(ask, { clock, log: log.machinery, what }, signal)
  try {
    return await ask()
  } catch (error) {
    if (error instanceof NotServed) throw new DeschedulerFailed(messageOf(error), { cause: error })
    throw error
  }
}
