import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { clusterFrozen } from './en.ts'
import { refusedUntil } from './en-workload.ts'
import { inZone, moment, momentParts, momentToMinute } from './moments.ts'

const nowMs = Date.parse('2025-12-19T13:03:20Z')
const minute = 60_000

describe('one zone: sentences hold moments, readers have clocks', () => {
  // biome-ignore format: a table
  test.each([
    ['UTC', '13:00:00'],
    ['Europe/Berlin', '14:00:00'],
    ['Asia/Kolkata', '18:30:00'],
    ['Pacific/Auckland', '02:00:00'],
  ])('frozen since, in %s', (zone, time) => {
    const sentence = clusterFrozen({ time: moment(nowMs - 200_000), who: 'local', reason: 'update night' })
    expect(sentence.text).toBe('Ballast is frozen since 2025-12-19T13:00:00Z by local: update night. Nothing will be disrupted.')
    expect(sentence.facts['time']).toBe('2025-12-19T13:00:00Z')
    expect(inZone(sentence, zone, nowMs)).toBe(`Ballast is frozen since ${time} by local: update night. Nothing will be disrupted.`)
  })

  test('D17: to the minute, and of another day with the day', () => {
    const at = (untilMs: number) => inZone(refusedUntil({ rule: 'CoolDown', untilMs, nowMs }), 'Europe/Berlin', nowMs)
    expect(at(Date.parse('2025-12-19T19:20:00Z'))).toBe('CoolDown until 20:20 (in 6h16m)')
    expect(at(Date.parse('2025-12-20T19:20:00Z'))).toBe('CoolDown until 20 Dec 20:20 (in 30h)')
  })

  test('what somebody wrote stays as it is', () => {
    const reason = 'until 2025-12-19T19:20:00Z'
    const sentence = clusterFrozen({ time: moment(nowMs), who: 'local', reason })
    expect(inZone(sentence, 'Europe/Berlin', nowMs)).toContain(`since 14:03:20 by local: ${reason}.`)
  })

  test.each(['13:03', '2025-12-19', '2025-12-19T13:03:20+01:00', '2025-13-45T99:99:99Z', ''])('no moment: %j', text =>
    expect(inZone({ text, facts: {} }, 'Europe/Berlin', nowMs)).toBe(text),
  )

  test('no character is lost, and every moment is found', () =>
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.string(), fc.integer({ min: 0, max: 4e12 })), { maxLength: 5 }), pairs => {
        const text = pairs.map(([words, ms]) => `${words} ${moment(ms)} ${momentToMinute(ms)} `).join('')
        const parts = momentParts(text)
        expect(parts.map(part => part.text).join('')).toBe(text)
        expect(parts.filter(({ atMs }) => atMs !== undefined).length).toBeGreaterThanOrEqual(2 * pairs.length)
        for (const [, ms] of pairs) expect(parts.some(({ atMs }) => atMs === Math.trunc(ms / minute) * minute)).toBe(true)
      }),
    ))
})
