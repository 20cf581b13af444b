// Bytes that two readers could read differently, against ours over real sockets: a strict backend sees whole requests that are wanted, or
// nothing.
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { VirtualClock } from '#kube/clock.ts'
import { isByHaproxy } from './gateway-data-plane.ts'
import { haproxyDifferences } from './gateway-haproxy-differences.ts'
import { type RawCase, rawCases } from './gateway-smuggling-cases.ts'
import { exchangeRaw, type StrictBackend, startStrictBackend } from './gateway-strict-backend.ts'
import { loopbackGateway, routeTo, serviceObjects } from './loopback-gateway.ts'

const strideMs = 20

describe('bytes as they are', () => {
  const clock = new VirtualClock(0)
  let backend: StrictBackend
  let gateway: Awaited<ReturnType<typeof loopbackGateway>>

  beforeAll(async () => {
    backend = await startStrictBackend()
    gateway = await loopbackGateway({ routes: [routeTo('app')], objects: serviceObjects('app', [backend]), clock })
  })
  afterAll(async () => {
    await gateway[Symbol.asyncDispose]()
    await backend[Symbol.asyncDispose]()
  })

  it.each(rawCases.map(one => (isByHaproxy ? { ...one, ...haproxyDifferences[one.name] } : one)))('$name', play)

  async function turn(): Promise<void> {
    await new Promise<void>(resolve => setImmediate(resolve))
    await clock.advance(strideMs)
  }

  async function play(one: RawCase): Promise<void> {
    backend.reset()
    const client = await exchangeRaw(gateway.port, one, { mostTurns: 5_000, moreTurns: 5, turn })
    const status = Number(/^HTTP\/1\.\d (\d{3})/.exec(client.replace(/^HTTP\/1\.1 100 .*?\r\n\r\n/s, ''))?.[1] ?? 0)
    expect(one.statuses).toContain(status)
    const lines = backend.requests.map(({ firstLine }) => firstLine)
    expect(lines.toSorted()).toEqual(status === 200 ? one.seen.toSorted() : [])
    // A head that came before a body proved to be none is cut off: it must not hold another request.
    expect(backend.rest()).not.toContain('/hidden')
    for (const { text } of backend.requests) expect(text).not.toMatch(/[^\r]\n/)
  }
})
