// The exchange against peers that really speak HTTP, each misbehaving in its own way. Time moves only where a test moves it.
import { describe, expect, test, vi } from 'vitest'
import { digestOf } from '../testdata/memory-store.ts'
import { type Behaviour, breakAfter, found, PeerBed, readBody, refuse, serve, silentAfter } from './testdata/peer-bed.ts'

const small = Buffer.from('0123456789')
const B = digestOf(small)
const large = Buffer.alloc(1_000_000, 'ballast')
const L = digestOf(large)
const flipped = (bytes: Buffer): Buffer => {
  const copy = Buffer.from(bytes)
  copy[3] = (copy[3] ?? 0) ^ 1
  return copy
}

describe('a blob that peers have', () => {
  test('comes from the one that has it, with the headers that stop loops', async () => {
    await using bed = await PeerBed.open(1)
    let headers: Readonly<Record<string, unknown>> = {}
    const peer = bed.has(1, B, (request, response) => {
      headers = request.headers
      serve(small)(request, response)
    })
    const { size, digest, source, attempts, range, body } = found(await bed.blob(B))
    expect({ size, digest, source, attempts, range }).toEqual({
      size: 10,
      digest: B,
      source: 'peer',
      attempts: 1,
      range: undefined,
    })
    expect(await readBody(body)).toEqual({ bytes: small, isClean: true })
    expect(peer.asked).toEqual([`GET /v2/acme/app/blobs/${B}?ns=ghcr.io`])
    expect(headers).toMatchObject({ 'x-spegel-mirrored': 'true', 'x-ballast-hop': '1', 'x-ballast-peer': 'own' })
  })

  test('comes over kept connections', async () => {
    await using bed = await PeerBed.open(1, { verifyBufferBytes: 1_000 })
    const sockets = new Set<unknown>()
    for (let round = 0; round < 10; round++) {
      const bytes = Buffer.alloc(round % 2 === 0 ? 10 : 200_000, round)
      bed.has(1, digestOf(bytes), (request, response) => {
        sockets.add(request.socket)
        serve(bytes)(request, response)
      })
      expect((await readBody(found(await bed.blob(digestOf(bytes))).body)).isClean).toBe(true)
    }
    expect(sockets.size).toBeLessThanOrEqual(2)
  })

  test('case 12: is nowhere: not found with no attempts, and the digest in the message', async () => {
    await using bed = await PeerBed.open(1)
    expect(await bed.blob(B)).toEqual({ outcome: 'not-found', attempts: 0, message: `no peer has ${B}`, reason: 'no-peer' })
  })

  test('case 12: a look-up that finds nobody is given up after 20 ms', async () => {
    await using bed = await PeerBed.open(1)
    bed.router.delay = (_key, signal) => bed.clock.after(60_000, signal).catch(() => undefined) // ends with the look-up
    const answer = bed.blob(B)
    await bed.clock.advance(19)
    expect(await Promise.race([answer, 'waits'])).toBe('waits')
    await bed.clock.advance(1)
    expect(await answer).toMatchObject({ outcome: 'not-found', attempts: 0, reason: 'no-peer' })
  })

  test('case 13: the first answers 500, the second has it: two attempts', async () => {
    await using bed = await PeerBed.open(2)
    bed.has(1, B, refuse(500))
    bed.has(2, B, serve(small))
    const answer = found(await bed.blob(B))
    expect(answer.attempts).toBe(2)
    expect((await readBody(answer.body)).bytes).toEqual(small)
    expect(bed.router.dropped).toEqual([`${B} P1`])
  })

  test('case 14: the first breaks after 4 bytes, the second goes on from there', async () => {
    await using bed = await PeerBed.open(2)
    bed.has(1, B, breakAfter(small, 4))
    const second = bed.has(2, B, serve(small))
    second.router.announced.clear()
    const answer = bed.blob(B)
    second.router.announced.add(B)
    expect((await readBody(found(await answer).body)).bytes.toString()).toBe('0123456789')
    expect(second.asked).toEqual([`GET /v2/acme/app/blobs/${B}?ns=ghcr.io bytes=4-`])
    expect(bed.counts.lines).toContain('resumed')
  })

  test('case 15: the only peer breaks and is gone: what is checked whole is not found, without a byte', async () => {
    await using bed = await PeerBed.open(1)
    const peer = bed.has(1, B, breakAfter(small, 4))
    peer.server.on('request', () => peer.server.close())
    expect(await bed.blob(B)).toMatchObject({ outcome: 'not-found', reason: 'failed' })
  })

  test('case 15: the only peer breaks in a large blob and is gone: the body is destroyed, the rest is not found', async () => {
    await using bed = await PeerBed.open(1, { verifyBufferBytes: 1_000 })
    const peer = bed.has(1, L, breakAfter(large, 400_000))
    peer.server.on('request', () => peer.server.close())
    const { bytes, isClean } = await readBody(found(await bed.blob(L)).body)
    expect({ isClean, isPrefix: large.subarray(0, bytes.length).equals(bytes) }).toEqual({ isClean: false, isPrefix: true })
    expect(await bed.blob(L, { range: { start: bytes.length } })).toMatchObject({ outcome: 'not-found', reason: 'failed' })
  })

  test('one that goes on in the middle has longer to be found and to answer than one that begins', async () => {
    await using bed = await PeerBed.open(2, { verifyBufferBytes: 1_000 })
    bed.has(1, L, serve(large))
    await readBody(found(await bed.blob(L)).body) // from now on races are given up after 100 ms
    const broken = bed.has(1, L, breakAfter(large, 400_000))
    const second = bed.has(2, L, (request, response) => void bed.clock.after(5_000).then(() => serve(large)(request, response)))
    second.router.announced.clear()
    const answer = found(await bed.blob(L))
    broken.server.on('request', () => broken.server.close())
    second.router.announced.add(L)
    bed.router.delay = (_key, signal) => bed.clock.after(1_500, signal).catch(() => undefined) // ends with the look-up
    let body: Awaited<ReturnType<typeof readBody>> | undefined
    void readBody(answer.body).then(read => (body = read))
    await until(async () => {
      if (body === undefined) await bed.clock.advance(100)
      return body !== undefined
    })
    expect(body?.isClean && body.bytes.equals(large)).toBe(true)
    expect(second.asked).toHaveLength(1)
  })

  test('a lone peer that breaks again and again is asked again while it brings bytes', async () => {
    await using bed = await PeerBed.open(1, { verifyBufferBytes: 1_000 })
    const peer = bed.has(1, L, breakAfter(large, 300_000))
    expect((await readBody(found(await bed.blob(L)).body)).isClean).toBe(true)
    expect(peer.asked.length).toBeGreaterThanOrEqual(4)
  })

  test('a lone peer that brings no byte three times is dropped', async () => {
    await using bed = await PeerBed.open(1, { verifyBufferBytes: 1_000 })
    const peer = bed.has(1, L, breakAfter(large, 0))
    expect((await readBody(found(await bed.blob(L)).body)).isClean).toBe(false)
    expect(peer.asked).toHaveLength(3)
  })

  test('a peer that falls silent is left for another after stallTimeout', async () => {
    await using bed = await PeerBed.open(2, { verifyBufferBytes: 1_000 })
    bed.has(1, L, silentAfter(large, 200_000))
    const answer = found(await bed.blob(L))
    bed.has(2, L, serve(large))
    const body = readBody(answer.body)
    await until(() => bed.clock.pending > 0 && (answer.body?.readableDidRead ?? false))
    // Only until it was noticed: the other one answers in real time, and would be late on a clock that goes on.
    await until(async () => {
      if (!bed.counts.lines.includes('stalled')) await bed.clock.advance(1_000)
      return bed.counts.lines.includes('resumed')
    })
    expect((await body).bytes.equals(large)).toBe(true)
    expect(bed.counts.lines).toEqual(expect.arrayContaining(['stalled', 'resumed']))
  })

  test('a silent peer costs a second while nothing is known of peers, then 100 ms', async () => {
    await using bed = await PeerBed.open(1)
    const costs = async (digest: ReturnType<typeof digestOf>, ms: number) => {
      bed.has(1, digest, () => undefined)
      const before = bed.peer(1).asked.length
      const answer = bed.blob(digest)
      await until(() => bed.peer(1).asked.length > before)
      await bed.clock.advance(ms - 1)
      expect(await Promise.race([answer, 'waits'])).toBe('waits')
      await bed.clock.advance(1)
      expect(await answer).toMatchObject({ outcome: 'not-found', attempts: 1, reason: 'timeout' })
    }
    await costs(B, 1_000)
    bed.has(1, L, serve(large))
    await readBody(found(await bed.blob(L)).body)
    await costs(digestOf('another'), 100)
  })

  test('a second peer is asked when the first is silent for 50 ms', async () => {
    await using bed = await PeerBed.open(2)
    bed.has(1, B, () => undefined)
    bed.has(2, B, serve(small))
    const answer = bed.blob(B)
    await until(() => bed.peer(1).asked.length === 1)
    await bed.clock.advance(50)
    expect(found(await answer).attempts).toBe(2)
  })

  test('a client that goes away ends it', async () => {
    await using bed = await PeerBed.open(1)
    let isClosed = false
    bed.has(1, B, (request, _response) => request.socket.once('close', () => (isClosed = true)))
    const client = new AbortController()
    const answer = bed.blob(B, {}, client.signal)
    await until(() => bed.peer(1).asked.length === 1)
    client.abort()
    expect(await answer).toMatchObject({ outcome: 'not-found' })
    await until(() => isClosed)
  })
})

