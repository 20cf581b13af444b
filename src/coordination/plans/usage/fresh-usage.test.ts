import { describe, expect, test } from 'vitest'
import type { Measured } from '#planning/goals/measurements.ts'
import { FreshUsage, usageFreshMs } from './fresh-usage.ts'

const startMs = Date.parse('2026-03-02T04:00:00Z')
const nodeAt = (atMs: number | undefined, cpu = 100): Measured => ({ kind: 'node', key: 'n1', amounts: { cpu, memory: 1 }, atMs })
const at = (elapsedMs: number, wallOffMs = 0) => ({ elapsedMs, nowMs: startMs + elapsedMs + wallOffMs })
const known = (usage: FreshUsage, elapsedMs: number) => [...usage.measurements(elapsedMs).nodes.keys()]

describe('a figure counts for two minutes', () => {
  test('from when it was taken, where it is seen the first time', () => {
    const usage = new FreshUsage()
    usage.take([nodeAt(startMs - 100_000)], at(0))
    expect([usage.ageMs(0), known(usage, 20_000), known(usage, 20_001)]).toEqual([100_000, ['n1'], []])
  })

  test('a server that goes on telling the same does not make it younger', () => {
    const usage = new FreshUsage()
    for (let elapsedMs = 0; elapsedMs <= usageFreshMs + 30_000; elapsedMs += 30_000) usage.take([nodeAt(startMs)], at(elapsedMs))
    expect([usage.ageMs(150_000), known(usage, 150_000)]).toEqual([150_000, []])
  })

  test('one without a time ages all the same', () => {
    const usage = new FreshUsage()
    usage.take([nodeAt(undefined)], at(0))
    usage.take([nodeAt(undefined)], at(130_000))
    expect(known(usage, 130_000)).toEqual([])
  })

  test('a wall clock that is set makes known figures neither old nor young', () => {
    const usage = new FreshUsage()
    usage.take([nodeAt(startMs)], at(0))
    usage.take([nodeAt(startMs + 30_000)], at(30_000, 3_600_000))
    expect(usage.ageMs(30_000)).toBe(0)
    usage.take([nodeAt(startMs + 30_000)], at(60_000, -3_600_000))
    expect(usage.ageMs(60_000)).toBe(30_000)
  })

  test('a time to come is now', () => {
    const usage = new FreshUsage()
    usage.take([nodeAt(startMs + 999_999)], at(0))
    expect(usage.ageMs(0)).toBe(0)
  })
})

test('who is not told of any more is unknown at once', () => {
  const usage = new FreshUsage()
  usage.take([nodeAt(startMs)], at(0))
  usage.take([], at(1_000))
  expect([usage.ageMs(1_000), known(usage, 1_000)]).toEqual([undefined, []])
})

test('what was measured after a moment is told apart', () => {
  const usage = new FreshUsage()
  usage.take([nodeAt(startMs)], at(0))
  expect([...usage.measuredSince(1)]).toEqual([])
  usage.take([nodeAt(startMs + 15_000)], at(15_000))
  expect([...usage.measuredSince(1)]).toEqual(['n1'])
})
