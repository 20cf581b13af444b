import { createServer as createPlain } from 'node:http'
import { createServer, type Server } from 'node:https'
import { gzipSync } from 'node:zlib'
import { Registry } from 'prom-client'
import { beforeAll, describe, expect, test } from 'vitest'
import { type Clock, systemClock, VirtualClock } from '#kube/clock.ts'
import { issueAuthority, issueLeaf, type KeyPair } from '#kube/server/certificates.ts'
import { listening } from '#kube/server/listening.ts'
import { KnownContainers } from '../decode/known-containers.ts'
import { emptyReading, type NodeReading } from '../decode/reading.ts'
import type { StorageReading } from '../decode/storage-summary.ts'
import { Points } from '../points/points.ts'
import { type AddressRules, kubeletUrl, pathOf } from './kubelet-address.ts'
import { isFailure, KubeletClient } from './kubelet-client.ts'
import type { ScrapeFailure } from './scrape-failure.ts'
import { freshnessBuckets, ScrapeMetrics, tickBuckets } from './scrape-metrics.ts'
import { type ScrapedNode, Scraper } from './scraper.ts'

const manifestTypes = ['InternalIP', 'ExternalIP', 'Hostname']
const binaryTypes = ['Hostname', 'InternalDNS', 'InternalIP', 'ExternalDNS', 'ExternalIP']
const addresses = [
  { type: 'ExternalIP', address: '1.2.3.4' },
  { type: 'InternalIP', address: '10.0.0.1' },
  { type: 'InternalIP', address: '10.0.0.2' },
  { type: 'Hostname', address: 'n1' },
]
const rules: AddressRules = { addressTypes: manifestTypes, port: 10_250, useNodeStatusPort: false, scheme: 'https' }
const node = (changed: Partial<ScrapedNode> = {}): ScrapedNode => ({
  name: 'n1',
  addresses,
  port: 10_260,
  path: undefined,
  isReady: true,
  ...changed,
})

describe('where a kubelet is asked', () => {
  test.each([
    ['20: types of the manifests', {}, {}, 'https://10.0.0.1:10250/metrics/resource'],
    ['20: types of the binary', {}, { addressTypes: binaryTypes }, 'https://n1:10250/metrics/resource'],
    ['20: a type that it has not', {}, { addressTypes: ['InternalDNS'] }, 'no address matched types [InternalDNS]'],
    ['21: its own port', {}, { useNodeStatusPort: true }, 'https://10.0.0.1:10260/metrics/resource'],
    ['21: its own port, unsaid', { port: 0 }, { useNodeStatusPort: true }, 'https://10.0.0.1:10250/metrics/resource'],
    ['21: a port that was given', {}, { port: 10_255, scheme: 'http' }, 'http://10.0.0.1:10255/metrics/resource'],
    ['31: a path of its own', { path: '/stats/metrics' }, {}, 'https://10.0.0.1:10250/stats/metrics'],
    ['31: a path that leads elsewhere', { path: '../x' }, {}, 'https://10.0.0.1:10250/metrics/resource'],
    ['IPv6', { addresses: [{ type: 'InternalIP', address: 'fd00::1' }] }, {}, 'https://[fd00::1]:10250/metrics/resource'],
  ] as const)('case %s', (_, changed, changedRules, expected) => {
    const at = kubeletUrl(node(changed), { ...rules, ...changedRules })
    expect(at.ok ? at.url : at.why).toBe(expected)
  })

  test.each(['x', '/a/../b', '/a?b', '/a#b', '//evil/', '/a b', '/a\\b'])('the path %j is refused', path => {
    expect(pathOf({ path })).toEqual({ path: '/metrics/resource', refused: path })
  })
})

test('case 29: buckets follow the resolution', () => {
  expect(tickBuckets(15).slice(-5)).toEqual([10, 12.5, 15, 22.5, 30])
  expect(tickBuckets(60).slice(-5)).toEqual([10, 35, 60, 90, 120])
  expect(tickBuckets(10)).toHaveLength(11)
  expect(tickBuckets(7)).toContain(7)
  expect(freshnessBuckets).toHaveLength(20)
  expect(freshnessBuckets[0]).toBe(1)
})

let authority: KeyPair
let stranger: KeyPair

beforeAll(async () => {
  const nowMs = systemClock.now()
  authority = await issueAuthority({ commonName: 'cluster', nowMs })
  stranger = await issueAuthority({ commonName: 'stranger', nowMs })
})

const body = 'node_cpu_usage_seconds_total 1 1000\nnode_memory_working_set_bytes 5 1000\n'

interface Kubelet extends AsyncDisposable {
  readonly url: string
}

