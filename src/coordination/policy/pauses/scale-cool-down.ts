// What was just scaled is settling; what only saves or balances waits until it has.
import { classNumber } from '../../intent.ts'
import { isOwnersScale, releasedMs, takesAway, workloadOf } from '../disturbance.ts'
import { type Answer, type Cause, defer, pass, type Question, type Rule } from '../question.ts'

export const scaleCoolDown: Rule = {
  name: 'scale-cool-down',
  from: 'enforce',
  ask(question) {
    if (classNumber(question.intent.class) < 4 || !takesAway(question) || isOwnersScale(question)) return pass
    return untilSettled(question)
  },
}

/** Passes from ten minutes after the workload was scaled on, by whomever. */
export function untilSettled({ intent, ledger, observed, policy, nowMs }: Question): Answer {
  const workload = workloadOf(intent)
  if (workload === undefined) return pass
  let last: { readonly atMs: number; readonly cause: Cause } | undefined
  for (const permit of ledger.ofWorkload(workload)) {
    const atMs = releasedMs(permit, nowMs)
    if (permit.verb !== 'scale' || permit.ending !== 'done' || atMs === undefined) continue
    if (last !== undefined && atMs <= last.atMs) continue
    last = { atMs, cause: { kind: 'permit', permit: permit.name, requester: permit.requester } }
  }
  for (const observation of observed.ofWorkload(workload)) {
    if (observation.kind === 'scaled' && (last === undefined || observation.atMs > last.atMs))
      last = { atMs: observation.atMs, cause: { kind: 'observed', observation } }
  }
  const untilMs = (last?.atMs ?? 0) + policy.scaleCoolDownMs
  if (last === undefined || untilMs <= nowMs) return pass
  return defer({ rule: 'scale-cool-down', workload, cause: last.cause }, untilMs)
}
