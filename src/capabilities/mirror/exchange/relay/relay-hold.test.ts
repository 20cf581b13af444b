// How long requests wait to learn whose download they follow: as long as those that are asked answer at all, and not too many of them.
import { describe, expect, test, vi } from 'vitest'
import type { Found, NotFound } from '../../contract.ts'
import type { Digest } from '../../reference.ts'
import { digestOf } from '../../testdata/memory-store.ts'
import { type Behaviour, found, PeerBed, readBody } from '../testdata/peer-bed.ts'

/** Whether this node is the farthest from it: others are asked who fetches it. */
const isFar = ({ router, peers }: PeerBed, digest: Digest): boolean =>
  peers.every(({ id }) => router.distance(digest, id) < router.distance(digest, router.id))

/** A layer that this node is far from. */
function farLayer(bed: PeerBed): Buffer {
  for (let number = 0; ; number++) {
    const layer = Buffer.alloc(2_000_000, `layer ${number} `)
    if (isFar(bed, digestOf(layer))) return layer
  }
}

/** Lets time pass, with turns of the event loop between, until it is so. */
async function passing(bed: PeerBed, isSo: () => boolean, stepMs = 100): Promise<void> {
  await vi.waitUntil(
    async () => {
      if (!isSo()) await bed.clock.advance(stepMs)
      return isSo()
    },
    { timeout: 50_000, interval: 2 },
  )
}

/** Says after a while that P2 fetches, and is P2, which after another while sends what comes. */
const slowNode =
  (bed: PeerBed, layer: Buffer, { tellMs, streamMs }: { readonly tellMs: number; readonly streamMs: number }): Behaviour =>
  (request, response) => {
    const isAsked = `${request.headers['x-ballast-seat']}`.startsWith('ask')
    void bed.clock.after(isAsked ? tellMs : streamMs).then(() => {
      if (isAsked) return void response.writeHead(503, { 'x-ballast-relay': 'P2', 'content-length': 0 }).end()
      const head = {
        'docker-content-digest': digestOf(layer),
        'content-type': 'application/octet-stream',
        'x-ballast-inflight': '1',
      }
      response.writeHead(200, { ...head, 'content-length': layer.length }).end(layer)
    })
  }

async function answered(bed: PeerBed, digest: Digest): Promise<{ readonly answer: Found | NotFound; readonly ms: number }> {
  const beganMs = bed.clock.elapsed()
  let done: { readonly answer: Found | NotFound; readonly ms: number } | undefined
  void bed.blob(digest).then(answer => (done = { answer, ms: bed.clock.elapsed() - beganMs }))
  await passing(bed, () => done !== undefined)
  if (done === undefined) throw new Error('no answer')
  return done
}

describe('a request for what another node loads', () => {
  // biome-ignore format: a table
  test.each<[name: string, tellMs: number, streamMs: number, holdMs: number, is: string, fromMs: number, toMs: number]>([
    ['waits longer than any other while nodes answer late',     5_000,  6_000,  20_000, 'found',   11_000, 12_500],
    ['is given up after `relay.hold`',                          5_000,  60_000, 8_000,  'timeout', 7_900,  8_500],
    ['is given up after 25 s, whatever `relay.hold` says',      100,    60_000, 60_000, 'timeout', 24_900, 25_500],
  ])('%s', async (_name, tellMs, streamMs, holdMs, is, fromMs, toMs) => {
    await using bed = await PeerBed.open(4, { relay: { enabled: true, holdMs, settleMs: 50 } })
    const layer = farLayer(bed)
    for (const peer of bed.peers) peer.behave = slowNode(bed, layer, { tellMs, streamMs })
    bed.store.begin(digestOf(layer), layer.length)
    const { answer, ms } = await answered(bed, digestOf(layer))
    expect(answer.outcome === 'found' ? 'found' : answer.reason).toBe(is)
    expect(ms).toBeGreaterThanOrEqual(fromMs)
    expect(ms).toBeLessThanOrEqual(toMs)
    if (answer.outcome === 'found') expect((await readBody(found(answer).body)).bytes.equals(layer)).toBe(true)
    expect(bed.exchange.holds(digestOf(layer))).toBe(false)
  })

  test('waits for a silent node once: what is wanted next asks another after a second', async () => {
    await using bed = await PeerBed.open(1)
    bed.peer(1).behave = () => undefined
    const tookMs: number[] = []
    for (let number = 0; tookMs.length < 2; number++) {
      const digest = digestOf(`layer ${number}`)
      if (!isFar(bed, digest)) continue
      bed.store.begin(digest, 2_000_000)
      const { answer, ms } = await answered(bed, digest)
      expect(answer).toMatchObject({ outcome: 'not-found', reason: 'leading' })
      tookMs.push(Math.floor(ms / 1_000))
    }
    expect(tookMs).toEqual([8, 1])
  })

  test('of whom only so many wait: 1,500 at a time are answered within 5 s but for 64, and these within 25 s', async () => {
    await using bed = await PeerBed.open(2, { relay: { enabled: true, holdMs: 20_000, settleMs: 50 } })
    for (const peer of bed.peers) peer.behave = () => undefined
    const digests: Digest[] = []
    for (let number = 0; digests.length < 1_500; number++) {
      const digest = digestOf(`layer ${number}`)
      if (isFar(bed, digest)) digests.push(digest)
    }
    for (const digest of digests) bed.store.begin(digest, 2_000_000)
    const beganMs = bed.clock.elapsed()
    const tookMs: number[] = []
    for (const digest of digests) void bed.blob(digest).then(() => tookMs.push(bed.clock.elapsed() - beganMs))
    await passing(bed, () => tookMs.length === digests.length, 1_000)
    expect(tookMs.filter(ms => ms > 5_000)).toHaveLength(64)
    expect(Math.max(...tookMs)).toBeLessThanOrEqual(25_000)
  })
})
