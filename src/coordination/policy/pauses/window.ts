// What saves cost or balances load is done inside of its capability's windows, where it has any.
import { classNumber } from '../../intent.ts'
import type { ArbiterPolicy } from '../arbiter-policy.ts'
import { isOwnersScale, takesAway } from '../disturbance.ts'
import { defer, deny, pass, type Rule } from '../question.ts'

export const window: Rule = {
  name: 'window',
  from: 'enforce',
  ask(question) {
    const { intent, nowMs } = question
    if (classNumber(intent.class) < 4 || !takesAway(question) || isOwnersScale(question)) return pass
    const opensMs = windowOpensMs(question.policy, intent.requester, nowMs)
    if (opensMs <= nowMs) return pass
    const objection = { rule: 'window', requester: intent.requester } as const
    return opensMs === Number.POSITIVE_INFINITY
      ? deny({ ...objection, opensMs: undefined })
      : defer({ ...objection, opensMs }, opensMs)
  },
}

/** When a window of `requester` is open: `nowMs` where one is, or where it has none; infinity where none comes. */
export function windowOpensMs({ windows }: Pick<ArbiterPolicy, 'windows'>, requester: string, nowMs: number): number {
  const own = (Object.hasOwn(windows, requester) ? windows[requester] : undefined) ?? []
  if (own.length === 0 || own.some(one => one.openAt(nowMs) !== undefined)) return nowMs
  return Math.min(...own.map(one => one.nextAfter(nowMs)?.startMs ?? Number.POSITIVE_INFINITY))
}
