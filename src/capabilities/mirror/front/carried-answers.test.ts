// The front where a data plane carries bodies: what it is told, which bodies go through this process all the same, and when what is counted.

import type { IncomingMessage } from 'node:http'
import { Readable, Transform } from 'node:stream'
import { describe, expect, onTestFinished, test } from 'vitest'
import { VirtualClock } from '#kube/clock.ts'
import { silentLog } from '#kube/log.ts'
import type { ContentInfo, FoundElsewhere } from '../contract.ts'
import { everything } from '../filters.ts'
import { KeptCounts } from '../testdata/kept-counts.ts'
import { digestOf, MemoryStore } from '../testdata/memory-store.ts'
import { namedPeer } from '../testdata/named-peer.ts'
import { ScriptedExchange } from '../testdata/scripted-exchange.ts'
import { askersOf } from './askers.ts'
import { ContentFinder } from './content-finder.ts'
import { listenPlain } from './listener.ts'
import { type CarriedAnswer, type Carrier, type Door, RegistryFront } from './registry-front.ts'

const blob = '0123456789'
const here = digestOf(blob)
const missing = digestOf('missing')
const mirrored = { 'x-spegel-mirrored': 'true' }
const containerd = { 'user-agent': 'containerd/v2.1.9' }

/** As containerd's: content is files. */
class FileStore extends MemoryStore {
  async fileOf({ digest }: Pick<ContentInfo, 'digest'>): Promise<string | undefined> {
    return `/blobs/${digest}`
  }
}

/** Says with headers whom it was told of, and ends bodies when the test says so. */
class ScriptedCarrier implements Carrier {
  readonly told: string[] = []
  readonly ends: ((how: { readonly sent: number; readonly status: number }) => void)[] = []
  failedPeers: readonly string[] | undefined = []
  address: string | undefined = '127.0.0.1'
  waited = 0

  remote(): string | undefined {
    return this.address
  }
  waitedMs(): number {
    return this.waited
  }
  failed(_request: IncomingMessage): readonly string[] | undefined {
    return this.failedPeers
  }
  file(path: string, { status, length }: { readonly status: number; readonly length: number }): CarriedAnswer {
    return this.#answer(`file ${path} ${status} ${length}`)
  }
  peer({ place }: Omit<FoundElsewhere, 'outcome'>): CarriedAnswer {
    return this.#answer(`peer ${place.peer.id}`)
  }
  #answer(what: string): CarriedAnswer {
    this.told.push(what)
    const { promise: ended, resolve } = Promise.withResolvers<{ readonly sent: number; readonly status: number }>()
    this.ends.push(resolve)
    return { headers: { 'x-told': what, 'content-length': 0 }, ended }
  }
}

const elsewhere = (id = 'P1'): FoundElsewhere => ({
  outcome: 'elsewhere',
  place: {
    peer: namedPeer(id),
    ...{ way: 'http', host: '10.0.0.1', port: 1, target: '/v2/', range: undefined, authorization: undefined },
    begin: () => ({ isTooSlow: () => false, left: () => undefined, ended: () => undefined }),
  },
  ...{ digest: missing, mediaType: 'application/octet-stream', length: 10, attempts: 1 },
})

async function site({ door = {}, limitUpload }: { readonly door?: Partial<Door>; readonly limitUpload?: () => Transform } = {}) {
  const clock = new VirtualClock(1_750_000_000_000)
  const store = new FileStore()
  store.put(blob)
  const exchange = new ScriptedExchange()
  const counts = new KeptCounts()
  const carrier = new ScriptedCarrier()
  const measured: string[] = []
  const finder = new ContentFinder({
    ...{ filters: everything, headerTimeoutMs: 3_000, store, exchange, counts, clock, log: silentLog },
  })
  const front = new RegistryFront({
    ...{ finder, counts, limitUpload, clock, log: silentLog },
    readiness: () => ({ isReady: true, reason: '' }),
    meter: { begin: (handler, method) => (code, size) => measured.push(`${handler} ${method} ${code} ${size}`) },
  })
  const whole: Door = { askers: askersOf('any', { clock }), credentials: undefined, isForMirrors: false, carrier, ...door }
  const listener = await listenPlain({
    address: { host: '127.0.0.1', port: 0 },
    ...{ askers: askersOf('any', { clock }), clock },
    handle: (request, response) => void front.handle(request, response, whole),
  })
  onTestFinished(() => listener[Symbol.asyncDispose]())
  const ask = async (digest: string, headers: Record<string, string> = {}, method = 'GET') => {
    const reply = await fetch(`http://127.0.0.1:${listener.port}/v2/a/blobs/${digest}?ns=x.io`, { method, headers })
    return { status: reply.status, told: reply.headers.get('x-told'), body: await reply.text() }
  }
  return { store, exchange, counts, carrier, measured, ask }
}

describe('a request that waited before it was seen', () => {
  test.each([
    ['up to a second: it is looked for', 1_000, missing, {}, 404, ['fell through no-peer', 'request x.io miss']],
    ['longer: nobody is asked any more', 1_001, missing, {}, 404, ['fell through busy']],
    ['longer, for what is here: it gets it', 60_000, here, {}, 200, []],
  ] as const)('%s', async (_what, waited, digest, headers, status, lines) => {
    const { ask, carrier, counts, exchange } = await site()
    carrier.waited = waited
    expect((await ask(digest, headers)).status).toBe(status)
    expect(counts.lines).toEqual(lines)
    expect(exchange.asked).toHaveLength(lines.length === 2 ? 1 : 0)
  })
})