async function kubelet(
  answer: (request: {
    readonly headers: Readonly<Record<string, string | string[] | undefined>>
  }) =>
    | { status?: number; type?: string; headers?: Readonly<Record<string, string>>; body: string | Buffer }
    | 'hang'
    | 'reset'
    | 'half',
  leaf?: {
    readonly by?: KeyPair
    readonly ipAddresses?: readonly string[]
    readonly dnsNames?: readonly string[]
    readonly nowMs?: number
  },
): Promise<Kubelet> {
  const tls = await issueLeaf(leaf?.by ?? authority, {
    commonName: 'kubelet',
    dnsNames: leaf?.dnsNames ?? ['localhost'],
    usages: ['server'],
    nowMs: leaf?.nowMs ?? systemClock.now(),
  })
  const server: Server = createServer({ cert: tls.certificate, key: tls.key }, (request, response) => {
    const said = answer(request)
    if (said === 'hang') return
    if (said === 'reset') return void request.socket.destroy()
    if (said === 'half') {
      response.writeHead(200, { 'content-length': '1000' })
      response.write('half')
      return void setImmediate(() => request.socket.destroy())
    }
    response.writeHead(said.status ?? 200, { 'content-type': said.type ?? 'text/plain; version=0.0.4', ...said.headers })
    response.end(said.body)
  })
  const port = await listening(server, { port: 0, host: 'localhost' })
  return {
    url: `https://localhost:${port}/metrics/resource`,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      await new Promise<void>(resolve => server.close(() => resolve()))
    },
  }
}

function clientOf(options: Parameters<typeof scraped>[1] = {}): KubeletClient {
  return new KubeletClient({
    clock: options.clock ?? systemClock,
    trust: { authority: authority.certificate, isInsecure: options.isInsecure ?? false },
    token: async () => 'secret',
    timeoutMs: options.timeoutMs ?? 10_000,
    format: 'text',
    gzip: options.gzip ?? false,
  })
}

async function scraped(
  url: string,
  options: { readonly isInsecure?: boolean; readonly timeoutMs?: number; readonly clock?: Clock; readonly gzip?: boolean } = {},
) {
  await using client = clientOf(options)
  return await client.scrape(url, new KnownContainers(), new AbortController().signal)
}

