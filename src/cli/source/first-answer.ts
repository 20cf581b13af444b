// The first words with a cluster: who waits is told after 2 s, and after 10 s why there is no answer.

import { ConnectionError, RequestTimeoutError } from '#kube/client/connection-error.ts'
import type { Transport } from '#kube/client/transport.ts'
import type { Clock } from '#kube/clock.ts'
import { messageOf } from '#kube/log.ts'
import { CommandRefused, exitCodes } from '#process/surroundings.ts'

const sayMs = 2_000
const longestMs = 10_000
const againMs = 500

interface FirstAnswerOptions {
  /** As it is shown. */
  readonly server: string
  readonly clock: Clock
  readonly signal: AbortSignal
  /** A line for whoever waits. */
  readonly say: (line: string) => void
}

/** Resolves when the server has answered anything at all. @throws CommandRefused naming address and cause when it has not in 10 s */
export async function awaitFirstAnswer(transport: Pick<Transport, 'request'>, options: FirstAnswerOptions): Promise<void> {
  const { server, clock, signal, say } = options
  const untilMs = clock.elapsed() + longestMs
  let why = ''
  const quiet = clock.schedule(sayMs, () => say(`waiting for ${server}${why === '' ? '' : `: ${why}`}`))
  try {
    for (;;) {
      const leftMs = untilMs - clock.elapsed()
      try {
        await transport.request({ verb: 'GET', path: '/version', timeoutMs: Math.max(1, leftMs), signal })
        return
      } catch (error) {
        if (!(error instanceof ConnectionError || error instanceof RequestTimeoutError)) throw error
        // That the time is over says less than what was said before.
        if (why === '' || error instanceof ConnectionError) why = messageOf(error)
      }
      if (untilMs - clock.elapsed() <= againMs)
        throw new CommandRefused(`no answer from ${server} in ${longestMs / 1000} s: ${why}`, exitCodes.failed)
      await clock.after(againMs, signal)
    }
  } finally {
    quiet()
  }
}
