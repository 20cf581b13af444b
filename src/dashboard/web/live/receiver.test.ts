import { expect, test } from 'vitest'
import type { Delta } from '../../contract.ts'
import { Receiver } from './receiver.ts'

function receiver() {
  const values: unknown[] = []
  const gaps: string[] = []
  const gone: string[] = []
  const one = new Receiver({
    value: (_topic, value) => values.push(value),
    gone: (topic, error) => gone.push(`${topic} ${error.code}`),
    clock: () => undefined,
    sources: () => undefined,
    gap: topic => gaps.push(topic),
  })
  const snapshot = (seq: number, cluster: string) =>
    one.receive({ event: 'snapshot', data: { topic: 'overview', revision: `e1.${seq}`, value: { cluster } } })
  const delta = (from: number, to: number, cluster: string) => {
    const data: Delta = {
      topic: 'overview',
      revision: `e1.${to}`,
      from: `e1.${from}`,
      set: { cluster },
      upsert: {},
      remove: {},
      order: {},
    }
    one.receive({ event: 'delta', data })
  }
  return { one, values, gaps, gone, snapshot, delta }
}

test('deltas are put onto what they follow', () => {
  const { values, gaps, snapshot, delta } = receiver()
  snapshot(1, 'a')
  delta(1, 4, 'b')
  delta(4, 5, 'c')
  expect([values, gaps]).toEqual([[{ cluster: 'a' }, { cluster: 'b' }, { cluster: 'c' }], []])
})

test('one that was applied already changes nothing', () => {
  const { values, gaps, snapshot, delta } = receiver()
  snapshot(1, 'a')
  delta(1, 4, 'b')
  delta(1, 4, 'b')
  expect([values.length, gaps]).toEqual([2, []])
})

test('where one is missing a snapshot is asked for once, and nothing is applied until it comes', () => {
  const { values, gaps, snapshot, delta } = receiver()
  snapshot(1, 'a')
  delta(2, 3, 'c')
  delta(3, 4, 'd')
  expect([values, gaps]).toEqual([[{ cluster: 'a' }], ['overview']])
  snapshot(5, 'e')
  delta(5, 6, 'f')
  expect(values.slice(1)).toEqual([{ cluster: 'e' }, { cluster: 'f' }])
})

test('a delta of what was never received asks for it', () => {
  const { gaps, delta } = receiver()
  delta(1, 2, 'b')
  expect(gaps).toEqual(['overview'])
})

test('what is gone is told and held no more', () => {
  const { one, gone, snapshot } = receiver()
  snapshot(1, 'a')
  one.receive({ event: 'gone', data: { topic: 'overview', error: { code: 'plan-gone', message: '', remedy: null } } })
  expect([gone, one.held('overview')]).toEqual([['overview plan-gone'], undefined])
})
