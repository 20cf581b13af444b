import { describe, expect, test } from 'vitest'
import type { Intent } from '../../intent.ts'
import type { ArbiterPolicy } from '../arbiter-policy.ts'
import type { Pending } from '../question.ts'
import {
  type Asked,
  deployment,
  doneFor,
  drain,
  joinedBy,
  minute,
  permit,
  question,
  reload,
  resize,
  toZero,
  waiting,
} from '../testdata/question.ts'
import { passengersOf } from './passengers.ts'

/** Who goes along with a rollout that is granted. */
const along = (wish: Partial<Intent>, pending: readonly Pending[], asked: Asked = {}) =>
  passengersOf(question({ ...asked, intent: wish, pending }))

const move = { idempotencyKey: 'plan-1/m01' } as const

describe('who goes along with a rollout of cart after a changed secret', () => {
  // biome-ignore format: a table
  test.each<[string, Partial<Intent>, Pending['waitsFor'], 'goes along' | 'stays']>([
    ['a new size',                          resize,                                         'company',    'goes along'],
    ['another secret',                      { ...reload, idempotencyKey: 'cart/secret-8' }, 'lock',       'goes along'],
    ["a plan's move",                       move,                                           'cool-down',  'goes along'],
    ['isolation',                           { ...move, purpose: 'isolate' },                'gate',       'goes along'],
    ['a move outside of its window',        move,                                           'window',     'goes along'],
    ['a move over a cap',                   move,                                           'cap',        'goes along'],
    ['a move not wanted yet',               move,                                           'early',      'stays'],
    ['a move of what is frozen',            move,                                           'freeze',     'stays'],
    ['a move of another workload',          { ...move, workload: deployment('blog') },      'company',    'stays'],
    ['an eviction for a drain',             { ...move, purpose: 'drain' },                  'cap',        'stays'],
    ['a resize in place',                   { verb: 'resize', purpose: 'resize' },          'cap',        'stays'],
    ['scaling',                             toZero,                                         'lock',       'stays'],
    ['a drain',                             drain,                                          'zone-drain', 'stays'],
  ])('%s', (_name, wish, waitsFor, expected) => {
    const pending = [waiting(minute, wish, waitsFor)]
    expect(along(reload, pending)).toEqual(expected === 'goes along' ? pending : [])
  })

  const pending = [waiting(minute, resize, 'company'), waiting(minute, move, 'cool-down')]

  test('all that can, in order of their coming', () => {
    expect(along(reload, pending)).toEqual(pending)
  })

  // biome-ignore format: a table
  test.each<[string, ArbiterPolicy['modes'], number]>([
    ['all in coordinate',                    { reload: 'coordinate', rightsize: 'coordinate', deschedule: 'coordinate' }, 2],
    ['one acts as its upstream',             { rightsize: 'observe' },                                                   1],
    ['the rollout acts as its upstream',     { reload: 'observe' },                                                      0],
  ])('%s', (_name, modes, expected) => {
    expect(along(reload, pending, { policy: { modes } })).toHaveLength(expected)
  })

  test('nobody goes along with an eviction, or a rollout of no known workload', () => {
    expect(along({}, pending)).toEqual([])
    expect(along({ ...reload, workload: undefined }, pending)).toEqual([])
  })

  describe('what a rollout had to leave behind', () => {
    const refused = { ...joinedBy({ ...resize }), message: 'no such container' }
    const earlier = permit({ ...doneFor(minute), dropped: [refused] })

    // biome-ignore format: a table
    test.each<[string, Asked, number]>([
      ['stays, and goes alone',                    { ledger: [earlier] },                                          1],
      ['... also while that rollout is under way', { ledger: [permit({ dropped: [refused] })] },                   1],
      ['... another change of it goes along',      { ledger: [permit({ dropped: [{ ...refused, idempotencyKey: 'cart/size-2' }] })] }, 2],
      ['... so does one of another workload',      { ledger: [{ ...earlier, workload: 'shop/Deployment/blog' }] }, 2],
    ])('%s', (_name, asked, expected) => expect(along(reload, pending, asked)).toHaveLength(expected))

    test('takes nobody along', () => {
      const others = [waiting(minute, reload, 'lock'), waiting(minute, move, 'cool-down')]
      expect(along(resize, others)).toHaveLength(2)
      expect(along(resize, others, { ledger: [earlier] })).toEqual([])
    })
  })
})