describe('bytes that are not those of the digest', () => {
  test('case 16: a small blob: not found, the peer is left alone for 10 minutes, told once', async () => {
    await using bed = await PeerBed.open(1)
    const peer = bed.has(1, B, serve(flipped(small), { 'docker-content-digest': B }))
    expect(await bed.blob(B)).toMatchObject({ outcome: 'not-found', reason: 'failed' })
    expect(bed.exchange.state().quarantined).toMatchObject([
      { peer: 'P1', digest: undefined, untilMs: bed.clock.now() + 600_000 },
    ])
    expect(bed.poisoned).toEqual([{ digest: B, registry: 'ghcr.io', repository: 'acme/app', peers: ['P1'] }])
    expect(bed.counts.lines).toContain('verify failed P1')
    expect(await bed.blob(B)).toMatchObject({ outcome: 'not-found', attempts: 0, reason: 'quarantined' })
    expect(peer.asked).toHaveLength(1)
    await bed.clock.advance(600_000)
    peer.behave = serve(small)
    expect(await bed.blob(B)).toMatchObject({ outcome: 'found' })
  })

  test('a small blob of one peer, and another has the right one: nobody sees a wrong byte', async () => {
    await using bed = await PeerBed.open(2)
    bed.has(1, B, serve(flipped(small), { 'docker-content-digest': B }))
    bed.has(2, B, serve(small))
    expect((await readBody(found(await bed.blob(B)).body)).bytes).toEqual(small)
  })

  test('a large blob: the end is held back, the digest is answered by nobody', async () => {
    await using bed = await PeerBed.open(2, { verifyBufferBytes: 1_000 })
    bed.has(1, L, serve(flipped(large), { 'docker-content-digest': L }))
    const { bytes, isClean } = await readBody(found(await bed.blob(L)).body)
    expect(isClean).toBe(false)
    expect(bytes.length).toBeLessThanOrEqual(large.length - 65_536)
    bed.has(2, L, serve(large))
    expect(await bed.blob(L)).toMatchObject({ outcome: 'not-found', attempts: 0, reason: 'quarantined' })
    expect(bed.exchange.state().quarantined.map(({ peer, digest }) => ({ peer, digest }))).toEqual([
      { peer: undefined, digest: L },
      { peer: 'P1', digest: undefined },
    ])
  })

  test('a large blob of two peers: each is left alone for it only', async () => {
    await using bed = await PeerBed.open(2, { verifyBufferBytes: 1_000 })
    bed.has(1, L, breakAfter(flipped(large), 300_000, { 'docker-content-digest': L }))
    bed.has(2, L, refuse(404))
    const answer = found(await bed.blob(L))
    bed.peer(2).behave = serve(large)
    await readBody(answer.body)
    const entries = bed.exchange.state().quarantined.map(({ peer, digest }) => `${peer} ${digest === L}`)
    expect(entries.sort()).toEqual(['P1 true', 'P2 true', 'undefined true'])
  })

  test.each<readonly [string, Behaviour, string]>([
    ['another digest in the header', serve(small, { 'docker-content-digest': L }), 'quarantined'],
    ['Content-Encoding', serve(small, { 'content-encoding': 'gzip' }), 'failed'],
    [
      'a redirect',
      (_request, response) => void response.writeHead(307, { location: 'http://127.0.0.1:1/', 'content-length': 0 }).end(),
      'failed',
    ],
    ['no length', (_request, response) => void response.writeHead(200, { 'docker-content-digest': B }).end(small), 'failed'],
    ['no HTTP', (_request, response) => void response.socket?.end('220 ready\r\n\r\n'), 'failed'],
    ['206 for the whole', serve(small, { 'content-range': 'bytes 0-9/10' }), 'failed'],
  ])('an answer with %s is not taken', async (_name, behave, then) => {
    await using bed = await PeerBed.open(1)
    bed.has(1, B, behave)
    if (_name === '206 for the whole')
      bed.peer(1).behave = (request, response) => {
        request.headers.range = 'bytes=0-9'
        behave(request, response)
      }
    expect(await bed.blob(B)).toMatchObject({ outcome: 'not-found', attempts: 1, reason: 'failed' })
    expect(await bed.blob(B)).toMatchObject({ outcome: 'not-found', reason: then })
  })
})

