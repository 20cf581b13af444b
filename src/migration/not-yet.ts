// What is said of an upstream whose migration is not to be had yet: what to do meanwhile.

import { upstreams } from '#doctor/upstreams.ts'
import { nearestName } from '#kube/values/nearest-name.ts'

const moved = ['descheduler', 'reloader', 'spegel'] as const
const expected = 'expected descheduler, reloader or spegel'

/** One sentence, after the place where the name stood. */
export function notYet(name: string): string {
  const found = `found ${JSON.stringify(name)}`
  const upstream = upstreams.find(one => one.names.includes(name) || one.capability === name)
  const own = moved.find(one => upstream?.names.includes(one))
  if (own !== undefined) return `${found}, expected ${own}: the name of the upstream, not that of the capability`
  if (upstream !== undefined)
    return `${found}, ${expected}; Ballast does not replace ${upstream.name} yet: keep it as it is, Ballast leaves it alone`
  const near = nearestName(name, moved)
  return near === undefined ? `${found}, ${expected}, which can be moved so far` : `${found}, expected ${near}`
}
