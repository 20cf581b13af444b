// Targets that speak TLS (`appProtocol: https`), over real sockets: who is believed, who is not, and what the client hears of it.
import { once } from 'node:events'
import { request } from 'node:http'
import { createServer, type ServerOptions } from 'node:https'
import { type AddressInfo, createServer as createNetServer, type Server } from 'node:net'
import type { TLSSocket } from 'node:tls'
import { describe, expect, it } from 'vitest'
import type { Log } from '#kube/log.ts'
import { silentLog } from '#kube/log.ts'
import { issueAuthority, issueLeaf } from '#kube/server/certificates.ts'
import { loopbackGateway, routeTo, serviceObjects } from '#test/loopback-gateway.ts'

const hourMs = 3_600_000
const nowMs = Date.now()
const authority = await issueAuthority({ commonName: 'cluster-ca', nowMs: nowMs - 48 * hourMs, lifeMs: 96 * hourMs })
const stranger = await issueAuthority({ commonName: 'stranger', nowMs, lifeMs: hourMs })
const leaf = (name: string, by = authority, fromMs = nowMs) =>
  issueLeaf(by, { commonName: name, dnsNames: [name], usages: ['server'], nowMs: fromMs, lifeMs: hourMs })

interface Site extends AsyncDisposable {
  ask(path: string, more?: { readonly method?: string; readonly body?: string }): Promise<{ status: number; text: string }>
  readonly why: readonly string[]
  readonly connections: () => number
}

async function site(pair: Awaited<ReturnType<typeof leaf>>, more: ServerOptions = {}): Promise<Site> {
  const server = createServer({ cert: pair.certificate, key: pair.key, ...more }, (req, res) => {
    const socket = req.socket as TLSSocket
    let got = ''
    req.setEncoding('utf8').on('data', text => {
      got += text
    })
    req.on('end', () => res.end(`${req.method} ${req.url} ${socket.servername} ${req.headers.host} ${got}`))
  })
  let connections = 0
  server.on('secureConnection', () => void connections++)
  return { ...(await behind(server)), connections: () => connections }
}

async function behind(server: Server) {
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const why: string[] = []
  const info: Log['info'] = facts => void why.push(String(facts['why']))
  const gateway = await loopbackGateway({
    routes: [routeTo('app')],
    objects: serviceObjects('app', [{ port: (server.address() as AddressInfo).port }], { appProtocol: 'https' }),
    tlsToTargets: { ca: authority.certificate },
    log: { ...silentLog, info },
  })
  return {
    why,
    async ask(path: string, { method = 'GET', body }: { readonly method?: string; readonly body?: string } = {}) {
      const asked = request({ host: '127.0.0.1', port: gateway.port, path, method, headers: { Host: 'app.test' } })
      asked.end(body)
      const [response] = await once(asked, 'response')
      let text = ''
      for await (const chunk of response.setEncoding('utf8')) text += chunk
      return { status: response.statusCode, text }
    },
    connections: () => 0,
    async [Symbol.asyncDispose]() {
      await gateway[Symbol.asyncDispose]()
      server.close()
    },
  }
}

describe('a target with TLS', () => {
  it('is asked by the name of its Service, with the Host of the client, over one connection after another request', async () => {
    await using app = await site(await leaf('app.default'))
    expect(await app.ask('/a')).toEqual({ status: 200, text: 'GET /a app.default app.test ' })
    expect(await app.ask('/b', { method: 'POST', body: 'x'.repeat(100_000) })).toEqual({
      status: 200,
      text: `POST /b app.default app.test ${'x'.repeat(100_000)}`,
    })
    expect(app.connections()).toBe(1)
  })

  it('may speak TLS 1.2 alone', async () => {
    await using app = await site(await leaf('app.default'), { maxVersion: 'TLSv1.2' })
    expect(await app.ask('/')).toMatchObject({ status: 200 })
  })

  it.each<[string, () => ReturnType<typeof leaf>, RegExp]>([
    ['for another name', () => leaf('other.default'), /does not match certificate's altnames/],
    ['that has ended', () => leaf('app.default', authority, nowMs - 24 * hourMs), /certificate has expired/],
    ['of an authority that nobody told us of', () => leaf('app.default', stranger), /unable to (verify|get)/],
  ])('is not believed with a certificate %s: 502, and the log says why', async (_name, pair, why) => {
    await using app = await site(await pair())
    expect(await app.ask('/')).toMatchObject({ status: 502 })
    expect(app.why.join()).toMatch(why)
  })

  it('that speaks no TLS is a 502', async () => {
    const server = createNetServer(socket => {
      socket.on('error', () => undefined)
      socket.end('HTTP/1.1 400 Bad Request\r\n\r\n')
    })
    await using app = await behind(server)
    expect(await app.ask('/')).toMatchObject({ status: 502 })
    expect(app.why).toHaveLength(1)
  })
})