describe('parts of a blob', () => {
  test.each([
    ['from 4 on', { start: 4 }, { start: 4, end: 9 }, 'bytes=4-'],
    ['from 2 to 5', { start: 2, end: 5 }, { start: 2, end: 5 }, 'bytes=2-5'],
    ['the last 3', { last: 3 }, { start: 7, end: 9 }, 'bytes=-3'],
  ])('%s', async (_name, range, got, asked) => {
    await using bed = await PeerBed.open(1)
    const peer = bed.has(1, B, serve(small))
    const answer = found(await bed.blob(B, { range }))
    expect(answer.range).toEqual(got)
    expect((await readBody(answer.body)).bytes).toEqual(small.subarray(got.start, got.end + 1))
    expect(peer.asked[0]).toContain(asked)
  })

  test('beyond the end: the size is told', async () => {
    await using bed = await PeerBed.open(1)
    bed.has(1, B, serve(small))
    expect(await bed.blob(B, { range: { start: 10 } })).toMatchObject({ outcome: 'not-found', reason: 'range', beyond: 10 })
  })

  test('HEAD has no body', async () => {
    await using bed = await PeerBed.open(1)
    bed.has(1, B, serve(small))
    expect(await bed.blob(B, { method: 'HEAD' })).toMatchObject({ outcome: 'found', size: 10, body: undefined })
  })
})

