// After a pod of a workload was replaced, by whomever, the workload is left alone for a while; how long depends on who asks.
import { hadEffect, isOwnersScale, isSameBatch, releasedMs, takesAway, workloadOf } from '../disturbance.ts'
import { type Cause, defer, pass, type Question, type Rule } from '../question.ts'

export const coolDown: Rule = {
  name: 'cool-down',
  from: 'enforce',
  ask(question) {
    const { intent, policy, nowMs } = question
    const coolDownMs = policy.coolDownMs[intent.class]
    const workload = workloadOf(intent)
    if (coolDownMs === 0 || workload === undefined || !takesAway(question) || isOwnersScale(question)) return pass
    const last = lastReplacement(question, workload)
    if (last === undefined || last.atMs + coolDownMs <= nowMs) return pass
    return defer({ rule: 'cool-down', workload, cause: last.cause }, last.atMs + coolDownMs)
  },
}

/** When a pod of the workload was replaced last. The steps of one batch count once: their own plan's hold nobody up. */
function lastReplacement(
  { intent, ledger, observed, nowMs }: Question,
  workload: string,
): { readonly atMs: number; readonly cause: Cause } | undefined {
  let last: { readonly atMs: number; readonly cause: Cause } | undefined
  for (const permit of ledger.ofWorkload(workload)) {
    const atMs = releasedMs(permit, nowMs)
    if (permit.verb === 'scale' || atMs === undefined || !hadEffect(permit) || isSameBatch(intent, permit)) continue
    if (last !== undefined && atMs <= last.atMs) continue
    last = { atMs, cause: { kind: 'permit', permit: permit.name, requester: permit.requester } }
  }
  for (const observation of observed.ofWorkload(workload)) {
    if (observation.kind === 'scaled' || (last !== undefined && observation.atMs <= last.atMs)) continue
    last = { atMs: observation.atMs, cause: { kind: 'observed', observation } }
  }
  return last
}
