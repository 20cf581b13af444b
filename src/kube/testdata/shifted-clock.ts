// The clock of a machine whose time of day is wrong, by as much as a test says, now or later.
import type { Cancel, Clock } from '#kube/clock.ts'

const lookMs = 60_000

/** `clock`, but its time of day is `offMs()` ahead. Its waits are those of `clock`. */
export function shiftedClock(clock: Clock, offMs: () => number): Clock {
  const now = () => clock.now() + offMs()
  const at = (wallMs: number, callback: () => void): Cancel => {
    let cancel: Cancel
    const arm = () => {
      const leftMs = wallMs - now()
      cancel = leftMs <= 0 ? clock.schedule(0, callback) : clock.schedule(Math.min(leftMs, lookMs), arm)
    }
    arm()
    return () => cancel()
  }
  return {
    now,
    elapsed: () => clock.elapsed(),
    schedule: (delayMs, callback) => clock.schedule(delayMs, callback),
    at,
    after: (delayMs, signal) => clock.after(delayMs, signal),
    hold: () => clock.hold(),
  }
}
