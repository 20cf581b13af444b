import { connect } from 'node:net'
import { Readable } from 'node:stream'
import { describe, expect, onTestFinished, test } from 'vitest'
import { VirtualClock } from '#kube/clock.ts'
import { silentLog } from '#kube/log.ts'
import { parsePattern } from '#kube/values/regex.ts'
import type { Found, NotFound } from '../contract.ts'
import { everything, type RegistryFilters } from '../filters.ts'
import { KeptCounts } from '../testdata/kept-counts.ts'
import { digestOf, MemoryStore } from '../testdata/memory-store.ts'
import { ScriptedExchange } from '../testdata/scripted-exchange.ts'
import { askersOf } from './askers.ts'
import { ContentFinder } from './content-finder.ts'
import { listenPlain } from './listener.ts'
import { type Door, RegistryFront } from './registry-front.ts'

const blob = '0123456789'
const index = '{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[]}'
const indexDigest = 'sha256:dff9de10919148711140d349bf03f1a99eb06f94b03e51715ccebfa7cdc518e2'
const blobDigest = 'sha256:84d89877f0d4041efb6bf91a16f0248f2fd573e6af05c19f96bedb9f882f7882'
const ociIndex = 'application/vnd.oci.image.index.v1+json'
const headerTimeoutMs = 3_000
const mirrored = { 'x-spegel-mirrored': 'true' }

interface SiteOptions {
  readonly filters?: RegistryFilters
  readonly door?: Partial<Door>
}

/** A front on a free port, over a store that has B and M, and M as `ghcr.io/acme/app:v2`. */
async function site({ filters = everything, door = {} }: SiteOptions = {}) {
  // Nobody is late unless a test lets the time pass.
  const clock = new VirtualClock(1_750_000_000_000)
  const store = new MemoryStore()
  store.put(blob)
  store.tag('ghcr.io/acme/app:v2', store.put(index))
  const exchange = new ScriptedExchange()
  const counts = new KeptCounts()
  const measured: string[] = []
  const readiness = { isReady: true, reason: '' }
  const finder = new ContentFinder({ filters, headerTimeoutMs, store, exchange, counts, clock, log: silentLog })
  const front = new RegistryFront({
    finder,
    readiness: () => readiness,
    counts,
    meter: { begin: (handler, method) => (code, size) => measured.push(`${handler} ${method} ${code} ${size}`) },
    limitUpload: undefined,
    clock,
    log: silentLog,
  })
  const whole: Door = { askers: askersOf('any', { clock }), credentials: undefined, isForMirrors: false, ...door }
  const listener = await listenPlain({
    address: { host: '127.0.0.1', port: 0 },
    askers: whole.askers,
    clock,
    handle: (request, response) => void front.handle(request, response, whole),
  })
  onTestFinished(() => listener[Symbol.asyncDispose]())
  const ask = async (target: string, init: RequestInit = {}) => {
    const reply = await fetch(`http://127.0.0.1:${listener.port}${target}`, init)
    return { status: reply.status, headers: reply.headers, body: await reply.text() }
  }
  return { clock, store, exchange, counts, measured, readiness, ask, port: listener.port }
}

const codeIn = (body: string): unknown => JSON.parse(body).errors[0].code

function found(bytes: string | Readable, change: Partial<Found> = {}): Found {
  const body = typeof bytes === 'string' ? Readable.from([Buffer.from(bytes)]) : bytes
  const size = typeof bytes === 'string' ? bytes.length : 10
  const digest = digestOf(blob)
  const shared = { range: undefined, mediaType: 'application/octet-stream', source: 'peer', attempts: 1 } as const
  return { outcome: 'found', size, digest, body, ...shared, ...change }
}

