import { once } from 'node:events'
import { createServer, type IncomingMessage, type RequestListener, type ServerResponse } from 'node:http'
import { createServer as createSecureServer } from 'node:https'
import { type AddressInfo, connect, isIP, type LookupFunction } from 'node:net'
import { gzipSync } from 'node:zlib'
import { describe, expect, test } from 'vitest'
import { systemClock } from '../clock.ts'
import { issueAuthority, issueLeaf } from '../server/certificates.ts'
import { AddressRefused } from './address-guard.ts'
import { OutgoingHttp, UnreadableAnswer } from './outgoing-http.ts'

/** A server on this machine; `asked` is what came, as `METHOD path`. */
async function served(answer: RequestListener) {
  const asked: { readonly line: string; readonly headers: IncomingMessage['headers'] }[] = []
  const server = createServer((request, response) => {
    asked.push({ line: `${request.method} ${request.url}`, headers: request.headers })
    answer(request, response)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo // it listens on TCP
  return {
    port,
    asked,
    server,
    lines: () => asked.map(({ line }) => line),
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}

/** Names and their addresses; whoever is not among them does not exist. */
const names =
  (known: Readonly<Record<string, readonly string[]>>): LookupFunction =>
  (host, _options, done) => {
    const addresses = known[host]?.map(address => ({ address, family: isIP(address) }))
    done(
      addresses === undefined ? Object.assign(new Error(`${host} is not known`), { code: 'ENOTFOUND' }) : null,
      addresses ?? [],
    )
  }

const to = (location: string) => (_request: unknown, response: ServerResponse) => void response.writeHead(302, { location }).end()
const refusalOf = async (asking: Promise<unknown>): Promise<string> =>
  asking.then(
    () => 'answered',
    error => (error instanceof AddressRefused ? error.message : `another error: ${String(error)}`),
  )

describe('answers', () => {
  test('come with any status; user and password are Basic authentication; a redirect is not followed unasked', async () => {
    await using site = await served(({ url }, response) =>
      url === '/moved' ? void response.writeHead(302, { location: '/' }).end('gone') : void response.writeHead(418).end('tea'),
    )
    await using http = new OutgoingHttp({ clock: systemClock })
    const tea = await http.ask({ url: `http://me:pass%20word@127.0.0.1:${site.port}/?a=b`, mostBytes: 100 })
    expect([tea.status, tea.body.toString()]).toEqual([418, 'tea'])
    expect(site.asked[0]).toMatchObject({
      line: 'GET /?a=b',
      headers: { authorization: `Basic ${Buffer.from('me:pass word').toString('base64')}` },
    })
    expect((await http.ask({ url: `http://127.0.0.1:${site.port}/moved`, mostBytes: 100 })).status).toBe(302)
    expect(site.lines()).toEqual(['GET /?a=b', 'GET /moved'])
  })

  test('that are too large fail, or are cut where their beginning will do', async () => {
    await using site = await served((_request, response) => void response.end('x'.repeat(100_000)))
    await using http = new OutgoingHttp({ clock: systemClock })
    const url = `http://127.0.0.1:${site.port}/`
    await expect(http.ask({ url, mostBytes: 99_999 })).rejects.toThrow('the answer is larger than 99999 bytes')
    expect((await http.ask({ url, mostBytes: 10, whenLonger: 'cut' })).body.toString()).toBe('xxxxxxxxxx')
    expect((await http.ask({ url, mostBytes: 100_000 })).body.length).toBe(100_000)
  })

  test.each([
    ['never begin', () => undefined],
    ['never end', (_request: IncomingMessage, response: ServerResponse) => void response.write('half')],
  ])('that %s are given up at the deadline', async (_case, answer) => {
    await using site = await served(answer)
    await using http = new OutgoingHttp({ clock: systemClock, connectMs: 100, answerMs: 200 })
    await expect(http.ask({ url: `http://127.0.0.1:${site.port}/`, mostBytes: 100 })).rejects.toThrow(
      /no answer in 0\.3 s|Timeout/,
    )
  })

  test('are given up when their reader goes, with his reason', async () => {
    const leaving = new AbortController()
    await using site = await served(() => leaving.abort(new Error('enough')))
    await using http = new OutgoingHttp({ clock: systemClock })
    const asking = http.ask({ url: `http://127.0.0.1:${site.port}/`, mostBytes: 100, signal: leaving.signal })
    await expect(asking).rejects.toThrow('enough')
  })
})

describe('compressed answers', () => {
  const plain = Buffer.from('x'.repeat(50_000))
  const packed = gzipSync(plain)
  const refused = (error: unknown) => (error instanceof UnreadableAnswer ? 'unreadable' : String(error))
  // biome-ignore format: a table
  const cases: readonly (readonly [string, string, Buffer, boolean, number, string])[] = [
    ['are asked for and unpacked',               'gzip',     packed,                                  true,  50_000, '50000 bytes'],
    ['come in several members',                  'gzip',     Buffer.concat([packed, packed]),         true,  100_000, '100000 bytes'],
    ['by their older name',                      'x-gzip',   packed,                                  true,  50_000, '50000 bytes'],
    ['that are plain after all',                 '',         plain,                                   true,  50_000, '50000 bytes'],
    ['that say that they are plain',             'identity', plain,                                   true,  50_000, '50000 bytes'],
    ['are left as they are where nobody asked',  'gzip',     packed,                                  false, 50_000, `${packed.length} bytes`],
    ['a byte too long, unpacked',                'gzip',     packed,                                  true,  49_999, 'Error: the answer is larger than 49999 bytes'],
    ['that unpack to much',                      'gzip',     gzipSync(Buffer.alloc(30_000_000)),      true,  1_000_000, 'Error: the answer is larger than 1000000 bytes'],
    ['that unpack to nothing, and are long',     'gzip',     Buffer.concat(Array<Buffer>(4_000).fill(gzipSync(''))), true, 50_000, 'Error: the answer is larger than 50000 bytes'],
    ['that break off',                           'gzip',     packed.subarray(0, -9),                  true,  50_000, 'unreadable'],
    ['that are none',                            'gzip',     plain,                                   true,  50_000, 'unreadable'],
    ['that nobody asked for',                    'br',       plain,                                   true,  50_000, 'unreadable'],
    ['that are packed twice',                    'gzip, gzip', packed,                                true,  50_000, 'unreadable'],
  ]
  test.each(cases)('%s', async (_, encoding, body, readsGzip, mostBytes, became) => {
    await using site = await served(
      (_request, response) => void response.writeHead(200, encoding === '' ? {} : { 'content-encoding': encoding }).end(body),
    )
    await using http = new OutgoingHttp({ clock: systemClock })
    const asking = http.ask({ url: `http://127.0.0.1:${site.port}/`, mostBytes, readsGzip })
    expect(await asking.then(answer => `${answer.body.length} bytes`, refused)).toBe(became)
    expect(site.asked[0]?.headers['accept-encoding']).toBe(readsGzip ? 'gzip' : undefined)
  })

  test('are cut where their beginning will do', async () => {
    await using site = await served(
      (_request, response) => void response.writeHead(200, { 'content-encoding': 'gzip' }).end(packed),
    )
    await using http = new OutgoingHttp({ clock: systemClock })
    const url = `http://127.0.0.1:${site.port}/`
    expect((await http.ask({ url, mostBytes: 10, whenLonger: 'cut', readsGzip: true })).body.toString()).toBe('xxxxxxxxxx')
  })
})

describe('redirects', () => {
  test('are followed as often as told; another server gets neither body nor password', async () => {
    await using other = await served((_request, response) => void response.end('there'))
    await using site = await served((request, response) =>
      to(request.url === '/' ? '/next' : `http://127.0.0.1:${other.port}/end`)(request, response),
    )
    await using http = new OutgoingHttp({ clock: systemClock })
    const question = { url: `http://a:b@127.0.0.1:${site.port}/`, method: 'POST', body: 'said', mostBytes: 100 } as const
    expect((await http.ask({ ...question, mostRedirects: 2 })).body.toString()).toBe('there')
    expect([...site.lines(), ...other.lines()]).toEqual(['POST /', 'GET /next', 'GET /end'])
    expect(site.asked[1]?.headers.authorization).toBeDefined()
    expect(other.asked[0]?.headers).not.toMatchObject({ authorization: expect.anything() })
    await expect(http.ask({ ...question, mostRedirects: 1 })).rejects.toThrow('more than 1 redirects')
  })

  test.each([307, 308])('of status %i take no body to another port', async status => {
    await using other = await served((_request, response) => void response.end('there'))
    await using site = await served(
      (_request, response) => void response.writeHead(status, { location: `http://127.0.0.1:${other.port}/` }).end(),
    )
    await using http = new OutgoingHttp({ clock: systemClock })
    const question = { url: `http://127.0.0.1:${site.port}/`, mostBytes: 100, mostRedirects: 3 }
    await expect(http.ask({ ...question, method: 'POST', body: 'client_secret=hunter2' })).rejects.toThrow(
      `it redirects a question with a body to another server, http://127.0.0.1:${other.port}`,
    )
    expect(other.asked).toEqual([])
    expect((await http.ask(question)).body.toString()).toBe('there')
  })

  test('lead nowhere but to HTTP', async () => {
    await using site = await served(to('file:///etc/passwd'))
    await using http = new OutgoingHttp({ clock: systemClock })
    const asking = http.ask({ url: `http://127.0.0.1:${site.port}/`, mostBytes: 100, mostRedirects: 3 })
    await expect(asking).rejects.toThrow('file:')
  })
})

describe('the guard', () => {
  const guarded = (allowed: readonly string[], known: Readonly<Record<string, readonly string[]>> = {}) =>
    new OutgoingHttp({ clock: systemClock, guard: { allowed }, lookup: names(known) })

  test.each([
    '127.0.0.1',
    '127.1',
    '2130706433',
    '0x7f.0.0.1',
    '0.0.0.0',
    '10.1.2.3',
    '172.31.0.1',
    '192.168.1.1',
    '169.254.169.254',
    '100.64.0.1',
    '[::1]',
    '[::]',
    '[::ffff:10.0.0.1]',
    '[fe80::1]',
    '[fd00::1]',
    '[64:ff9b::a00:1]',
    '[2002:a00:1::]',
  ])('refuses %s as it is written', async host => {
    await using http = guarded([])
    expect(await refusalOf(http.ask({ url: `http://${host}:1/`, mostBytes: 1 }))).toContain('no address of the internet')
  })

  test('refuses a name that leads there, though another of its addresses does not; nobody is asked', async () => {
    await using site = await served((_request, response) => void response.end())
    await using http = guarded([], { 'inside.example': ['127.0.0.1'], 'both.example': ['203.0.113.1', '127.0.0.1'] })
    for (const host of ['inside.example', 'both.example'])
      expect(await refusalOf(http.ask({ url: `http://${host}:${site.port}/`, mostBytes: 1 }))).toBe(
        `${host} is 127.0.0.1, no address of the internet`,
      )
    expect(site.asked).toEqual([])
  })

  test('lets go where it is told to: a name, an address, a range', async () => {
    await using site = await served((_request, response) => void response.end('in'))
    const known = { 'inside.example': ['127.0.0.1'] }
    for (const allowed of ['inside.example', '127.0.0.1', '127.0.0.0/8']) {
      await using http = guarded([allowed], known)
      expect((await http.ask({ url: `http://inside.example:${site.port}/`, mostBytes: 9 })).body.toString()).toBe('in')
    }
    await using http = guarded(['127.0.0.0/30'], { 'inside.example': ['127.0.0.9'] })
    expect(await refusalOf(http.ask({ url: `http://inside.example:${site.port}/`, mostBytes: 1 }))).toContain('127.0.0.9')
  })

  test.each(['127.0.0.1', 'inside.example'])('refuses a redirect to %s', async host => {
    await using inside = await served((_request, response) => void response.end('secret'))
    await using site = await served(to(`http://${host}:${inside.port}/`))
    await using http = guarded(['first.example'], { 'first.example': ['127.0.0.1'], 'inside.example': ['127.0.0.1'] })
    const asking = http.ask({ url: `http://first.example:${site.port}/`, mostBytes: 100, mostRedirects: 3 })
    expect(await refusalOf(asking)).toContain('no address of the internet')
    expect([site.lines(), inside.lines()]).toEqual([['GET /'], []])
  })
})

describe('a proxy', () => {
  /** Takes tunnels to whatever name is asked for, and leads all to `port`. */
  async function proxyTo(port: number) {
    const site = await served((_request, response) => void response.writeHead(500).end())
    const tunnels: string[] = []
    site.server.on('connect', ({ url }, socket) => {
      tunnels.push(url ?? '')
      const onward = connect(port, '127.0.0.1', () => socket.write('HTTP/1.1 200 OK\r\n\r\n'))
      socket.pipe(onward).pipe(socket)
      for (const end of [socket, onward]) end.on('error', () => [socket, onward].forEach(each => void each.destroy()))
    })
    return { ...site, tunnels }
  }

  test('is taken where the environment names it, and not where NO_PROXY does', async () => {
    await using site = await served((_request, response) => void response.end('by the proxy'))
    await using proxy = await proxyTo(site.port)
    const environment = { HTTP_PROXY: `http://127.0.0.1:${proxy.port}`, NO_PROXY: 'near.example' }
    await using http = new OutgoingHttp({ clock: systemClock, environment, lookup: names({}) })
    expect((await http.ask({ url: 'http://far.example/', mostBytes: 100 })).body.toString()).toBe('by the proxy')
    expect(proxy.tunnels).toEqual(['far.example:80'])
    await expect(http.ask({ url: 'http://near.example/', mostBytes: 100 })).rejects.toThrow()
    expect(proxy.tunnels).toHaveLength(1)
  })

  test('does not lead to an address that the guard refuses as it is written', async () => {
    await using proxy = await proxyTo(1)
    await using http = new OutgoingHttp({ clock: systemClock, proxy: `http://127.0.0.1:${proxy.port}`, guard: { allowed: [] } })
    expect(await refusalOf(http.ask({ url: 'http://169.254.169.254/', mostBytes: 1 }))).toContain('no address of the internet')
    expect(proxy.tunnels).toEqual([])
  })
})

describe('a dialler', () => {
  test('leads elsewhere, and the certificate is judged by the name that was asked for', async () => {
    const nowMs = systemClock.now()
    const authority = await issueAuthority({ commonName: 'far', nowMs })
    const leaf = await issueLeaf(authority, {
      commonName: 'far',
      dnsNames: ['far.example'],
      ipAddresses: ['10.0.0.1'],
      usages: ['server'],
      nowMs,
    })
    const secure = createSecureServer({ cert: leaf.certificate, key: leaf.key }, (_request, response) => response.end('secure'))
    secure.listen(0, '127.0.0.1')
    await once(secure, 'listening')
    const { port } = secure.address() as AddressInfo // it listens on TCP
    await using plain = await served(({ headers }, response) => void response.end(headers.host))
    const asked: string[] = []
    await using http = new OutgoingHttp({
      clock: systemClock,
      tls: { authority: authority.certificate },
      async dial(host, wanted) {
        asked.push(`${host} ${wanted}`)
        if (host === 'gone.example') throw Object.assign(new Error('nobody is there'), { code: 'EHOSTUNREACH' })
        return { host: '127.0.0.1', port: wanted === 80 ? plain.port : port }
      },
    })
    const told = async (url: string) =>
      await http.ask({ url, mostBytes: 100 }).then(
        ({ body }) => body.toString(),
        ({ code, message }: Error & { readonly code?: string }) => `${code ?? message}`,
      )
    expect(await told('https://10.0.0.1:10250/')).toBe('secure')
    expect(await told('https://far.example/')).toBe('secure')
    expect(await told('https://10.0.0.2:10250/')).toBe('ERR_TLS_CERT_ALTNAME_INVALID')
    expect(await told('https://127.0.0.1:10250/')).toBe('ERR_TLS_CERT_ALTNAME_INVALID')
    expect(await told('https://near.example:10250/')).toBe('ERR_TLS_CERT_ALTNAME_INVALID')
    expect(await told('http://far.example/')).toBe('far.example')
    expect(await told('https://gone.example/')).toBe('EHOSTUNREACH')
    expect(asked.slice(0, 2)).toEqual(['10.0.0.1 10250', 'far.example 443'])
    secure.closeAllConnections()
    secure.close()
  })
})

describe('connections that are not kept', () => {
  /** Servers of one certificate that count their connections, and those that took up a session. */
  async function secureServers(count: number, maxVersion: 'TLSv1.2' | 'TLSv1.3') {
    const nowMs = systemClock.now()
    const authority = await issueAuthority({ commonName: 'servers', nowMs })
    const leaf = await issueLeaf(authority, { commonName: 'server', ipAddresses: ['127.0.0.1'], usages: ['server'], nowMs })
    const stack = new AsyncDisposableStack()
    const open = async (port: number) => {
      const seen = { connections: 0, resumed: 0 }
      const server = createSecureServer({ cert: leaf.certificate, key: leaf.key, maxVersion }, (_request, response) =>
        response.end('here'),
      )
      server.on('secureConnection', socket => {
        seen.connections++
        if (socket.isSessionReused()) seen.resumed++
      })
      server.listen(port, '127.0.0.1')
      await once(server, 'listening')
      const close = async () => {
        server.closeAllConnections()
        server.close()
        await once(server, 'close')
      }
      stack.defer(async () => (server.listening ? await close() : undefined))
      const { port: own } = server.address() as AddressInfo // it listens on TCP
      return { port: own, seen, close, url: `https://127.0.0.1:${own}/` }
    }
    const all = await Promise.all(Array.from({ length: count }, () => open(0)))
    return { authority: authority.certificate, all, [Symbol.asyncDispose]: () => stack.disposeAsync() }
  }

  const askAll = async (http: OutgoingHttp, all: readonly { readonly url: string }[]) => {
    for (const { url } of all) expect((await http.ask({ url, mostBytes: 10 })).body.toString()).toBe('here')
  }

  test.each((['TLSv1.2', 'TLSv1.3'] as const).flatMap(version => [0, 2, 4, 9].map(mostKept => ({ version, mostKept }))))(
    'over $version with $mostKept of four kept: the others are closed each time and take up their session',
    async ({ version, mostKept }) => {
      await using site = await secureServers(4, version)
      await using http = new OutgoingHttp({
        clock: systemClock,
        tls: { authority: site.authority },
        mostKept,
        mostConnections: 1,
      })
      for (let round = 0; round < 3; round++) await askAll(http, site.all)
      expect(site.all.map(({ seen }) => seen)).toEqual(
        site.all.map((_, at) => (at < mostKept ? { connections: 1, resumed: 0 } : { connections: 3, resumed: 2 })),
      )
    },
  )

  test('a kept one that ends gives its place to the next', async () => {
    await using site = await secureServers(2, 'TLSv1.3')
    const [first, second] = site.all
    await using http = new OutgoingHttp({
      clock: systemClock,
      tls: { authority: site.authority },
      mostKept: 1,
      mostConnections: 1,
    })
    await askAll(http, site.all)
    await first?.close()
    await expect(http.ask({ url: first?.url ?? '', mostBytes: 10 })).rejects.toThrow()
    for (let round = 0; round < 2; round++) await askAll(http, site.all.slice(1))
    expect(second?.seen.connections).toBe(2)
  })

  test('a session is no way in for who stands in its place later', async () => {
    await using old = await secureServers(1, 'TLSv1.3')
    await using other = await secureServers(1, 'TLSv1.3')
    const places = [old.all[0]?.port, old.all[0]?.port, other.all[0]?.port]
    const dial = async () => ({ host: '127.0.0.1', port: places.shift() ?? 0 })
    await using http = new OutgoingHttp({ clock: systemClock, tls: { authority: old.authority }, mostKept: 0, dial })
    const ask = async () => (await http.ask({ url: 'https://127.0.0.1:10250/', mostBytes: 10 })).body.toString()
    expect([await ask(), await ask()]).toEqual(['here', 'here'])
    expect(old.all[0]?.seen).toEqual({ connections: 2, resumed: 1 })
    await expect(ask()).rejects.toThrow(/certificate/)
  })
})
