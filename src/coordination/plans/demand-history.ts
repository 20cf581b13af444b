// What the cluster requested in each hour of the last day, kept on the policy: nodes that are off have to be missed at no hour. Pure.
import { formatTime, parseTime } from '#kube/time/time.ts'
import type { Amounts } from '#planning/plan-record.ts'
import type { RebalancePolicyStatus } from '../api.ts'

const hourMs = 3_600_000
const hoursKept = 24
/** A smaller rise is not worth a write. */
const leastRise = 1.01

type History = NonNullable<RebalancePolicyStatus['demand']>

/** `history` with what is requested now; the very same value where nothing is to be noted. Millicores and bytes. */
export function withDemand(history: History | undefined, now: Amounts, nowMs: number): History {
  const hour = formatTime(Math.floor(nowMs / hourMs) * hourMs)
  const before = history?.find(one => one.hour === hour)
  const [cpu, memory] = [now['cpu'] ?? 0, now['memory'] ?? 0]
  if (history !== undefined && before !== undefined && cpu <= before.cpu * leastRise && memory <= before.memory * leastRise)
    return history
  const noted = { hour, cpu: Math.max(cpu, before?.cpu ?? 0), memory: Math.max(memory, before?.memory ?? 0) }
  return [...withinDay(history, nowMs).filter(one => one.hour !== hour), noted]
}

/** The requests of the hours that count at `nowMs`. */
export function demandBefore(history: History | undefined, nowMs: number): readonly Amounts[] {
  return withinDay(history, nowMs).map(({ cpu, memory }) => ({ cpu, memory }))
}

function withinDay(history: History | undefined, nowMs: number): History {
  return (history ?? []).filter(({ hour }) => {
    const at = parseTime(hour)
    return at.ok && at.value <= nowMs && at.value > nowMs - hoursKept * hourMs
  })
}
