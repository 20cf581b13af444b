import { describe, expect, test } from 'vitest'
import type { Transport, TransportRequest, TransportResponse } from '#kube/client/transport.ts'
import { VirtualClock } from '#kube/clock.ts'
import { ApiHealth, isApiSlow } from './api-health.ts'
import { measuredTransport } from './measured-transport.ts'

function recorded(entries: readonly (readonly [count: number, durationMs: number, status: number | undefined])[]): ApiHealth {
  const health = new ApiHealth(new VirtualClock(0))
  for (const [count, durationMs, status] of entries) for (let at = 0; at < count; at++) health.record(durationMs, status)
  return health
}

// biome-ignore format: a table
test.each<[string, readonly (readonly [number, number, number | undefined])[], { p99Ms: number; errors: number }, boolean]>([
  ['nothing asked',                          [],                                        { p99Ms: 0, errors: 0 },          false],
  ['all well',                               [[200, 20, 200]],                          { p99Ms: 25, errors: 0 },         false],
  ['a second is no more than a second',      [[100, 1_000, 200]],                       { p99Ms: 1_000, errors: 0 },      false],
  ['1 in 100 is slow: 99 are not',           [[99, 20, 200], [1, 3_000, 200]],          { p99Ms: 25, errors: 0 },         false],
  ['2 in 100 are slow',                      [[98, 20, 200], [2, 3_000, 200]],          { p99Ms: 5_000, errors: 0 },      true],
  ['slow beyond measure',                    [[20, 900_000, 200]],                      { p99Ms: 60_000, errors: 0 },     true],
  ['1 % of failures is borne',               [[297, 5, 200], [3, 5, 503]],              { p99Ms: 5, errors: 3 },          false],
  ['above 1 % is not',                       [[296, 5, 200], [4, 5, 500]],              { p99Ms: 5, errors: 4 },          true],
  ['what our request was refused for is ours', [[50, 5, 409], [50, 5, 429]],            { p99Ms: 5, errors: 0 },          false],
  ['an answer that never came',              [[3, 30, undefined]],                      { p99Ms: 50, errors: 3 },         true],
])('%s', (_name, entries, figures, isSlow) => {
  const reading = recorded(entries).reading()
  expect(reading).toMatchObject(figures)
  expect(isApiSlow(reading)).toBe(isSlow)
})

test('looks back one minute, and tells since when it is bad', async () => {
  const clock = new VirtualClock(1_000_000)
  const health = new ApiHealth(clock)
  const fail = () => {
    for (let at = 0; at < 5; at++) health.record(5, 503)
  }
  fail()
  expect(health.reading()).toMatchObject({ errors: 5, sinceMs: 1_000_000 })
  await clock.advance(50_000)
  fail()
  expect(health.reading()).toMatchObject({ errors: 10, sinceMs: 1_000_000 })
  await clock.advance(30_000)
  expect(health.reading()).toMatchObject({ errors: 5, sinceMs: 1_000_000 })
  await clock.advance(60_000)
  expect(health.reading()).toMatchObject({ requests: 0, sinceMs: 1_140_000 })
  fail()
  expect(health.reading()).toMatchObject({ errors: 5, sinceMs: 1_140_000 })
})

describe('a measured transport', () => {
  const request: TransportRequest = { verb: 'GET', path: '/api', signal: new AbortController().signal }

  function measured(answer: () => Promise<TransportResponse>) {
    const clock = new VirtualClock(0)
    const health = new ApiHealth(clock)
    const inner: Transport = {
      request: async () => {
        await clock.after(40)
        return answer()
      },
      stream: () => Promise.reject(new Error('not measured')),
      close: () => Promise.resolve(),
    }
    return { clock, health, transport: measuredTransport(inner, health, clock) }
  }

  test('tells durations and statuses', async () => {
    const { clock, health, transport } = measured(() => Promise.resolve({ status: 500, headers: {}, body: new Uint8Array() }))
    await Promise.all([transport.request(request), clock.advance(40)])
    expect(health.reading()).toMatchObject({ p99Ms: 50, errors: 1, requests: 1 })
  })

  test('counts a broken connection as a failure, and not what its caller ended', async () => {
    const stop = new AbortController()
    const { clock, health, transport } = measured(() => Promise.reject(new Error('reset')))
    await Promise.all([expect(transport.request(request)).rejects.toThrow('reset'), clock.advance(40)])
    stop.abort()
    await Promise.all([
      expect(transport.request({ ...request, signal: stop.signal })).rejects.toThrow('reset'),
      clock.advance(40),
    ])
    expect(health.reading()).toMatchObject({ errors: 1, requests: 1 })
  })
})
