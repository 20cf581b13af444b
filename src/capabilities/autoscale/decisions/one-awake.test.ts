import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { groupKey, leastAwakeMs, type Member, turnOf, turnWords } from './one-awake.ts'

const nowMs = 100_000_000
const minute = 60_000

function member(key: string, given: Partial<Member> = {}): Member {
  const pods = given.isAwake === true ? [{ createdMs: nowMs - 60 * minute, endsMs: undefined }] : []
  const plain = {
    priority: 0,
    isActive: false,
    isAwake: false,
    isWarmed: false,
    fixedBy: undefined,
    canWake: true,
    lastActiveMs: undefined,
  }
  return { key, ...plain, pods, ...given }
}

const wanted = { isActive: true }
const idle = { isAwake: true }
const busy = { isActive: true, isAwake: true }
const young = { isAwake: true, pods: [{ createdMs: nowMs - 2 * minute, endsMs: undefined }] }
const warmth = { isWarmed: true }
const ending = (inMs: number) => [{ createdMs: 0, endsMs: nowMs + inMs }]

const toldOf = (members: readonly Member[], waitingSinceMs?: number) =>
  members.map(({ key }) => {
    const turn = turnOf(key, members, { group: 'gpu', nowMs, waitingSinceMs })
    return turn.kind === 'free' ? 'free' : `${turn.kind}: ${turnWords(turn).replace(/ \(ballast.dev\/one-awake: gpu\)$/, '')}`
  })

const has = (to: string, because: string) => `yields: ScaledObject ${to} has the turn, since ${because}`
const waitsFor = (other: string) => `waits: it waits until ScaledObject ${other} has no pods any more`

describe('whose turn it is', () => {
  test.each<[string, readonly Member[], readonly string[]]>([
    ['nobody is asked for', [member('a'), member('b')], ['free', 'free']],
    [
      'nobody is asked for, one is to be warmed',
      [member('a'), member('b', warmth)],
      [has('b', 'somebody is likely to come for it'), 'free'],
    ],
    [
      'whoever is asked for goes before one that was warmed, whatever its priority',
      [member('a', wanted), member('b', { ...young, ...warmth, priority: 10 })],
      [waitsFor('b'), has('a', 'nobody asked for the other yet')],
    ],
    ['one is asked for', [member('a', wanted), member('b')], ['free', has('a', 'it is asked for')]],
    [
      'the higher priority wakes once the other is gone',
      [member('a', { ...wanted, priority: 10 }), member('b', busy)],
      [waitsFor('b'), has('a', 'its priority 10 is above 0')],
    ],
    [
      'the higher priority stays until its cool-down is over',
      [member('a', { ...idle, priority: 10 }), member('b', wanted)],
      ['free', has('a', 'its priority 10 is above 0')],
    ],
    [
      'who is awake and asked for stays',
      [member('a', wanted), member('b', busy)],
      [has('b', 'it is awake and asked for'), 'free'],
    ],
    ['who is idle gives way to an equal', [member('a', wanted), member('b', idle)], [waitsFor('b'), has('a', 'it is asked for')]],
    ['but not at once', [member('a', wanted), member('b', young)], [has('b', 'it woke less than 5 minutes ago'), 'free']],
    [
      'of two that wait, who was active longest ago',
      [member('a', { ...wanted, lastActiveMs: nowMs - minute }), member('b', { ...wanted, lastActiveMs: nowMs - 2 * minute })],
      [has('b', 'it has not been active for longer'), 'free'],
    ],
    ['then by name', [member('b', wanted), member('a', wanted)], [has('a', 'it is the first by name'), 'free']],
    [
      'one that is paused cannot be put to sleep',
      [member('a', { ...wanted, priority: 10 }), member('b', { ...idle, fixedBy: 'it is paused' })],
      [has('b', 'it is awake and stays so: it is paused'), 'free'],
    ],
    [
      'one that is frozen at zero keeps nobody asleep',
      [member('a', { ...wanted, priority: 10, fixedBy: 'frozen', canWake: false }), member('b', busy)],
      [has('b', 'the other cannot be woken'), 'free'],
    ],
    [
      'pods that end are waited for',
      [member('a', wanted), member('b', { pods: ending(60 * minute) })],
      [waitsFor('b'), has('a', 'it is asked for')],
    ],
    [
      'but not for ever',
      [member('a', wanted), member('b', { pods: ending(-2 * minute) })],
      ['free', has('a', 'it is asked for')],
    ],
  ])('%s', (_what, members, expected) => expect(toldOf(members)).toEqual(expected))

  test('pods that nobody ends are waited for a quarter of an hour', () => {
    const members = [member('a', wanted), member('b', { pods: [{ createdMs: 0, endsMs: undefined }] })]
    expect(toldOf(members, nowMs - 14 * minute)[0]).toBe(waitsFor('b'))
    expect(toldOf(members, nowMs - 15 * minute)[0]).toBe('free')
    // One that has replicas is never passed over.
    expect(toldOf([member('a', { ...wanted, priority: 1 }), member('b', busy)], 0)[0]).toBe(waitsFor('b'))
  })

  test('when the place is free at the earliest is known where it is kept for a time alone', () => {
    const turn = turnOf('a', [member('a', wanted), member('b', young)], { group: 'gpu', nowMs, waitingSinceMs: undefined })
    expect(turn).toMatchObject({ kind: 'yields', untilMs: nowMs + 3 * minute })
  })
})

