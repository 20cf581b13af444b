// kube-machinery.md §7, cases 11 and 12, priorities, fairness, and the promise that no key is lost or worked on twice at once.
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { VirtualClock } from '../clock.ts'
import { silentLog } from '../log.ts'
import { type ReconcileResult, reconciled, runWorkers, TerminalError } from './controller.ts'
import { backgroundPriority, safetyPriority, WorkQueue } from './queue.ts'

const signal = new AbortController().signal

function queueAt(clock = new VirtualClock(0)): { queue: WorkQueue<string>; clock: VirtualClock } {
  return { queue: new WorkQueue<string>({ clock }), clock }
}

test('7.11 a key added while it is worked on comes again, once', async () => {
  const { queue } = queueAt()
  queue.add('A')
  queue.add('A')
  expect(await queue.take(signal)).toBe('A')
  queue.add('A')
  queue.add('B')
  queue.done('A')
  expect(await queue.take(signal)).toBe('B')
  expect(await queue.take(signal)).toBe('A')
  queue.done('A')
  queue.done('B')
  expect(queue.depth).toBe(0)
})

describe('7.12 delays', () => {
  test('the earliest of several times counts', async () => {
    const { queue, clock } = queueAt()
    queue.addAfter('A', 10_000)
    queue.addAfter('A', 3000)
    queue.addAfter('A', 20_000)
    await clock.advance(2999)
    expect(queue.depth).toBe(0)
    await clock.advance(1)
    expect(queue.depth).toBe(1)
    expect(await queue.take(signal)).toBe('A')
    queue.done('A')
    await clock.advance(60_000)
    expect(queue.depth).toBe(0)
  })

  test('failures double up to 1,000 s', () => {
    const { queue } = queueAt()
    const delays = Array.from({ length: 19 }, () => queue.addRateLimited('A'))
    expect(delays.slice(0, 6)).toEqual([5, 10, 20, 40, 80, 160])
    expect(delays[18]).toBe(1_000_000)
    queue.forget('A')
    expect(queue.addRateLimited('A')).toBe(5)
  })

  test('after a hundred retries the queue gives ten a second', () => {
    const { queue } = queueAt()
    const delays = Array.from({ length: 103 }, (_, index) => queue.addRateLimited(`key-${index}`))
    expect(delays.slice(98)).toEqual([5, 5, 100, 200, 300])
  })
})

describe('order', () => {
  test('priorities come first, and a waiting key rises with a live change', async () => {
    const { queue } = queueAt()
    queue.add('listed-1', backgroundPriority)
    queue.add('listed-2', backgroundPriority)
    queue.add('live')
    queue.add('safety', safetyPriority)
    queue.add('listed-2')
    const order = []
    for (let index = 0; index < 4; index++) order.push(await queue.take(signal))
    expect(order).toEqual(['safety', 'live', 'listed-2', 'listed-1'])
  })

  test('what has waited for a minute is next', async () => {
    const { queue, clock } = queueAt()
    queue.add('old', backgroundPriority)
    await clock.advance(60_000)
    queue.add('live')
    expect(await queue.take(signal)).toBe('old')
  })

  test('groups take turns', async () => {
    const queue = new WorkQueue<string>({ clock: new VirtualClock(0), groupOf: key => key.charAt(0) })
    for (const key of ['a1', 'a2', 'a3', 'b1', 'c1']) queue.add(key)
    const order = []
    for (let index = 0; index < 5; index++) order.push(await queue.take(signal))
    expect(order).toEqual(['a1', 'b1', 'c1', 'a2', 'a3'])
  })
})

test('law: every added key is taken after its last add, and never twice at once', async () => {
  const step = fc.oneof(
    fc.record({
      kind: fc.constant('add' as const),
      key: fc.constantFrom('a', 'b', 'c', 'd'),
      priority: fc.constantFrom(-100, 0, 100),
    }),
    fc.record({ kind: fc.constant('take' as const) }),
    fc.record({ kind: fc.constant('done' as const), index: fc.nat(3) }),
  )
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 60 }), async steps => {
      const { queue } = queueAt()
      const working: string[] = []
      const owed = new Set<string>()
      const take = async () => {
        if (queue.depth === 0) return
        const key = await queue.take(signal)
        expect(working).not.toContain(key)
        expect(owed.delete(key ?? '')).toBe(true)
        working.push(key ?? '')
      }
      for (const each of steps) {
        if (each.kind === 'add') {
          queue.add(each.key, each.priority)
          owed.add(each.key)
        } else if (each.kind === 'take') await take()
        else for (const key of working.splice(each.index, 1)) queue.done(key)
      }
      while (owed.size > 0 || working.length > 0) {
        await take()
        for (const key of working.splice(0, 1)) queue.done(key)
      }
      expect(queue.depth).toBe(0)
    }),
  )
})

describe('workers', () => {
  interface Bench {
    readonly clock: VirtualClock
    readonly queue: WorkQueue<string>
    readonly atMs: number[]
    readonly results: string[]
  }

  async function bench(reconcile: (attempt: number) => ReconcileResult, forMs: number): Promise<Bench> {
    const { queue, clock } = queueAt()
    const stop = new AbortController()
    const atMs: number[] = []
    const results: string[] = []
    const done = runWorkers(
      {
        name: 'test',
        queue,
        clock,
        log: silentLog,
        reconcile: async () => {
          atMs.push(clock.elapsed())
          return reconcile(atMs.length)
        },
        onResult: (_, result) => results.push(result),
      },
      stop.signal,
    )
    queue.add('key')
    await clock.advance(forMs)
    stop.abort(new Error('shutdown'))
    await done
    return { clock, queue, atMs, results }
  }

  test('what throws comes again with back-off, and success starts over', async () => {
    const { atMs, results, queue } = await bench(attempt => {
      if (attempt <= 2) throw new Error('not yet')
      return reconciled
    }, 1000)
    expect(atMs).toEqual([0, 5, 15])
    expect(results).toEqual(['error', 'error', 'success'])
    expect(queue.failuresOf('key')).toBe(0)
  })

  test('a time of its own is kept', async () => {
    const { atMs } = await bench(() => ({ kind: 'after', delayMs: 400 }), 1000)
    expect(atMs).toEqual([0, 400, 800])
  })

  test('a terminal error does not come again', async () => {
    const { atMs, results } = await bench(() => {
      throw new TerminalError('never')
    }, 10_000)
    expect(atMs).toEqual([0])
    expect(results).toEqual(['terminal_error'])
  })

  test('a shut down queue is worked empty first', async () => {
    const { queue, clock } = queueAt()
    const seen: string[] = []
    queue.add('a')
    queue.add('b')
    const drained = queue.shutDown()
    queue.add('c')
    const reconcile = async (key: string) => {
      seen.push(key)
      return reconciled
    }
    await runWorkers({ name: 'test', queue, clock, log: silentLog, reconcile }, signal)
    await drained
    expect(seen).toEqual(['a', 'b'])
  })

  test('a reconciliation that hangs is told after its time', async () => {
    const { queue, clock } = queueAt()
    const stop = new AbortController()
    const reasons: string[] = []
    const done = runWorkers(
      {
        name: 'test',
        queue,
        clock,
        log: silentLog,
        reconcile: (_, own) =>
          new Promise((_, reject) => {
            own.addEventListener('abort', () => {
              reasons.push(String(own.reason))
              reject(own.reason)
            })
          }),
      },
      stop.signal,
    )
    queue.add('key')
    await clock.advance(300_000)
    expect(reasons).toEqual(['Error: not reconciled within 300000 ms'])
    stop.abort(new Error('shutdown'))
    await done
  })
})
