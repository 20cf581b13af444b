// Ages and durations as kubectl's columns have them: two units at most, the fewer the longer. What lies ahead of now, since clocks differ, is `0s`.
import { humanDuration } from '#kube/time/human-duration.ts'

/** How long something lasted or is ago: `119s`, `4m5s`, `95m`, `3h5m`, `30h`, `2d5h`, `400d`. What clocks put ahead of now is `0s`. */
export const age = (ms: number): string => humanDuration(Math.max(0, ms))

/** How long until something is: `in 14m`; what is due is `now`. */
export function until(ms: number): string {
  return ms < 1_000 ? 'now' : `in ${age(ms)}`
}

/** How long something is ago: `8s ago`. */
export function ago(ms: number): string {
  return `${age(ms)} ago`
}
