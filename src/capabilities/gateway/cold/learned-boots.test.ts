import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type BootStage, bootStages } from './boot-stage.ts'
import { coldStartCondition } from './cold-start-condition.ts'
import {
  type Boot,
  learnedOf,
  learnedText,
  leftMs,
  longestLearned,
  mergedBoots,
  mostBoots,
  readLearned,
  totalOf,
  withBoot,
} from './learned-boots.ts'
import { retryAfterSeconds } from './ready-estimate.ts'

const boot = (endedSeconds: number, seconds: Partial<Record<BootStage, number>>): Boot => ({
  endedMs: endedSeconds * 1_000,
  tookMs: Object.fromEntries(Object.entries(seconds).map(([stage, took]) => [stage, took * 1_000])),
})
/** Without a node to order, and with one. */
const quick = (ended: number) => boot(ended, { queued: 1, 'node-ready': 1, image: 2, container: 5, ready: 1 })
const slow = (ended: number) =>
  boot(ended, { queued: 3, 'node-requested': 90, 'node-ready': 2, image: 40, container: 5, ready: 1 })

describe('what is left', () => {
  const mixed = [quick(100), quick(200), slow(1_000)]
  // biome-ignore format: a table
  test.each<[string, readonly Boot[], BootStage, number, number | undefined]>([
    ['nothing was learned', [], 'queued', 0, undefined],
    ['all of it', [quick(1)], 'queued', 0, 10],
    ['a part of it', [quick(1)], 'image', 0.5, 7.5],
    ['the middle of three', mixed, 'queued', 0, 10],
    ['longer than quick ones: it is a slow one', mixed, 'queued', 2, 139],
    ['longer than any: what comes after', mixed, 'queued', 4, 9],
    ['only a slow one orders nodes', mixed, 'node-requested', 10, 128],
    ['a stage that none passed: what comes after', mixed, 'model', 0, 0],
    ['time that went back', [quick(1)], 'queued', -5, 10],
    ['the end', [quick(1)], 'ready', 9, 0],
  ])('%s', (_name, boots, stage, inStage, left) => {
    expect(leftMs(boots, stage, inStage * 1_000)).toBe(left === undefined ? undefined : left * 1_000)
  })
})

test.each([
  [undefined, 10],
  [0, 1],
  [1_001, 2],
  [140_000, 140],
  [9_999_999, 600],
])('of %s ms left, come again after %d s', (left, seconds) => {
  expect(retryAfterSeconds(left)).toBe(seconds)
})

test('quantiles are times that were seen', () => {
  const boots = Array.from({ length: 20 }, (_none, index) => boot(index * 100, { queued: index + 1 }))
  expect(learnedOf(boots)).toEqual({ p50Ms: 10_000, p95Ms: 19_000, count: 20 })
  expect(learnedOf(boots, 'queued')).toEqual({ p50Ms: 10_000, p95Ms: 19_000, count: 20 })
  expect(learnedOf(boots, 'model')).toBeUndefined()
})

test('the last ones are kept, and none that took hours', () => {
  const many = Array.from({ length: mostBoots + 3 }, (_none, index) => quick(index))
  const boots = many.reduce<readonly Boot[]>(withBoot, [])
  expect(boots).toHaveLength(mostBoots)
  expect(boots[0]?.endedMs).toBe(3_000)
  expect(withBoot(boots, boot(9_999, { image: 3_601 }))).toBe(boots)
})

test('a start that two have seen counts once', () => {
  const [one, two] = [quick(100), quick(200)]
  const again = boot(101, { queued: 2, container: 7 })
  expect(mergedBoots([one, two], [again, quick(300)])).toEqual([one, two, quick(300)])
})

