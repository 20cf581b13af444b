// What may be other on the twin when other people's controllers run there, each with its reason.
import type { StoredDifference } from '../other-people/stored.ts'

interface AcceptedField {
  readonly object: RegExp
  readonly field: RegExp
  readonly why: string
}

// biome-ignore format: a table
const fields: readonly AcceptedField[] = [
  { object: /^Lease kube-system\/apiserver-/, field: /^$/, why: 'the twin is one process and tells nobody so' },
  { object: /^Secret apps\//, field: /^data\.key\.der$/, why: 'a private key that each side draws, in a format that does not show it' },
]

export function isAccepted({ object, field }: StoredDifference): boolean {
  return fields.some(row => row.object.test(object) && row.field.test(field))
}

// biome-ignore format: a table
const chances: readonly (readonly [line: RegExp, why: string])[] = [
  [/the object has been modified/, 'two writers meet at one moment or do not'],
]

/** A complaint that a run on the real server may have or not, by chance. */
export function isChance(line: string): boolean {
  return chances.some(([chance]) => chance.test(line))
}
