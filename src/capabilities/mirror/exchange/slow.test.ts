// Peers that send, but slowly: when they are left, for whom, and when they are not. Time moves only where a test moves it.
import { describe, expect, test, vi } from 'vitest'
import type { Clock } from '#kube/clock.ts'
import type { Found, NotFound } from '../contract.ts'
import { digestOf } from '../testdata/memory-store.ts'
import { type Behaviour, found, PeerBed, readBody, serve } from './testdata/peer-bed.ts'

const layer = Buffer.alloc(2_000_000, 'slow ')
const L = digestOf(layer)
/** 2 Mbit/s. */
const slowRate = 250_000
const stepMs = 100
const over = { verifyBufferBytes: 1_000 } as const

/** Sends the body, or the rest that was asked for, at so many bytes a second of the clock. */
const trickle =
  (bytes: Buffer, rate: number, clock: Clock, headers: Record<string, string> = {}): Behaviour =>
  (request, response) => {
    const start = Number(/^bytes=(\d+)-/.exec(request.headers.range ?? '')?.[1] ?? 0)
    const range = start === 0 ? {} : { 'content-range': `bytes ${start}-${bytes.length - 1}/${bytes.length}` }
    const length = { 'content-length': bytes.length - start, 'content-type': 'application/octet-stream' }
    response.writeHead(start === 0 ? 200 : 206, { 'docker-content-digest': digestOf(bytes), ...length, ...range, ...headers })
    response.flushHeaders()
    const piece = (rate * stepMs) / 1_000
    const send = (at: number) => {
      if (response.destroyed) return
      response.write(bytes.subarray(at, at + piece))
      if (at + piece >= bytes.length) response.end()
      else clock.schedule(stepMs, () => send(at + piece))
    }
    send(start)
  }

/** Lets time pass in small steps, with turns of the event loop between, until it is so. */
async function passing(bed: PeerBed, isSo: () => boolean): Promise<void> {
  await vi.waitUntil(
    async () => {
      if (!isSo()) await bed.clock.advance(stepMs)
      return isSo()
    },
    { timeout: 50_000, interval: 2 },
  )
}

/** What became of the body once time has passed for it. */
async function read(bed: PeerBed, body: ReturnType<typeof found>['body']) {
  let result: Awaited<ReturnType<typeof readBody>> | undefined
  void readBody(body).then(read => (result = read))
  await passing(bed, () => result !== undefined)
  return result ?? { bytes: Buffer.alloc(0), isClean: false }
}

