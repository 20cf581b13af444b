// A stream of a source, opened again whenever it ends: after two seconds, and ever later while it brings nothing.
import type { Clock } from '#kube/clock.ts'
import { type Log, messageOf } from '#kube/log.ts'

interface Around {
  readonly clock: Clock
  readonly log: Log
  readonly key: string
  readonly index: number
  readonly signal: AbortSignal
}

const firstRetryMs = 2_000
const longestRetryMs = 60_000

/**
 * Hands on what `open` brings until `signal` is aborted, or there is no such stream: `open` gives none, or one that ends by itself
 * without having brought anything. One that breaks is opened again. Never rejects.
 */
export async function followStream<T>(
  open: (signal: AbortSignal) => AsyncIterable<T> | undefined,
  { clock, log, key, index, signal }: Around,
  take: (value: T) => void,
): Promise<void> {
  let delayMs = firstRetryMs
  while (!signal.aborted) {
    let isSilent = true
    try {
      const stream = open(signal)
      if (stream === undefined) return
      for await (const value of stream) {
        if (signal.aborted) return
        isSilent = false
        take(value)
      }
      if (isSilent) return
    } catch (error) {
      if (signal.aborted) return
      log.warn({ object: key, trigger: index, why: messageOf(error) }, 'the stream of a source broke, it is opened again')
    }
    if (!isSilent) delayMs = firstRetryMs
    await clock.after(delayMs, signal).catch((error: unknown) => {
      if (!signal.aborted) throw error
    })
    delayMs = Math.min(longestRetryMs, delayMs * 2)
  }
}
