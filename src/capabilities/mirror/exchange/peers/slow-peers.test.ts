// Peers that are slow: how long they are left, and how often what they alone have is left to the registry.
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { digestOf } from '../../testdata/memory-store.ts'
import { leftMs, mostTimesLeft, SlowPeers, slowMs, togetherMs } from './slow-peers.ts'

const digest = digestOf('layer')

describe('a slow peer', () => {
  test('is left for a minute', () => {
    const slow = new SlowPeers()
    slow.add('A', 1_000)
    expect([
      slow.has('A', 1_000),
      slow.has('A', 1_000 + slowMs - 1),
      slow.has('A', 1_000 + slowMs),
      slow.has('B', 1_000),
    ]).toEqual([true, true, false, false])
  })
})

describe('what slow peers alone have', () => {
  // biome-ignore format: a table
  test.each<[name: string, leftAtMs: readonly number[], atMs: number, takesAny: boolean]>([
    ['is not taken at first',                             [], 0, false],
    ['is not taken after the registry had one turn',      [0], 60_000, false],
    ['is not taken right after its second turn',          [0, 10_000], 10_000 + togetherMs - 1, false],
    ['is taken after its second turn',                    [0, 10_000], 10_000 + togetherMs, true],
    ['has one turn for requests that come together',      [0, 100, togetherMs - 1], 60_000, false],
    ['is left anew when nobody asked for a long time',    [0, 10_000], 10_000 + leftMs, false],
    ['has two turns again then',                          [0, leftMs], leftMs + 60_000, false],
  ])('%s', (_name, leftAtMs, atMs, takesAny) => {
    const slow = new SlowPeers()
    for (const ms of leftAtMs) slow.left(digest, ms)
    expect(slow.takesAny(digest, atMs)).toBe(takesAny)
    expect(slow.takesAny(digestOf('another'), atMs)).toBe(false)
  })

  test('is left twice at most within 10 minutes, however often it is asked for', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(20_000), { maxLength: 30 }), pauses => {
        const slow = new SlowPeers()
        let nowMs = 0
        const turns: number[] = []
        for (const pauseMs of pauses) {
          nowMs += pauseMs
          if (slow.takesAny(digest, nowMs)) continue
          slow.left(digest, nowMs)
          const last = turns.at(-1)
          if (last === undefined || nowMs - last >= togetherMs) turns.push(nowMs)
        }
        expect(turns.length).toBeLessThanOrEqual(mostTimesLeft)
      }),
    )
  })
})
