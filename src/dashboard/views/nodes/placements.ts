// The scheduler's model of a picture, made once for all who ask: building it costs as much as there are pods.
import type { ClusterState } from '#cluster/cluster-state.ts'
import { Placement } from '#cluster/placement.ts'
import type { Picture } from '../../picture.ts'

const placements = new WeakMap<ClusterState, Placement>()

/** The pods as they stand, or as they stood when the picture's own model was made. To be forked, not changed. */
export function placementOf({ state, scheduler, placed }: Pick<Picture, 'state' | 'scheduler' | 'placed'>): Placement {
  if (placed !== undefined) return placed.placement
  const known = placements.get(state)
  if (known !== undefined) return known
  const placement = new Placement(state, scheduler)
  placements.set(state, placement)
  return placement
}
