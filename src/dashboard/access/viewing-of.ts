// What one viewer may see and do, as a value that stands still while views ask it. What it did not know when it was asked it writes down:
// who made it asks for that and makes another.
import { createHash } from 'node:crypto'
import { resourceKey } from '#kube/objects/resource.ts'
import { lackSentence, rightsOf } from '../actions/needed-rights.ts'
import type { ActionName, Ref } from '../contract.ts'
import { freezeActions, planActions, twinActions } from '../contract-names.ts'
import type { Picture } from '../picture.ts'
import type { Viewing } from '../views/viewing.ts'
import { podsRight, type Reading, readingRight, readings } from './reading-rights.ts'
import { type Right, rightKey } from './rights.ts'
import type { Viewer } from './viewer.ts'

/** Rights that one round of views asks for beyond those that all need. */
export const mostMissed = 500

export interface Seen {
  readonly viewing: Viewing
  /** Whether `reading` may be seen at all; the right that is lacking where not. */
  lacking(reading: Reading): Right | undefined
  /** What views asked for and was not known. */
  missed(): readonly Right[]
}

interface ViewingFacts {
  /** Whether there are actions at all. */
  readonly isActing: boolean
  readonly displayZone: string | undefined
  /** Rights beyond those that all need: of freezing the workload that is looked at, of a namespace's pods. */
  readonly more: readonly Right[]
  /** Told once of each right that is asked for and not known. */
  readonly onMiss?: (key: string, right: Right) => void
}

/** Rights that every page asks for. */
export function usualRights({ mode, ownNamespace, past, loading }: Picture, viewer: Viewer, isActing: boolean): readonly Right[] {
  if (loading !== undefined) return []
  const acting = isActing && past === undefined ? actionsOf(mode).map(action => rightsOf(action, null, ownNamespace)) : []
  const rights = acting.filter(right => right !== undefined).map((right): Right => right)
  const reading = viewer.isReadingAll ? [] : [...readings.map(one => readingRight(one, ownNamespace)), podsRight(undefined)]
  return [...new Map([...rights, ...reading].map(right => [rightKey(right), right])).values()]
}

/** The actions that there are on such a cluster. */
export function actionsOf(mode: Picture['mode']): readonly ActionName[] {
  return [...planActions, ...freezeActions, ...(mode === 'twin' ? twinActions : [])]
}

/** Everything that is known of `viewer` now, of `picture` as it is now. Ask for `usualRights` and `more` before. */
export function seenBy(viewer: Viewer, picture: Picture, { isActing, displayZone, more, onMiss }: ViewingFacts): Seen {
  const { rights, isReadingAll } = viewer
  const isPast = picture.past !== undefined
  const known = new Map<string, boolean | undefined>()
  for (const right of [...usualRights(picture, viewer, isActing), ...more]) known.set(rightKey(right), rights.known(right))
  const isAll = isReadingAll || known.get(rightKey(podsRight(undefined))) === true
  const key = keyOf(known, { isAll, isActing: isActing && !isPast, displayZone })
  const missed = new Map<string, Right>()
  const isKnown = (right: Right): boolean | undefined => {
    const asked = rightKey(right)
    const answer = known.get(asked)
    if (answer === undefined && missed.size < mostMissed && !missed.has(asked)) {
      missed.set(asked, right)
      onMiss?.(key, right)
    }
    return answer
  }
  const viewing: Viewing = {
    viewer: viewer.name,
    actions: isActing && !isPast,
    key,
    displayZone,
    can: (action, ref) => {
      if (!isActing) return { allowed: false, because: 'Actions are switched off.' }
      if (isPast) return { allowed: false, because: 'This is the past.' }
      if (picture.loading !== undefined) return { allowed: false, because: 'The cluster is still being loaded.' }
      return answerOf(rightsOf(action, ref ?? null, picture.ownNamespace), isKnown)
    },
    sees: namespace => isAll || (namespace !== undefined && isKnown(podsRight(namespace)) === true),
  }
  return {
    viewing,
    lacking: reading => {
      const right = readingRight(reading, picture.ownNamespace)
      // What the process may not read it has not, and shows to nobody: an empty table would say that there is nothing.
      if (picture.denied?.has(resourceKey(right)) === true) return right
      return isReadingAll || picture.loading !== undefined || isKnown(right) === true ? undefined : right
    },
    missed: () => [...missed.values()],
  }
}

function answerOf(
  right: ReturnType<typeof rightsOf>,
  isKnown: (right: Right) => boolean | undefined,
): { readonly allowed: boolean; readonly because: string | null } {
  if (right === undefined) return { allowed: true, because: null }
  const answer = isKnown(right)
  if (answer === true) return { allowed: true, because: null }
  return { allowed: false, because: answer === false ? lackSentence(right) : 'The API server has not said yet whether you may.' }
}

/** Equal where everything that a view can be told is equal: views of one are shown to the other. */
function keyOf(
  known: ReadonlyMap<string, boolean | undefined>,
  flags: { readonly isAll: boolean; readonly isActing: boolean; readonly displayZone: string | undefined },
): string {
  const entries = [...known].map(([key, answer]) => `${key}=${answer ?? '?'}`).sort()
  return createHash('sha256')
    .update(JSON.stringify([flags, entries]))
    .digest('base64url')
}

/** The right that an action on `ref` needs, of a stream that shows it. */
export function freezeRights(ref: Ref, ownNamespace: string): readonly Right[] {
  const right = rightsOf('freeze', ref, ownNamespace)
  return right === undefined ? [] : [right]
}
