// A process as it begins: it hears signals before anything else is loaded, since one that is the first of its container has no other way to be
// ended.
import { systemClock } from '#kube/clock.ts'
import { graceOf, LastResort } from '#process/ending.ts'
import type { Ending } from '#process/surroundings.ts'

/** What was there before the program was loaded. */
export interface Started {
  readonly signal: AbortSignal
  /** The code of a command that a signal ended before it had an answer. */
  readonly interrupted: () => number
  readonly ending: Ending
}

const failed = 1
// The first signal asks for an orderly end, the second ends at once. A launcher that is gone counts as a signal.
const signalNumbers = { SIGINT: 2, SIGTERM: 15, SIGHUP: 1, disconnect: 1 } as const
/** A signal to the whole group comes twice: from whoever sent it, and passed on by the launcher. */
const sameSignalMs = 500

/** Hears signals from now on. To be called once, before the rest is loaded. */
export function startedProcess(): Started {
  const stop = new AbortController()
  const grace = graceOf(process.env)
  const resort = new LastResort(
    () => {
      say(`ballast: not ended within ${grace.atAllMs / 1_000} s: it ends at once`)
      process.exit(failed)
    },
    words => say(words),
  )
  let interrupted = 128
  let askedMs = 0
  for (const [name, signalNumber] of Object.entries(signalNumbers)) {
    process.on(name, () => {
      if (stop.signal.aborted && systemClock.elapsed() - askedMs < sameSignalMs) return
      // Who asks twice does not want to wait.
      if (stop.signal.aborted) process.exit(failed)
      askedMs = systemClock.elapsed()
      interrupted = 128 + signalNumber
      resort.begin(grace.atAllMs)
      stop.abort(new DOMException(`stopped by ${name}`, 'AbortError'))
    })
  }
  // A loop that does not turn hears nothing of its launcher's end.
  if (process.channel !== undefined) resort.afterParent(grace.atAllMs)
  process.channel?.unref()
  return {
    signal: stop.signal,
    interrupted: () => interrupted,
    ending: { grace, begin: () => resort.begin(grace.atAllMs) },
  }
}

function say(words: string): void {
  process.stderr.write(`${words}\n`)
}
