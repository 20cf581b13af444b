import { describe, expect, test } from 'vitest'
import { VirtualClock } from '#kube/clock.ts'
import { EventQueue } from './event-queue.ts'

const line = (text: string) => Buffer.from(`${text}\n`)

function queue() {
  const clock = new VirtualClock(0)
  const made = new EventQueue(clock)
  let closed = 0
  made.onClose(() => closed++)
  return { clock, queue: made, closed: () => closed }
}

describe('what a watcher has not read', () => {
  test('comes in order, as one piece what waits together', async () => {
    const { queue: one } = queue()
    one.push(line('a'))
    one.push(line('b'))
    expect(String((await one.next()).value)).toBe('a\nb\n')
    const next = one.next()
    one.push(line('c'))
    expect(String((await next).value)).toBe('c\n')
  })

  test('is read to its end after the end', async () => {
    const { queue: one, closed } = queue()
    one.push(line('a'))
    one.end()
    one.push(line('late'))
    expect(String((await one.next()).value)).toBe('a\n')
    expect(await one.next()).toEqual({ done: true, value: undefined })
    expect(closed()).toBe(1)
  })

  test.each([
    ['1,000 events', 1_001, 10],
    ['8 MiB', 9, 1024 * 1024],
  ])('may be %s for 5 s', async (_much, count, size) => {
    const { clock, queue: one, closed } = queue()
    for (let number = 0; number < count; number++) one.push(Buffer.alloc(size))
    await clock.advance(4_999)
    expect(closed()).toBe(0)
    await clock.advance(1)
    expect(closed()).toBe(1)
    expect(one.givenUp.aborted).toBe(true)
    expect(await one.next()).toEqual({ done: true, value: undefined })
  })

  test('counts anew for who has caught up', async () => {
    const { clock, queue: one, closed } = queue()
    for (let number = 0; number < 1_001; number++) one.push(line('x'))
    await clock.advance(4_000)
    await one.next()
    await clock.advance(4_000)
    one.push(line('x'))
    await clock.advance(10_000)
    expect(closed()).toBe(0)
  })

  test('is never more than 64 MiB', () => {
    const { queue: one, closed } = queue()
    const megabyte = Buffer.alloc(1024 * 1024)
    for (let number = 0; number < 65; number++) one.push(megabyte)
    expect(closed()).toBe(1)
    expect(one.givenUp.aborted).toBe(true)
  })

  test('is given up when nobody reads it after the end', async () => {
    const { clock, queue: one, closed } = queue()
    one.push(line('a'))
    one.end()
    await clock.advance(5_000)
    expect(closed()).toBe(1)
  })
})
