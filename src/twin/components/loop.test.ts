import { describe, expect, test } from 'vitest'
import { VirtualClock } from '#kube/clock.ts'
import { backOffMs, ComponentLoop, type LoopFailure } from './loop.ts'

function setUp() {
  const clock = new VirtualClock(0)
  const failures: LoopFailure[] = []
  const loop = new ComponentLoop(clock, failure => failures.push(failure))
  const seen: string[] = []
  const log = (name: string) => (key: string) => void seen.push(`${clock.elapsed()} ${name} ${key}`)
  return { clock, loop, failures, seen, log }
}

describe('order', () => {
  test('items due at one time run by queue first, then by insertion', async () => {
    const { clock, loop, seen, log } = setUp()
    const first = loop.queue('first', log('first'))
    const second = loop.queue('second', log('second'))
    second.add('b')
    second.add('a')
    first.add('z')
    first.addAfter('later', 5)
    second.addAfter('sooner', 3)
    await clock.advance(10)
    expect(seen).toEqual(['0 first z', '0 second b', '0 second a', '3 second sooner', '5 first later'])
  })

  test('a key that waits runs once, at the earliest time asked for', async () => {
    const { clock, loop, seen, log } = setUp()
    const queue = loop.queue('q', log('q'))
    queue.addAfter('k', 50)
    queue.addAfter('k', 20)
    queue.addAfter('k', 90)
    await clock.advance(100)
    expect(seen).toEqual(['20 q k'])
  })

  test('many items do not run in one turn', async () => {
    const { clock, loop, seen, log } = setUp()
    const queue = loop.queue('q', log('q'))
    for (let index = 0; index < 200; index++) queue.add(`k${index}`)
    clock.step()
    expect(seen).toHaveLength(16)
    await clock.advance(0)
    expect(seen).toHaveLength(200)
    expect(seen.at(-1)).toBe('0 q k199')
  })

  test('an item that takes long ends the turn, and the order stays', async () => {
    const { clock, loop, seen, log } = setUp()
    const long = loop.queue('long', key => {
      log('long')(key)
      loop.endTurn()
    })
    const short = loop.queue('short', log('short'))
    short.add('c')
    for (const key of ['a', 'b']) long.add(key)
    clock.step()
    expect(seen).toEqual(['0 long a'])
    await clock.advance(0)
    expect(seen).toEqual(['0 long a', '0 long b', '0 short c'])
  })
})

test('a handler that throws is tried again after 5, 10, 20 ms and its success forgets the failures', async () => {
  const { clock, loop, failures } = setUp()
  const at: number[] = []
  const queue = loop.queue('q', () => {
    at.push(clock.elapsed())
    if (at.length < 4) throw new Error('not yet')
  })
  queue.add('k')
  await clock.advance(1000)
  expect(at).toEqual([0, 5, 15, 35])
  expect(failures.map(failure => failure.count)).toEqual([1, 2, 3])
  queue.add('k')
  await clock.advance(0)
  expect(loop.isSettled).toBe(true)
})

test.each([
  [1, 5],
  [2, 10],
  [5, 80],
  [40, 1_000_000],
])('back-off after %i failures is %i ms', (failures, expected) => {
  expect(backOffMs(failures)).toBe(expected)
})

test('periodic work does not keep the loop from being settled, transient work does', async () => {
  const { clock, loop, seen, log } = setUp()
  const queue = loop.queue('q', log('q'))
  queue.addPeriodic('beat', 10)
  expect(loop.isSettled).toBe(true)
  queue.addAfter('pull', 30)
  expect(loop.isSettled).toBe(false)
  expect(loop.nextTransientMs).toBe(30)
  expect(loop.moving()).toEqual(['q pull in 0.0 s'])
  await clock.advance(30)
  expect(loop.isSettled).toBe(true)
  expect(seen).toEqual(['10 q beat', '30 q pull'])
})

test('a removed key and a stopped loop run nothing', async () => {
  const { clock, loop, seen, log } = setUp()
  const queue = loop.queue('q', log('q'))
  queue.add('a')
  queue.remove('a')
  queue.addAfter('b', 5)
  loop[Symbol.dispose]()
  queue.add('c')
  await clock.advance(100)
  expect(seen).toEqual([])
  expect(clock.pending).toBe(0)
})

test('a handler that returns a promise has its key to itself, and the clock stands still until it is settled', async () => {
  const { clock, loop, seen, log } = setUp()
  const { promise, resolve } = Promise.withResolvers<void>()
  let runs = 0
  const queue = loop.queue('slow', key => {
    log('slow')(key)
    return runs++ === 0 ? promise : undefined
  })
  const other = loop.queue('other', log('other'))
  queue.add('k')
  clock.step()
  queue.add('k')
  other.add('x')
  clock.step()
  expect(seen).toEqual(['0 slow k', '0 other x'])
  expect(clock.isHeld).toBe(true)
  expect(loop.isSettled).toBe(false)
  resolve()
  await clock.advance(0)
  expect(seen).toEqual(['0 slow k', '0 other x', '0 slow k'])
  expect(loop.isSettled).toBe(true)
})

test('a promise that fails is tried again after the back-off', async () => {
  const { clock, loop, failures } = setUp()
  let runs = 0
  const queue = loop.queue('q', async () => {
    if (runs++ === 0) throw new Error('not yet')
  })
  queue.add('k')
  await clock.advance(100)
  expect(runs).toBe(2)
  expect(failures).toHaveLength(1)
})
