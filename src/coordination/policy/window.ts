// What saves cost or balances load is done inside of its capability's windows, where it has any.
import { classNumber } from '../intent.ts'
import { isOwnersScale, takesAway } from './disturbance.ts'
import { defer, deny, pass, type Question, type Rule } from './question.ts'

export const window: Rule = {
  name: 'window',
  from: 'enforce',
  ask(question) {
    const { intent, nowMs } = question
    if (classNumber(intent.class) < 4 || !takesAway(question) || isOwnersScale(question)) return pass
    const windows = windowsOf(question)
    if (windows.length === 0 || windows.some(one => one.openAt(nowMs) !== undefined)) return pass
    const opensMs = Math.min(...windows.map(one => one.nextAfter(nowMs)?.startMs ?? Number.POSITIVE_INFINITY))
    const objection = { rule: 'window', requester: intent.requester } as const
    return opensMs === Number.POSITIVE_INFINITY
      ? deny({ ...objection, opensMs: undefined })
      : defer({ ...objection, opensMs }, opensMs)
  },
}

/** None: always. */
function windowsOf({ policy: { windows }, intent: { requester } }: Question) {
  return (Object.hasOwn(windows, requester) ? windows[requester] : undefined) ?? []
}
