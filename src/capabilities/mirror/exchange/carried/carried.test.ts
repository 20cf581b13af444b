// What is asked of peers where a data plane carries the bodies: who is named, whom a failure leads to, and who is named as the liar.
import { describe, expect, test, vi } from 'vitest'
import type { CarriedBody, Carrying, FoundElsewhere, PeerBodyPlace, Wanted } from '../../contract.ts'
import { digestOf } from '../../testdata/memory-store.ts'
import { found, PeerBed, readBody, refuse, serve } from '../testdata/peer-bed.ts'

const large = Buffer.alloc(200_000, 'ballast')
const L = digestOf(large)
const other = Buffer.alloc(300_000, 'another')
const O = digestOf(other)
const small = Buffer.from('0123456789')
const S = digestOf(small)
const wrong = Buffer.alloc(200_000, 'poison')

const carrying: Carrying = { isContainerd: true, failed: [] }
const asked = (over: Partial<Carrying> = {}, more: Partial<Wanted> = {}): Partial<Wanted> => ({
  carrying: { ...carrying, ...over },
  ...more,
})
const whole = { sent: 200_000, status: 200, isComplete: true, seconds: 0.1 }
const beyond = { sent: 0, status: 416, isComplete: false, seconds: 0 }
const broken = { sent: 1_000, status: 200, isComplete: false, seconds: 0.1 }

async function elsewhere(bed: PeerBed, over: Partial<Wanted> = asked(), digest = L): Promise<FoundElsewhere> {
  const answer = await bed.carried(digest, over)
  if (answer.outcome !== 'elsewhere') throw new Error(`nobody is named: ${JSON.stringify(answer)}`)
  return answer
}

/** Begins it, as a data plane does that is told. */
const begun = ({ place }: { readonly place: PeerBodyPlace }): CarriedBody => place.begin()

describe('a blob whose body a data plane carries', () => {
  test('is asked for by its head, and the peer is named with everything that it is asked', async () => {
    await using bed = await PeerBed.open(1)
    const peer = bed.has(1, L, serve(large, { 'content-type': 'application/x' }))
    const { place, digest, mediaType, length, attempts } = await elsewhere(bed)
    expect({ digest, mediaType, length, attempts }).toEqual({
      digest: L,
      mediaType: 'application/x',
      length: 200_000,
      attempts: 1,
    })
    expect(place).toMatchObject({
      way: 'http',
      host: '127.0.0.2',
      target: `/v2/acme/app/blobs/${L}?ns=ghcr.io`,
      range: undefined,
      authorization: undefined,
    })
    expect(peer.asked).toEqual([`HEAD /v2/acme/app/blobs/${L}?ns=ghcr.io`])
  })

  test.each([
    ['from a byte on', { start: 10 }, 'bytes=10-', 199_990],
    ['a part', { start: 10, end: 19 }, 'bytes=10-19', 10],
    ['its last bytes', { last: 7 }, 'bytes=-7', 7],
  ] as const)('%s: the peer is asked for exactly that', async (_what, range, header, length) => {
    await using bed = await PeerBed.open(1)
    bed.has(1, L, serve(large))
    const answer = await elsewhere(bed, asked({}, { range }))
    expect([answer.place.range, answer.length]).toEqual([header, length])
  })

  test('beyond its end: told with its size', async () => {
    await using bed = await PeerBed.open(1)
    bed.has(1, L, serve(large))
    expect(await bed.carried(L, asked({}, { range: { start: 200_000 } }))).toMatchObject({ reason: 'range', beyond: 200_000 })
  })

  test('a small one is brought and checked by this process', async () => {
    await using bed = await PeerBed.open(1)
    bed.has(1, S, serve(small))
    const answer = await bed.carried(S, asked())
    if (answer.outcome === 'elsewhere') throw new Error('it was named')
    expect((await readBody(found(answer).body)).bytes).toEqual(small)
  })

  test('is with nobody: not found', async () => {
    await using bed = await PeerBed.open(1)
    expect(await bed.carried(L, asked())).toMatchObject({ outcome: 'not-found', reason: 'no-peer' })
  })

  test('a peer says its user and password where it is told them', async () => {
    const basicAuth = { username: 'u', password: 'p' }
    await using bed = await PeerBed.open(1, { basicAuth, basicAuthTo: 'all' })
    bed.has(1, L, serve(large))
    expect((await elsewhere(bed)).place.authorization).toBe(`Basic ${Buffer.from('u:p').toString('base64')}`)
  })
})