describe('a kubelet', () => {
  test('is asked with token and media type, and read', async () => {
    const seen: unknown[] = []
    await using asked = await kubelet(({ headers }) => {
      seen.push([headers['authorization'], headers['accept']])
      return { body }
    })
    expect(await scraped(asked.url)).toMatchObject({ node: { cpuNs: 1e9, memoryBytes: 5 } })
    expect(seen).toEqual([['Bearer secret', 'text/plain;version=0.0.4']])
  })

  test.each([
    ['refuses the token', { status: 401, body: 'Unauthorized' }, 'unauthorized', /nodes\/metrics/],
    ['forbids', { status: 403, body: 'Forbidden' }, 'forbidden', /nodes\/metrics/],
    ['knows no such path', { status: 404, body: '404 page not found' }, 'status', undefined],
    ['redirects', { status: 301, body: '' }, 'status', undefined],
    ['answers with a page', { type: 'text/html', body: '<html>' }, 'format', undefined],
    ['answers with JSON', { type: 'application/json', body: '{}' }, 'format', undefined],
    ['answers with no protobuf', { type: 'application/vnd.google.protobuf', body: 'x' }, 'format', undefined],
    ['resets', 'reset', 'connection', undefined],
    ['breaks off', 'half', 'connection', undefined],
  ] as const)('that %s is a failure: %s', async (_, said, reason, remedy) => {
    await using asked = await kubelet(() => said)
    const failure = await scraped(asked.url)
    expect(failure).toMatchObject({ reason, ...(remedy === undefined ? {} : { remedy: expect.stringMatching(remedy) }) })
  })

  // A virtual clock stands still while a server is waited for.
  test.each([
    ['real', systemClock],
    ['virtual', new VirtualClock(0)],
  ])('that does not answer in time is a failure, on a %s clock', async (_, clock) => {
    await using asked = await kubelet(() => 'hang')
    expect(await scraped(asked.url, { timeoutMs: 200, clock })).toMatchObject({ reason: 'timeout' })
  })

  test('that says more than 64 MiB is a failure', async () => {
    await using asked = await kubelet(() => ({ body: Buffer.alloc(64 * 1024 * 1024 + 1, 0x23) }))
    expect(await scraped(asked.url)).toMatchObject({ reason: 'too-large' })
  })

  // A kubelet that is told nothing compresses nothing; one that is asked for gzip may still answer plainly.
  const gzip = { 'content-encoding': 'gzip' }
  test.each<[string, boolean, { headers?: Readonly<Record<string, string>>; body: string | Buffer }, object]>([
    ['is asked for, and unpacked', true, { headers: gzip, body: gzipSync(body) }, { node: { cpuNs: 1e9, memoryBytes: 5 } }],
    ['is asked for, and does not come', true, { body }, { node: { cpuNs: 1e9, memoryBytes: 5 } }],
    ['comes unasked', false, { headers: gzip, body: gzipSync(body) }, { reason: 'format' }],
    ['breaks off', true, { headers: gzip, body: gzipSync(body).subarray(0, -9) }, { reason: 'format' }],
    ['is none', true, { headers: gzip, body }, { reason: 'format' }],
    ['was another encoding', true, { headers: { 'content-encoding': 'br' }, body }, { reason: 'format' }],
    [
      'is a bomb',
      true,
      { headers: gzip, body: gzipSync(Buffer.alloc(64 * 1024 * 1024 + 1), { level: 1 }) },
      { reason: 'too-large' },
    ],
  ])('whose gzip %s', async (_, gzipped, said, expected) => {
    const seen: unknown[] = []
    await using asked = await kubelet(({ headers }) => {
      seen.push(headers['accept-encoding'])
      return said
    })
    expect(await scraped(asked.url, { gzip: gzipped })).toMatchObject(expected)
    expect(seen).toEqual([gzipped ? 'gzip' : undefined])
  })

  test.each([
    ['of a stranger', () => ({ by: stranger })],
    ['of another name', () => ({ dnsNames: ['elsewhere'] })],
    ['that ran out', () => ({ nowMs: Date.UTC(2001, 0, 1) })],
  ])('with a certificate %s is believed only where that is asked for', async (_, leaf) => {
    await using asked = await kubelet(() => ({ body }), leaf())
    const failure = await scraped(asked.url)
    expect(failure).toMatchObject({ reason: 'tls', remedy: expect.stringContaining('serverTLSBootstrap') })
    expect(await scraped(asked.url, { isInsecure: true })).toMatchObject({ node: { cpuNs: 1e9 } })
  })

  test('with a certificate of another name tells the names that it has', async () => {
    await using asked = await kubelet(() => ({ body }), { dnsNames: ['elsewhere'] })
    expect(await scraped(asked.url)).toMatchObject({ message: expect.stringMatching(/asked as localhost.*DNS:elsewhere/) })
  })

  test('that speaks no TLS is a failure', async () => {
    const server = createPlain((_, response) => response.end(body))
    const port = await listening(server, { port: 0, host: 'localhost' })
    expect(await scraped(`https://localhost:${port}/`)).toMatchObject({ reason: 'tls' })
    expect(await scraped(`http://localhost:${port}/`)).toMatchObject({ node: { cpuNs: 1e9 } })
    server.closeAllConnections()
    await new Promise<void>(resolve => server.close(() => resolve()))
    expect(await scraped(`http://localhost:${port}/`)).toMatchObject({ reason: 'connection' })
  })
})

describe('what a kubelet says of its disks', () => {
  const summary = JSON.stringify({ node: { nodeName: 'n', fs: { usedBytes: 7 } }, pods: [] })
  // biome-ignore format: a table
  test.each<[string, { status?: number; body: string | Buffer } | 'hang' | 'reset' | 'half', object]>([
    ['is read', { body: summary }, { node: 7, rejected: 0 }],
    ['may be forbidden', { status: 403, body: '' }, { reason: 'forbidden', remedy: expect.stringContaining('nodes/stats') }],
    ['may be unknown to it', { status: 404, body: '' }, { reason: 'status' }],
    ['may be a page', { body: '<html>' }, { reason: 'format' }],
    ['may be no number', { body: summary.replace('7', 'NaN') }, { reason: 'format' }],
    ['may be negative', { body: summary.replace('7', '-7') }, { node: undefined, rejected: 1 }],
    ['may be huge', { body: Buffer.alloc(16 * 1024 * 1024 + 1, 0x20) }, { reason: 'too-large' }],
    ['may not come', 'hang', { reason: 'timeout' }],
    ['may break off', 'half', { reason: 'connection' }],
  ])('%s', async (_, said, expected) => {
    const seen: unknown[] = []
    await using asked = await kubelet(({ headers }) => {
      seen.push(headers['authorization'])
      return said
    })
    await using client = clientOf(said === 'hang' ? { timeoutMs: 300 } : {})
    expect(await client.storage(asked.url, new AbortController().signal)).toMatchObject(expected)
    expect(seen).toEqual(['Bearer secret'])
  })
})

