// The ways to a server: packed answers, proxies of each kind, TLS with an authority and a client's certificate, and new ones.
import { writeFile } from 'node:fs/promises'
import { createServer, type IncomingMessage, type RequestListener, type Server } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import { type AddressInfo, connect, createServer as createTcpServer, type Socket, type Server as TcpServer } from 'node:net'
import { join } from 'node:path'
import type { Duplex } from 'node:stream'
import { TLSSocket } from 'node:tls'
import { gzipSync } from 'node:zlib'
import { afterEach, describe, expect, test } from 'vitest'
import { type Clock, systemClock, VirtualClock } from '../clock.ts'
import type { ClusterConfig } from '../credentials/cluster-config.ts'
import { builtIn } from '../objects/resource.ts'
import { issueAuthority, issueLeaf, type KeyPair } from '../server/certificates.ts'
import { temporaryDirectory } from '../testdata/temporary-directory.ts'
import { openApi } from './api.ts'
import { ConnectionError } from './connection-error.ts'
import { openHttpTransport } from './http-transport.ts'

const signal = new AbortController().signal
const toClose: (() => Promise<void> | void)[] = []
afterEach(async () => {
  for (const close of toClose.splice(0).reverse()) await close()
})

/** Listens on a free port of this machine and is closed after the test. */
async function portOf(server: TcpServer): Promise<number> {
  const sockets = new Set<Socket>()
  server.on('connection', socket => {
    sockets.add(socket)
    socket.on('close', () => sockets.delete(socket))
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  toClose.push(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  return (server.address() as AddressInfo).port
}

function configOf(
  server: string,
  more: Partial<Omit<ClusterConfig, 'tls'>> & { tls?: Partial<ClusterConfig['tls']> } = {},
): ClusterConfig {
  const tls = {
    authority: undefined,
    serverName: undefined,
    isInsecure: false,
    clientCertificate: undefined,
    clientKey: undefined,
    ...more.tls,
  }
  return {
    server,
    auth: { kind: 'none' },
    impersonate: undefined,
    namespace: 'default',
    proxyUrl: undefined,
    disableCompression: false,
    source: 'test',
    warnings: [],
    ...more,
    tls,
  }
}

/** Sends a write by way of `config`: what fails is not asked again. */
async function askedBy(config: ClusterConfig, clock: Clock = systemClock): Promise<{ ask(): Promise<unknown> }> {
  const api = openApi(openHttpTransport(config, { clock, random: () => 0 }), {
    clock,
    userAgent: 'test',
    bucket: { perSecond: 0, burst: 0 },
  })
  toClose.push(() => api.close())
  return {
    ask: () =>
      api.resource(builtIn.pods).create({ apiVersion: 'v1', kind: 'Pod', metadata: { name: 'a', namespace: 'b' } }, { signal }),
  }
}

const answering =
  (say: (request: IncomingMessage) => unknown): RequestListener =>
  (request, response) => {
    response
      .writeHead(200, { 'content-type': 'application/json' })
      .end(JSON.stringify(Object.assign({ metadata: { name: 'a' } }, say(request))))
  }

describe('packed answers', () => {
  const list = JSON.stringify({ kind: 'PodList', apiVersion: 'v1', metadata: {}, items: [{ metadata: { name: 'a' } }] })

  async function served(): Promise<{ port: number; asked: (string | undefined)[] }> {
    const asked: (string | undefined)[] = []
    const server = createServer((request, response) => {
      const accepts = request.headers['accept-encoding']
      asked.push(accepts)
      if (accepts === 'gzip') response.writeHead(200, { 'content-encoding': 'gzip' }).end(gzipSync(list))
      else response.writeHead(200).end(list)
    })
    return { port: await portOf(server), asked }
  }

  // 0.0.0.0 reaches this machine but is no name of it.
  test.each([
    ['are asked of another machine', '0.0.0.0', false, ['gzip']],
    ['are not asked of this machine', '127.0.0.1', false, [undefined]],
    ['are not asked where the configuration says so', '0.0.0.0', true, [undefined]],
  ])('%s', async (_, host, disableCompression, expected) => {
    const { port, asked } = await served()
    const transport = openHttpTransport(configOf(`http://${host}:${port}`, { disableCompression }), {
      clock: systemClock,
      random: () => 0,
    })
    toClose.push(() => transport.close())
    const read = await openApi(transport, { clock: systemClock, userAgent: 'test' }).resource(builtIn.pods).list({ signal })
    expect(read.items.map(item => item.metadata.name)).toEqual(['a'])
    expect(asked).toEqual(expected)
  })
})

interface Proxy {
  readonly url: string
  readonly targets: string[]
}

/** A proxy that takes CONNECT. */
async function connectProxy(): Promise<Proxy> {
  const targets: string[] = []
  const server: Server = createServer()
  server.on('connect', (request: IncomingMessage, client: Duplex, head: Buffer) => {
    targets.push(`${request.url} ${request.headers['proxy-authorization'] ?? ''}`.trim())
    const upstream = connect(Number(request.url?.split(':')[1]), '127.0.0.1', () => {
      client.write('HTTP/1.1 200 Connection established\r\n\r\n')
      upstream.write(head)
      upstream.pipe(client).pipe(upstream)
    })
    upstream.on('error', () => client.destroy())
    client.on('error', () => upstream.destroy())
  })
  return { url: `http://jane:secret@127.0.0.1:${await portOf(server)}`, targets }
}

/** A proxy of SOCKS 5 without a password, for names and addresses of four bytes. */
async function socksProxy(): Promise<Proxy> {
  const targets: string[] = []
  const server = createTcpServer(client => {
    client.on('error', () => client.destroy())
    client.once('data', () => {
      client.write(Buffer.from([5, 0]))
      client.once('data', (asked: Buffer) => {
        const isName = asked[3] === 3
        const end = isName ? 5 + (asked[4] ?? 0) : 8
        const host = isName ? asked.subarray(5, end).toString() : [...asked.subarray(4, 8)].join('.')
        const port = asked.readUInt16BE(end)
        targets.push(`${host}:${port}`)
        const upstream = connect(port, '127.0.0.1', () => {
          client.write(Buffer.from([5, 0, 0, 1, 0, 0, 0, 0, 0, 0]))
          upstream.pipe(client).pipe(upstream)
        })
        upstream.on('error', () => client.destroy())
      })
    })
  })
  return { url: `socks5://127.0.0.1:${await portOf(server)}`, targets }
}

interface TlsPeer {
  readonly port: number
  readonly authority: KeyPair
  /** Serves a certificate of another authority from now on. */
  moveTo(authority: KeyPair): Promise<void>
}

/** An HTTPS server for the name `kube-apiserver` that answers with the name of the client's certificate. */
async function tlsServer(): Promise<TlsPeer> {
  const nowMs = systemClock.now()
  const authority = await issueAuthority({ commonName: 'first', nowMs })
  const leafOf = async (by: KeyPair) => {
    const leaf = await issueLeaf(by, { commonName: 'kube-apiserver', dnsNames: ['kube-apiserver'], usages: ['server'], nowMs })
    return { cert: leaf.certificate, key: leaf.key }
  }
  const server = createTlsServer(
    { ...(await leafOf(authority)), ca: authority.certificate, requestCert: true, rejectUnauthorized: false },
    answering(({ socket }) => ({
      user: socket instanceof TLSSocket ? (socket.getPeerCertificate().subject?.CN ?? 'nobody') : 'plain',
    })),
  )
  const port = await portOf(server)
  const moveTo = async (next: KeyPair) => {
    server.setSecureContext({ ...(await leafOf(next)), ca: [authority.certificate, next.certificate].join('\n') })
    server.closeAllConnections()
  }
  return { port, authority, moveTo }
}

const data = (text: string) => ({ kind: 'data', data: Buffer.from(text) }) as const

describe('TLS', () => {
  test('the server’s name and authority are verified, and our certificate says who we are', async () => {
    const { port, authority } = await tlsServer()
    const client = await issueLeaf(authority, { commonName: 'jane', usages: ['client'], nowMs: systemClock.now() })
    const tls = {
      authority: data(authority.certificate),
      serverName: 'kube-apiserver',
      clientCertificate: data(client.certificate),
      clientKey: data(client.key),
    }
    const { ask } = await askedBy(configOf(`https://127.0.0.1:${port}`, { tls }))
    expect(await ask()).toMatchObject({ user: 'jane' })
  })

  test('an authority nobody vouches for is refused', async () => {
    const { port } = await tlsServer()
    const { ask } = await askedBy(configOf(`https://127.0.0.1:${port}`, { tls: { serverName: 'kube-apiserver' } }))
    await expect(ask()).rejects.toThrow('self-signed certificate in certificate chain')
  })

  test('a name that the certificate has not is refused', async () => {
    const { port, authority } = await tlsServer()
    const { ask } = await askedBy(
      configOf(`https://127.0.0.1:${port}`, { tls: { authority: data(authority.certificate), serverName: 'other' } }),
    )
    await expect(ask()).rejects.toMatchObject({ name: 'ConnectionError', code: 'ERR_TLS_CERT_ALTNAME_INVALID' })
  })

  test('insecure-skip-tls-verify verifies nothing', async () => {
    const { port } = await tlsServer()
    const { ask } = await askedBy(configOf(`https://127.0.0.1:${port}`, { tls: { isInsecure: true } }))
    expect(await ask()).toMatchObject({ user: 'nobody' })
  })

  test('an authority in a file that changes is taken up without a restart', async () => {
    const { port, authority, moveTo } = await tlsServer()
    const path = join(await temporaryDirectory(), 'ca.crt')
    await writeFile(path, authority.certificate)
    const clock = new VirtualClock(systemClock.now())
    const tls = { authority: { kind: 'file', path } as const, serverName: 'kube-apiserver' }
    const { ask } = await askedBy(configOf(`https://127.0.0.1:${port}`, { tls }), clock)
    expect(await ask()).toMatchObject({ user: 'nobody' })
    const next = await issueAuthority({ commonName: 'second', nowMs: systemClock.now() })
    await moveTo(next)
    // The old socket may still be thought open: its end is not the refusal meant.
    const refusal = () =>
      ask().then(
        () => '',
        error => (error instanceof ConnectionError ? error.code : String(error)),
      )
    await expect.poll(refusal).toBe('SELF_SIGNED_CERT_IN_CHAIN')
    await writeFile(path, next.certificate)
    // No minute has passed: the refusal itself was the reason to look.
    expect(await ask()).toMatchObject({ user: 'nobody' })
  })
})

describe('proxies', () => {
  test.each<[string, () => Promise<Proxy>, (port: number) => string]>([
    ['CONNECT', connectProxy, port => `kube-apiserver:${port} Basic ${Buffer.from('jane:secret').toString('base64')}`],
    ['SOCKS 5', socksProxy, port => `kube-apiserver:${port}`],
  ])('%s leads to a server that only it can name, with TLS to its end', async (_, start, expected) => {
    const { port, authority } = await tlsServer()
    const proxy = await start()
    const config = configOf(`https://kube-apiserver:${port}`, {
      proxyUrl: proxy.url,
      tls: { authority: data(authority.certificate) },
    })
    const { ask } = await askedBy(config)
    expect(await ask()).toMatchObject({ user: 'nobody' })
    expect(proxy.targets).toEqual([expected(port)])
  })

  test('a proxy that is not there is named as the trouble', async () => {
    const { ask } = await askedBy(configOf('https://kube-apiserver:6443', { proxyUrl: 'http://127.0.0.1:1' }))
    await expect(ask()).rejects.toThrow('connect ECONNREFUSED 127.0.0.1:1')
  })
})
