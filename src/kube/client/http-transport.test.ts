// The undici transport against servers of this process: sockets, time-outs, tokens, errors.

import { writeFile } from 'node:fs/promises'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { join } from 'node:path'
import { afterEach, describe, expect, test } from 'vitest'
import { type Clock, systemClock, VirtualClock } from '../clock.ts'
import type { AuthConfig, ClusterConfig } from '../credentials/cluster-config.ts'
import { type Log, silentLog } from '../log.ts'
import { builtIn } from '../objects/resource.ts'
import { isUnauthorized } from '../objects/status.ts'
import { temporaryDirectory } from '../testdata/temporary-directory.ts'
import { openApi } from './api.ts'
import { ConnectionError, NotSentError, RequestTimeoutError } from './connection-error.ts'
import { openHttpTransport } from './http-transport.ts'
import type { Transport } from './transport.ts'

const toClose: (() => Promise<void> | void)[] = []
afterEach(async () => {
  for (const close of toClose.splice(0).reverse()) await close()
})

interface Served {
  readonly url: string
  readonly sockets: Set<unknown>
}

async function serve(answer: (request: IncomingMessage, response: ServerResponse) => void): Promise<Served> {
  const sockets = new Set<unknown>()
  const server: Server = createServer(answer)
  server.on('connection', socket => {
    sockets.add(socket)
    socket.on('close', () => sockets.delete(socket))
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  toClose.push(() => {
    server.closeAllConnections()
    server.close()
  })
  const address = server.address()
  return { url: `http://127.0.0.1:${typeof address === 'object' ? address?.port : ''}`, sockets }
}

function configOf(server: string, auth: AuthConfig = { kind: 'none' }): ClusterConfig {
  const tls = {
    authority: undefined,
    serverName: undefined,
    isInsecure: false,
    clientCertificate: undefined,
    clientKey: undefined,
  }
  return {
    server,
    tls,
    auth,
    impersonate: undefined,
    namespace: 'default',
    proxyUrl: undefined,
    disableCompression: false,
    source: 'test',
    warnings: [],
  }
}

function transportTo(config: ClusterConfig, clock: Clock = systemClock, log: Log = silentLog): Transport {
  const transport = openHttpTransport(config, { clock, random: () => 0, log })
  toClose.push(() => transport.close())
  return transport
}

function json(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body))
}

const signal = new AbortController().signal

test('a hundred requests share sockets', async () => {
  const { url, sockets } = await serve((_, response) => json(response, 200, { kind: 'Pod', metadata: { name: 'a' } }))
  const seen = new Set<unknown>()
  const transport = transportTo(configOf(url))
  for (let round = 0; round < 10; round++) {
    await Promise.all(Array.from({ length: 10 }, () => transport.request({ verb: 'GET', path: '/api/v1/pods/a', signal })))
    for (const socket of sockets) seen.add(socket)
  }
  expect(seen.size).toBeLessThanOrEqual(8)
})

test('a watch has a socket of its own, and leaving it closes that', async () => {
  const { url, sockets } = await serve((request, response) => {
    response.writeHead(200, { 'content-type': 'application/json' })
    response.write(
      `${JSON.stringify({ type: 'ADDED', object: { kind: 'Pod', metadata: { name: 'a', resourceVersion: '1' } } })}\n`,
    )
    request.on('close', () => response.end())
  })
  const pods = openApi(transportTo(configOf(url)), { clock: systemClock, userAgent: 'test' }).resource(builtIn.pods)
  for (let round = 0; round < 50; round++) {
    for await (const event of pods.watch({ signal })) {
      expect(event.type).toBe('ADDED')
      break
    }
  }
  await expect.poll(() => sockets.size).toBe(0)
})

test('a watch that is cut says so', async () => {
  const { url } = await serve((_, response) => {
    response.writeHead(200, { 'content-type': 'application/json' })
    response.write('{"type"', () => response.destroy())
  })
  const pods = openApi(transportTo(configOf(url)), { clock: systemClock, userAgent: 'test' }).resource(builtIn.pods)
  const readAll = async () => {
    for await (const _ of pods.watch({ signal }));
  }
  await expect(readAll()).rejects.toThrow(ConnectionError)
})