describe('what is kept can be read', () => {
  test('as it was', () => {
    expect(readLearned(learnedText([quick(1), slow(1_800_000_000)]))).toEqual({ boots: [quick(1), slow(1_800_000_000)] })
    expect(learnedText([quick(1)])).toBe('{"version":1,"boots":[[1000,1000,-1,1000,2000,5000,1000,-1,-1]]}')
  })
  // biome-ignore format: a table
  test.each([
    ['', 'it is no JSON: '],
    ['null', 'learned: found "null"'],
    ['{"version":2,"boots":[]}', 'learned: version: found "2", expected 1 [wrong-value]'],
    ['{"version":1,"boots":[[1,2]]}', 'learned: boots[0]: '],
    ['{"version":1,"boots":[[1,2,3,4,5,6,7,8,"9"]]}', 'learned: boots[0][8]: found "9", expected a number [wrong-type]'],
    ['{"version":1,"boots":[[1,2,3,4,5,6,7,8,9.5]]}', 'learned: boots[0][8]: '],
    ['{"version":1,"boots":[],"__proto__":1}', 'learned: '],
  ])('%s', (text, problem) => {
    const read = readLearned(text)
    expect('problem' in read ? read.problem : '').toContain(problem)
  })
  test('not when it is longer than anybody writes', () => {
    const text = learnedText([]).padEnd(longestLearned + 1)
    expect(readLearned(text)).toEqual({ problem: `it has ${longestLearned + 1} characters, more than ${longestLearned}` })
  })
  test('a start of hours, which nobody wrote, is left out', () => {
    expect(readLearned('{"version":1,"boots":[[1,3600000,3600000,-1,-1,-1,-1,-1,-1]]}')).toEqual({ boots: [] })
  })
})

const stageTimes = fc.record(
  Object.fromEntries(bootStages.map(stage => [stage, fc.nat(400_000)])) as Record<BootStage, fc.Arbitrary<number>>,
  { requiredKeys: ['queued'] },
)
const anyBoot = fc.record({ endedMs: fc.nat(2 ** 42), tookMs: stageTimes })
const boots = fc.array(anyBoot, { minLength: 1, maxLength: 40 })

test('whatever was learned: what is left is never negative, never more than the longest start, and text says it again', () => {
  fc.assert(
    fc.property(boots, fc.constantFrom(...bootStages), fc.integer({ min: -1_000, max: 9_000_000 }), (all, stage, inStage) => {
      const left = leftMs(all, stage, inStage)
      expect(left).toBeGreaterThanOrEqual(0)
      expect(left).toBeLessThanOrEqual(Math.max(...all.map(totalOf)))
      const text = learnedText(all)
      expect(text.length).toBeLessThanOrEqual(longestLearned)
      expect(readLearned(text)).toEqual({ boots: all.slice(-mostBoots) })
      const { p50Ms, p95Ms } = learnedOf(all) ?? expect.unreachable()
      expect(p50Ms).toBeLessThanOrEqual(p95Ms)
    }),
  )
})

test('merging does not depend on order, and merges what it has merged into itself', () => {
  fc.assert(
    fc.property(boots, boots, (a, b) => {
      const merged = mergedBoots(a, b)
      expect(mergedBoots(b, a).map(({ endedMs }) => endedMs)).toEqual(merged.map(({ endedMs }) => endedMs))
      expect(mergedBoots(merged, merged)).toEqual(merged)
      expect(merged.length).toBeLessThanOrEqual(mostBoots)
    }),
  )
})

test('a start that took no time counts once, too', () => {
  expect(mergedBoots([boot(5, { queued: 0 })], [boot(5, { queued: 0 })])).toHaveLength(1)
})

test('no text breaks the reader', () => {
  fc.assert(
    fc.property(fc.oneof(fc.json(), fc.string()), text => {
      const read = readLearned(text)
      expect('problem' in read || read.boots.length >= 0).toBe(true)
    }),
  )
})

describe('the condition', () => {
  test('says nothing before', () => {
    expect(coldStartCondition([], 3)).toEqual({
      ...{ type: 'ColdStart', status: 'Unknown', reason: 'NothingLearned', message: 'No cold start was seen yet.' },
      observedGeneration: 3,
    })
  })
  test('p50 and p95, in all and by stage', () => {
    expect(coldStartCondition([quick(1)], 3).message).toBe(
      'p50/p95 of the last cold start: 10s/10s. By stage: queued 1s/1s, node-ready 1s/1s, image 2s/2s, container 5s/5s, ready 1s/1s.',
    )
    expect(coldStartCondition([quick(1), quick(100), slow(1_000)], 3)).toMatchObject({
      status: 'True',
      reason: 'Learned',
      message:
        'p50/p95 of the last 3 cold starts: 10s/2m21s. By stage: queued 1s/3s, node-requested 90s/90s, node-ready 1s/2s, image 2s/40s, container 5s/5s, ready 1s/1s.',
    })
  })
})
