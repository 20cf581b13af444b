// A refusal as an event carries it: the rule, its data and the way out, in one annotation, so that it can be accounted for when the
// arbiter that spoke has long forgotten it.
import * as z from 'zod'
import { formatTime } from '#kube/time/time.ts'
import { objectionReasons, remedy } from '../arbiter/sentences.ts'
import { describeTarget, type Intent } from '../intent.ts'
import type { Verdict } from '../policy/question.ts'

/** On events of reason `DisruptionDenied` and `DisruptionQueued`: a `ToldVerdict` as compact JSON. */
export const verdictAnnotation = 'ballast.dev/verdict'

/** The largest annotation that is written, in bytes; what is longer goes without its data. */
const largestVerdictBytes = 1024

const word = () => z.string().min(1).max(253)

const toldVerdict = z.object({
  requester: word(),
  class: word(),
  verb: word(),
  purpose: word(),
  /** `Pod shop/cart-a`, the first of its targets. */
  target: z.string().max(600),
  decision: z.enum(['Queued', 'Denied']),
  rule: word(),
  reason: word(),
  wayOut: z.string().max(512),
  /** The wish, the same however often it is asked. */
  key: z.string().max(512).exactOptional(),
  until: z.string().max(40).exactOptional(),
  /** What the rule spoke of, without what is told above. */
  data: z.record(z.string().max(63), z.unknown()).exactOptional(),
})

export type ToldVerdict = z.output<typeof toldVerdict>

/** The annotation's value for a refusal of `intent`. At most 1,024 bytes: a long objection is left out, then the key. */
export function toldVerdictText(intent: Intent, verdict: Extract<Verdict, { kind: 'deny' | 'defer' }>): string {
  const { rule, ...data } = verdict.objection
  const [first] = intent.targets
  const least: ToldVerdict = {
    requester: intent.requester,
    class: intent.class,
    verb: intent.verb,
    purpose: intent.purpose,
    target: first === undefined ? '' : describeTarget(first),
    decision: verdict.kind === 'deny' ? 'Denied' : 'Queued',
    rule,
    reason: objectionReasons[rule],
    wayOut: remedy(verdict.objection),
    ...(verdict.kind === 'defer' ? { until: formatTime(verdict.untilMs) } : {}),
  }
  const withKey: ToldVerdict = { ...least, key: intent.idempotencyKey }
  const texts = [{ ...withKey, data }, withKey, least].map(told => JSON.stringify(told))
  return texts.find(text => Buffer.byteLength(text) <= largestVerdictBytes) ?? JSON.stringify({ ...least, target: '' })
}

/** What the annotation says; `undefined` for one that somebody else wrote. */
export function readToldVerdict(text: string | undefined): ToldVerdict | undefined {
  if (text === undefined || text.length > 4 * largestVerdictBytes) return undefined
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (error) {
    if (error instanceof SyntaxError) return undefined
    throw error
  }
  const parsed = toldVerdict.safeParse(value)
  return parsed.success ? parsed.data : undefined
}