interface Asked {
  readonly url: string
  readonly atMs: number
}

function scraperOf(
  names: string[],
  answer: (url: string, signal: AbortSignal) => Promise<NodeReading | ScrapeFailure>,
  resolutionMs = 15_000,
  storage?: (url: string) => Promise<StorageReading | ScrapeFailure>,
) {
  const clock = new VirtualClock(Date.UTC(2026, 0, 1) + 7_000)
  const asked: Asked[] = []
  const lines: string[] = []
  const say = (facts: object, message: string) => void lines.push(`${message} ${JSON.stringify(facts)}`)
  const registry = new Registry()
  const points = new Points({ resolutionMs, staleAfterMs: resolutionMs * 2.5, isStrict: false })
  const refused: string[] = []
  const scraper = new Scraper({
    nodes: () => names.map(name => node({ name, addresses: [{ type: 'InternalIP', address: name }] })),
    client: {
      scrape: (url, _known, signal) => {
        asked.push({ url, atMs: clock.now() })
        return answer(url, signal)
      },
      ...(storage === undefined ? {} : { storage }),
    },
    exposeStorage: storage !== undefined,
    points,
    address: rules,
    resolutionMs,
    clock,
    log: { debug: () => undefined, info: say, warn: say, error: say },
    metrics: new ScrapeMetrics(registry, resolutionMs),
    onRefusedPath: (name, path) => void refused.push(`${name} ${path}`),
  })
  return { clock, asked, lines, registry, points, scraper, refused }
}

/** Its end is the test's own. */
async function untilStopped(scraper: Scraper, signal: AbortSignal): Promise<void> {
  await expect(scraper.run(signal)).rejects.toThrow('over')
}

const reading = (): NodeReading => ({
  node: { ...emptyReading(), cpuNs: 1, memoryBytes: 1 },
  containers: [],
  rejected: new Map(),
})

test('ticks begin at once, then at multiples of the resolution, and each node has its own moment in them', async () => {
  const names = Array.from({ length: 40 }, (_, at) => `n${at}`)
  const { clock, asked, scraper } = scraperOf(names, async () => reading())
  const stop = new AbortController()
  const running = untilStopped(scraper, stop.signal)
  await clock.advance(40_000)
  const first = Date.UTC(2026, 0, 1) + 7_000
  const ticks = [first, first + 8_000, first + 23_000, first + 38_000]
  for (const [at, tick] of ticks.entries()) {
    const offsets = asked.slice(at * 40, at * 40 + 40).map(({ url, atMs }) => [url, atMs - tick] as const)
    expect(offsets.every(([, offset]) => offset >= 0 && offset < 320)).toBe(true)
    expect(offsets).toEqual(asked.slice(0, 40).map(({ url, atMs }) => [url, atMs - first]))
  }
  expect(new Set(asked.slice(0, 40).map(({ atMs }) => atMs)).size).toBeGreaterThan(20)
  stop.abort(new Error('over'))
  await running
})

test.each([
  { nodes: 40, resolutionMs: 15_000, withinMs: 320 },
  { nodes: 900, resolutionMs: 15_000, withinMs: 7_200 },
  { nodes: 1_500, resolutionMs: 15_000, withinMs: 7_500 },
  { nodes: 1_500, resolutionMs: 60_000, withinMs: 8_000 },
  { nodes: 1_500, resolutionMs: 5_000, withinMs: 2_500 },
])(
  '$nodes nodes each $resolutionMs ms are asked within $withinMs ms, and over all of them',
  async ({ nodes, resolutionMs, withinMs }) => {
    const names = Array.from({ length: nodes }, (_, at) => `n${at}`)
    const { clock, asked, scraper } = scraperOf(names, async () => reading(), resolutionMs)
    const ticking = scraper.tick(new AbortController().signal)
    const beganMs = clock.now()
    await clock.advance(withinMs)
    await ticking
    expect(asked).toHaveLength(nodes)
    const moments = asked.map(({ atMs }) => atMs - beganMs)
    expect(Math.max(...moments)).toBeLessThan(withinMs)
    // No fifth of the time is without one.
    expect(new Set(moments.map(ms => Math.floor((ms * 5) / withinMs))).size).toBe(5)
  },
)

