// etcd: what it is asked by gRPC, what its answers come to, what its watch tells, and servers that mean no good.
import { createPrivateKey } from 'node:crypto'
import { createServer } from 'node:net'
import { ServerCredentials, type ServerDuplexStream, type ServerUnaryCall, type sendUnaryData, status } from '@grpc/grpc-js'
import { describe, expect, test } from 'vitest'
import { systemClock, VirtualClock } from '#kube/clock.ts'
import { issueAuthority, issueLeaf } from '#kube/server/certificates.ts'
import { etcdApi } from './etcd-api.ts'
import { grpcServer } from './testdata/grpc-server.ts'
import { opened, readOf, signal, type Texts } from './testdata/hostile-sources.ts'
import { scalerWorld } from './testdata/scaler-world.ts'

interface Behaviour {
  readonly value?: string | 'hangs'
  /** Each token is taken once. */
  readonly users?: Texts
  readonly watch?: readonly object[]
}

async function etcdServer({ value, users, watch = [] }: Behaviour, secure = ServerCredentials.createInsecure()) {
  const asked: { readonly name: string; readonly request: object; readonly headers: Readonly<Record<string, unknown>> }[] = []
  let tokens = 0
  const isProven = ({ token }: Readonly<Record<string, unknown>>) => users === undefined || token === `t${tokens}`
  const refused = { code: status.UNAUTHENTICATED, details: 'etcdserver: invalid auth token' }
  const note = (name: string, { request, metadata }: ServerUnaryCall<object, object>) => {
    const headers = metadata.getMap()
    asked.push({ name, request, headers })
    return headers
  }
  const handlers = {
    range: (call: ServerUnaryCall<object, object>, done: sendUnaryData<object>) => {
      if (!isProven(note('range', call))) return done(refused)
      if (value === 'hangs') return
      done(null, { kvs: value === undefined ? [] : [{ key: 'k', value }] })
    },
    authenticate: (call: ServerUnaryCall<{ name: string; password: string }, object>, done: sendUnaryData<object>) => {
      note('authenticate', call)
      const { name, password } = call.request
      if (users?.[name] === password) done(null, { token: `t${++tokens}` })
      else done({ code: status.INVALID_ARGUMENT, details: 'etcdserver: authentication failed, invalid user ID or password' })
    },
    watch: (call: ServerDuplexStream<object, object>) => {
      call.on('data', (request: object) => {
        asked.push({ name: 'watch', request, headers: call.metadata.getMap() })
        for (const one of watch) call.write(one)
      })
      call.on('end', () => call.end())
    },
  }
  const served = await grpcServer(etcdApi, handlers, { secure, streams: ['watch'] })
  const retire = () => {
    tokens++
  }
  return { asked, retire, ...served }
}

const given = (endpoints: string, more: Texts = {}): Texts => ({ endpoints, watchKey: 'queue/length', value: '5.5', ...more })

test('what it asks, and the name of its metric', async () => {
  using server = await etcdServer({ value: '7.5' })
  await using world = scalerWorld()
  await using scaler = await opened('etcd', given(server.address, { activationValue: '7.5' }), { index: 3 }, world)
  expect(await scaler.metrics(signal)).toMatchObject([
    { external: { metric: { name: 's3-etcd-queue-length' }, target: { averageValue: '5500m' } } },
  ])
  expect(await scaler.read('m', signal)).toEqual({ values: [{ name: 'm', value: 7.5 }], isActive: false })
  expect(server.asked).toMatchObject([{ name: 'range', request: { key: 'queue/length', limit: 1 } }])
})

test.each<[Behaviour, unknown]>([
  [{ value: ' -2 ' }, [-2, false]],
  [{}, "watchKey queue/length doesn't exist"],
  [{ value: 'many' }, 'the value of queue/length is a text of 4 characters, not a number'],
  [{ value: 'NaN' }, 'the value of queue/length is a text of 3 characters, not a number'],
  [{ value: '+Inf' }, 'the value of queue/length is a text of 4 characters, not a number'],
  [{ value: 'hangs' }, expect.stringMatching(/^etcd at 127.0.0.1:\d+: Range: no answer in 0.2 s$/)],
])('%o', async (behaviour, expected) => {
  using server = await etcdServer(behaviour)
  expect(await readOf('etcd', given(server.address), {}, { timeoutMs: 200 })).toEqual(expected)
})

test('another server is asked where one is away', async () => {
  using server = await etcdServer({ value: '7' })
  expect(await readOf('etcd', given(`127.0.0.1:1, http://${server.address}`))).toEqual([7, true])
})

test('what speaks no gRPC is an error', async () => {
  const web = createServer(socket => void socket.end('HTTP/1.1 400 Bad Request\r\n\r\n'))
  await new Promise<void>(resolve => web.listen(0, '127.0.0.1', resolve))
  const { port } = web.address() as { port: number }
  expect(await readOf('etcd', given(`127.0.0.1:${port}`), {}, { timeoutMs: 500 })).toMatch(/^etcd at 127.0.0.1/)
  web.close()
})

test.each(['169.254.169.254:2379', '[::1]:2379'])('%s is not reached', async endpoints => {
  expect(await readOf('etcd', given(endpoints), {}, { allowed: [] })).toMatch(/not to be reached from here/)
})