describe('what goes wrong is named', () => {
  test('nobody listens', async () => {
    const transport = transportTo(configOf('http://127.0.0.1:1'))
    const asked = transport.request({ verb: 'POST', path: '/api/v1/pods', body: '{}', signal })
    await expect(asked).rejects.toThrow('POST http://127.0.0.1:1/api/v1/pods: connect ECONNREFUSED 127.0.0.1:1')
    await expect(asked).rejects.toMatchObject({ name: 'ConnectionError', code: 'ECONNREFUSED' })
  })

  test('no answer in time', async () => {
    const { url } = await serve(() => undefined)
    const asked = transportTo(configOf(url)).request({ verb: 'GET', path: '/version', timeoutMs: 50, signal })
    await expect(asked).rejects.toThrow(RequestTimeoutError)
  })

  test('the caller gave up', async () => {
    const { url } = await serve(() => undefined)
    const stop = new AbortController()
    const asked = transportTo(configOf(url)).request({ verb: 'GET', path: '/version', signal: stop.signal })
    stop.abort(new Error('enough'))
    await expect(asked).rejects.toThrow('enough')
  })
})

describe('7.24 a token in a file', () => {
  async function tokens(): Promise<{
    path: string
    url: string
    seen: (string | undefined)[]
    clock: VirtualClock
    ask(): Promise<void>
    refuse: Set<string>
    warned: readonly string[]
  }> {
    const path = join(await temporaryDirectory(), 'token')
    await writeFile(path, 'first\n')
    const seen: (string | undefined)[] = []
    const refuse = new Set<string>()
    const { url } = await serve((request, response) => {
      const token = request.headers.authorization
      seen.push(token)
      if (refuse.has(token ?? '')) json(response, 401, { kind: 'Status', status: 'Failure', code: 401, reason: 'Unauthorized' })
      else json(response, 200, {})
    })
    const clock = new VirtualClock(0)
    const warned: string[] = []
    const log = { ...silentLog, warn: (_: object, message: string) => void warned.push(message) }
    const transport = transportTo(configOf(url, { kind: 'tokenFile', path, fallback: undefined }), clock, log)
    const api = openApi(transport, { clock, userAgent: 'test' })
    const ask = async () => {
      await api.getPath('/version', { signal })
    }
    return { path, url, seen, clock, ask, refuse, warned }
  }

  test('is read again after 50 s', async () => {
    const { path, seen, clock, ask } = await tokens()
    await ask()
    await clock.advance(30_000)
    await writeFile(path, 'second')
    await clock.advance(19_000)
    await ask()
    await clock.advance(1000)
    await ask()
    expect(seen).toEqual(['Bearer first', 'Bearer first', 'Bearer second'])
  })

  test('asks the guard of a write again before the second try after a refusal: nothing more is sent where that is too late', async () => {
    const { path, seen, url, refuse } = await tokens()
    const clock = new VirtualClock(0)
    const transport = transportTo(configOf(url, { kind: 'tokenFile', path, fallback: undefined }), clock)
    const write = (guard: () => void) => transport.request({ verb: 'POST', path: '/things', body: '{}', guard, signal })
    await write(() => undefined)
    await writeFile(path, 'second')
    refuse.add('Bearer first')
    let asked = 0
    const late = write(() => {
      if (++asked > 1) throw new NotSentError('too late')
    })
    await expect(late).rejects.toThrow(NotSentError)
    expect([asked, seen]).toEqual([2, ['Bearer first', 'Bearer first']])
    await expect(write(() => undefined)).resolves.toMatchObject({ status: 200 })
    expect(seen.at(-1)).toBe('Bearer second')
  })

  test('is read again at once when the server refuses it', async () => {
    const { path, seen, ask, refuse } = await tokens()
    await ask()
    await writeFile(path, 'second')
    refuse.add('Bearer first')
    await ask()
    expect(seen).toEqual(['Bearer first', 'Bearer first', 'Bearer second'])
    refuse.add('Bearer second')
    const asked = ask()
    await expect(asked).rejects.toSatisfy(isUnauthorized)
  })

  test('stays when the file is emptied', async () => {
    const { path, seen, clock, ask, warned } = await tokens()
    await ask()
    await writeFile(path, '')
    await clock.advance(50_000)
    await ask()
    await ask()
    expect(seen).toEqual(['Bearer first', 'Bearer first', 'Bearer first'])
    expect(warned).toEqual(['token file not read, the previous token is used'])
  })
})