describe('a blob that is here', () => {
  test.each([
    ['whole', {}, 'file /blobs/%s 200 10'],
    ['a part', { range: 'bytes=2-5' }, 'file /blobs/%s 206 4'],
    ['several parts: whole', { range: 'bytes=0-1,3-4' }, 'file /blobs/%s 200 10'],
  ])('%s: the data plane is told of its file', async (_what, headers, told) => {
    const { ask } = await site()
    expect(await ask(here, headers)).toEqual({ status: 200, told: told.replace('%s', here), body: '' })
  })

  test('is answered by this process where only its head is asked, or its range is beyond the end', async () => {
    const { ask, carrier } = await site()
    expect((await ask(here, {}, 'HEAD')).status).toBe(200)
    expect((await ask(here, { range: 'bytes=10-' })).status).toBe(416)
    expect(carrier.told).toEqual([])
  })

  test('goes to another mirror through this process where what is sent is limited', async () => {
    let limited = 0
    const limitUpload = () =>
      new Transform({
        transform(chunk: Buffer, _encoding, done) {
          limited += chunk.length
          done(undefined, chunk)
        },
      })
    const { ask, carrier, counts } = await site({ limitUpload })
    expect((await ask(here, mirrored)).body).toBe(blob)
    expect([carrier.told, limited]).toEqual([[], 10])
    await expect.poll(() => counts.lines).toEqual(['served x.io local out 10'])
    // The node's own containerd is sent as much as it takes.
    expect((await ask(here, containerd)).told).toBe(`file /blobs/${here} 200 10`)
  })

  test('is counted when it has been sent, as much as was', async () => {
    const { ask, carrier, counts, measured } = await site()
    await ask(here, mirrored)
    await ask(here, containerd)
    expect([counts.lines, measured]).toEqual([[], []])
    for (const end of carrier.ends) end({ sent: 4, status: 206 })
    await expect.poll(() => measured).toEqual(['/v2/* GET 206 4', '/v2/* GET 206 4'])
    expect(counts.lines).toEqual(['served x.io local out 4'])
  })
})

test('a body of which nobody says how it ended counts as it began', async () => {
  const { ask, carrier, measured } = await site()
  await ask(here, containerd)
  carrier.ends[0]?.({ sent: 0, status: 0 })
  await expect.poll(() => measured).toEqual(['/v2/* GET 200 0'])
})

describe('a blob that another node has', () => {
  test('the data plane gets it there: a hit', async () => {
    const { ask, exchange, carrier, counts, measured } = await site()
    exchange.answer = () => elsewhere()
    expect(await ask(missing, containerd)).toEqual({ status: 200, told: 'peer P1', body: '' })
    expect(exchange.asked).toMatchObject([{ carrying: { isContainerd: true, failed: [] } }])
    expect([counts.lines, measured]).toEqual([['request x.io hit'], []])
    carrier.ends[0]?.({ sent: 10, status: 200 })
    await expect.poll(() => measured).toEqual(['/v2/* GET 200 10'])
  })

  test('those that failed at this request are told, and whether containerd asks', async () => {
    const { ask, exchange, carrier } = await site()
    exchange.answer = () => elsewhere('P3')
    carrier.failedPeers = ['P1', 'P2']
    expect((await ask(missing)).told).toBe('peer P3')
    expect(exchange.asked).toMatchObject([{ carrying: { isContainerd: false, failed: ['P1', 'P2'] } }])
  })

  test('after so many that failed nobody is asked: 404', async () => {
    const { ask, exchange, carrier } = await site()
    carrier.failedPeers = undefined
    const { status, body } = await ask(missing, containerd)
    expect([status, JSON.parse(body).errors[0].code]).toEqual([404, 'BLOB_UNKNOWN'])
    expect(exchange.asked).toEqual([])
  })

  test('that this process has got is sent by it', async () => {
    const { ask, exchange, carrier } = await site()
    const found = {
      outcome: 'found',
      size: 10,
      digest: missing,
      range: undefined,
      mediaType: 'a/b',
      source: 'peer',
      attempts: 1,
    } as const
    exchange.answer = () => ({ ...found, body: Readable.from([Buffer.from(blob)]) })
    expect([(await ask(missing, containerd)).body, carrier.told]).toEqual([blob, []])
  })

  test('another mirror is told of what is here alone', async () => {
    const { ask, exchange } = await site()
    exchange.answer = () => elsewhere()
    expect((await ask(missing, mirrored)).status).toBe(404)
    expect(exchange.asked).toEqual([])
  })

  test('a head is asked by this process', async () => {
    const { ask, exchange } = await site()
    await ask(missing, containerd, 'HEAD')
    expect(exchange.asked[0]).not.toHaveProperty('carrying')
  })
})

describe('who asks', () => {
  const loopback = { askers: { may: (remote: string | undefined) => remote === '10.0.0.1' } }

  test.each([
    ['10.0.0.1', 200],
    ['10.0.0.2', 404],
    [undefined, 404],
  ])('is whom the data plane names: %s is answered %i', async (address, status) => {
    const { ask, carrier } = await site({ door: loopback })
    carrier.address = address
    expect((await ask(here)).status).toBe(status)
  })
})