describe('whom the next request of an image goes to', () => {
  test('one that gave something of it is named without being asked', async () => {
    await using bed = await PeerBed.open(2)
    const peer = bed.has(1, L, serve(large))
    await elsewhere(bed)
    const next = await elsewhere(bed, asked(), O)
    expect([next.place.peer.id, next.length, next.attempts]).toEqual(['P1', undefined, 1])
    expect(peer.asked).toHaveLength(1)
  })

  test('the one with the least to do of those that gave something', async () => {
    await using bed = await PeerBed.open(2)
    bed.has(1, L, serve(large))
    bed.has(2, O, serve(other))
    begun(await elsewhere(bed, asked(), L))
    await elsewhere(bed, asked({}, { repository: 'acme/else' }), O)
    await elsewhere(bed, asked({ failed: ['P1'] }), O)
    expect((await elsewhere(bed, asked(), digestOf(Buffer.from('third')))).place.peer.id).toBe('P2')
  })

  test('where it failed those that have it are looked up, and it is not asked again', async () => {
    await using bed = await PeerBed.open(2)
    bed.has(1, L, serve(large))
    begun(await elsewhere(bed)).ended(whole)
    bed.has(2, O, serve(other))
    const hinted = await elsewhere(bed, asked(), O)
    expect(hinted.place.peer.id).toBe('P1')
    begun(hinted).ended({ ...broken, sent: 0 })
    const next = await elsewhere(bed, asked({ failed: ['P1'] }), O)
    expect([next.place.peer.id, next.length]).toEqual(['P2', 300_000])
  })

  test('nobody is remembered for longer than a minute, or for another image', async () => {
    await using bed = await PeerBed.open(1)
    const peer = bed.has(1, L, serve(large))
    await elsewhere(bed)
    expect(await bed.carried(O, asked({}, { repository: 'acme/else' }))).toMatchObject({ outcome: 'not-found' })
    await bed.clock.advance(60_000)
    expect(await bed.carried(O, asked())).toMatchObject({ outcome: 'not-found' })
    expect(peer.asked).toHaveLength(1)
  })
})

describe('a body that does not come whole', () => {
  test('the rest is asked of another, and of the one that broke off where nobody else is left', async () => {
    await using bed = await PeerBed.open(2)
    bed.has(1, L, serve(large))
    begun(await elsewhere(bed)).ended(broken)
    bed.has(2, L, serve(large))
    const rest = asked({}, { range: { start: 1_000 } })
    const second = await elsewhere(bed, rest)
    expect(second.place.peer.id).toBe('P2')
    begun(second).ended(broken)
    bed.peer(2).behave = refuse(500)
    expect((await elsewhere(bed, rest)).place.peer.id).toBe('P1')
    expect(bed.counts.lines.filter(line => line === 'resumed')).toHaveLength(1)
  })

  test('of which nobody can say how it ended is no fault of the peer, but for one that was left', async () => {
    await using bed = await PeerBed.open(1)
    bed.has(1, L, serve(large))
    const unknown = { sent: 0, status: 0, isComplete: false, seconds: 0, isUnknown: true } as const
    begun(await elsewhere(bed)).ended(unknown)
    const held = await elsewhere(bed, asked({}, { range: { start: 5 } }))
    expect(held.length).toBeUndefined()
    const body = begun(held)
    body.left()
    body.ended(unknown)
    expect((await elsewhere(bed, asked({}, { range: { start: 5 } }))).length).toBe(199_995)
  })

  test('a range beyond the end is no fault of the peer', async () => {
    await using bed = await PeerBed.open(1)
    bed.has(1, L, serve(large))
    begun(await elsewhere(bed, asked({}, { range: { start: 9 } }))).ended(beyond)
    expect((await elsewhere(bed, asked({}, { range: { start: 5 } }))).length).toBeUndefined()
  })

  test('a peer that says so of all of it is asked last', async () => {
    await using bed = await PeerBed.open(2)
    bed.has(1, L, serve(large))
    begun(await elsewhere(bed)).ended(beyond)
    bed.has(2, L, serve(large))
    expect((await elsewhere(bed)).place.peer.id).toBe('P2')
  })
})

describe('containerd asks again for what it was given whole', () => {
  test('whoever gave wrong bytes is named and left alone; meanwhile nobody of the suspects is asked', async () => {
    await using bed = await PeerBed.open(2)
    bed.has(1, L, serve(wrong, { 'docker-content-digest': L }))
    begun(await elsewhere(bed)).ended(whole)
    bed.has(2, L, serve(large))
    expect((await elsewhere(bed)).place.peer.id).toBe('P2')
    await vi.waitFor(() => expect(bed.poisoned).toMatchObject([{ digest: L, peers: ['P1'] }]))
    expect(bed.exchange.state().quarantined).toMatchObject([{ peer: 'P1' }])
  })

  test('who gave right bytes is asked again after that', async () => {
    await using bed = await PeerBed.open(1)
    const peer = bed.has(1, L, serve(large))
    begun(await elsewhere(bed)).ended(whole)
    expect(await bed.carried(L, asked())).toMatchObject({ outcome: 'not-found' })
    await vi.waitFor(async () => expect((await bed.carried(L, asked())).outcome).toBe('elsewhere'))
    expect(bed.poisoned).toEqual([])
    expect(peer.asked.filter(line => line.startsWith('GET'))).toHaveLength(1)
  })

  test.each([
    ['another client', asked({ isContainerd: false })],
    ['for the rest', asked({}, { range: { start: 10 } })],
  ])('%s: suspects nobody', async (_what, again) => {
    await using bed = await PeerBed.open(1)
    bed.has(1, L, serve(large))
    begun(await elsewhere(bed)).ended(whole)
    expect((await bed.carried(L, again)).outcome).toBe('elsewhere')
  })

  test('after a body that broke off: suspects nobody', async () => {
    await using bed = await PeerBed.open(1)
    bed.has(1, L, serve(large))
    begun(await elsewhere(bed)).ended(broken)
    expect((await bed.carried(L, asked())).outcome).toBe('elsewhere')
  })
})
