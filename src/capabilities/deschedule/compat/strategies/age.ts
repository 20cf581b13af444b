// How long ago something was, in whole seconds as upstream counts.
import { parseTime } from '#kube/time/time.ts'

/** Whole seconds since an RFC 3339 time; negative where that is yet to come, `undefined` where there is no time. */
export function secondsSince(text: string | undefined, nowMs: number): number | undefined {
  if (text === undefined) return undefined
  const time = parseTime(text)
  return time.ok ? Math.floor((nowMs - time.value) / 1_000) : undefined
}
