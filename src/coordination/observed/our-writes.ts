// Writes of templates that a permit of ours let us make in a name that others have, too: reloads are written as Reloader writes them.
import type { PermitRecord } from '../permits/permit-record.ts'
import type { Writer } from './writers.ts'

export type OurWrite = Pick<PermitRecord, 'fieldManager' | 'verb' | 'grant' | 'ending' | 'createdMs' | 'releasedAtMs'>

/** Managed fields are dated in whole seconds, by a clock that differs from ours by less than this, in milliseconds. */
const toleranceMs = 5_000

/**
 * Whether `writer` wrote under `permit`: in its name, and while it was out, as the server dates the write. However late it is seen, and
 * whatever was written over it meanwhile by us.
 */
export function isWrittenUnder(permit: OurWrite, { manager, atMs }: Writer, nowMs: number): boolean {
  const { fieldManager, verb, grant, ending, createdMs, releasedAtMs } = permit
  if (grant === undefined || ending === 'withdrawn' || verb !== 'restart') return false
  if (fieldManager === undefined || fieldManager !== manager || atMs === undefined) return false
  return atMs >= createdMs - toleranceMs && atMs <= (releasedAtMs ?? nowMs) + toleranceMs
}
