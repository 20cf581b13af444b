// A workload whose replacement came back to where it was moved away from is not moved again for a while, longer each time.
import type { PermitRecord } from '../../permits/permit-record.ts'
import { isUrgent, releasedMs, workloadOf } from '../disturbance.ts'
import { defer, pass, type Rule } from '../question.ts'

export const quarantine: Rule = {
  name: 'quarantine',
  from: 'enforce',
  ask({ intent, ledger, policy, nowMs }) {
    const workload = workloadOf(intent)
    if (workload === undefined || intent.verb !== 'evict' || isUrgent(intent)) return pass
    const backs = returnsSinceSuccess(ledger.ofWorkload(workload), nowMs)
    const last = backs.at(-1)
    if (last === undefined) return pass
    const { firstMs, longestMs } = policy.quarantine
    const untilMs = last.atMs + Math.min(longestMs, firstMs * 2 ** (backs.length - 1))
    if (untilMs <= nowMs) return pass
    return defer({ rule: 'quarantine', workload, failures: backs.length, permit: last.permit.name }, untilMs)
  },
}

interface Landed {
  readonly permit: PermitRecord
  readonly atMs: number
}

/** Permits whose replacement came back, oldest first, after the last one that landed as meant. */
function returnsSinceSuccess(permits: readonly PermitRecord[], nowMs: number): readonly Landed[] {
  const landed: Landed[] = []
  for (const permit of permits) {
    const atMs = releasedMs(permit, nowMs)
    if (atMs !== undefined && (permit.landing === 'back' || permit.landing === 'expected')) landed.push({ permit, atMs })
  }
  landed.sort((a, b) => a.atMs - b.atMs)
  return landed.slice(landed.findLastIndex(({ permit }) => permit.landing === 'expected') + 1)
}