describe('from the own store', () => {
  test('case 1: HEAD of a tag', async () => {
    const { ask, counts } = await site()
    const { status, headers, body } = await ask('/v2/acme/app/manifests/v2?ns=ghcr.io', { method: 'HEAD' })
    expect({ status, body }).toEqual({ status: 200, body: '' })
    expect(headers.get('content-type')).toBe(ociIndex)
    expect(headers.get('content-length')).toBe('88')
    expect(headers.get('docker-content-digest')).toBe(indexDigest)
    expect(headers.get('oci-namespace')).toBe('ghcr.io')
    expect(headers.has('accept-ranges')).toBe(false)
    expect(counts.lines).toEqual([])
  })

  test('case 2: a manifest is not a blob, and a blob is not a manifest', async () => {
    const { ask, exchange } = await site()
    const manifest = await ask(`/v2/acme/app/blobs/${indexDigest}?ns=ghcr.io`)
    expect([manifest.status, codeIn(manifest.body)]).toEqual([404, 'BLOB_UNKNOWN'])
    const other = await ask(`/v2/acme/app/manifests/${blobDigest}?ns=ghcr.io`)
    expect([other.status, codeIn(other.body)]).toEqual([404, 'MANIFEST_UNKNOWN'])
    expect(exchange.asked).toEqual([])
  })

  // biome-ignore format: a table
  test.each([
    ['case 3', 'bytes=2-5', 206, '2345', 'bytes 2-5/10'],
    ['case 4', 'bytes=-3', 206, '789', 'bytes 7-9/10'],
    ['case 4', 'bytes=7-', 206, '789', 'bytes 7-9/10'],
    ['case 4', 'bytes=7-99', 206, '789', 'bytes 7-9/10'],
    ['case 5', 'bytes=10-', 416, '', 'bytes */10'],
    ['case 6', 'bytes=0-1,3-4', 200, blob, null],
    ['malformed', 'bytes=x', 200, blob, null],
  ])('%s: Range %s of a blob is %s', async (_case, range, status, body, contentRange) => {
    const { ask } = await site()
    const reply = await ask(`/v2/acme/app/blobs/${blobDigest}?ns=x.io`, { headers: { range } })
    expect({ status: reply.status, body: reply.body }).toEqual({ status, body })
    expect(reply.headers.get('content-range')).toBe(contentRange)
    if (status === 416) return
    expect(reply.headers.get('content-length')).toBe(String(body.length))
    expect(reply.headers.get('docker-content-digest')).toBe(blobDigest)
    expect(reply.headers.get('accept-ranges')).toBe('bytes')
  })

  test('a manifest ignores Range, and nothing is ever encoded', async () => {
    const { ask } = await site()
    const headers = { range: 'bytes=0-1', 'accept-encoding': 'zstd;q=1.0, gzip;q=0.8, deflate;q=0.5' }
    const reply = await ask(`/v2/acme/app/manifests/${indexDigest}?ns=ghcr.io`, { headers })
    expect([reply.status, reply.body, reply.headers.get('content-encoding')]).toEqual([200, index, null])
  })

  test('case 7: a tag without ns; a digest needs none', async () => {
    const { ask } = await site()
    const tag = await ask('/v2/acme/app/manifests/v2')
    expect([tag.status, codeIn(tag.body)]).toEqual([404, 'NAME_INVALID'])
    const digest = await ask(`/v2/acme/app/blobs/${blobDigest}`)
    expect([digest.status, digest.body, digest.headers.get('oci-namespace')]).toEqual([200, blob, null])
  })

  test('a tag whose platforms are nowhere here is asked of others; one platform is enough', async () => {
    const { ask, store, exchange } = await site()
    const platform = '{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":{},"layers":[]}'
    const attestation = { digest: indexDigest, platform: { os: 'unknown', architecture: 'unknown' } }
    const entries = [{ digest: digestOf(platform) }, attestation]
    const many = JSON.stringify({ schemaVersion: 2, mediaType: ociIndex, manifests: entries })
    store.tag('ghcr.io/acme/many:v1', store.put(many))
    expect((await ask('/v2/acme/many/manifests/v1?ns=ghcr.io', { method: 'HEAD' })).status).toBe(404)
    expect(exchange.asked).toHaveLength(1)
    store.put(platform)
    expect((await ask('/v2/acme/many/manifests/v1?ns=ghcr.io', { method: 'HEAD' })).status).toBe(200)
  })

  test('a body that is cut short takes the connection with it', async () => {
    const { ask, store, counts } = await site()
    store.damage(digestOf(blob), bytes => bytes.subarray(0, 4))
    await expect(ask(`/v2/acme/app/blobs/${blobDigest}?ns=x.io`, { headers: mirrored })).rejects.toThrow()
    await expect.poll(() => counts.lines).toEqual(['served x.io local out 4'])
  })

  test('while containerd is away others are asked, and that is counted', async () => {
    const { ask, store, exchange, counts } = await site()
    store.isDown = true
    exchange.answer = () => found(blob)
    expect((await ask(`/v2/acme/app/blobs/${blobDigest}?ns=x.io`)).body).toBe(blob)
    expect(counts.lines).toEqual(['fell through store', 'request x.io hit'])
    expect((await ask(`/v2/acme/app/blobs/${blobDigest}?ns=x.io`, { headers: mirrored })).status).toBe(404)
  })
})

