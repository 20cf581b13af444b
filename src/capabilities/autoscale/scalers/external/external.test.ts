// External scalers against servers of the same library that speak as upstream's do, and against such as mean no good.
import { once } from 'node:events'
import { createServer } from 'node:net'
import {
  Server,
  ServerCredentials,
  type ServerUnaryCall,
  type ServerWritableStream,
  type sendUnaryData,
  status,
} from '@grpc/grpc-js'
import { describe, expect, test } from 'vitest'
import { externalApi, type Method } from '#coordination/external-scaler-api.ts'
import { systemClock } from '#kube/clock.ts'
import type { Message } from '#kube/protobuf-message.ts'
import { issueAuthority, issueLeaf } from '#kube/server/certificates.ts'
import { openedTrigger, scalerWorld } from '../testdata/scaler-world.ts'
import { external } from './external.ts'

type Texts = Readonly<Record<string, string>>
const { signal } = new AbortController()

interface Behaviour {
  readonly getMetricSpec?: readonly object[]
  readonly getMetrics?: readonly object[] | 'hangs' | 'fails'
  readonly isActive?: boolean
  readonly streamIsActive?: readonly boolean[]
  readonly streamMetricSpec?: readonly (readonly object[])[]
}

async function externalServer(behaviour: Behaviour, secure = ServerCredentials.createInsecure()) {
  const asked: unknown[] = []
  const server = new Server()
  const calls = Object.fromEntries(
    Object.entries(externalApi).flatMap(([name, method]) => {
      const said = behaviour[name as keyof Behaviour]
      if (said === undefined) return []
      const { path, request, response } = method as Method<object, object>
      const codec = (type: Message<object>) => ({
        write: (value: object) => type.encode(value),
        read: (data: Buffer) => type.decode(data),
      })
      const [inward, outward] = [codec(request), codec(response)]
      const definition = {
        ...{ path, requestStream: false, responseStream: name.startsWith('stream') },
        ...{
          requestSerialize: inward.write,
          requestDeserialize: inward.read,
          responseSerialize: outward.write,
          responseDeserialize: outward.read,
        },
      }
      return [[name, { definition, said }] as const]
    }),
  )
  const answerOf = (name: string, said: unknown): object =>
    name.endsWith('sActive') ? { result: said } : name === 'getMetrics' ? { metricValues: said } : { metricSpecs: said }
  server.addService(
    Object.fromEntries(Object.entries(calls).map(([name, { definition }]) => [name, definition])),
    Object.fromEntries(
      Object.entries(calls).map(([name, { definition, said }]) => [
        name,
        definition.responseStream
          ? (call: ServerWritableStream<object, object>) => {
              for (const one of said as readonly unknown[])
                call.write(answerOf(name === 'streamIsActive' ? 'isActive' : name, one))
              call.end()
            }
          : (call: ServerUnaryCall<object, object>, done: sendUnaryData<object>) => {
              asked.push(call.request)
              if (said === 'hangs') return
              if (said === 'fails') done({ code: status.INTERNAL, details: 'no such queue' })
              else done(null, answerOf(name, said))
            },
      ]),
    ),
  )
  const port = await new Promise<number>((resolve, reject) =>
    server.bindAsync('127.0.0.1:0', secure, (error, bound) => (error === null ? resolve(bound) : reject(error))),
  )
  return { asked, address: `127.0.0.1:${port}`, port, [Symbol.dispose]: () => server.forceShutdown() }
}

async function opened(
  world: ReturnType<typeof scalerWorld>,
  metadata: Texts,
  more: Parameters<typeof openedTrigger>[2] = {},
  type = 'external-push',
) {
  return await external.open(openedTrigger(type, metadata, more), world)
}

async function failureOf(
  metadata: Texts,
  more: Parameters<typeof openedTrigger>[2] = {},
  options: Parameters<typeof scalerWorld>[0] = {},
) {
  await using world = scalerWorld({ timeoutMs: 500, ...options })
  try {
    await using scaler = await opened(world, metadata, more)
    return await scaler.read('s0-q', signal)
  } catch (error) {
    return (error as Error).message
  }
}

const quiet = { getMetrics: [{ metricName: 'q', metricValue: 7 }], isActive: true }

test('what a source is asked, and what its answers come to', async () => {
  using server = await externalServer({
    getMetricSpec: [
      { metricName: 'q', targetSize: 5 },
      { metricName: 'a/b', targetSize: 9, targetSizeFloat: 2.5 },
    ],
    getMetrics: [{ metricName: 'q', metricValue: 7, metricValueFloat: 7.25 }],
    isActive: true,
  })
  await using world = scalerWorld()
  const metadata = { scalerAddress: server.address, queue: 'mail', userFromEnv: 'USER', noneFromEnv: 'NONE' }
  await using scaler = await opened(world, metadata, { env: { USER: 'me' }, index: 2 })
  expect(await scaler.metrics(signal)).toMatchObject([
    { external: { metric: { name: 's2-q' }, target: { type: 'AverageValue', averageValue: '5' } } },
    { external: { metric: { name: 's2-a/b' }, target: { type: 'AverageValue', averageValue: '2500m' } } },
  ])
  expect(await scaler.read('s2-q', signal)).toEqual({ values: [{ name: 's2-q', value: 7.25 }], isActive: true })
  const ref = {
    name: 'sonarr',
    namespace: 'media',
    scalerMetadata: new Map([
      ['scalerAddress', server.address],
      ['queue', 'mail'],
      ['userFromEnv', 'me'],
    ]),
  }
  expect(server.asked).toEqual([ref, { scaledObjectRef: ref, metricName: 'q' }, ref])
  await expect(scaler.read('s1-q', signal)).rejects.toThrow('none of trigger 2')
})

