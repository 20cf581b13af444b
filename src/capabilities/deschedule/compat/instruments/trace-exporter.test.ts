// The exporter against an HTTP/2 server that answers as gRPC servers do. What the bytes mean is held to Go's own encoder here, and to a real
// collector in test/real.
import { createServer, type ServerHttp2Session, type ServerHttp2Stream } from 'node:http2'
import { expect, onTestFinished, test, vi } from 'vitest'
import { systemClock, VirtualClock } from '#kube/clock.ts'
import { silentLog } from '#kube/log.ts'
import { seededRandom } from '#kube/random.ts'
import { listening } from '#kube/server/listening.ts'
import type { Span } from './cycle-spans.ts'
import { encodeTraces } from './trace-encoding.ts'
import { TraceExporter } from './trace-exporter.ts'
import { startTracing } from './tracing.ts'

const soon = { timeout: 50_000, interval: 2 }
const source = { attributes: { 'service.name': 'descheduler' }, scope: 'scope', version: '0.1.0' }

const first: Span = {
  traceId: '000102030405060708090a0b0c0d0e0f',
  spanId: '0102030405060708',
  parentId: '',
  name: 'first',
  startNs: 1_790_000_000_000_000_001n,
  endNs: 1_790_000_000_000_000_300n,
  attributes: {},
  events: [],
}
const spans: readonly Span[] = [
  first,
  {
    traceId: '000102030405060708090a0b0c0d0e0f',
    spanId: 'a1a2a3a4a5a6a7a8',
    parentId: '0102030405060708',
    name: 'EvictPod',
    startNs: 1_790_000_000_000_000_002n,
    endNs: 1_790_000_000_000_000_200n,
    attributes: { podName: 'ü', reason: '' },
    events: [{ name: 'Eviction Failed', atNs: 1_790_000_000_000_000_003n, attributes: { err: 'no' } }],
  },
]

/** What Go's `proto.Marshal` of go.opentelemetry.io/proto/otlp v1.10.0 makes of the same. */
const goBytes = [
  '0afc010a1f0a1d0a0c736572766963652e6e616d65120d0a0b64657363686564756c657212d8010a0e0a0573636f70651205',
  '302e312e3012370a10000102030405060708090a0b0c0d0e0f120801020304050607082a0566697273743001390100f32384',
  '5bd718412c01f323845bd718128c010a10000102030405060708090a0b0c0d0e0f1208a1a2a3a4a5a6a7a822080102030405',
  '0607082a084576696374506f643001390200f323845bd71841c800f323845bd7184a0f0a07706f644e616d6512040a02c3bc',
  '4a0c0a06726561736f6e12020a005a27090300f323845bd718120f4576696374696f6e204661696c65641a0b0a0365727212',
  '040a026e6f',
].join('')

test("spans are encoded as Go's encoder does it", () => {
  expect(Buffer.from(encodeTraces(source, spans)).toString('hex')).toBe(goBytes)
})

interface Received {
  readonly path: string | undefined
  readonly contentType: string | undefined
  readonly body: Buffer
}

/** A gRPC server that answers each call with the next of `statuses`, and with the last one from then on. */
async function collector(statuses: readonly (string | 'broken' | 'silent')[]) {
  const received: Received[] = []
  const sessions = new Set<ServerHttp2Session>()
  const server = createServer()
  server.on('session', session => sessions.add(session))
  server.on('stream', (stream: ServerHttp2Stream, headers) => {
    const pieces: Buffer[] = []
    stream.on('data', (piece: Buffer) => pieces.push(piece))
    stream.on('error', () => undefined) // the client hung up
    stream.on('end', () => {
      const status = statuses[Math.min(received.length, statuses.length - 1)] ?? '0'
      received.push({ path: headers[':path'], contentType: headers['content-type'], body: Buffer.concat(pieces) })
      if (status === 'silent') return
      if (status === 'broken') {
        stream.session?.destroy()
        return
      }
      stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true })
      stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': status, 'grpc-message': 'as told' }))
      stream.end(Buffer.alloc(5))
    })
  })
  const port = await listening(server, { port: 0, host: '127.0.0.1' })
  onTestFinished(async () => {
    for (const session of sessions) session.destroy()
    const { promise, resolve } = Promise.withResolvers<void>()
    server.close(() => resolve())
    await promise
  })
  return { endpoint: `127.0.0.1:${port}`, received }
}

