// An account as data, for programs: the same facts and sentences, times as RFC 3339.

import { formatTime } from '#kube/time/time.ts'
import type { Account } from './account.ts'

/** What `-o json` and `-o yaml` print. What does not apply is left out. */
export function accountDocument(account: Account, settingsFrom: string | undefined) {
  return {
    subject: account.shown,
    configuration: settingsFrom ?? 'defaults',
    at: formatTime(account.atMs),
    isPast: account.isPast,
    about: [...account.about],
    entries: account.entries.map(({ atMs, because, ...entry }) => ({
      at: formatTime(atMs),
      ...entry,
      ...(because.length === 0 ? {} : { because: [...because] }),
    })),
    out: [...account.out],
    now: account.now.map(({ objections, planner, into, words: _, ...answer }) => ({
      ...answer,
      ...(into === undefined ? {} : { into }),
      objections: objections.map(({ fromMs, ...objection }) => ({
        ...objection,
        ...(fromMs === undefined ? {} : { from: formatTime(fromMs) }),
      })),
      planner: planner.map(({ wayOut, ...word }) => ({ ...word, ...(wayOut === undefined ? {} : { wayOut }) })),
    })),
    obstacles: account.obstacles.map(({ wayOut, before, ...obstacle }) => ({
      ...obstacle,
      ...(wayOut === undefined ? {} : { wayOut }),
      before: before.map(({ question, fromMs }) => ({ question, ...(fromMs === undefined ? {} : { from: formatTime(fromMs) }) })),
    })),
    unknown: [...account.unknown],
  }
}
