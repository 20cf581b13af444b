// A cluster of which nothing was read yet.
import { buildClusterState } from '#cluster/cluster-state.ts'
import type { Picture } from '../picture.ts'

export const nothingRead: Pick<Picture, 'state' | 'book'> = {
  state: buildClusterState([]).state,
  book: { permits: [], plans: [], policies: [], events: [], problems: [] },
}