describe('a peer of 2 Mbit/s', () => {
  test('is left after 3 s for another, which brings the rest', async () => {
    await using bed = await PeerBed.open(2, over)
    const slow = bed.has(1, L, trickle(layer, slowRate, bed.clock))
    const answer = found(await bed.blob(L))
    const fast = bed.has(2, L, serve(layer))
    const beganMs = bed.clock.elapsed()
    const { bytes, isClean } = await read(bed, answer.body)
    expect(isClean && bytes.equals(layer)).toBe(true)
    expect(bed.clock.elapsed() - beganMs).toBeLessThan(5_000)
    expect([slow.asked.length, fast.asked.length]).toEqual([1, 1])
    expect(fast.asked[0]).toMatch(/bytes=[1-9]\d+-$/)
    expect(bed.counts.lines).toEqual(expect.arrayContaining(['stalled', 'resumed']))
  })

  test('is left to the registry where nobody else has it, and is not asked for its other layers', async () => {
    await using bed = await PeerBed.open(1, over)
    const peer = bed.has(1, L, trickle(layer, slowRate, bed.clock))
    const { bytes, isClean } = await read(bed, found(await bed.blob(L)).body)
    expect(isClean).toBe(false)
    expect(bytes.length).toBeLessThan(layer.length / 2)
    // containerd asks for the rest, and is to go to the registry for it.
    expect(await bed.blob(L, { range: { start: bytes.length } })).toMatchObject({ attempts: 0, reason: 'slow' })
    const other = digestOf('another layer')
    peer.router.announced.add(other)
    expect(await bed.blob(other)).toMatchObject({ outcome: 'not-found', attempts: 0, reason: 'slow' })
    expect(peer.asked).toHaveLength(1)
  })

  test('brings it all the same where the registry had two turns and it is asked for again', async () => {
    await using bed = await PeerBed.open(1, over)
    const peer = bed.has(1, L, trickle(layer, slowRate, bed.clock))
    expect((await read(bed, found(await bed.blob(L)).body)).isClean).toBe(false)
    // The registry is away: the kubelet tries again after 10 s, and after 20 s.
    await bed.clock.advance(10_000)
    expect(await bed.blob(L)).toMatchObject({ outcome: 'not-found', reason: 'slow' })
    await bed.clock.advance(20_000)
    const { bytes, isClean } = await read(bed, found(await bed.blob(L)).body)
    expect(isClean && bytes.equals(layer)).toBe(true)
    expect(peer.asked).toHaveLength(2)
  })

  test('is left by what is to be checked whole when the time for a header is over, and brings that, too, in the end', async () => {
    await using bed = await PeerBed.open(1)
    bed.has(1, L, trickle(layer, slowRate, bed.clock))
    const asked: string[] = []
    for (let time = 0; time < 3; time++) {
      let answer: Found | NotFound | undefined
      void bed.blob(L).then(result => (answer = result))
      await passing(bed, () => answer !== undefined)
      asked.push(answer?.outcome === 'not-found' ? answer.reason : '')
      await bed.clock.advance(10_000)
    }
    expect(asked).toEqual(['timeout', 'slow', 'slow'])
    const { bytes, isClean } = await read(bed, found(await bed.blob(L)).body)
    expect(isClean && bytes.equals(layer)).toBe(true)
  })

  test('is not slow where the registry is seen to be no faster', async () => {
    await using bed = await PeerBed.open(1, over)
    const before = Buffer.alloc(1_500_000, 'before')
    expect(await bed.blob(digestOf(before))).toMatchObject({ outcome: 'not-found' })
    await bed.clock.advance(10_000)
    bed.store.put(before)
    await new Promise(resolve => setImmediate(resolve))
    bed.has(1, L, trickle(layer, slowRate, bed.clock))
    expect((await read(bed, found(await bed.blob(L)).body)).isClean).toBe(true)
    expect(bed.counts.lines).not.toContain('stalled')
  })
})

test('a download that the peer itself still loads is as slow as its registry, of which nothing is known here', async () => {
  await using bed = await PeerBed.open(1, over)
  bed.has(1, L, trickle(layer, slowRate, bed.clock, { 'x-ballast-inflight': '1' }))
  expect((await read(bed, found(await bed.blob(L)).body)).isClean).toBe(true)
  expect(bed.counts.lines).not.toContain('stalled')
})

test.each([
  ['lies here whole is no download', true],
  ['is loaded here is one', false],
])('a node that asks who fetches what %s is told so', async (_name, isWhole) => {
  await using bed = await PeerBed.open(1, over)
  if (isWhole) bed.store.put(layer)
  else {
    bed.store.begin(L, layer.length)
    bed.store.grow(L, layer.subarray(0, 1_000))
  }
  const relayed = await bed.exchange.relay(L, { peer: 'P1', seat: 'ask' }, new AbortController().signal)
  expect(relayed).toMatchObject({ outcome: 'stream', total: layer.length, isWhole })
  if (relayed.outcome === 'stream') relayed.body.destroy()
})

test('a client that reads slowly makes no peer a slow one', async () => {
  await using bed = await PeerBed.open(1, over)
  const bytes = Buffer.alloc(8_000_000, 'much')
  const digest = digestOf(bytes)
  bed.has(1, digest, serve(bytes))
  const { body } = found(await bed.blob(digest))
  const taken = body?.[Symbol.asyncIterator]()
  await taken?.next()
  for (let second = 0; second < 60; second++) {
    await bed.clock.advance(1_000)
    await new Promise(resolve => setImmediate(resolve))
  }
  let count = 1
  while ((await taken?.next())?.done === false) count++
  expect(count).toBeGreaterThan(1)
  expect(bed.counts.lines).not.toContain('stalled')
  expect(bed.peer(1).asked).toHaveLength(1)
})
