import { Counter, Registry } from 'prom-client'
import { describe, expect, test } from 'vitest'
import { systemClock, VirtualClock } from '../clock.ts'
import { silentLog } from '../log.ts'
import { loopFront } from './front/loop-front.ts'
import {
  answerHealth,
  eventLoopCheck,
  type HealthCheck,
  type HealthOptions,
  startHealthServer,
  startMetricsServer,
} from './health.ts'

const good = (name: string): HealthCheck => ({ name, check: () => undefined })
const bad = (name: string): HealthCheck => ({ name, check: () => 'a secret reason' })

function health(ready: readonly HealthCheck[], live: readonly HealthCheck[] = []): HealthOptions {
  return { live: () => live, ready: () => ready, metrics: new Registry(), log: silentLog }
}

const parts: readonly HealthCheck[] = [
  good('informers'),
  { ...bad('deschedule/planner'), group: 'deschedule', isGating: false },
  { ...good('deschedule/webhook'), group: 'deschedule' },
]

test('further paths are answered as their owner says', async () => {
  const options = { ...health([]), also: { '/live': () => ({ status: 500, body: 'lost' }) } }
  expect(await answerHealth(options, 'GET', '/live')).toMatchObject({ status: 500, body: 'lost' })
  expect(await answerHealth(options, 'GET', '/constructor')).toMatchObject({ status: 404 })
})

describe('checks', () => {
  // biome-ignore format: a table
  test.each([
    ['all well', [good('a'), good('b')], '/readyz', 200, 'ok'],
    ['in words', [good('a'), good('b')], '/readyz?verbose', 200, '[+]a ok\n[+]b ok\nreadyz check passed\n'],
    ['one failing', [good('a'), bad('b')], '/readyz', 500, '[+]a ok\n[-]b failed: reason withheld\nreadyz check failed\n'],
    ['one failing, left out', [good('a'), bad('b')], '/readyz?exclude=b', 200, 'ok'],
    ['one asked by name', [good('a'), bad('b')], '/readyz/a', 200, 'ok'],
    ['the failing one by name', [good('a'), bad('b')], '/readyz/b', 500, '[-]b failed: reason withheld\nreadyz check failed\n'],
    ['one that is not there', [good('a')], '/readyz/c', 404, 'not found\n'],
    ['a quarantined part does not gate the whole', parts, '/readyz', 200, 'ok'],
    ['but is shown', parts, '/readyz?verbose', 200, '[+]informers ok\n[-]deschedule/planner failed: reason withheld (not counted)\n[+]deschedule/webhook ok\nreadyz check passed\n'],
    ['and gates its capability', parts, '/readyz/deschedule', 500, '[-]deschedule/planner failed: reason withheld (not counted)\n[+]deschedule/webhook ok\nreadyz check failed\n'],
    ['a state that may be told is, in words', [{ ...bad('a'), state: 'quarantined until noon' }, { ...good('b'), state: 'running' }], '/readyz', 500, '[-]a failed: quarantined until noon\n[+]b ok: running\nreadyz check failed\n'],
    ['readiness is not liveness', [bad('a')], '/livez', 200, 'ok'],
    ['healthz is livez', [bad('a')], '/healthz', 200, 'ok'],
    ['another path', [], '/', 404, 'not found\n'],
    ['a path too deep', [good('a')], '/readyz/a/b', 404, 'not found\n'],
  ])('%s', async (_case, ready, target, status, body) => {
    expect(await answerHealth(health(ready), 'GET', target)).toEqual({ status, contentType: 'text/plain; charset=utf-8', body })
  })

  test('a check that throws has failed, and says nothing outside', async () => {
    const throwing: HealthCheck = {
      name: 'a',
      check() {
        throw new Error('a secret reason')
      },
    }
    const answer = await answerHealth(health([throwing]), 'GET', '/readyz?verbose')
    expect([answer.status, answer.body.includes('secret')]).toEqual([500, false])
  })

  test('only GET is answered', async () => {
    expect((await answerHealth(health([]), 'POST', '/livez')).status).toBe(405)
  })
})

describe('the event loop', () => {
  test('is well while it turns', async () => {
    const clock = new VirtualClock(0)
    using check = eventLoopCheck(clock)
    await clock.advance(60_000)
    expect(check.check()).toBeUndefined()
  })
  test('is not when it stood still', () => {
    let elapsedMs = 0
    const clock = Object.assign(new VirtualClock(0), { elapsed: () => elapsedMs })
    using check = eventLoopCheck(clock)
    elapsedMs = 10_001
    expect(check.check()).toBe('no turn for 10001 ms')
  })
  test('leaves no timer behind', () => {
    const clock = new VirtualClock(0)
    eventLoopCheck(clock)[Symbol.dispose]()
    expect(clock.pending).toBe(0)
  })
})

test('over HTTP, with metrics', async () => {
  const metrics = new Registry()
  new Counter({ name: 'ballast_things_total', help: 'things', registers: [metrics] }).inc(3)
  await using server = await startHealthServer({ ...health([bad('a')], [good('b')]), metrics, port: 0, host: '127.0.0.1' })
  const get = async (path: string) => {
    const response = await fetch(`http://127.0.0.1:${server.port}${path}`, { headers: { connection: 'close' } })
    return [response.status, await response.text()] as const
  }
  expect(await get('/livez/b')).toEqual([200, 'ok'])
  expect((await get('/readyz'))[0]).toBe(500)
  expect((await get('/metrics'))[1]).toContain('ballast_things_total 3')
})

test('metrics at a port of their own: nothing else is told there', async () => {
  const metrics = new Registry()
  new Counter({ name: 'asked_total', help: 'questions', registers: [metrics] }).inc(2)
  const front = loopFront({ clock: systemClock, log: silentLog })
  await using server = await startMetricsServer({ metrics, log: silentLog, front, port: 0, host: '127.0.0.1' })
  const ask = async (path: string) => {
    const answer = await fetch(`http://127.0.0.1:${server.port}${path}`)
    return [answer.status, await answer.text()]
  }
  expect(await ask('/metrics')).toEqual([200, expect.stringContaining('asked_total 2')])
  for (const path of ['/', '/livez', '/readyz?verbose', '/healthz', '/metrics/more'])
    expect(await ask(path)).toEqual([404, 'not found\n'])
})
