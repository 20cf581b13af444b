// What the page says while it is not connected. Pure: the clock of the wait and the cluster's clock are given.
import { age } from '../../words/age.ts'
import { timeOfDay } from '../../words/time.ts'

/** A shorter cut is not told: most are a reconnection. */
const toldAfterMs = 3_000

interface Cut {
  /** How long it lasts. */
  readonly forMs: number
  /** Until the next attempt; 0 or less: it is being made. */
  readonly retryInMs: number
  /** When it began, by the cluster's clock. */
  readonly sinceClusterMs: number
}

/** `Not connected since 14:02:11. Trying again in 8s.`; undefined while there is nothing to tell. */
export function disconnectedText(cut: Cut, zone: string, nowMs: number): string | undefined {
  if (cut.forMs < toldAfterMs) return undefined
  const next = cut.retryInMs < 500 ? 'Trying again now.' : `Trying again in ${age(Math.round(cut.retryInMs / 1000) * 1000)}.`
  return `Not connected since ${timeOfDay(cut.sinceClusterMs, zone, nowMs)}. ${next}`
}
