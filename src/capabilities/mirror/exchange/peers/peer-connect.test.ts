// Connections to peers: several addresses, mutual TLS, kept connections that turn out to be closed.
import { createServer, type Server } from 'node:http'
import { createServer as createTlsServer, type Server as TlsServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { describe, expect, test } from 'vitest'
import { systemClock } from '#kube/clock.ts'
import { issueAuthority, issueLeaf, type KeyPair } from '#kube/server/certificates.ts'
import type { Peer, PeerIdentity } from '../../contract.ts'
import { agentTlsName } from '../../prefetch.ts'
import { digestOf } from '../../testdata/memory-store.ts'
import { breakAfter, readBody, serve } from '../testdata/peer-bed.ts'
import { PeerClient, type PeerClientOptions } from './peer-client.ts'

const bytes = Buffer.from('0123456789')
const digest = digestOf(bytes)
const request = {
  route: 'blobs',
  method: 'GET',
  registry: '',
  repository: 'acme/app',
  digest,
  tag: undefined,
  range: undefined,
} as const
const peer = (hosts: readonly string[]): Peer => ({ id: 'P1', hosts, agent: 'ballast/1', zone: undefined, isOurs: true })
const never = new AbortController().signal

const clientFor = (server: Pick<Server, 'address'>, over: Partial<PeerClientOptions> = {}): PeerClient =>
  new PeerClient({
    clock: systemClock,
    ownId: 'own',
    transport: 'auto',
    httpPort: (server.address() as AddressInfo).port,
    tlsPort: undefined,
    identity: () => undefined,
    basicAuth: undefined,
    basicAuthTo: 'certified',
    connectTimeoutMs: 10_000,
    ...over,
  })

async function listening<S extends Server | TlsServer>(server: S): Promise<S & AsyncDisposable> {
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  return Object.assign(server, {
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections()
      await new Promise(resolve => server.close(resolve))
    },
  })
}

describe('a peer with several addresses', () => {
  test.each([
    ['refused ones before it', ['127.0.9.9', '127.0.9.8', '127.0.0.1']],
    ['a silent one before it', ['192.0.2.1', '127.0.0.1']],
    ['IPv6 before it', ['[::1]', '127.0.0.1']],
  ])('is reached with %s', async (_name, hosts) => {
    await using server = await listening(createServer(serve(bytes)))
    await using client = clientFor(server)
    const reply = await client.ask(peer(hosts), request, never)
    if (!reply.ok) throw new Error(reply.fault.message)
    expect((await readBody(reply.answer.body)).bytes).toEqual(bytes)
  })

  test('none of which answers is told with the cause', async () => {
    await using server = await listening(createServer(serve(bytes)))
    await using client = clientFor(server)
    const reply = await client.ask(peer(['127.0.9.9', '127.0.9.8']), request, never)
    expect(reply).toMatchObject({ ok: false, fault: { kind: 'unreachable', message: expect.stringContaining('ECONNREFUSED') } })
  })

  test('or none at all', async () => {
    await using server = await listening(createServer(serve(bytes)))
    await using client = clientFor(server)
    expect(await client.ask(peer([]), request, never)).toMatchObject({ fault: { message: 'the peer has no address' } })
  })
})

describe('a connection', () => {
  test('is kept for the next request; one that was closed meanwhile is asked again on a new one', async () => {
    const sockets = new Set<unknown>()
    let isClosing = false
    await using server = await listening(
      createServer((asked, response) => {
        const isKept = sockets.has(asked.socket)
        sockets.add(asked.socket)
        if (isClosing && isKept) response.socket?.destroy()
        else serve(bytes)(asked, response)
      }),
    )
    await using client = clientFor(server)
    for (let round = 0; round < 10; round++) {
      const reply = await client.ask(peer(['127.0.0.1']), request, never)
      await readBody(reply.ok ? reply.answer.body : undefined)
    }
    const kept = sockets.size
    expect(kept).toBeLessThanOrEqual(2)
    isClosing = true
    expect(await client.ask(peer(['127.0.0.1']), request, never)).toMatchObject({ ok: true })
    expect(sockets.size).toBe(kept + 1)
  })

  test.each([
    ['all', 'Basic aGVsbG86d29ybGQ='],
    ['certified', undefined],
  ] as const)('without a certificate says user and password where %s are told', async (basicAuthTo, expected) => {
    let said: string | undefined
    await using server = await listening(
      createServer((asked, response) => {
        said = asked.headers.authorization
        serve(bytes)(asked, response)
      }),
    )
    await using client = clientFor(server, { basicAuth: { username: 'hello', password: 'world' }, basicAuthTo })
    await client.ask(peer(['127.0.0.1']), request, never)
    expect(said).toBe(expected)
  })

  test('that is cut in the middle of a body fails the body', async () => {
    await using server = await listening(createServer(breakAfter(bytes, 4)))
    await using client = clientFor(server)
    const reply = await client.ask(peer(['127.0.0.1']), request, never)
    expect(await readBody(reply.ok ? reply.answer.body : undefined)).toEqual({ bytes: Buffer.from('0123'), isClean: false })
  })
})

describe('mutual TLS', async () => {
  const nowMs = systemClock.now()
  const authority = await issueAuthority({ commonName: 'agents', nowMs })
  const stranger = await issueAuthority({ commonName: 'strangers', nowMs })
  const leaf = (from: KeyPair, name: string) =>
    issueLeaf(from, { commonName: name, dnsNames: [name], ipAddresses: [], nowMs, usages: ['server', 'client'] })
  const identityOf = async (from: KeyPair, name = agentTlsName): Promise<PeerIdentity> => {
    const { certificate, key } = await leaf(from, name)
    return { ca: authority.certificate, certificate, key }
  }
  const own = await identityOf(authority)
  const said: (string | undefined)[] = []
  const serverWith = ({ certificate, key, ca }: PeerIdentity) =>
    listening(
      createTlsServer({ cert: certificate, key, ca, requestCert: true, rejectUnauthorized: true }, (asked, response) => {
        said.push(asked.headers.authorization)
        serve(bytes)(asked, response)
      }),
    )

  test('between agents of one cluster says user and password', async () => {
    await using server = await serverWith(own)
    const basicAuth = { username: 'hello', password: 'world' }
    const tlsPort = (server.address() as AddressInfo).port
    await using client = clientFor(server, { tlsPort, identity: () => own, basicAuth })
    await client.ask(peer(['127.0.0.1']), request, never)
    expect(said.at(-1)).toBe('Basic aGVsbG86d29ybGQ=')
  })

  test.each<readonly [string, PeerIdentity, PeerIdentity, boolean]>([
    ['between agents of one cluster', own, own, true],
    ['a peer of another authority', await identityOf(stranger), own, false],
    ['a peer with another name', await identityOf(authority, 'webhook'), own, false],
    ['an own certificate of another authority', own, await identityOf(stranger), false],
  ])('%s', async (_name, theirs, ours, isTaken) => {
    await using server = await serverWith(theirs)
    const tlsPort = (server.address() as AddressInfo).port
    await using client = clientFor(server, { tlsPort, identity: () => ours })
    expect((await client.ask(peer(['127.0.0.1']), request, never)).ok).toBe(isTaken)
  })
})
