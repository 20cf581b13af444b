import { describe, expect, test } from 'vitest'
import { VirtualClock } from '#kube/clock.ts'
import { silentLog } from '#kube/log.ts'
import { ProcessFault } from '../parts/process-fault.ts'
import { embeddedEnding } from '../surroundings.ts'
import { Shutdown } from './health-shutdown.ts'

const told = { stillRunning: () => ['deschedule', 'informers'], log: silentLog }

function setUp() {
  const clock = new VirtualClock(0)
  const stop = new AbortController()
  return { clock, stop, shutdown: new Shutdown(stop.signal, clock, embeddedEnding) }
}

describe('servers', () => {
  test('accept for five seconds from the signal on, however long the rest took', async () => {
    const { clock, stop, shutdown } = setUp()
    stop.abort(new Error('SIGTERM'))
    await clock.advance(2_000)
    let isOver = false
    const waiting = shutdown.accepted().then(() => {
      isOver = true
    })
    await clock.advance(2_999)
    expect(isOver).toBe(false)
    await clock.advance(1)
    expect(isOver).toBe(true)
    await waiting
  })

  test('end at once where no signal asked for the end', async () => {
    await setUp().shutdown.accepted()
  })
})

describe('an end', () => {
  test('that takes too long is a fault that names what still runs', async () => {
    const { clock, stop, shutdown } = setUp()
    const ended = shutdown.within(30_000, new Promise(() => undefined), told)
    const seen = expect(ended).rejects.toThrow(new ProcessFault('after 30000 ms still running: deschedule, informers'))
    await clock.advance(60_000)
    stop.abort(new Error('SIGTERM'))
    await clock.advance(30_000)
    await seen
  })

  test('in time is what the work yields', async () => {
    const { clock, stop, shutdown } = setUp()
    const work = Promise.withResolvers<number>()
    const ended = shutdown.within(30_000, work.promise, told)
    stop.abort(new Error('SIGTERM'))
    await clock.advance(29_999)
    work.resolve(7)
    expect(await ended).toBe(7)
    expect(clock.pending).toBe(0)
  })
})
