import { expect, test } from 'vitest'
import { VirtualClock } from '#kube/clock.ts'
import { eviction, rollout } from '../testdata/arbiter-site.ts'
import { startMs } from '../testdata/scripted-api.ts'
import { PendingBook } from './pending-book.ts'

test('a wish keeps its place however often it is asked, and says what it says now', async () => {
  const clock = new VirtualClock(startMs)
  const book = new PendingBook(clock)
  const [first, second] = [eviction('db-0'), eviction('db-1')]
  book.keep(first, 'lock')
  await clock.advance(60_000)
  book.keep(second, 'cap')
  book.keep({ ...first, class: 'cost' }, 'cap')
  expect(book.list().map(({ intent, waitsFor }) => [intent.idempotencyKey, intent.class, waitsFor])).toEqual([
    ['plan/db-0', 'cost', 'cap'],
    ['plan/db-1', 'balance', 'cap'],
  ])
  expect(book.firstAskedMs(first)).toBe(startMs)
  expect(book.list(first).map(one => one.intent)).toEqual([second])
  book.forget(first)
  expect(book.firstAskedMs(first)).toBeUndefined()
})

test('a wish is forgotten at its deadline, and two minutes after it was last asked', async () => {
  const clock = new VirtualClock(startMs)
  const book = new PendingBook(clock)
  book.keep(eviction('db-0', { deadlineMs: startMs + 30_000 }), 'lock')
  book.keep(eviction('db-1'), 'lock')
  await clock.advance(30_000)
  expect(book.list().map(one => one.intent.idempotencyKey)).toEqual(['plan/db-1'])
  await clock.advance(90_000)
  expect(book.firstAskedMs(eviction('db-1'))).toBeUndefined()
  expect(book.list()).toEqual([])
})

test('the same key of another requester is another wish', () => {
  const book = new PendingBook(new VirtualClock(startMs))
  book.keep(eviction('db-0'), 'lock')
  book.keep(eviction('db-0', { requester: 'isolate' }), 'lock')
  expect(book.list()).toHaveLength(2)
})

test('a reload that says anew what an earlier one said takes its place; the earlier one asked late takes nobody’s', () => {
  const book = new PendingBook(new VirtualClock(startMs))
  const [first, second] = ['first', 'second'].map(key => rollout('reload', { idempotencyKey: key }))
  if (first === undefined || second === undefined) throw new Error('two')
  const others = [rollout('rightsize', { verb: 'resize', purpose: 'resize' }), rollout('reloader'), eviction('db-0')]
  for (const one of [first, ...others]) book.keep(one, 'lock')
  const keys = (except?: Parameters<PendingBook['list']>[0]) => book.list(except).map(({ intent }) => intent.idempotencyKey)
  const left = others.map(({ idempotencyKey }) => idempotencyKey)
  expect(keys(second)).toEqual(left)
  book.keep(second, 'lock')
  book.keep(first, 'lock')
  expect(keys(second)).toEqual([...left, 'first'])
})
