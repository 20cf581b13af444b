// What is expected of a plan, for its status and in words.
import { formatTime } from '#kube/time/time.ts'
import type { RebalancePlanStatus } from '../../api.ts'
import type { Foretold, Rest } from './foretell.ts'

/** Characters, as the definition of a plan's status allows. */
const longestHeld = 1024

type Expected = NonNullable<RebalancePlanStatus['expected']>

/** The timetable as a plan's status has it. */
export function expectedOf({ timetable, rest }: Pick<Foretold, 'timetable' | 'rest'>): Expected {
  const { beginMs, endMs, entries, held } = timetable
  const seconds = (ms: number) => Math.max(0, Math.round(ms / 1000))
  return {
    seconds: seconds(endMs - beginMs),
    beginsAt: formatTime(beginMs),
    endsAt: formatTime(endMs),
    moves: entries.flatMap(entry =>
      entry.kind === 'goes'
        ? [{ id: entry.id, after: seconds(entry.beginMs - beginMs), seconds: seconds(entry.endMs - entry.beginMs) }]
        : [],
    ),
    ...(held === undefined ? {} : { held: held.slice(0, longestHeld) }),
    ...(rest === undefined ? {} : { rest: storedRest(rest) }),
  }
}

function storedRest({ moves, reachesAll, fromMs }: Rest): NonNullable<Expected['rest']> {
  return { moves, reaches: reachesAll ? 'all' : 'more', ...(fromMs === undefined ? {} : { from: formatTime(fromMs) }) }
}

/** How long the plan takes and when it is over, and what is left for later; no line where there is nothing to say. */
export function expectedLines({
  timetable,
  rest,
  plan,
}: Pick<Foretold, 'timetable' | 'rest'> & { readonly plan: Pick<Foretold['plan'], 'moves'> }): readonly string[] {
  const { beginMs, endMs } = timetable
  const count = plan.moves.length
  const lines: string[] = []
  if (count > 0 && timetable.isWhole)
    lines.push(
      `it is expected to take ${lengthText(endMs - beginMs)}: begun at ${formatTime(beginMs)} it is over at ${formatTime(endMs)}`,
    )
  if (count > 0 && timetable.held !== undefined)
    lines.push(`its moves are held now: ${timetable.held}; the times count from when that is over`)
  if (rest !== undefined) lines.push(restSentence(rest, count))
  return lines
}

function restSentence({ moves, reachesAll, fromMs }: Rest, count: number): string {
  const what = `${moves} would reach ${reachesAll ? 'all goals' : 'more'}`
  const from = fromMs === undefined ? 'at a time that is not known: when what holds it is over' : `from ${formatTime(fromMs)}`
  const now =
    count === 0
      ? 'no move can be carried out now'
      : count === 1
        ? '1 move can be carried out now'
        : `${count} moves can be carried out now`
  return count === 0 ? `${now}: ${what}, ${from}` : `${now}; ${what}, the rest ${from}`
}

/** `40 s`, `5 min`, `2 h 5 min`. */
export function lengthText(ms: number): string {
  const seconds = Math.round(ms / 1000)
  if (seconds < 90) return `${seconds} s`
  const minutes = Math.round(seconds / 60)
  if (minutes < 120) return `${minutes} min`
  const rest = minutes % 60
  return `${Math.floor(minutes / 60)} h${rest === 0 ? '' : ` ${rest} min`}`
}
