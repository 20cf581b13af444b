// How many pods may be on their way at once, in all and by place, and how many disruptions an hour takes.

import { type Answer, askAgain, defer, deny, pass, type Question, type Rule } from '../question.ts'
import { type CapUse, CapUses, isCounted, weightOf } from './cap-use.ts'
import { hourlyBucket } from './hourly-bucket.ts'

export const caps: Rule = {
  name: 'caps',
  from: 'enforce',
  ask(question) {
    if (!isCounted(question.intent)) return pass
    const wanted = weightOf(question.intent)
    for (const use of new CapUses(question).of({ ...question.intent, nodes: question.facts.nodes })) {
      // More at once than ever may be: waiting would not help.
      if (wanted > use.limit) return deny({ ...objectionOf(use), used: wanted })
      if (use.used + wanted > use.limit) return askAgain(question, objectionOf(use), use.freeAtMs())
    }
    return perHour(question)
  },
}

function objectionOf({ cap, subject, used, limit }: CapUse) {
  return { rule: 'cap', cap, subject, used, limit } as const
}

function perHour(question: Question): Answer {
  const limit = question.policy.caps.perHour
  const { tokens, isCounted: hasTaken, nextMs } = hourlyBucket(question)
  if (hasTaken || tokens >= 1) return pass
  const objection = { rule: 'cap', cap: 'per-hour', subject: 'cluster', used: limit - tokens, limit } as const
  return nextMs === undefined ? deny(objection) : defer(objection, question.nowMs + nextMs)
}