describe('from others', () => {
  const missing = digestOf('missing')

  test('case 10: a registry that is not mirrored is looked up nowhere', async () => {
    const { ask, exchange, store, counts } = await site({ filters: { registries: new Set(['docker.io']), patterns: [] } })
    expect((await ask(`/v2/acme/app/blobs/${missing}?ns=ghcr.io`)).status).toBe(404)
    expect([exchange.asked, store.asked.info, counts.lines]).toEqual([[], 0, []])
  })

  test('case 11: a filtered tag is not answered, its digest is', async () => {
    const pattern = parsePattern(':latest$')
    const { ask, store, exchange } = await site({
      filters: { registries: undefined, patterns: pattern.ok ? [pattern.value] : [] },
    })
    store.tag('ghcr.io/acme/app:latest', digestOf(index))
    expect((await ask('/v2/acme/app/manifests/latest?ns=ghcr.io', { method: 'HEAD' })).status).toBe(404)
    expect((await ask(`/v2/acme/app/manifests/${indexDigest}?ns=ghcr.io`)).body).toBe(index)
    expect(exchange.asked).toEqual([])
  })

  test('case 12: a miss says how many were asked, and what', async () => {
    const { ask, counts } = await site()
    const { status, body, headers } = await ask(`/v2/acme/app/blobs/${missing}?ns=ghcr.io`)
    expect([status, headers.get('content-type')]).toEqual([404, 'application/json'])
    const message = `no peer has ${missing}`
    expect(JSON.parse(body)).toEqual({ errors: [{ code: 'BLOB_UNKNOWN', message, detail: { attempts: 0 } }] })
    expect(counts.lines).toEqual(['fell through no-peer', 'request ghcr.io miss'])
    expect((await ask(`/v2/acme/app/blobs/${missing}?ns=ghcr.io`, { method: 'HEAD' })).body).toBe('')
  })

  test('what comes is expected: by its own containerd, of a mirrored image, not here yet', async () => {
    const { ask, store } = await site({ filters: { registries: new Set(['ghcr.io']), patterns: [] } })
    await ask(`/v2/acme/app/blobs/${blobDigest}?ns=ghcr.io`)
    await ask(`/v2/acme/app/blobs/${digestOf('other')}?ns=docker.io`)
    await ask(`/v2/acme/app/blobs/${digestOf('unnamed')}`)
    await ask(`/v2/acme/app/blobs/${digestOf('mirrored')}?ns=ghcr.io`, { headers: mirrored })
    expect([...store.expected]).toEqual([])
    await ask(`/v2/acme/app/blobs/${missing}?ns=ghcr.io`)
    expect([...store.expected]).toEqual([missing])
  })

  test('case 17: another mirror gets what is here, and nobody is looked up for it', async () => {
    const { ask, exchange, counts } = await site()
    expect((await ask(`/v2/acme/app/blobs/${missing}?ns=ghcr.io`, { headers: mirrored })).status).toBe(404)
    expect((await ask(`/v2/acme/app/blobs/${blobDigest}?ns=ghcr.io`, { headers: mirrored })).status).toBe(200)
    // Counted when it is out, which may be after it has come.
    await expect.poll(() => counts.lines).toEqual(['served ghcr.io local out 10'])
    expect(exchange.asked).toEqual([])
  })

  test('content, with the headers that containerd needs', async () => {
    const { ask, exchange, counts, measured } = await site()
    exchange.answer = () => found('2345', { size: 10, range: { start: 2, end: 5 } })
    const part = await ask(`/v2/acme/app/blobs/${missing}?ns=ghcr.io`, { headers: { range: 'bytes=2-5' } })
    expect([part.status, part.body, part.headers.get('content-range')]).toEqual([206, '2345', 'bytes 2-5/10'])
    expect(part.headers.get('oci-namespace')).toBe(null)
    expect(exchange.asked[0]).toMatchObject({ route: 'blobs', registry: 'ghcr.io', range: { start: 2, end: 5 } })
    expect(counts.lines).toEqual(['request ghcr.io hit'])
    await expect.poll(() => measured).toEqual(['/v2/* GET 206 4'])
    exchange.answer = (): NotFound => ({ outcome: 'not-found', attempts: 1, message: '', reason: 'range', beyond: 10 })
    const beyond = await ask(`/v2/acme/app/blobs/${missing}?ns=ghcr.io`, { headers: { range: 'bytes=10-' } })
    expect([beyond.status, beyond.headers.get('content-range')]).toEqual([416, 'bytes */10'])
  })

  test('a body that fails in its middle is not ended', async () => {
    const { ask, exchange } = await site()
    exchange.answer = () =>
      found(
        Readable.from(
          (async function* () {
            yield Buffer.from('0123')
            throw new Error('nobody is left')
          })(),
        ),
      )
    await expect(ask(`/v2/acme/app/blobs/${missing}?ns=x.io`)).rejects.toThrow()
  })

  test('one that has more than it said is not taken for whole', async () => {
    const { ask, exchange } = await site()
    exchange.answer = () => found('0123456789x', { size: 10 })
    await expect(ask(`/v2/acme/app/blobs/${missing}?ns=x.io`)).rejects.toThrow()
  })

  test('who does not answer in time is waited for no longer, and what comes then is let go of', async () => {
    const { clock, ask, exchange, counts } = await site()
    const late = Promise.withResolvers<Found>()
    const asked = Promise.withResolvers<void>()
    exchange.answer = () => {
      asked.resolve()
      return late.promise
    }
    const reply = ask(`/v2/acme/app/blobs/${missing}?ns=x.io`)
    await asked.promise
    await clock.advance(headerTimeoutMs - 1)
    expect(exchange.signal?.aborted).toBe(false)
    await clock.advance(1)
    expect((await reply).status).toBe(404)
    expect(counts.lines).toEqual(['fell through late', 'request x.io miss'])
    expect(exchange.signal?.aborted).toBe(true)
    const body = new Readable({ read: () => undefined })
    late.resolve(found(body))
    await expect.poll(() => body.destroyed).toBe(true)
  })

  test('a client that goes away ends the search for it', async () => {
    const { exchange, port, counts, measured } = await site()
    const asked = Promise.withResolvers<void>()
    exchange.answer = async (_wanted, signal) => {
      asked.resolve()
      await new Promise(resolve => signal.addEventListener('abort', resolve, { once: true }))
      return { outcome: 'not-found', attempts: 0, message: '', reason: 'timeout' }
    }
    const socket = connect(port, '127.0.0.1')
    socket.write(`GET /v2/a/blobs/${missing}?ns=x.io HTTP/1.1\r\nHost: x\r\n\r\n`)
    await asked.promise
    socket.destroy()
    await expect.poll(() => measured.length).toBe(1)
    expect([exchange.signal?.aborted, counts.lines]).toEqual([true, []])
  })

  test('what is found for a client that has gone is closed', async () => {
    const { exchange, port, counts, measured } = await site()
    const asked = Promise.withResolvers<AbortSignal>()
    const body = new Readable({ read: () => undefined })
    exchange.answer = async (_wanted, signal) => {
      asked.resolve(signal)
      await new Promise(resolve => signal.addEventListener('abort', resolve, { once: true }))
      return found(body)
    }
    const socket = connect(port, '127.0.0.1')
    socket.write(`GET /v2/a/blobs/${missing}?ns=x.io HTTP/1.1\r\nHost: x\r\n\r\n`)
    await asked.promise
    socket.destroy()
    await expect.poll(() => measured.length).toBe(1)
    expect([body.destroyed, counts.lines]).toEqual([true, []])
  })

  test('tags that their registry is to answer are not answered, but to another mirror', async () => {
    const { ask, exchange, counts } = await site()
    exchange.answersTagsNow = false
    expect((await ask('/v2/acme/app/manifests/v2?ns=ghcr.io', { method: 'HEAD' })).status).toBe(404)
    expect(counts.lines).toEqual(['fell through registry-up'])
    expect((await ask('/v2/acme/app/manifests/v2?ns=ghcr.io', { method: 'HEAD', headers: mirrored })).status).toBe(200)
    expect((await ask(`/v2/acme/app/manifests/${indexDigest}?ns=ghcr.io`)).status).toBe(200)
  })

  test('a fault of ours is a 404', async () => {
    const { ask, exchange, counts } = await site()
    exchange.answer = () => {
      throw new Error('a fault')
    }
    expect((await ask(`/v2/acme/app/blobs/${missing}?ns=x.io`)).status).toBe(404)
    expect(counts.lines).toEqual(['fell through fault'])
  })
})

