// The homelab as a picture with its overview, for tests of what nodes have in them.
import type { KubeObject } from '#kube/objects/objects.ts'
import { overviewOf } from '../views/overview.ts'
import { homelab, permitObject, pictureOf } from '../views/testdata/homelab.ts'
import { readingOnly } from '../views/viewing.ts'

export const permitted: readonly KubeObject[] = [permitObject()]

export function fixedOverview(more: readonly KubeObject[]) {
  const picture = pictureOf([...homelab(), ...more])
  return { picture, overview: overviewOf(picture, readingOnly) }
}
