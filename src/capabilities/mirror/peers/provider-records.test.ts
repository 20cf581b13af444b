import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { VirtualClock } from '#kube/clock.ts'
import { mostProvidersOfAKey, ProviderRecords } from './provider-records.ts'

const at = () => new VirtualClock(0)
const atOnce = async () => undefined

describe('provider records', () => {
  it('are valid for as long as was said', async () => {
    const clock = at()
    const records = new ProviderRecords(clock)
    records.add('k', 'a', 60_000)
    records.add('k', 'b', 120_000)
    expect(records.of('k')).toEqual(['a', 'b'])
    await clock.advance(61_000)
    expect(records.of('k')).toEqual(['b'])
    await clock.advance(60_000)
    expect(records.of('k')).toEqual([])
    await records.sweep(atOnce)
    expect([records.keys, records.records]).toEqual([0, 0])
  })

  it('are renewed', async () => {
    const clock = at()
    const records = new ProviderRecords(clock)
    records.add('k', 'a', 60_000)
    await clock.advance(30_000)
    records.add('k', 'a', 60_000)
    await clock.advance(40_000)
    expect([records.of('k'), records.records]).toEqual([['a'], 1])
  })

  it('are at most 1,000 a key; what ran out makes room', async () => {
    const clock = at()
    const records = new ProviderRecords(clock)
    const added = Array.from({ length: 1_500 }, (_, index) => records.add('k', `p${index}`, index < 10 ? 1_000 : 60_000))
    expect(added.filter(Boolean)).toHaveLength(mostProvidersOfAKey)
    await clock.advance(2_000)
    expect(records.add('k', 'late', 60_000)).toBe(true)
    expect(records.of('k')).toHaveLength(991)
  })

  it('count and say the same as a plain map', () => {
    const step = fc.record({ key: fc.constantFrom('a', 'b'), peer: fc.constantFrom('p', 'q', 'r'), add: fc.boolean() })
    fc.assert(
      fc.property(fc.array(step), steps => {
        const records = new ProviderRecords(at())
        const plain = new Map<string, Set<string>>([
          ['a', new Set()],
          ['b', new Set()],
        ])
        for (const { key, peer, add } of steps) {
          if (add) {
            records.add(key, peer, 60_000)
            plain.get(key)?.add(peer)
          } else {
            records.remove(key, peer)
            plain.get(key)?.delete(peer)
          }
        }
        for (const [key, peers] of plain) expect(records.of(key).toSorted()).toEqual([...peers].toSorted())
        expect(records.records).toBe(plain.values().reduce((sum, peers) => sum + peers.size, 0))
      }),
    )
  })
})
