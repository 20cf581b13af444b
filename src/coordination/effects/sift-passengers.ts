// Whose change the server refuses, of a rollout that carries several: found out by asking, without doing anything.
import { classNumber, wishKey } from '../intent.ts'
import type { DroppedWish, Joined, PermitRecord } from '../permits/permit-record.ts'

/** Why the server refuses a rollout. */
export interface Refusal {
  readonly message: string
  /** It refuses to be asked without doing it (a webhook that has side effects): that says nothing about the change. */
  readonly isBlind: boolean
}

type Rollout = Pick<PermitRecord, 'joined'>

/** What can be done of a rollout that was refused as a whole. */
type Sifted =
  /** The rollout itself is refused, whoever goes along. */
  | { readonly kind: 'refused'; readonly message: string }
  /** It can be done without these; none: what was refused a moment ago is not any more. */
  | { readonly kind: 'without'; readonly dropped: readonly DroppedWish[] }

/**
 * Tries the rollout alone, then with one more of its passengers at a time, the most urgent first; who is refused is dropped, and the next is
 * tried without. `refusalOf` says what the server says of a rollout, and is asked once for it and once for each passenger with a change.
 * Where the server cannot be asked, all who want a change are dropped: each is judged anew, and goes by itself.
 */
export async function siftPassengers<R extends Rollout>(
  rollout: R,
  refusalOf: (rollout: R) => Promise<Refusal | undefined>,
): Promise<Sifted> {
  const wanting = rollout.joined
    .filter(({ change }) => change !== undefined)
    .toSorted((a, b) => classNumber(a.class) - classNumber(b.class))
  let left: ReadonlySet<Joined> = new Set(wanting)
  /** In the order in which they came: of two that want one field differently the later wins. */
  const without = () => ({ ...rollout, joined: rollout.joined.filter(one => !left.has(one)) })
  const alone = await refusalOf(without())
  if (alone !== undefined) {
    if (!alone.isBlind) return { kind: 'refused', message: alone.message }
    return { kind: 'without', dropped: wanting.map(one => droppedBy(one, alone)) }
  }
  const dropped: DroppedWish[] = []
  for (const one of wanting) {
    const before = left
    left = new Set([...before].filter(other => other !== one))
    const refusal = await refusalOf(without())
    if (refusal === undefined) continue
    left = before
    dropped.push(droppedBy(one, refusal))
  }
  return { kind: 'without', dropped }
}

/** With as much of the server's words as the kind takes. */
function droppedBy({ requester, idempotencyKey }: Joined, { message }: Refusal): DroppedWish {
  return { requester, idempotencyKey, message: message.slice(0, 1024) }
}

/** `record` without who was dropped. */
export function withoutDropped<R extends Rollout>(record: R, dropped: readonly DroppedWish[]): R {
  const keys = new Set(dropped.map(wishKey))
  return { ...record, joined: record.joined.filter(one => !keys.has(wishKey(one))) }
}
