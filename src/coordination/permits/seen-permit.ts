// What the watch says about a permit, held against what we know of it: what was granted does not change because an object was edited.
import { isActive, type PermitRecord } from './permit-record.ts'

interface Sight {
  /** What counts from now on. */
  readonly record: PermitRecord
  readonly trouble?: {
    readonly reason: 'PermitEdited' | 'PermitOfLaterLeader' | 'PermitOfNobody'
    readonly message: string
  }
}

/** `known` is ours by memory, `record` is how the object reads now; `epoch` is ours, 0 before we took over. Pure. */
export function seen(known: PermitRecord | undefined, record: PermitRecord, epoch: number): Sight {
  if (epoch > 0 && record.epoch > epoch)
    return {
      record,
      trouble: {
        reason: 'PermitOfLaterLeader',
        message: `it is of epoch ${record.epoch}, ours is ${epoch}: nothing is done under it, and the Lease is asked again before the next grant`,
      },
    }
  if (known === undefined) {
    if (epoch === 0 || !isActive(record)) return { record }
    // All that earlier leaders wrote was read when the epoch began, and what we write is known before it is written.
    return {
      record,
      trouble: {
        reason: 'PermitOfNobody',
        message: `it is of epoch ${record.epoch} and came when epoch ${epoch} did not expect it: nobody may act under it, and it is withdrawn`,
      },
    }
  }
  const edited = editedField(known, record)
  if (edited === undefined) return { record }
  const { resourceVersion } = record
  // What ended has ended.
  const { releasedAtMs, ending, landing } = known.releasedAtMs === undefined ? record : known
  return {
    // What the status says is taken: a lock may be lifted by hand. What was granted stays what was granted.
    record: { ...known, resourceVersion, releasedAtMs, ending, landing },
    trouble: { reason: 'PermitEdited', message: `${edited} was changed by hand: what was granted counts` },
  }
}

const frozen = ['requester', 'idempotencyKey', 'workload', 'targets', 'verb', 'grant'] as const

function editedField(known: PermitRecord, record: PermitRecord): string | undefined {
  // What is being written has no form of the server's yet.
  if (known.grant === undefined || known.resourceVersion === '') return undefined
  if (known.releasedAtMs !== undefined && record.releasedAtMs === undefined) return 'status.releasedAt'
  return frozen
    .map(field => (JSON.stringify(known[field]) === JSON.stringify(record[field]) ? undefined : `spec.${field}`))
    .find(one => one !== undefined)
}
