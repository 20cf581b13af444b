// How it stands with the server, in a word with its sign.
import type { LinkState } from '../live/connection.ts'

const words = {
  idle: '○ resting',
  connecting: '◔ connecting',
  live: '● live',
  polling: '● polling',
  waiting: '✕ not connected',
  'signed-out': '✕ signed out',
  outdated: '✕ other version',
} as const satisfies Readonly<Record<LinkState['kind'], string>>

/** `● live`; of the past `past`. */
export function linkWord(kind: LinkState['kind'], isPast: boolean): string {
  return isPast ? '◷ past' : words[kind]
}