describe('a download under way, for a peer of ours', () => {
  const missing = digestOf('missing')
  const ours = { ...mirrored, 'x-ballast-hop': '1', 'x-ballast-peer': '12D3KooWabc' }
  const target = `/v2/acme/app/blobs/${missing}?ns=x.io`

  test('is passed on as it comes', async () => {
    const { ask, exchange } = await site()
    exchange.relaying = () => ({ outcome: 'stream', total: 10, body: Readable.from([Buffer.from(blob)]) })
    const reply = await ask(target, { headers: ours })
    expect([reply.status, reply.body, reply.headers.get('x-ballast-inflight')]).toEqual([200, blob, '1'])
    expect(exchange.relayed).toEqual([{ digest: missing, peer: '12D3KooWabc' }])
  })

  test('is passed on from where the peer stopped', async () => {
    const { ask, exchange } = await site()
    exchange.relaying = () => ({ outcome: 'stream', total: 10, body: Readable.from([Buffer.from(blob).subarray(4)]) })
    const reply = await ask(target, { headers: { ...ours, range: 'bytes=4-' } })
    expect([reply.status, reply.body, reply.headers.get('content-range')]).toEqual([206, blob.slice(4), 'bytes 4-9/10'])
  })

  test('names whom else to ask where there is no place', async () => {
    const { ask, exchange } = await site()
    exchange.relaying = () => ({ outcome: 'ask', peers: ['a', 'b'] })
    const reply = await ask(target, { headers: ours })
    expect([reply.status, reply.headers.get('x-ballast-relay')]).toEqual([503, 'a,b'])
  })

  test.each([
    ['containerd', {}],
    ["upstream's mirror", mirrored],
    ['a part of its middle', { ...ours, range: 'bytes=1-3' }],
    ['a peer without a name', { ...ours, 'x-ballast-peer': '../x' }],
  ])('is nothing for %s', async (_who, headers) => {
    const { ask, exchange } = await site()
    expect((await ask(target, { headers })).status).toBe(404)
    expect(exchange.relayed).toEqual([])
  })
})