describe('several who ask for one blob at a time', () => {
  test.each([
    ['checked whole', small],
    ['passed on as it comes', large],
  ])('%s: it is brought once', async (_name, bytes) => {
    await using bed = await PeerBed.open(1, { verifyBufferBytes: 1_000 })
    const digest = digestOf(bytes)
    const peer = bed.has(1, digest, serve(bytes))
    const answers = await Promise.all([1, 2, 3].map(() => bed.blob(digest)))
    const bodies = await Promise.all(answers.map(answer => readBody(found(answer).body)))
    for (const body of bodies) expect(body.isClean && body.bytes.equals(bytes)).toBe(true)
    expect(peer.asked).toHaveLength(1)
  })

  test('one that does not read does not hold up the others for long, and gets all in the end', async () => {
    await using bed = await PeerBed.open(1, { verifyBufferBytes: 1_000 })
    const bytes = Buffer.alloc(8_000_000, 'slow')
    const digest = digestOf(bytes)
    bed.has(1, digest, serve(bytes))
    const [slow, fast] = await Promise.all([bed.blob(digest), bed.blob(digest)])
    const body = readBody(found(fast).body)
    let isOver = false
    void body.then(() => (isOver = true))
    await until(async () => {
      await bed.clock.advance(25)
      return isOver
    })
    expect((await body).bytes.equals(bytes)).toBe(true)
    expect((await readBody(found(slow).body)).bytes.equals(bytes)).toBe(true)
    expect(bed.exchange.state().inFlight).toBe(0)
  })
})

/** Waits for the event loop until something is so. */
async function until(isSo: () => boolean | Promise<boolean>): Promise<void> {
  await vi.waitUntil(isSo, { timeout: 50_000, interval: 2 })
}
