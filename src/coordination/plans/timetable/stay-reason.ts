// What the arbiter says of a move, as the reason for which a pod stays in a plan.
import type { StayReason } from '#planning/plan-record.ts'
import { objectionReasons, objectionSentence, remedy } from '../../arbiter/sentences.ts'
import type { Cause, Objection } from '../../policy/question.ts'

/** `untilMs`: from when on the rule would let it pass; `undefined`: nobody knows. */
export function stayReasonOf(objection: Objection, untilMs: number | undefined): StayReason {
  const until = untilMs === undefined || !Number.isFinite(untilMs) ? {} : { until: new Date(untilMs).toISOString() }
  switch (objection.rule) {
    case 'cool-down':
      return { code: 'CoolingDown', data: { by: causeWords(objection.cause), ...until } }
    case 'scale-cool-down':
      return { code: 'JustScaled', data: { by: causeWords(objection.cause), ...until } }
    case 'quarantine':
      return { code: 'Quarantined', data: until }
    case 'under-way':
      return { code: 'UnderWay', data: { by: objection.by } }
    case 'waking':
      return { code: 'Waking', data: until }
    case 'cap':
      return { code: 'CapReached', data: { message: objectionSentence(objection), ...until } }
    default:
      return {
        code: 'ArbiterDenies',
        data: {
          reason: objectionReasons[objection.rule],
          message: objectionSentence(objection),
          wayOut: remedy(objection),
          ...until,
        },
      }
  }
}

/** From when on time alone would let the pod go; `undefined`: that is not known, or time does not. */
export function freeFromMs({ data }: StayReason): number | undefined {
  const ms = Date.parse(data['until'] ?? '')
  return Number.isNaN(ms) ? undefined : ms
}

function causeWords(cause: Cause): string {
  return cause.kind === 'permit' ? `${cause.requester} (permit ${cause.permit})` : cause.observation.by
}
