import { expect, test } from 'vitest'
import { demandBefore, withDemand } from './demand-history.ts'

const startMs = Date.parse('2026-03-02T04:10:00Z')
const at = (hours: number) => startMs + hours * 3_600_000

test('the most of each hour is kept for a day; what changes nothing is not noted', () => {
  let history = withDemand(undefined, { cpu: 1000, memory: 10 }, startMs)
  expect(history).toEqual([{ hour: '2026-03-02T04:00:00Z', cpu: 1000, memory: 10 }])
  expect(withDemand(history, { cpu: 900, memory: 10 }, startMs)).toBe(history)
  expect(withDemand(history, { cpu: 1005, memory: 10 }, startMs)).toBe(history)
  history = withDemand(history, { cpu: 2000, memory: 5 }, startMs)
  expect(history).toEqual([{ hour: '2026-03-02T04:00:00Z', cpu: 2000, memory: 10 }])
  for (let hour = 1; hour < 30; hour++) history = withDemand(history, { cpu: hour, memory: hour }, at(hour))
  expect(history).toHaveLength(24)
  expect(history.at(0)).toMatchObject({ cpu: 6 })
  expect(history.at(-1)).toMatchObject({ cpu: 29 })
})

test('hours that are no times, or to come, do not count', () => {
  const history = ['yesterday', '2027-01-01T00:00:00Z', '2026-03-02T03:00:00Z', '2026-03-01T03:00:00Z'].map(hour => ({
    hour,
    cpu: 1,
    memory: 1,
  }))
  expect(demandBefore(history, startMs)).toEqual([{ cpu: 1, memory: 1 }])
})
