// Connections of lines and bytes: whose signal ends them, and when they count as open.
import { getEventListeners } from 'node:events'
import { describe, expect, test } from 'vitest'
import { issueAuthority, issueLeaf } from '#kube/server/certificates.ts'
import { ByteStream } from './byte-stream.ts'
import { secureOptions } from './guarded-socket.ts'
import { scalerKind } from './registry.ts'
import { lineServer } from './testdata/line-server.ts'
import { openedTrigger, scalerWorld } from './testdata/scaler-world.ts'

const place = (port: number) => ({ host: '127.0.0.1', port, tls: undefined })

test('nothing of a connection stays with the signal that it was opened under, and it outlives it', async () => {
  await using server = await lineServer(asked => asked)
  await using world = scalerWorld()
  const opening = new AbortController()
  using stream = await ByteStream.open(place(server.port), world.outgoing, opening.signal, one => one)
  expect(getEventListeners(opening.signal, 'abort')).toEqual([])
  opening.abort()
  stream.write('still here\n')
  expect(await stream.line()).toBe('still here')
})

test('what is bound to a signal ends with it, until it is bound no longer', async () => {
  await using server = await lineServer(() => undefined)
  await using world = scalerWorld()
  const { signal } = new AbortController()
  using stream = await ByteStream.open(place(server.port), world.outgoing, signal, one => one)
  const first = new AbortController()
  stream.boundTo(first.signal)[Symbol.dispose]()
  expect(getEventListeners(first.signal, 'abort')).toEqual([])
  const second = new AbortController()
  using _bound = stream.boundTo(second.signal)
  const reading = expect(stream.line()).rejects.toThrow(/Premature close/)
  second.abort()
  await reading
})

test('a connection that nobody takes is not open', async () => {
  const server = await lineServer(() => undefined)
  await server[Symbol.asyncDispose]()
  await using world = scalerWorld()
  const { signal } = new AbortController()
  const opening = ByteStream.open(place(server.port), world.outgoing, signal, one => one)
  await expect(opening).rejects.toThrow(`127.0.0.1:${server.port}: connect ECONNREFUSED`)
})

test('a signal that ends while a connection begins ends it', async () => {
  await using server = await lineServer(() => undefined)
  await using world = scalerWorld()
  const opening = new AbortController()
  const late = new Error('late')
  const asked = Promise.withResolvers<void>()
  const begun = ByteStream.open(place(server.port), world.outgoing, opening.signal, async one => {
    asked.resolve()
    return await one.line()
  })
  await asked.promise
  opening.abort(late)
  await expect(begun).rejects.toBe(late)
  expect(getEventListeners(opening.signal, 'abort')).toEqual([])
})

test('one connection answers readings of many signals', async () => {
  const body = 'current-jobs-ready: 3\ncurrent-jobs-reserved: 0\n'
  const sockets = new Set<object>()
  await using server = await lineServer((_asked, socket) => {
    sockets.add(socket)
    return `OK ${body.length}\r\n${body}\r\n`
  })
  await using world = scalerWorld()
  const kind = await scalerKind('beanstalkd')
  await using scaler = await kind?.open(openedTrigger('beanstalkd', { server: server.address, tube: 't', value: '1' }), world)
  for (let reading = 0; reading < 3; reading++) {
    const one = new AbortController()
    expect(await scaler?.read('m', one.signal)).toMatchObject({ values: [{ value: 3 }] })
    one.abort()
  }
  expect(sockets.size).toBe(1)
})

describe('of TLS the part that cannot be read is named, and not shown', async () => {
  const authority = await issueAuthority({ commonName: 'a', nowMs: 0 })
  const leaf = (commonName: string) => issueLeaf(authority, { commonName, dnsNames: [commonName], usages: ['client'], nowMs: 0 })
  const [one, other] = [await leaf('a'), await leaf('b')]
  const pem = (pair: typeof one) => ({ certificate: pair.certificate, key: pair.key })
  test.each([
    [{ ...pem(one), certificate: 'hunter2' }, 'cert cannot be read: expected PEM'],
    [{ ...pem(one), key: 'hunter2' }, 'key cannot be read: expected PEM'],
    [{ ...pem(one), key: 'hunter2', passphrase: 'a' }, 'key, or its keyPassword, cannot be read: expected PEM'],
    [{ ...pem(one), key: other.key }, 'key is not that of cert'],
  ])('%#', (tls, message) => expect(() => secureOptions(tls)).toThrow(message))

  test('and what can be read is taken', () => {
    expect(secureOptions({ ...pem(one), authority: authority.certificate })).toMatchObject({ rejectUnauthorized: true })
  })
})
