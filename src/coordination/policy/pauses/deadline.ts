// A wish is for a time: void from its deadline on, not wanted yet before its beginning.
import { defer, deny, pass, type Rule } from '../question.ts'

export const late: Rule = {
  name: 'late',
  from: 'observe',
  ask: ({ intent, nowMs }) => (nowMs >= intent.deadlineMs ? deny({ rule: 'late', deadlineMs: intent.deadlineMs }) : pass),
}

export const early: Rule = {
  name: 'early',
  from: 'observe',
  ask: ({ intent: { notBeforeMs }, nowMs }) =>
    notBeforeMs !== undefined && nowMs < notBeforeMs ? defer({ rule: 'early', notBeforeMs }, notBeforeMs) : pass,
}
