// What is said of an upstream whose migration is not to be had yet: what to do meanwhile.
import { nearestName } from '#kube/nearest-name.ts'
import { upstreams } from '../doctor/upstreams.ts'

/** One sentence, after the place where the name stood. */
export function notYet(name: string): string {
  const found = JSON.stringify(name)
  if (name === 'reload') return `found ${found}, expected reloader: the name of the upstream, not that of the capability`
  if (name === 'descheduler' || name === 'deschedule')
    return `found ${found}, expected reloader; descheduler is not converted yet: keep its chart as it is, without a RebalancePolicy beside it, or write what it does as a policy of Ballast's (docs/rebalancing.md)`
  if (name === 'mirror')
    return `found ${found}, expected reloader or spegel: the name of the upstream, not that of the capability`
  const upstream = upstreams.find(one => one.names.includes(name) || one.capability === name)
  if (upstream !== undefined)
    return `found ${found}, expected reloader; Ballast does not replace ${upstream.name} yet: keep it as it is, Ballast leaves it alone`
  const near = nearestName(name, ['reloader'])
  return `found ${found}, expected reloader${near === undefined ? ', the only upstream that can be moved so far' : ''}`
}
