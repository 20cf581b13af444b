// When a cron trigger is active, and when it will be next. The compatible rule looks ahead only, as upstream's does, with what follows from
// that on days without the hour it starts at; the safe rule asks what came last.
import { parseCron } from '#kube/time/cron.ts'

export interface CronWindow {
  readonly start: Schedule
  readonly end: Schedule
  /** `ahead`: what comes next decides, as upstream has it. `latest`: what came last. Where start and end came together, the end wins, or the start. */
  readonly rule: 'ahead' | 'latest' | 'latest-start-wins'
}

/** Times of a calendar, milliseconds since 1970. */
export interface Schedule {
  next(afterMs: number): number | undefined
}

const hourMs = 3_600_000
/** How far back the last start or end is looked for: further only where there was none nearer. */
const looksBackMs = [1, 24, 24 * 8, 24 * 32, 24 * 366 * 5].map(hours => hours * hourMs)

export function isCronActive({ start, end, rule }: CronWindow, nowMs: number): boolean {
  if (rule !== 'ahead') {
    const [began, ended] = [lastBefore(start, nowMs), lastBefore(end, nowMs)]
    if (began === undefined || ended === undefined || began === ended)
      return began !== undefined && (ended === undefined || rule === 'latest-start-wins')
    return began > ended
  }
  const [nextStart, nextEnd] = [start.next(nowMs), end.next(nowMs)]
  // What never comes counts as long past: without a start it is always on, without an end never.
  if (nextStart === undefined) return true
  return nextEnd !== undefined && nextStart >= nextEnd
}

/** {@link isCronActive} for many moments: nothing changes before the next start or end. */
export function activityOf(window: CronWindow): (nowMs: number) => boolean {
  let known = { fromMs: 0, untilMs: 0, isActive: false }
  return nowMs => {
    if (nowMs < known.fromMs || nowMs >= known.untilMs)
      known = {
        fromMs: nowMs,
        untilMs: nextChange(window, nowMs) ?? Number.POSITIVE_INFINITY,
        isActive: isCronActive(window, nowMs),
      }
    return known.isActive
  }
}

/** The last time at or before `nowMs`; undefined: none in five years. */
function lastBefore(schedule: Schedule, nowMs: number): number | undefined {
  for (const back of looksBackMs) {
    let last: number | undefined
    for (let at = schedule.next(nowMs - back); at !== undefined && at <= nowMs; at = schedule.next(at)) last = at
    if (last !== undefined) return last
  }
  return undefined
}

export interface TimeSpan {
  readonly fromMs: number
  /** Undefined: it does not end within five years. */
  readonly toMs: number | undefined
}

const mostChanges = 400

/** The next `count` times of activity after `nowMs`; one that is under way begins now. */
export function nextWindows(window: CronWindow, nowMs: number, count: number): readonly TimeSpan[] {
  const spans: TimeSpan[] = []
  let fromMs = isCronActive(window, nowMs) ? nowMs : undefined
  let at: number | undefined = nowMs
  for (let changes = 0; spans.length < count && at !== undefined && changes < mostChanges; changes++) {
    at = nextChange(window, at)
    if (at === undefined) break
    const isActive = isCronActive(window, at)
    if (isActive) fromMs ??= at
    else if (fromMs !== undefined) {
      spans.push({ fromMs, toMs: at })
      fromMs = undefined
    }
  }
  if (fromMs !== undefined && spans.length < count) spans.push({ fromMs, toMs: undefined })
  return spans
}

/** The next start or end after a moment; undefined: neither comes within five years. */
export function nextChange({ start, end }: CronWindow, afterMs: number): number | undefined {
  const times = [start.next(afterMs), end.next(afterMs)].filter(time => time !== undefined)
  return times.length === 0 ? undefined : Math.min(...times)
}

/** The schedule, or why there is none; five fields alone, as upstream's trigger reads them. */
export function fiveFields(text: string, zone: string): Schedule | string {
  if (/^(?:CRON_)?TZ=|^@/.test(text.trim())) return `expected five fields, found ${JSON.stringify(text)}`
  const parsed = parseCron(text, { zone })
  return parsed.ok ? parsed.value : (parsed.problem.message ?? parsed.problem.expected)
}
