import { expect, test } from 'vitest'
import { SchedulingQueue } from './scheduling-queue.ts'

test('higher priority first, then first come first served', () => {
  const queue = new SchedulingQueue()
  queue.add('a', 0)
  queue.add('b', 100)
  queue.add('c', 0)
  expect([queue.take(0), queue.take(0), queue.take(0), queue.take(0)]).toEqual(['b', 'a', 'c', undefined])
})

test('a pod that did not fit waits for a change, and then for 1, 2, 4, 8, 10, 10 s of back-off', () => {
  const queue = new SchedulingQueue()
  queue.add('a', 0)
  const waits: number[] = []
  let now = 0
  for (let attempt = 0; attempt < 6; attempt++) {
    expect(queue.take(now)).toBe('a')
    expect(queue.take(now + 60_000)).toBeUndefined()
    queue.wakeAll()
    const next = queue.nextMs() ?? Number.NaN
    expect(queue.take(next - 1)).toBeUndefined()
    waits.push(next - now)
    now = next
  }
  expect(waits).toEqual([1000, 2000, 4000, 8000, 10_000, 10_000])
})

test('nothing is due for a pod that only a change can help', () => {
  const queue = new SchedulingQueue()
  queue.add('a', 0)
  queue.take(0)
  expect(queue.nextMs()).toBeUndefined()
  queue.remove('a')
  expect(queue.size).toBe(0)
})
