// What is said of an upstream whose migration is not to be had yet: what to do meanwhile.

import { nearestName } from '#kube/values/nearest-name.ts'
import { replaceable, replaceableNames, upstreams } from '#upstreams/upstreams.ts'

/** One sentence, after the place where the name stood. */
export function notYet(name: string): string {
  const found = `found ${JSON.stringify(name)}`
  const expected = `expected ${replaceableNames('or')}`
  const upstream = upstreams.find(one => one.names.includes(name) || one.capability === name)
  if (upstream?.replaced !== undefined)
    return `${found}, expected ${upstream.replaced.id}: the name of the upstream, not that of the capability`
  if (upstream !== undefined)
    return `${found}, ${expected}; Ballast does not replace ${upstream.name} yet: keep it as it is, Ballast leaves it alone`
  const near = nearestName(
    name,
    replaceable().map(({ replaced }) => replaced.id),
  )
  return near === undefined ? `${found}, ${expected}, which can be moved so far` : `${found}, expected ${near}`
}
