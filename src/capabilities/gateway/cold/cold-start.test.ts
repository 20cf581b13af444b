import fc from 'fast-check'
import { Registry } from 'prom-client'
import { describe, expect, test } from 'vitest'
import { VirtualClock } from '#kube/clock.ts'
import { type BootStage, bootStages } from './boot-stage.ts'
import { ColdStarts } from './cold-start.ts'
import { coldStartMetrics } from './cold-start-metrics.ts'
import type { Boot } from './learned-boots.ts'

const route = 'llm/ollama'
const at = (stage: BootStage, more: object = {}) => ({ stage, sentence: `it is in ${stage}`, ...more })

function starts() {
  const clock = new VirtualClock(Date.UTC(2027, 0, 3))
  const registry = new Registry()
  const learned: { route: string; boots: readonly Boot[] }[] = []
  const all = new ColdStarts({
    ...{ clock, metrics: coldStartMetrics(registry) },
    onLearned: (one, boots) => learned.push({ route: one, boots }),
  })
  /** Passes so many seconds in each stage. */
  const walk = async (...stages: readonly (readonly [BootStage, number])[]) => {
    for (const [stage, seconds] of stages) {
      all.observe(route, at(stage))
      await clock.advance(seconds * 1_000)
    }
  }
  return { clock, registry, learned, all, walk }
}

const whole = [
  ['queued', 2],
  ['node-requested', 90],
  ['node-ready', 3],
  ['image', 40],
  ['container', 10],
  ['ready', 1],
  ['first-token', 4],
] as const

test('a start is walked through, and learned when it was answered', async () => {
  const { all, walk, learned, registry } = starts()
  expect(all.begin(route)).toBe(true)
  expect(all.begin(route)).toBe(false)
  await walk(...whole)
  expect(all.progress(route)).toMatchObject({ stage: 'first-token', sinceMs: 4_000, totalMs: 150_000 })
  all.answered(route)
  expect(all.progress(route)).toBeUndefined()
  const tookMs = Object.fromEntries(whole.map(([stage, seconds]) => [stage, seconds * 1_000]))
  expect(learned).toEqual([{ route, boots: [{ endedMs: Date.UTC(2027, 0, 3) + 150_000, tookMs }] }])
  const text = await registry.metrics()
  expect(text).toContain('ballast_gateway_cold_start_seconds_sum{route="llm/ollama",stage="node-requested"} 90')
  expect(text).toContain('ballast_gateway_cold_start_seconds_sum{route="llm/ollama",stage="total"} 150')
  all.forget(route)
  expect(await registry.metrics()).not.toContain('llm/ollama')
})

test('the second time it is known how long it takes', async () => {
  const { all, walk } = starts()
  all.begin(route)
  expect(all.progress(route)).not.toHaveProperty('etaMs')
  await walk(...whole)
  all.answered(route)
  expect(all.leftMs(route)).toBe(150_000)
  all.begin(route)
  await walk(['queued', 2], ['node-requested', 30])
  expect(all.leftMs(route)).toBe(118_000)
  const progress = all.progress(route)
  expect(progress).toMatchObject({
    stage: 'node-requested',
    sentence: 'it is in node-requested',
    sinceMs: 30_000,
    totalMs: 32_000,
    etaMs: 118_000,
  })
  expect(
    progress?.stages.map(({ stage, state, tookMs, usualMs, isExpected }) => [stage, state, tookMs, usualMs, isExpected]),
  ).toEqual([
    ['queued', 'done', 2_000, 2_000, true],
    ['node-requested', 'now', 30_000, 90_000, true],
    ['node-ready', 'ahead', undefined, 3_000, true],
    ['image', 'ahead', undefined, 40_000, true],
    ['container', 'ahead', undefined, 10_000, true],
    ['ready', 'ahead', undefined, 1_000, true],
    ['model', 'ahead', undefined, undefined, false],
    ['first-token', 'ahead', undefined, 4_000, true],
  ])
})

