// The books as they stood at an earlier time, as far as that can be known from what is kept.
import { formatTime } from '#kube/time/time.ts'
import type { RebalancePlan } from '../api.ts'
import { type PermitRecord, recordOf } from '../permits/permit-record.ts'
import type { Book, KeptPermit } from './book.ts'
import { madeMs } from './plan-entries.ts'

/** How long an API server keeps events unless it is told otherwise, in milliseconds. */
const eventsKeptMs = 3_600_000
/** How long released permits are kept, in milliseconds. */
export const permitsKeptMs = 48 * 3_600_000

/** What was granted later is left out, what was released later is out still; events and plans that came later are not there yet. */
export function bookAt(book: Book, { atMs, nowMs }: { readonly atMs: number; readonly nowMs: number }): Book {
  if (atMs >= nowMs) return book
  return {
    ...book,
    permits: book.permits.flatMap(permit => permitAt(permit, atMs)),
    plans: book.plans.filter(plan => madeMs(plan) <= atMs).map(plan => planAt(plan, atMs)),
    // How an isolation stood nobody wrote down.
    policies: book.policies.map(({ status: _status, ...policy }) => policy),
    events: book.events.filter(event => event.atMs <= atMs),
  }
}

function begunMs(record: PermitRecord): number {
  return record.grant?.atMs ?? record.createdMs
}

function permitAt(permit: KeptPermit, atMs: number): readonly KeptPermit[] {
  const { record, object } = permit
  if (begunMs(record) > atMs) return []
  if (record.releasedAtMs === undefined || record.releasedAtMs <= atMs) return [permit]
  const { status: _later, ...before } = object
  const { member } = record
  return [{ object: before, record: { ...recordOf(before), ...(member === undefined ? {} : { member }) } }]
}

/** A plan that had not finished then has no steps: the time of each is not written down. */
function planAt(plan: RebalancePlan, atMs: number): RebalancePlan {
  const finishedMs = Date.parse(plan.status?.finishedAt ?? '')
  if (plan.status === undefined || finishedMs <= atMs) return plan
  const startedMs = Date.parse(plan.status.startedAt ?? '')
  const { steps: _steps, finishedAt: _finished, progressAt: _progress, ...status } = plan.status
  return { ...plan, status: { ...status, phase: startedMs <= atMs ? 'Running' : 'Proposed', message: '' } }
}

/** What an account of `atMs` cannot say, seen from `nowMs`. Empty for the present. */
export function unknowns(atMs: number, nowMs: number, book: Book): readonly string[] {
  const agoMs = nowMs - atMs
  if (agoMs <= 0) return []
  const oldest = book.permits.reduce((least, { record }) => Math.min(least, begunMs(record)), nowMs)
  return [
    'labels, replicas, budgets, volumes and gates are those of now: the cluster does not keep what they were',
    'the configuration is that of now',
    ...(agoMs > eventsKeptMs
      ? [
          `an API server keeps events for one hour unless told otherwise: refusals, and what others did, before ${formatTime(nowMs - eventsKeptMs)} may be missing`,
        ]
      : []),
    ...(agoMs > permitsKeptMs
      ? [
          `released permits are kept for 48 hours: what was done before ${formatTime(nowMs - permitsKeptMs)} may be missing; the oldest permit there is began ${formatTime(oldest)}`,
        ]
      : []),
  ]
}