describe('a user', () => {
  const auth = { username: 'me', password: 'hunter2' }

  test('asks with a token, and for a new one where the old is over', async () => {
    using server = await etcdServer({ value: '7', users: { me: 'hunter2' } })
    await using world = scalerWorld()
    await using scaler = await opened('etcd', given(server.address), { auth }, world)
    await scaler.read('m', signal)
    await scaler.read('m', signal)
    server.retire()
    expect(await scaler.read('m', signal)).toMatchObject({ isActive: true })
    expect(server.asked.map(({ name, headers }) => `${name} ${headers['token'] ?? ''}`)).toEqual([
      ...['authenticate ', 'range t1', 'range t1'],
      ...['range t1', 'authenticate ', 'range t3'],
    ])
  })

  test('that etcd does not know is an error without the password', async () => {
    using server = await etcdServer({ value: '7', users: { me: 'other' } })
    const read = await readOf('etcd', given(server.address), { auth })
    expect(read).toMatch(/authentication failed, invalid user ID or password/)
    expect(read).not.toContain('hunter2')
  })
})

test('TLS: whom the trigger trusts, and a key under a password', async () => {
  const nowMs = systemClock.now()
  const authority = await issueAuthority({ commonName: 'authority', nowMs })
  const names = { dnsNames: ['localhost'], ipAddresses: ['127.0.0.1'] }
  const pair = await issueLeaf(authority, { commonName: 'etcd', ...names, usages: ['server', 'client'], nowMs })
  const chain = [{ cert_chain: Buffer.from(pair.certificate), private_key: Buffer.from(pair.key) }]
  using server = await etcdServer({ value: '7' }, ServerCredentials.createSsl(Buffer.from(authority.certificate), chain, true))
  const locked = createPrivateKey(pair.key).export({ type: 'pkcs8', format: 'pem', cipher: 'aes-256-cbc', passphrase: 'hunter2' })
  const auth = { tls: 'enable', ca: authority.certificate, cert: pair.certificate, key: String(locked), keyPassword: 'hunter2' }
  expect(await readOf('etcd', given(server.address), { auth })).toEqual([7, true])
  expect(await readOf('etcd', given(server.address), { auth: { tls: 'enable' } })).toMatch(
    /self.signed|unable to verify|No connection/,
  )
})

describe('the watch', () => {
  const events = (...values: readonly string[]) => ({ events: values.map(value => ({ kv: { key: 'k', value } })) })
  async function told(behaviour: Behaviour, more: Texts = {}, most = 9) {
    using server = await etcdServer(behaviour)
    await using world = scalerWorld()
    await using scaler = await opened('etcd', given(server.address, more), {}, world)
    const heard: unknown[] = []
    const stop = new AbortController()
    try {
      for await (const one of scaler.pushes?.(stop.signal) ?? []) if (heard.push(one) >= most) break
    } catch (error) {
      heard.push((error as Error).message)
    }
    return { heard, asked: server.asked }
  }

  test('tells activity at each change; what is no number, and what is gone, is 0', async () => {
    const watch = [{}, events('7', '2'), events(), events('many', '9', '')]
    const { heard, asked } = await told({ watch }, { activationValue: '3' }, 5)
    expect(heard).toEqual([true, false, false, true, false])
    expect(asked).toMatchObject([
      {
        name: 'watch',
        request: { createRequest: { key: 'queue/length', progressNotify: true } },
        headers: { hasleader: 'true' },
      },
    ])
  })

  test('is an error where etcd ends it', async () => {
    const { heard } = await told({ watch: [events('7'), { isCanceled: true, cancelReason: 'no leader' }] })
    expect(heard).toEqual([true, 'etcd ended the watch: no leader'])
  })

  test('is an error where etcd says nothing for twice the interval', async () => {
    using server = await etcdServer({ watch: [events('7')] })
    const clock = new VirtualClock(0)
    await using world = scalerWorld({ clock })
    await using scaler = await opened('etcd', given(server.address, { watchProgressNotifyInterval: '3' }), {}, world)
    const pushed = scaler.pushes?.(signal)[Symbol.asyncIterator]()
    expect(await pushed?.next()).toEqual({ value: true, done: false })
    const next = pushed?.next()
    await Promise.all([expect(next).rejects.toThrow('etcd said nothing for 6 s'), clock.advance(6_000)])
  })
})

test.each<[Texts, Texts, RegExp]>([
  [{ endpoints: '' }, {}, /missing required parameter "endpoints"/],
  [{ endpoints: '172.0.0.1' }, {}, /endpoints "172.0.0.1": expected host:port/],
  [{ endpoints: Array.from({ length: 17 }, () => 'a:1').join(',') }, {}, /at most 16 servers/],
  [{ watchKey: '' }, {}, /missing required parameter "watchKey"/],
  [{ value: 'a' }, {}, /unable to set param "value"/],
  [{ value: '' }, {}, /missing required parameter "value"/],
  [{ activationValue: 'b' }, {}, /activationValue/],
  [{ watchProgressNotifyInterval: '0' }, {}, /must be greater than 0/],
  [{}, { tls: 'enable', ca: 'a', key: 'k' }, /cert must be provided with key/],
  [{}, { tls: 'enable', ca: 'a', cert: 'c' }, /key must be provided with cert/],
  [{}, { tls: 'yes' }, /must be one of/],
  [{}, { tls: 'enable', cert: 'c', key: 'k3y', keyPassword: 'p' }, /^key cannot be read with keyPassword$/],
  [{}, { username: 'root' }, /password must be provided with username/],
  [{}, { password: 'admin' }, /username must be provided with password/],
])('%o with %o is refused', async (more, auth, message) => {
  expect(await readOf('etcd', given('172.0.0.1:2379', more), { auth })).toMatch(message)
})
