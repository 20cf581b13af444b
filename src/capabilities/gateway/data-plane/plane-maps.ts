// What the maps of the data plane say, and the commands that lead from what they say to what they are to say. A request that comes between two
// commands finds a pod that may be asked, or nothing: then the gateway decides.
import { planeFiles } from './haproxy-configuration.ts'
import type { WarmRoute } from './warm-routes.ts'

type MapName = 'hosts' | 'sizes' | 'targets' | 'waits'
/** Values by key, of each map. */
export type PlaneMaps = Readonly<Record<MapName, ReadonlyMap<string, string>>>

/** A change of one entry; without `value` it goes. */
export interface MapChange {
  readonly map: MapName
  readonly key: string
  readonly value?: string
  /** The key is there already. */
  readonly isKnown: boolean
}

/** HAProxy's longest wait stands for none. */
const endlessMs = 24 * 86_400_000

export const noMaps: PlaneMaps = { hosts: new Map(), sizes: new Map(), targets: new Map(), waits: new Map() }

/** Where two routes have one host the first counts. */
export function planeMaps(routes: Iterable<WarmRoute>): PlaneMaps {
  const maps = {
    hosts: new Map<string, string>(),
    sizes: new Map<string, string>(),
    targets: new Map<string, string>(),
    waits: new Map<string, string>(),
  }
  for (const { key, hosts, endpoints, responseHeaderMs } of routes) {
    for (const host of hosts) if (!maps.hosts.has(host)) maps.hosts.set(host, key)
    maps.sizes.set(key, String(endpoints.length))
    for (const [at, { host, port }] of endpoints.entries()) maps.targets.set(`${key}:${at}`, `${host}|${port}`)
    if (responseHeaderMs !== undefined)
      maps.waits.set(key, String(responseHeaderMs === 0 ? endlessMs : Math.min(responseHeaderMs, endlessMs)))
  }
  return maps
}

/**
 * In an order in which no request goes wrong: a route that goes loses its hosts first and one that comes gets them last, fewer addresses are
 * said before they go and more after they came.
 */
export function mapChanges(before: PlaneMaps, after: PlaneMaps): readonly MapChange[] {
  const goes = (map: MapName) =>
    [...before[map].keys()].filter(key => !after[map].has(key)).map((key): MapChange => ({ map, key, isKnown: true }))
  const comes = (map: MapName, only: (key: string, value: string) => boolean = () => true) =>
    [...after[map]]
      .filter(([key, value]) => before[map].get(key) !== value && only(key, value))
      .map(([key, value]): MapChange => ({ map, key, value, isKnown: before[map].has(key) }))
  const isFewer = (key: string, value: string) => Number(value) < Number(before.sizes.get(key) ?? 0)
  return [
    ...goes('hosts'),
    ...goes('sizes'),
    ...comes('sizes', isFewer),
    ...goes('targets'),
    ...goes('waits'),
    ...comes('waits'),
    ...comes('targets'),
    ...comes('sizes', (key, value) => !isFewer(key, value)),
    ...comes('hosts'),
  ]
}

/** As HAProxy's administration takes it; `directory` is where the maps are. */
export function mapCommand({ map, key, value, isKnown }: MapChange, directory: string): string {
  const file = `${directory}/${planeFiles[map]}`
  if (value === undefined) return `del map ${file} ${key}`
  return `${isKnown ? 'set' : 'add'} map ${file} ${key} ${value}`
}

/** The file of a map, as HAProxy reads it when it starts. */
export function mapText(entries: ReadonlyMap<string, string>): string {
  return [...entries].map(([key, value]) => `${key} ${value}\n`).join('')
}
