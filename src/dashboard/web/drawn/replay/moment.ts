// How a replay stands after so many steps: which tile is in which box, and what each box comes to. Nothing is computed but looked up.
import type { ReplayBox, ReplayStep, ReplayView } from '../../../contract-replay.ts'

type BoxSum = Pick<ReplayBox, 'requested' | 'pods' | 'missed'>

interface ReplayMoment {
  /** The step that was made last; undefined before the first. */
  readonly step: ReplayStep | undefined
  /** By id of a tile; one that is in none has no node. */
  readonly boxOf: ReadonlyMap<string, string>
  readonly boxes: ReadonlyMap<string, BoxSum>
}

/** After `at` steps; 0 is before the first. */
export function replayMoment({ boxes, tiles, steps }: Pick<ReplayView, 'boxes' | 'tiles' | 'steps'>, at: number): ReplayMoment {
  const boxOf = new Map(tiles.map(({ id, box }) => [id, box]))
  const sums = new Map<string, BoxSum>(boxes.map(box => [box.name, box]))
  const made = steps.slice(0, at)
  for (const { tile, to, after } of made) {
    if (to === null) boxOf.delete(tile)
    else boxOf.set(tile, to)
    for (const { box, ...sum } of after) sums.set(box, sum)
  }
  return { step: made.at(-1), boxOf, boxes: sums }
}