test('pushes, and metrics that change; what ends is an error, what is not implemented ends silently', async () => {
  using server = await externalServer({ streamIsActive: [false, true], streamMetricSpec: [[{ metricName: 'q', targetSize: 3 }]] })
  await using world = scalerWorld()
  await using scaler = await opened(world, { scalerAddress: server.address })
  const taken: unknown[] = []
  const follow = async (stream: AsyncIterable<unknown> | undefined) => {
    for await (const one of stream ?? []) taken.push(one)
  }
  await expect(follow(scaler.pushes?.(signal))).rejects.toThrow('StreamIsActive ended')
  await expect(follow(scaler.metricChanges?.(signal))).rejects.toThrow('StreamMetricSpec ended')
  expect(taken).toMatchObject([false, true, [{ external: { metric: { name: 's0-q' } } }]])
  using older = await externalServer({ isActive: true })
  await using second = await opened(world, { scalerAddress: older.address })
  await follow(second.metricChanges?.(signal))
  await expect(follow(second.pushes?.(signal))).rejects.toThrow('StreamIsActive is not implemented')
  await using polled = await opened(world, { scalerAddress: older.address }, {}, 'external')
  expect([polled.pushes, polled.metricChanges]).toEqual([undefined, undefined])
})

test('a source that comes back elsewhere is found by its name', async () => {
  let address = '127.0.0.2'
  using server = await externalServer(quiet)
  const lookup = (_host: string, _options: object, done: (error: null, found: { address: string; family: number }[]) => void) =>
    done(null, [{ address, family: 4 }])
  await using world = scalerWorld({ timeoutMs: 1_000, allowed: ['127.0.0.0/8'], lookup: lookup as never })
  await using scaler = await opened(world, { scalerAddress: `queue.media.svc:${server.port}` })
  await expect(scaler.read('s0-q', signal)).rejects.toThrow('the external scaler at queue.media.svc')
  address = '127.0.0.1'
  expect(await scaler.read('s0-q', signal)).toMatchObject({ isActive: true })
})

test('TLS with our own certificate, and an authority that is not the right one', async () => {
  const nowMs = systemClock.now()
  const authority = await issueAuthority({ commonName: 'authority', nowMs })
  const pair = await issueLeaf(authority, {
    commonName: 'scaler',
    dnsNames: ['localhost'],
    ipAddresses: ['127.0.0.1'],
    usages: ['server'],
    nowMs,
  })
  const secure = ServerCredentials.createSsl(Buffer.from(authority.certificate), [
    { cert_chain: Buffer.from(pair.certificate), private_key: Buffer.from(pair.key) },
  ])
  using server = await externalServer(quiet, secure)
  const metadata = { scalerAddress: server.address }
  const auth = { caCert: authority.certificate }
  expect(await failureOf(metadata, { auth }, { timeoutMs: 3_000 })).toMatchObject({ isActive: true })
  expect(await failureOf({ ...metadata, enableTLS: 'true' })).toMatch(/self.signed|unable to verify|No connection established/)
  expect(await failureOf({ ...metadata, enableTLS: 'true', unsafeSsl: 'true' }, {}, { timeoutMs: 3_000 })).toMatchObject({
    isActive: true,
  })
})

describe('sources that mean no good', () => {
  test.each<[string, Behaviour, RegExp]>([
    ['hangs', { getMetrics: 'hangs', isActive: true }, /GetMetrics: no answer in 0.5 s/],
    ['fails', { getMetrics: 'fails', isActive: true }, /GetMetrics: .*no such queue/],
    ['knows no such call', { isActive: true }, /GetMetrics is not implemented/],
    ['sends too much', { getMetrics: [{ metricName: 'x'.repeat(5 * 1024 * 1024) }], isActive: true }, /larger than max/i],
  ])('one that %s', async (_name, behaviour, message) => {
    using server = await externalServer(behaviour)
    expect(await failureOf({ scalerAddress: server.address })).toMatch(message)
  })

  test('one that speaks no gRPC', async () => {
    const server = createServer(socket => void socket.end('HTTP/1.1 400 Bad Request\r\n\r\n'))
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    const at = server.address()
    const port = typeof at === 'object' && at !== null ? at.port : 0
    expect(await failureOf({ scalerAddress: `127.0.0.1:${port}` })).toMatch(/the external scaler at 127.0.0.1/)
    server.close()
  })

  test.each(['169.254.169.254:80', '[::1]:80', 'localhost:80', 'dns:///localhost:80'])(
    '%s is not reached',
    async scalerAddress => {
      expect(await failureOf({ scalerAddress }, {}, { allowed: [] })).toMatch(/not to be reached/)
    },
  )

  test.each<[Texts, RegExp]>([
    [{}, /scalerAddress/],
    [{ scalerAddress: 'host' }, /expected host:port/],
    [{ scalerAddress: 'unix:///run/x.sock' }, /expected host:port/],
    [{ scalerAddress: 'a:1', enableTLS: 'maybe' }, /enableTLS/],
    [{ scalerAddress: 'a:1', unsafeSsl: 'asdf' }, /unsafeSsl/],
  ])('%o is refused', async (metadata, message) => {
    expect(await failureOf(metadata)).toMatch(message)
  })
})