test('a group spans the namespaces that the configuration lists, and no other', () => {
  const spanning = [{ name: 'gpu', namespaces: ['media', 'llm'] }]
  expect(['media', 'llm', 'shop'].map(namespace => groupKey('gpu', namespace, spanning))).toEqual(['gpu', 'gpu', 'shop/gpu'])
  expect(groupKey('cpu', 'media', spanning)).toBe('media/cpu')
})

describe('properties', () => {
  const some = fc.record({
    priority: fc.integer({ min: 0, max: 2 }),
    isActive: fc.boolean(),
    isAwake: fc.boolean(),
    isWarmed: fc.boolean(),
    fixedBy: fc.constant(undefined),
    canWake: fc.boolean(),
    lastActiveMs: fc.option(fc.integer({ min: nowMs - 3, max: nowMs }), { nil: undefined }),
    pods: fc.array(
      fc.record({
        createdMs: fc.integer({ min: nowMs - 2 * leastAwakeMs, max: nowMs }),
        endsMs: fc.option(fc.integer({ min: nowMs - 4 * minute, max: nowMs + 4 * minute }), { nil: undefined }),
      }),
      { maxLength: 2 },
    ),
  })
  const group = fc
    .array(some, { minLength: 1, maxLength: 5 })
    .map(all => all.map((one, at) => ({ key: `x/${at}`, ...one, isWarmed: one.isWarmed && !one.isActive })))

  test('exactly one of those that are asked for or awake does not yield, in whatever order they are asked', () => {
    fc.assert(
      fc.property(group, members => {
        const turns = (of: readonly Member[]) =>
          new Map(members.map(({ key }) => [key, turnOf(key, of, { group: 'g', nowMs, waitingSinceMs: undefined })]))
        const found = turns(members)
        expect(turns(members.toReversed())).toEqual(found)
        const contending = members.filter(one => one.isAwake || ((one.isActive || one.isWarmed) && one.canWake))
        const staying = contending.filter(({ key }) => found.get(key)?.kind !== 'yields')
        expect(staying).toHaveLength(Math.min(1, contending.length))
      }),
    )
  })

  test('whatever is asked for when, one is awake at a time, and equals change places every five minutes at most', () => {
    const asks = fc.array(fc.tuple(fc.boolean(), fc.boolean(), fc.boolean()), { minLength: 20, maxLength: 60 })
    fc.assert(
      fc.property(asks, fc.constantFrom([0, 0, 0], [1, 0, 0]), (steps, priorities) => {
        let all: readonly Member[] = priorities.map((priority, at) => member(`x/${at}`, { priority }))
        const woken: { readonly key: string; readonly atMs: number }[] = []
        for (const [step, asked] of steps.entries()) {
          const atMs = nowMs + step * 30_000
          all = all.map((one, at) => ({ ...one, isActive: asked[at] === true }))
          // Each looks in its turn, at what the others are by then.
          for (const { key } of all) {
            const turn = turnOf(key, all, { group: 'g', nowMs: atMs, waitingSinceMs: undefined })
            all = all.map(one => {
              if (one.key !== key) return one
              if (turn.kind === 'yields') return { ...one, isAwake: false, pods: [] }
              if (turn.kind === 'waits' || one.isAwake || !one.isActive) return one
              woken.push({ key, atMs })
              return { ...one, isAwake: true, pods: [{ createdMs: atMs, endsMs: undefined }] }
            })
            expect(all.filter(one => one.isAwake).length).toBeLessThanOrEqual(1)
          }
        }
        // A higher priority takes the place at once.
        if (priorities[0] !== 0) return
        for (const [at, { key, atMs }] of woken.entries()) {
          const before = woken[at - 1]
          if (before !== undefined && before.key !== key) expect(atMs - before.atMs).toBeGreaterThanOrEqual(leastAwakeMs)
        }
      }),
    )
  })
})