function exporting(endpoint: string) {
  const clock = new VirtualClock(systemClock.now())
  const errors: string[] = []
  const log = { ...silentLog, error: (facts: Readonly<Record<string, unknown>>) => void errors.push(String(facts['why'])) }
  const exporter = new TraceExporter({ endpoint, authority: undefined, source, clock, log })
  const until = (isSo: () => boolean) =>
    vi.waitUntil(async () => {
      await clock.advance(1_000)
      return isSo()
    }, soon)
  return { exporter, clock, errors, until }
}

test('spans go out after five seconds, as one gRPC call', async () => {
  const { endpoint, received } = await collector(['0'])
  const { exporter, until, errors } = exporting(endpoint)
  exporter.take(spans)
  await until(() => received.length > 0)
  const [call] = received
  expect(call?.path).toBe('/opentelemetry.proto.collector.trace.v1.TraceService/Export')
  expect(call?.contentType).toBe('application/grpc')
  expect(call?.body.subarray(0, 5)).toEqual(Buffer.from([0, 0, 0, 0, goBytes.length / 2]))
  expect(call?.body.subarray(5).toString('hex')).toBe(goBytes)
  await exporter[Symbol.asyncDispose]()
  expect(errors).toEqual([])
})

test.each(['14', 'broken'])('%s: they are sent again, and it is said once', async status => {
  const { endpoint, received } = await collector([status, status, '0'])
  const { exporter, until, errors } = exporting(endpoint)
  exporter.take(spans)
  await until(() => received.length === 3)
  expect(new Set(received.map(({ body }) => body.toString('hex'))).size).toBe(1)
  expect(errors).toHaveLength(1)
  await exporter[Symbol.asyncDispose]()
})

test('what a collector will never take is not sent again', async () => {
  const { endpoint, received } = await collector(['3', '0'])
  const { exporter, until, errors } = exporting(endpoint)
  exporter.take(spans)
  await until(() => errors.length > 0)
  expect(errors).toEqual(['the collector answered with gRPC status 3: as told'])
  exporter.take([first])
  await until(() => received.length === 2)
  await exporter[Symbol.asyncDispose]()
})

test('at the end what is left is sent', async () => {
  const { endpoint, received } = await collector(['0'])
  const { exporter } = exporting(endpoint)
  exporter.take(spans)
  await exporter[Symbol.asyncDispose]()
  expect(received).toHaveLength(1)
})

test('the end waits for nobody longer than three seconds', async () => {
  const { endpoint, received } = await collector(['silent'])
  const exporter = new TraceExporter({ endpoint, authority: undefined, source, clock: systemClock, log: silentLog })
  exporter.take(spans)
  const startMs = systemClock.elapsed()
  await exporter[Symbol.asyncDispose]()
  expect(received).toHaveLength(1)
  expect(systemClock.elapsed() - startMs).toBeGreaterThanOrEqual(2_900)
})

test('what waits has a limit, and the oldest give way', async () => {
  const { endpoint, received } = await collector(['0'])
  const { exporter } = exporting(endpoint)
  const many = Array.from({ length: 3_000 }, (_, at) => ({ ...first, name: `span-${at}.` }))
  exporter.take(many)
  await exporter[Symbol.asyncDispose]()
  const names = received.flatMap(({ body }) => body.toString('latin1').match(/span-\d+\./g) ?? [])
  expect(names).toHaveLength(2_048)
  expect(names[0]).toBe('span-952.')
  expect(received).toHaveLength(4)
})

const settings = { collectorEndpoint: '', caFile: '', serviceName: '', namespace: '', sampleRate: 1 }

test.each([
  [{}, []],
  [{ collectorEndpoint: 'http://collector:4317' }, ['found "http://collector:4317", expected HOST:PORT']],
  [{ collectorEndpoint: 'collector:4317', caFile: '/not/there.pem' }, [expect.stringContaining('ENOENT')]],
])('%o: nothing is traced, and the process goes on', async (given, said) => {
  const errors: string[] = []
  const log = { ...silentLog, error: (facts: Readonly<Record<string, unknown>>) => void errors.push(String(facts['why'])) }
  const around = { clock: systemClock, random: seededRandom(1), log, version: '0.1.0' }
  expect(await startTracing({ ...settings, ...given }, around)).toBeUndefined()
  expect(errors).toEqual(said)
})
