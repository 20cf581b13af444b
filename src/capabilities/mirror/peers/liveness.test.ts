import { describe, expect, it } from 'vitest'
import { pauseAfter } from './joining.ts'
import { askedAtOnce, LostPeers, lostForMs, toAsk } from './liveness.ts'

describe('who is asked', () => {
  it('is who was silent for 10 s, the longest first, at most 8', () => {
    const heard = new Map([
      ['new', 95_000],
      ['old', 10_000],
      ['older', 5_000],
    ])
    expect(toAsk(['new', 'never', 'old', 'older'], peer => heard.get(peer), 100_000)).toEqual(['never', 'older', 'old'])
    const many = Array.from({ length: 50 }, (_, index) => `${index}`)
    expect(toAsk(many, () => undefined, 0)).toHaveLength(askedAtOnce)
  })
})

describe('lost peers', () => {
  it('are tried after 2 s, then less and less often, at least once a minute, for an hour', () => {
    const lost = new LostPeers()
    lost.add('a', 0)
    const tried: number[] = []
    for (let nowMs = 0; nowMs <= lostForMs + 1_000; nowMs += 1_000) if (lost.due(nowMs).length > 0) tried.push(nowMs)
    expect(tried.slice(0, 4)).toEqual([2_000, 6_000, 14_000, 30_000])
    expect(Math.max(...tried.map((at, index) => at - (tried[index - 1] ?? 0)))).toBe(60_000)
    expect(lost.has('a')).toBe(false)
  })
})

it.each([
  [1, 50],
  [2, 100],
  [8, 6_400],
  [9, 10_000],
  [1_000, 10_000],
])('the pause after %i failures is %i ms', (failures, pauseMs) => {
  expect(pauseAfter(failures)).toBe(pauseMs)
})
