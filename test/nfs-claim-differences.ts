// What scenarios of claims come to with our driver otherwise than with upstream's, each with its reason. Who provisions, resizes and takes snapshots makes
// no difference: with upstream's driver ours come to what upstream's sidecars come to.

import { type ClaimOutcome, comparableOutcome, type EventSeen } from './nfs-claims.ts'

/** `words`: texts of the driver in Events and objects. `archives`: what is in them. `rights`: of the share's own folder. */
export type ClaimField = 'words' | 'archives' | 'rights'

/** Our driver by upstream's flags, or in the process that we install. */
export type OurDriver = 'nfsplugin' | 'nfs-controller'

interface ClaimDifference {
  readonly because: string
  readonly scenarios: readonly string[] | RegExp
  readonly fields: readonly ClaimField[]
}

export const claimDifferences: readonly ClaimDifference[] = [
  {
    because: 'permissions of a class are those of the new folder: upstream sets them on the whole share too',
    scenarios: ['mount-permissions'],
    fields: ['rights'],
  },
  {
    because: 'a share that cannot be mounted is named with the place of its one mount, and in one sentence',
    scenarios: [
      'server-unknown',
      'server-down',
      'deleted-while-it-fails',
      'deleted-server-down',
      'restored-before-it-is-ready',
      'snapshot-server-down',
    ],
    fields: ['words'],
  },
  {
    because: 'a parameter that nobody knows is told without the name of a second code',
    scenarios: ['snapshot-bad-parameter'],
    fields: ['words'],
  },
  {
    because: 'an archive says twice what its folder is: the last time with its checksum',
    scenarios: /^(snapshot|restored-before)/,
    fields: ['archives'],
  },
]

interface LeftOut {
  readonly because: string
  readonly scenarios: readonly string[]
  readonly by: readonly OurDriver[]
}

export const leftOut: readonly LeftOut[] = [
  {
    because:
      'a share stays mounted for a while: a server that refuses to mount is not noticed where a call before has mounted it',
    scenarios: ['clone-source-deleted', 'snapshot-deletion-server-down'],
    by: ['nfsplugin', 'nfs-controller'],
  },
  {
    because: 'beside the API server a share is mounted to delete as it was to make: the same holds there',
    scenarios: ['deleted-server-down'],
    by: ['nfs-controller'],
  },
]

/** An outcome without what is of chance, and without what is known to differ. */
export function comparedOutcome(outcome: ClaimOutcome, by: OurDriver | undefined): unknown {
  const whole = comparableOutcome(outcome)
  if (by === undefined) return whole
  const { name } = whole
  const fields = new Set(
    claimDifferences
      .filter(({ scenarios }) => (scenarios instanceof RegExp ? scenarios.test(name) : scenarios.includes(name)))
      .flatMap(one => one.fields),
  )
  const isCompared = (line: string) =>
    !(fields.has('archives') && line.includes('.tar.gz')) && !(fields.has('rights') && /^folder \d+ kubernetes$/.test(line))
  return {
    name,
    objects: fields.has('words') ? withoutMessages(whole.objects) : whole.objects,
    events: fields.has('words') ? [...new Set(whole.events.map(withoutWords))] : whole.events,
    exports: whole.exports.filter(isCompared),
  }
}

const withoutWords = ({ type, reason, regarding, from }: EventSeen) => `${type} ${reason} ${regarding} ${from}`

function withoutMessages(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutMessages)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(
    Object.entries(value).flatMap(([key, one]) => (key === 'message' ? [] : [[key, withoutMessages(one)]])),
  )
}
