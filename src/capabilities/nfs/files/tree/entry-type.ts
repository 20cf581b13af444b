import type { BigIntStats } from 'node:fs'
import type { EntryType } from '../file-work.ts'

/** What an entry is. */
export function entryType(stat: BigIntStats): EntryType {
  if (stat.isFile()) return 'file'
  if (stat.isDirectory()) return 'directory'
  if (stat.isSymbolicLink()) return 'symlink'
  if (stat.isFIFO()) return 'fifo'
  return stat.isSocket() ? 'socket' : 'device'
}

/** When it was changed, in whole milliseconds since 1970. */
export function mtimeMsOf(stat: BigIntStats): number {
  return Number(stat.mtimeMs)
}