describe('who asks', () => {
  test('case 18: without, and with, what is to be said', async () => {
    const { ask } = await site({ door: { credentials: { username: 'hello', password: 'world' } } })
    const refused = await ask('/v2/')
    expect([refused.status, codeIn(refused.body)]).toEqual([401, 'UNAUTHORIZED'])
    expect(refused.headers.get('www-authenticate')).toBe('Basic realm="ballast"')
    expect((await ask('/v2/', { method: 'HEAD' })).body).toBe('')
    expect((await ask('/v2/', { headers: { authorization: 'Basic aGVsbG86d29ybGQ=' } })).status).toBe(200)
    expect((await ask('/readyz')).status).toBe(200)
  })

  test('an address that may not ask is answered 404', async () => {
    const { ask, counts } = await site({ door: { askers: { may: () => false } } })
    expect((await ask(`/v2/a/blobs/${blobDigest}?ns=x.io`)).status).toBe(404)
    expect((await ask('/v2/')).status).toBe(404)
    expect((await ask('/livez')).status).toBe(200)
    expect(counts.lines).toEqual(['fell through not-allowed', 'fell through not-allowed'])
  })
})

describe('other requests', () => {
  test('probes', async () => {
    const { ask, readiness } = await site()
    expect(await ask('/livez')).toMatchObject({ status: 200, body: '' })
    expect(await ask('/readyz')).toMatchObject({ status: 200, body: '' })
    Object.assign(readiness, { isReady: false, reason: 'peers: nobody answers' })
    expect(await ask('/readyz')).toMatchObject({ status: 500, body: 'peers: nobody answers\n' })
  })

  test('methods, paths, bodies', async () => {
    const { ask } = await site()
    const put = await ask('/v2/acme/app/manifests/v2', { method: 'PUT', body: '{}' })
    expect([put.status, put.headers.get('allow'), codeIn(put.body)]).toEqual([405, 'GET, HEAD', 'UNSUPPORTED'])
    expect((await ask('/')).status).toBe(404)
    expect((await ask('/v2')).status).toBe(200)
    expect((await ask(`/v2/${'a/'.repeat(4_200)}b`)).status).toBe(431)
  })

  // biome-ignore format: a table
  test.each([
    ['a body on GET', 'GET /v2/ HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc', 400],
    ['headers of more than 16 KiB', `GET /v2/ HTTP/1.1\r\nHost: x\r\nX: ${'x'.repeat(20_000)}\r\n\r\n`, 431],
    ['no HTTP', 'hello\r\n\r\n', 400],
    ['an unknown method', 'FOO /v2/ HTTP/1.1\r\nHost: x\r\n\r\n', 400],
  ])('%s closes the connection', async (_case, text, status) => {
    const { port } = await site()
    expect(await raw(port, text)).toMatch(new RegExp(`^HTTP/1.1 ${status} `))
  })

  test('Expect changes nothing', async () => {
    const { port } = await site()
    const text = 'GET /v2/ HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nConnection: close\r\n\r\n'
    expect(await raw(port, text)).toMatch(/^HTTP\/1.1 200 /)
    expect(await raw(port, text.replace('100-continue', 'magic'))).toMatch(/^HTTP\/1.1 200 /)
  })

  test('more than a thousand at once are answered 404 at once', async () => {
    const { ask, exchange, counts } = await site()
    const held = Promise.withResolvers<void>()
    exchange.answer = async () => {
      await held.promise
      return { outcome: 'not-found', attempts: 0, message: '', reason: 'no-peer' }
    }
    const missing = digestOf('missing')
    const all = Array.from({ length: 1_010 }, () => ask(`/v2/a/blobs/${missing}?ns=x.io`))
    await expect.poll(() => counts.lines.filter(line => line === 'fell through busy').length).toBe(10)
    held.resolve()
    expect(new Set((await Promise.all(all)).map(({ status }) => status))).toEqual(new Set([404]))
    expect((await ask(`/v2/a/blobs/${blobDigest}?ns=x.io`)).status).toBe(200)
  })
})

/** What comes back until the connection is closed. */
async function raw(port: number, text: string): Promise<string> {
  const socket = connect(port, '127.0.0.1')
  socket.write(text)
  const chunks: Buffer[] = []
  for await (const chunk of socket) chunks.push(Buffer.from(chunk))
  return Buffer.concat(chunks).toString()
}
