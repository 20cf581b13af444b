// Maintenance windows as Ballast's own settings write them: `CRON;DURATION;ZONE`, such as `0 4 * * *;2h;Europe/Berlin`.
// The cron rule is croner's (seconds, names, L, W, #), not that of Kubernetes' controllers: those follow cron.ts.

import { Cron } from 'croner'
import type { Parsed, Problem } from '../problem.ts'
import { parseDurationMs } from './duration.ts'
import { timeZone } from './time-zone.ts'

export interface WindowSpan {
  readonly startMs: number
  /** The first millisecond outside. */
  readonly endMs: number
}

export interface Window {
  readonly text: string
  /** The span that holds `ms`; windows that touch or overlap are one span. `undefined` outside of all. */
  openAt(ms: number): WindowSpan | undefined
  /** The first span that starts after `ms`; `undefined` where none ever comes. */
  nextAfter(ms: number): WindowSpan | undefined
}

const longestText = 1_024
const longestWindowMs = 366 * 86_400_000
/** How many windows that touch each other are followed before the span is taken as long enough. */
const joinedLimit = 400

/** The window that `text` says: a start by cron, how long it lasts (a Go duration), and a zone (UTC where it is left out). */
export function parseWindow(text: string, where = 'window'): Parsed<Window> {
  const refused = (code: string, expected: string): { readonly ok: false; readonly problem: Problem } => ({
    ok: false,
    problem: { code, where, found: text, expected },
  })
  const parts = text.length > longestText ? [] : text.split(';').map(part => part.trim())
  const [cronText, durationText, zoneText = 'UTC'] = parts
  if (cronText === undefined || durationText === undefined || parts.length > 3) {
    return refused('window-syntax', 'CRON;DURATION;ZONE, such as "0 4 * * *;2h;Europe/Berlin"')
  }
  const duration = parseDurationMs(durationText, where)
  if (!duration.ok || duration.value <= 0 || duration.value > longestWindowMs) {
    return refused('window-duration', 'a duration above 0 and at most 8784h, such as "2h"')
  }
  if (timeZone(zoneText) === undefined) return refused('window-zone', 'a time zone such as "Europe/Berlin"')
  const cron = readCron(cronText, zoneText)
  if (typeof cron === 'string') return refused('window-cron', `a cron schedule of 5 or 6 fields (${cron})`)
  return { ok: true, value: windowOf(text, cron, duration.value) }
}

/** Whether any of `windows` is open at `ms`. */
export function isWithin(windows: readonly Window[], ms: number): boolean {
  return windows.some(window => window.openAt(ms) !== undefined)
}

function readCron(text: string, zone: string): Cron | string {
  try {
    return new Cron(text, { timezone: zone, paused: true, mode: '5-or-6-parts' })
  } catch (error) {
    if (error instanceof Error) return error.message
    throw error
  }
}

function windowOf(text: string, cron: Cron, durationMs: number): Window {
  const startAfter = (ms: number): number | undefined => cron.nextRun(new Date(ms))?.getTime()
  const spanFrom = (startMs: number): WindowSpan => {
    let endMs = startMs + durationMs
    let last = startMs
    for (let joined = 0; joined < joinedLimit; joined++) {
      const next = startAfter(last)
      if (next === undefined || next > endMs) break
      last = next
      endMs = next + durationMs
    }
    return { startMs, endMs }
  }
  return {
    text,
    openAt(ms) {
      // A start in (ms - duration, ms]; croner sees whole seconds, so ask from the one before.
      let start = startAfter(Math.floor((ms - durationMs) / 1_000) * 1_000 - 1_000)
      while (start !== undefined && start + durationMs <= ms) start = startAfter(start)
      return start !== undefined && start <= ms ? spanFrom(start) : undefined
    },
    nextAfter(ms) {
      const start = startAfter(Math.floor(ms / 1_000) * 1_000)
      return start === undefined ? undefined : spanFrom(start)
    },
  }
}
