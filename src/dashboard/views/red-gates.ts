// The gate that holds moves back now, as the arbiter sees it: what the cluster's objects show, and what it said of refusals a short time ago.
import { foreignDrain } from '#coordination/gates/foreign-drain.ts'
import { kubeletVersions, nodeNotReady } from '#coordination/gates/node-health.ts'
import { noSignals } from '#coordination/gates/signals.ts'
import { isActive } from '#coordination/permits/permit-record.ts'
import type { RedGate } from '#coordination/policy/question.ts'
import type { Picture } from '../picture.ts'

/** Refusals are told again at least this often while somebody asks. */
const toldWithinMs = 120_000

/** The first red gate that holds by the configuration, in one sentence without an end; `undefined`: all are green. */
export function redGate(picture: Picture): string | undefined {
  const { state, book, observed, nowMs, arbiter } = picture
  const permits = book.permits.map(({ record }) => record).filter(isActive)
  const context = { state, permits, observed, signals: noSignals, nowMs }
  const gates: readonly (RedGate | undefined)[] = [nodeNotReady(context), kubeletVersions(context), foreignDrain(context)]
  const red = gates.find(gate => gate !== undefined && arbiter.gates.has(gate.gate))
  return red?.message ?? toldGate(picture)
}

/** What a gate said of the last refusal, where nothing was granted since. */
function toldGate({ book, nowMs }: Picture): string | undefined {
  const told = book.events.findLast(({ verdict }) => verdict?.rule === 'gate')
  if (told?.verdict === undefined || told.lastMs < nowMs - toldWithinMs) return undefined
  const isOver = book.permits.some(
    ({ record }) => record.requester === told.verdict?.requester && (record.grant?.atMs ?? 0) > told.lastMs,
  )
  const message = told.verdict.data?.['message']
  return isOver || typeof message !== 'string' ? undefined : message
}