describe('what says nothing of the next one is not learned', () => {
  test('nobody waits any more', async () => {
    const { all, walk, learned, clock } = starts()
    all.begin(route)
    await walk(['queued', 5])
    all.abandon(route)
    all.answered(route)
    expect(learned).toEqual([])
    expect(clock.pending).toBe(0)
  })
  test('it never comes', async () => {
    const { all, walk, learned, clock } = starts()
    all.begin(route)
    await walk(['queued', 3_600])
    expect(all.progress(route)).toBeUndefined()
    expect(learned).toEqual([])
    expect(clock.pending).toBe(0)
  })
  test('it was on its way when somebody came: its times are told by the cluster', async () => {
    const { all, learned, clock } = starts()
    all.begin(route)
    all.observe(route, at('image', { sinceMs: clock.now() - 30_000 }))
    expect(all.progress(route)).toMatchObject({ stage: 'image', sinceMs: 30_000, totalMs: 30_000 })
    all.observe(route, at('first-token'))
    all.answered(route)
    expect(learned).toEqual([])
  })
  test('a clock of the cluster that is ahead is not believed', async () => {
    const { all, clock } = starts()
    all.begin(route)
    all.observe(route, at('image', { sinceMs: clock.now() + 30_000 }))
    expect(all.progress(route)).toMatchObject({ sinceMs: 0, totalMs: 0 })
  })
})

test('ready and not asked: it is learned without the time in which it waited for somebody', async () => {
  const { all, walk, learned, clock } = starts()
  all.begin(route)
  await walk(['queued', 2], ['container', 8], ['ready', 59])
  expect(learned).toEqual([])
  await walk(['ready', 1])
  expect(learned[0]?.boots[0]?.tookMs).toEqual({ queued: 2_000, container: 8_000 })
  expect(clock.pending).toBe(0)
})

test('a target that was ready all the time is no start', async () => {
  const { all, walk, learned, clock } = starts()
  all.begin(route)
  await walk(['ready', 60])
  expect(all.progress(route)).toBeUndefined()
  expect(learned).toEqual([])
  expect(clock.pending).toBe(0)
})

test('a pod that is lost goes back, and both ways count', async () => {
  const { all, walk, learned } = starts()
  all.begin(route)
  await walk(['queued', 1], ['container', 5], ['queued', 2], ['container', 6], ['ready', 1], ['first-token', 1])
  all.answered(route)
  expect(learned[0]?.boots[0]?.tookMs).toEqual({ queued: 3_000, container: 11_000, ready: 1_000, 'first-token': 1_000 })
})

test('who watches is told of what changed', async () => {
  const { all, walk } = starts()
  let steps = 0
  const watch = all.watch(route, () => steps++)
  all.begin(route)
  await walk(['queued', 1], ['queued', 1], ['image', 1], ['image', 1])
  expect(steps).toBe(3)
  const trouble = { reason: 'ImagePullBackOff', sentence: 'it cannot be pulled' }
  all.observe(route, at('image', { trouble }))
  expect(steps).toBe(4)
  expect(all.progress(route)).toMatchObject({ trouble })
  all.answered(route)
  expect(steps).toBe(5)
  watch[Symbol.dispose]()
  all.begin(route)
  expect(steps).toBe(5)
})

test('whatever is observed, times add up to what passed, and no timer is left', async () => {
  const step = fc.tuple(fc.constantFrom(...bootStages), fc.nat(50))
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 12 }), async steps => {
      const { all, walk, learned, clock } = starts()
      all.begin(route)
      await walk(['queued', 1], ...steps)
      const progress = all.progress(route)
      const seconds = steps.reduce((sum, [, took]) => sum + took, 1)
      const sum = (times: readonly (number | undefined)[]) => times.reduce<number>((all, one) => all + (one ?? 0), 0)
      if (progress !== undefined) {
        expect(progress.totalMs).toBe(seconds * 1_000)
        expect(sum(progress.stages.map(({ tookMs }) => tookMs))).toBe(seconds * 1_000)
        all.answered(route)
        expect(sum(Object.values(learned[0]?.boots[0]?.tookMs ?? {}))).toBe(seconds * 1_000)
      }
      expect(clock.pending).toBe(0)
    }),
    { numRuns: 30 },
  )
})
