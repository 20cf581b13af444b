// The class of each difference that is known, told from where it shows: a first sorting for whoever mends it. Nobody has looked at every one.
import type { Finding } from './findings.ts'

/** Reason → what it says. */
export const reasons = {
  unchecked: 'a rule of the kind that the twin does not check: it takes what a real server refuses',
  stricter: 'a rule that the twin holds and a real server does not, or not for this change',
  words: 'both refuse: the twin finds fewer or other faults of the same object, or tells them otherwise',
  dump: "the words have a value as Go prints the server's internal struct",
  conflict: 'who owns what differs after an earlier difference, so that an apply conflicts on one side',
  ownership: 'managed fields record another owner, mostly of a default that one side alone fills in',
  warning: 'the twin does not warn of it',
  default: 'a value that one side alone fills in, drops or brings into another form',
  table: 'a cell or a description of a table',
  later: 'the real server does it a moment later, by a controller of its own',
} as const

export type Reason = keyof typeof reasons

/** Kinds that the real server goes on writing after a request was answered. */
const writtenLater = /^(CustomResourceDefinition|APIService)\./

/** Its class. Each way has one for the rest, so a new difference gets one too: that it is new is told by the table, not by this. */
export function reasonOf(kind: string, { way, field, real, twin }: Finding): Reason | undefined {
  const isDump = [real, twin].some(words => typeof words === 'string' && /^[^:]*: \{"[A-Z]|\[\{"[A-Z]/.test(words))
  switch (way) {
    case 'refused':
      if (field.startsWith('.')) return 'conflict'
      return 'unchecked'
    case 'taken':
      if (field.startsWith('.')) return 'conflict'
      return writtenLater.test(kind) && field.includes('404') ? 'later' : 'stricter'
    case 'words':
      if (isDump) return 'dump'
      return field.startsWith('.') ? 'conflict' : 'words'
    case 'value':
      return reasonOfValue(kind, field)
  }
}

function reasonOfValue(kind: string, field: string): Reason {
  if (/^(row\.cells|columnDefinitions)/.test(field)) return 'table'
  if (field.includes('managedFields')) return 'ownership'
  if (field === 'warning') return 'warning'
  return writtenLater.test(kind) ? 'later' : 'default'
}
