import { describe, expect, it } from 'vitest'
import { seededRandom } from '#kube/random.ts'
import { Announcements, announceEveryMs, digestOf, spreadMs } from './announcements.ts'
import { recordValidMs } from './serving.ts'

const keys = Array.from({ length: 1_000 }, (_, index) => `sha256:${index}`)

describe('announced keys', () => {
  it('are told again after 15 to 17 min, spread, before a record of 19 min runs out', () => {
    const announcements = new Announcements(seededRandom(1))
    announcements.add(keys, 0, undefined)
    expect(announcements.due(announceEveryMs - 1)).toEqual([])
    const half = announcements.due(announceEveryMs + spreadMs / 2).length
    expect(half).toBeGreaterThan(400)
    expect(half).toBeLessThan(600)
    expect(announcements.due(announceEveryMs + spreadMs)).toHaveLength(1_000 - half)
    expect(announceEveryMs + spreadMs + 60_000).toBeLessThan(recordValidMs)
  })

  it('are new once, and gone when they are withdrawn', () => {
    const announcements = new Announcements(seededRandom(1))
    expect(announcements.add(['a', 'b', 'a'], 0, undefined)).toEqual([digestOf('a'), digestOf('b')])
    expect(announcements.add(['b'], 5, undefined)).toEqual([])
    expect(announcements.remove(['b', 'c'])).toEqual([digestOf('b')])
    expect([announcements.size, announcements.has(digestOf('a')), announcements.has(digestOf('b'))]).toEqual([1, true, false])
  })

  it('for a while are told at once each time, never again, and not to newcomers', () => {
    const announcements = new Announcements(seededRandom(1))
    expect(announcements.add(['inflight'], 0, 60_000)).toHaveLength(1)
    expect(announcements.add(['inflight'], 10, 60_000)).toHaveLength(1)
    expect(announcements.all()).toEqual([])
    expect(announcements.due(announceEveryMs * 2)).toEqual([])
    expect(announcements.has(digestOf('inflight'))).toBe(false)
  })
})