test('case 25: a kubelet that hangs ends with its tick, others do not wait, and the tick is seen to take long', async () => {
  const { clock, asked, scraper, points, registry } = scraperOf(['slow', 'fast'], (url, signal) =>
    url.includes('slow')
      ? new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason), { once: true }))
      : Promise.resolve(reading()),
  )
  const stop = new AbortController()
  const running = untilStopped(scraper, stop.signal)
  await clock.advance(14_000)
  expect(points.ageMs('fast', clock.elapsed())).toBeGreaterThan(13_000)
  expect(asked).toHaveLength(2)
  expect(scraper.sinceTickMs).toBe(14_000)
  await clock.advance(10_000)
  expect(scraper.lastScrape('slow')?.failure).toMatchObject({ reason: 'timeout' })
  expect(await registry.metrics()).toMatch(/ballast_metrics_scrape_errors_total\{reason="timeout"\} 1/)
  stop.abort(new Error('over'))
  await running
})

test('at most 256 kubelets are asked at a time', async () => {
  const names = Array.from({ length: 600 }, (_, at) => `n${at}`)
  let flying = 0
  let most = 0
  const { clock, scraper, asked } = scraperOf(names, async () => {
    most = Math.max(most, ++flying)
    await clock.after(3_000)
    flying--
    return reading()
  })
  const ticking = scraper.tick(new AbortController().signal)
  await clock.advance(15_000)
  await ticking
  expect(asked).toHaveLength(600)
  expect(most).toBe(256)
})

test('a failure is told with its remedy once an hour, a node that is gone is forgotten, a path that is refused is told once', async () => {
  const names = ['n1', 'n2']
  const { clock, scraper, lines, points, registry } = scraperOf(names, async url =>
    url.includes('n1') ? { reason: 'forbidden', message: 'no', remedy: 'grant it' } : reading(),
  )
  const stop = new AbortController()
  const running = untilStopped(scraper, stop.signal)
  await clock.advance(3_500_000)
  expect(lines.filter(line => line.includes('grant it'))).toHaveLength(1)
  await clock.advance(200_000)
  expect(lines.filter(line => line.includes('grant it'))).toHaveLength(2)
  expect(scraper.lastScrape('n2')).toMatchObject({ failure: undefined })
  names.pop()
  await clock.advance(20_000)
  expect(scraper.lastScrape('n2')).toBeUndefined()
  expect(points.ageMs('n2', clock.elapsed())).toBeUndefined()
  expect(await registry.metrics()).not.toContain('node="n2"')
  stop.abort(new Error('over'))
  await running
})

test('disks are asked for once a minute, after a scrape that went well; what was said is told by scrapes until it is old', async () => {
  const asked: (readonly [string, number])[] = []
  let said: StorageReading | ScrapeFailure = { node: 7, containers: new Map(), rejected: 1 }
  let isAway = false
  const { clock, scraper, points, lines, registry } = scraperOf(
    ['n1'],
    async () =>
      isAway
        ? { reason: 'connection', message: 'gone' }
        : { ...reading(), node: { ...emptyReading(), cpuNs: clock.now() * 1e6, cpuMs: clock.now(), memoryBytes: 1 } },
    15_000,
    async url => {
      asked.push([url, clock.now()])
      return said
    },
  )
  const bytes = () => points.nodeUsage('n1', clock.elapsed())?.storageBytes
  const stop = new AbortController()
  const running = untilStopped(scraper, stop.signal)
  await clock.advance(100)
  expect([scraper.lastStorage('n1')?.failure, asked.map(([url]) => url)]).toEqual([undefined, ['https://n1:10250/stats/summary']])
  await clock.advance(10_000)
  expect(bytes()).toBe(7)
  await clock.advance(120_000)
  // By ticks on multiples of the resolution.
  expect(asked).toHaveLength(3)
  said = { reason: 'forbidden', message: 'no', remedy: 'grant it' }
  await clock.advance(60_000)
  expect(bytes()).toBe(7)
  await clock.advance(200_000)
  expect(bytes()).toBeUndefined()
  expect(points.nodeUsage('n1', clock.elapsed())?.memoryBytes).toBe(1)
  expect(scraper.lastStorage('n1')?.failure?.reason).toBe('forbidden')
  expect(lines.filter(line => line.includes('grant it'))).toHaveLength(1)
  const metrics = await registry.metrics()
  expect(metrics).toMatch(/ballast_metrics_storage_errors_total\{reason="forbidden"\} [34]/)
  expect(metrics).toMatch(/ballast_metrics_storage_rejected_total 3/)
  isAway = true
  const before = asked.length
  await clock.advance(130_000)
  expect(asked.length).toBe(before)
  stop.abort(new Error('over'))
  await running
})

test('one answer is no failure', () => {
  expect(isFailure(reading())).toBe(false)
  expect(isFailure({ reason: 'tls', message: '' })).toBe(true)
})
