import { describe, expect, it } from 'vitest'
import { seededRandom } from '#kube/random.ts'
import { type MapChange, mapChanges, mapCommand, mapText, noMaps, type PlaneMaps, planeMaps } from './plane-maps.ts'
import type { WarmRoute } from './warm-routes.ts'

const warm = (key: string, hosts: readonly string[], ports: readonly number[], responseHeaderMs?: number): WarmRoute => ({
  key,
  hosts,
  endpoints: ports.map(port => ({ host: '10.0.0.1', port })),
  responseHeaderMs,
})

describe('maps', () => {
  it('say where requests of a host go', () => {
    const maps = planeMaps([warm('n/a', ['a.test', 'b.test'], [80, 81], 0), warm('n/b', ['b.test'], [90], 2_500)])
    expect(mapText(maps.hosts)).toBe('a.test n/a\nb.test n/a\n')
    expect(mapText(maps.sizes)).toBe('n/a 2\nn/b 1\n')
    expect(mapText(maps.targets)).toBe('n/a:0 10.0.0.1|80\nn/a:1 10.0.0.1|81\nn/b:0 10.0.0.1|90\n')
    expect(mapText(maps.waits)).toBe('n/a 2073600000\nn/b 2500\n')
  })
  it('change by commands', () => {
    const before = planeMaps([warm('n/a', ['a.test'], [80]), warm('n/b', ['b.test'], [90])])
    const after = planeMaps([warm('n/a', ['a.test'], [80, 81]), warm('n/c', ['c.test'], [70])])
    expect(mapChanges(before, after).map(change => mapCommand(change, '/d'))).toEqual([
      'del map /d/hosts.map b.test',
      'del map /d/sizes.map n/b',
      'del map /d/targets.map n/b:0',
      'add map /d/targets.map n/a:1 10.0.0.1|81',
      'add map /d/targets.map n/c:0 10.0.0.1|70',
      'set map /d/sizes.map n/a 2',
      'add map /d/sizes.map n/c 1',
      'add map /d/hosts.map c.test n/c',
    ])
  })
})

/** As HAProxy follows it. @throws Error for what it would complain of */
function followed(maps: Record<keyof PlaneMaps, Map<string, string>>, { map, key, value, isKnown }: MapChange): void {
  if (maps[map].has(key) !== isKnown) throw new Error(`${map} ${key} ${isKnown ? 'is not there' : 'is there already'}`)
  if (value === undefined) maps[map].delete(key)
  else maps[map].set(key, value)
}

it('no request goes astray between two commands, whatever changes', () => {
  const random = seededRandom(20_261_124)
  const below = (most: number) => Math.floor(random() * most)
  const some = () =>
    Array.from({ length: below(5) }, (): WarmRoute => {
      const key = `n/r${below(4)}`
      return warm(
        key,
        [`${key.slice(2)}.test`, `h${below(3)}.test`],
        Array.from({ length: 1 + below(4) }, () => 80 + below(3)),
        below(3),
      )
    }).filter((one, at, all) => all.findIndex(other => other.key === one.key) === at)
  let before = noMaps
  for (let round = 0; round < 300; round++) {
    const after = planeMaps(some())
    const now = {
      hosts: new Map(before.hosts),
      sizes: new Map(before.sizes),
      targets: new Map(before.targets),
      waits: new Map(before.waits),
    }
    const allowed = (key: string) =>
      new Set(
        [before, after].flatMap(({ targets }) => [...targets].flatMap(([slot, at]) => (slot.startsWith(`${key}:`) ? [at] : []))),
      )
    for (const change of mapChanges(before, after)) {
      followed(now, change)
      for (const [host, key] of now.hosts) {
        expect([before.hosts.get(host), after.hosts.get(host)]).toContain(key)
        const size = Number(now.sizes.get(key) ?? 0)
        for (let slot = 0; slot < size; slot++) expect(allowed(key)).toContain(now.targets.get(`${key}:${slot}`))
      }
    }
    expect(now).toEqual(after)
    before = after
  }
})
