// `?at=`: the picture of the moment that is asked for, or why there is none.
import { formatTime, parseTime } from '#kube/time/time.ts'
import type { Picture } from '../picture.ts'
import { pictureAt } from '../views/moment.ts'
import { refusal, type WholeAnswer } from './answer.ts'
import { badValue } from './query.ts'

type FoundMoment = { readonly ok: true; readonly picture: Picture } | { readonly ok: false; readonly answer: WholeAnswer }

/** Clocks of others may be ahead by so much. */
const allowedSkewMs = 5_000

/** `picture` as of `at` (RFC 3339); as it is where nothing is asked for. */
export function pictureOf(picture: Picture, at: string | undefined | null, find = pictureAt): FoundMoment {
  if (at === undefined || at === null) return { ok: true, picture }
  const parsed = parseTime(at)
  if (!parsed.ok) return { ok: false, answer: badValue('at', at, parsed.problem.expected) }
  if (parsed.value > picture.nowMs + allowedSkewMs)
    return { ok: false, answer: badValue('at', at, `a moment that has come: the cluster has ${formatTime(picture.nowMs)}`) }
  const moment = find(picture, Math.min(parsed.value, picture.nowMs))
  if ('picture' in moment) return { ok: true, picture: moment.picture }
  const keptFrom = formatTime(moment.keptFromMs)
  return {
    ok: false,
    answer: refusal('moment-not-kept', {
      status: 410,
      message: `Nothing is kept of ${at}.`,
      remedy: `Ask for a moment from ${keptFrom} on.`,
      more: { keptFrom },
    }),
  }
}
