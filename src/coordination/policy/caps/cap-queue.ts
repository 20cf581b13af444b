// Whether room under the caps is enough for all that wait for it in a better place, and for one more.
import type { Intent } from '../../intent.ts'
import { modeOf } from '../mode.ts'
import type { Pending, Question } from '../question.ts'
import { firstFew } from '../touched-nodes.ts'
import { type CapUse, CapUses, isAt, isCounted, PlaceMap, weightOf } from './cap-use.ts'
import { hourlyBucket } from './hourly-bucket.ts'

/** The first of those ahead after which nothing is left for this wish; `undefined`: there is room for all. Caps hold in `enforce` only. */
export function firstToFill(question: Question, ahead: readonly Pending[]): Pending | undefined {
  const { intent, facts, policy } = question
  if (!isCounted(intent) || modeOf(intent.requester, policy.modes) !== 'enforce') return undefined
  const waiting = ahead.filter(
    ({ intent: other, waitsFor }) => isCounted(other) && (waitsFor === 'cap' || waitsFor === 'overtaken'),
  )
  if (waiting.length === 0) return undefined
  const uses = new CapUses(question)
  const own = uses.of({ ...intent, nodes: facts.nodes })
  const hour = hourlyBucket(question)
  const hourLeft = hour.isCounted ? Number.POSITIVE_INFINITY : hour.tokens - 1
  if (hourLeft >= waiting.length && isRoomForAll(intent, { own, waiting })) return undefined
  const left = new PlaceMap<number>()
  for (const use of own) left.set(use, use.limit - use.used - weightOf(intent))
  return serve(waiting, { uses, left, hourLeft })
}

/** Whether the places of `intent` had room even if all that wait there could go: mostly so, and sooner found out than who could. */
function isRoomForAll(
  intent: Intent,
  { own, waiting }: { readonly own: readonly CapUse[]; readonly waiting: readonly Pending[] },
): boolean {
  return own.every(use => {
    const there = waiting.filter(({ intent: other }) => isAt({ ...other, nodes: sourcesOf(other) }, use))
    return use.limit - use.used >= there.reduce((sum, other) => sum + weightOf(other.intent), weightOf(intent))
  })
}

/** Gives room to one after the other; whoever finds none left but what this wish would take is before it. */
function serve(
  waiting: readonly Pending[],
  room: { readonly uses: CapUses; readonly left: PlaceMap<number>; readonly hourLeft: number },
): Pending | undefined {
  let { hourLeft } = room
  for (const other of waiting) {
    const places = room.uses.of({ ...other.intent, nodes: sourcesOf(other.intent) })
    const weight = weightOf(other.intent)
    // It could not go now, whatever it is left.
    if (places.some(place => place.used + weight > place.limit)) continue
    for (const place of places) {
      const free = room.left.get(place)
      if (free === undefined) continue
      if (free < weight) return other
      room.left.set(place, free - weight)
    }
    if (hourLeft < 1) return other
    hourLeft -= 1
  }
  return undefined
}

/** Nodes that would lose pods, as far as the wish itself says. */
export function sourcesOf({ relocation, verb, targets }: Intent): readonly string[] {
  if (relocation !== undefined) return [relocation.from]
  return verb === 'drain' ? firstFew({ targets }) : []
}
