// What command lines of node-feature-discovery's programs have in common, beside Go's own flags.

import type { FlagForm } from '#process/drop-ins/pflags.ts'

/** Where each of its programs answers unless it is told. */
export const standardPort = 8080

/** Ports of v0.17, whose metrics and health had one each. */
export const oldPortForms: Readonly<Record<string, FlagForm>> = { metrics: 'whole', 'grpc-health': 'whole' }

/** The parts of a list with commas; blanks around them and empty ones count for nothing. */
export function listed(text: string): string[] {
  return text.split(',').flatMap(part => (part.trim() === '' ? [] : [part.trim()]))
}
