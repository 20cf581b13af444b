// A client whose connection ends is counted no more, whatever it spoke and however it went, while it waits and while it is answered.
import { once } from 'node:events'
import { createServer as createHttp1Server } from 'node:http'
import { connect as connectHttp2, createServer as createHttp2Server } from 'node:http2'
import { type AddressInfo, connect, type Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { issueAuthority, issueLeaf } from '#kube/server/certificates.ts'
import { loopbackGateway, routeTo, serviceObjects } from '#test/loopback-gateway.ts'

const proxyHeader = 'PROXY TCP4 192.0.2.7 10.9.9.9 8080 80\r\n'
const made = { certificate: '', key: '' }

beforeAll(async () => {
  const nowMs = Date.now()
  const authority = await issueAuthority({ commonName: 'test-ca', nowMs, lifeMs: 3_600_000 })
  const usages = ['server'] as const
  Object.assign(
    made,
    await issueLeaf(authority, { commonName: 'app.test', dnsNames: ['app.test'], usages, nowMs, lifeMs: 3_600_000 }),
  )
})

async function until(holds: () => boolean): Promise<void> {
  for (let turn = 0; turn < 200_000; turn++) {
    if (holds()) return
    await new Promise<void>(resolve => setImmediate(resolve))
  }
  throw new Error('it never came to hold')
}

/** Targets that begin an answer and never end it. */
const open = { answers: 0 }
const endless = {
  http1: createHttp1Server((_request, response) => {
    open.answers++
    response.on('close', () => void open.answers--).write('first')
  }),
  h2c: createHttp2Server().on('stream', stream => {
    open.answers++
    stream.on('error', () => undefined).on('close', () => void open.answers--)
    stream.respond({ ':status': 200 })
    stream.write('first')
  }),
}
for (const server of Object.values(endless)) {
  beforeAll(async () => void (await once(server.listen(0, '127.0.0.1'), 'listening')))
  afterAll(() => void server.close())
}
const portOf = (server: (typeof endless)[keyof typeof endless]) => (server.address() as AddressInfo).port

const ways = {
  'it is closed': (socket: Socket) => void socket.destroy(),
  'it is reset': (socket: Socket) => void socket.resetAndDestroy(),
}

describe.each(['HTTP/1.1', 'HTTP/2'] as const)('%s', protocol => {
  describe.each(['plain', 'PROXY', 'TLS'] as const)('%s', door => {
    for (const target of ['http1', 'h2c'] as const)
      it.each(Object.entries(ways))(`to ${target}: %s`, async (_way, end) => {
        const more = target === 'h2c' ? { appProtocol: 'kubernetes.io/h2c' } : {}
        const objects = (isReady: boolean) => serviceObjects('app', [{ port: portOf(endless[target]) }], { ...more, isReady })
        await using gateway = await loopbackGateway({
          routes: [routeTo('app')],
          objects: objects(false),
          proxyProtocol: door === 'PROXY',
          ...(door === 'TLS' ? { tls: { cert: made.certificate, key: made.key } } : {}),
        })
        const count = () => gateway.counts.of('default/app').concurrency
        for (const stage of ['waits', 'is answered'] as const) {
          const raw = connect({ port: gateway.port, host: '127.0.0.1', noDelay: true })
          raw.on('error', () => undefined)
          if (door === 'PROXY') raw.write(proxyHeader)
          const ALPNProtocols = [protocol === 'HTTP/2' ? 'h2' : 'http/1.1']
          const socket = door === 'TLS' ? connectTls({ socket: raw, ALPNProtocols, rejectUnauthorized: false }) : raw
          socket.on('error', () => undefined)
          let got = ''
          if (protocol === 'HTTP/1.1') {
            socket.write('GET / HTTP/1.1\r\nHost: app.test\r\n\r\n')
            socket.on('data', chunk => {
              got += chunk
            })
          } else {
            const session = connectHttp2('http://app.test', { createConnection: () => socket })
            session.on('error', () => undefined)
            const stream = session.request({ ':method': 'POST', ':authority': 'app.test' }, { endStream: false })
            stream
              .on('error', () => undefined)
              .on('data', chunk => {
                got += chunk
              })
          }
          await until(() => count() === 1)
          if (stage === 'is answered') {
            gateway.set(objects(true))
            await until(() => got.includes('first'))
            expect(open.answers).toBe(1)
          }
          end(raw)
          await until(() => count() === 0)
          await until(() => open.answers === 0)
        }
      })
  })
})
