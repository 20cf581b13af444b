// What those get that wait: people a page, clients of language models a stream that begins at once, questions for lists the last answer.
import { once } from 'node:events'
import { createServer, type IncomingMessage, type RequestListener, request } from 'node:http'
import type { AddressInfo } from 'node:net'
import { describe, expect, it } from 'vitest'
import { loopbackGateway, routeTo, serviceObjects } from '#test/loopback-gateway.ts'
import type { Route } from '../routing/route.ts'

async function target(listener: RequestListener): Promise<{ readonly port: number } & Disposable> {
  const server = createServer(listener)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const dispose = () => {
    server.closeAllConnections()
    server.close()
  }
  return { port: (server.address() as AddressInfo).port, [Symbol.dispose]: dispose }
}

interface Asked {
  readonly port: number
  readonly host?: string
  readonly path: string
  readonly method?: string
  readonly headers?: Record<string, string>
  readonly body?: string
}

/** The head of an answer, with its text as far as it came. */
async function begun({ port, host = 'app.test', path, method = 'GET', headers = {}, body }: Asked) {
  const asked = request({ port, host: '127.0.0.1', path, method, headers: { host, ...headers }, agent: false })
  asked.end(body)
  const [response] = (await once(asked, 'response')) as [IncomingMessage]
  const read = { text: '', isOver: false }
  response.on('data', chunk => {
    read.text += chunk
  })
  response.on('close', () => {
    read.isOver = true
  })
  return { status: response.statusCode, headers: response.headers, read }
}

async function until(holds: () => boolean): Promise<void> {
  for (let turn = 0; turn < 20_000; turn++) {
    if (holds()) return
    await new Promise<void>(resolve => setImmediate(resolve))
  }
  throw new Error('it never came to hold')
}

async function whole(asked: Asked) {
  const answer = await begun(asked)
  await until(() => answer.read.isOver)
  return { status: answer.status, headers: answer.headers, text: answer.read.text }
}

function llmRoute(service: string, hints: Partial<Route['hints']> = {}): Route {
  const route = routeTo(service)
  return { ...route, hints: { ...route.hints, llm: true, heartbeatMs: 15_000, ...hints } }
}

const json = { 'content-type': 'application/json' }
const chat = { path: '/v1/chat/completions', method: 'POST', headers: json, body: '{"model":"m","stream":true,"messages":[]}' }

describe('a stream of a language model', () => {
  it('P7: begins at once, says every 15 s that it waits, and goes on with what the target sends', async () => {
    let got: { readonly body: string; readonly encoding: string | string[] | undefined } | undefined
    using app = await target(async (req, res) => {
      let body = ''
      for await (const chunk of req) body += chunk
      got = { body, encoding: req.headers['accept-encoding'] }
      res.writeHead(200, { 'content-type': 'text/event-stream' })
      res.write('data: {"a":1}\n\n')
      res.end('data: [DONE]\n\n')
    })
    await using gateway = await loopbackGateway({ routes: [llmRoute('app')] })
    gateway.set(serviceObjects('app', []))
    const { status, headers, read } = await begun({ port: gateway.port, ...chat })
    expect(status).toBe(200)
    expect(headers).toMatchObject({ 'content-type': 'text/event-stream; charset=utf-8', 'x-keda-http-cold-start': 'true' })
    await gateway.clock.advance(150_000)
    await until(() => read.text.split('\n\n').length > 11)
    expect(read.text.match(/^: warming stage=\w+/gm)?.length).toBe(11)
    const before = read.text
    gateway.set(serviceObjects('app', [app]))
    await until(() => read.isOver)
    expect(read.text.slice(before.length)).toBe('data: {"a":1}\n\ndata: [DONE]\n\n')
    expect(got).toEqual({ body: chat.body, encoding: 'identity' })
    expect(gateway.counts.of('default/app').concurrency).toBe(0)
    expect(await gateway.registry.metrics()).toContain(
      'ballast_gateway_cold_start_seconds_count{route="default/app",stage="total"} 1',
    )
  })

  it('says within itself that nobody came, or that the target failed', async () => {
    using app = await target((_req, res) => res.writeHead(429, json).end('{"error":{"message":"too much"}}'))
    const route = { ...llmRoute('app'), timeouts: { readinessMs: 60_000 } }
    await using gateway = await loopbackGateway({ routes: [route] })
    gateway.set(serviceObjects('app', []))
    const late = await begun({ port: gateway.port, ...chat })
    await gateway.clock.advance(60_000)
    await until(() => late.read.isOver)
    expect(late.read.text).toMatch(/data: \{"error":\{.*504.*\}\}\n\ndata: \[DONE\]\n\n$/s)
    const failed = await begun({ port: gateway.port, ...chat })
    gateway.set(serviceObjects('app', [app]))
    await until(() => failed.read.isOver)
    expect(failed.read.text).toMatch(/too much/)
  })

  it('is held silently where the client expects no stream, and gets the status', async () => {
    using app = await target((req, res) => req.resume().on('end', () => res.writeHead(418, json).end('{}')))
    await using gateway = await loopbackGateway({ routes: [llmRoute('app')] })
    gateway.set(serviceObjects('app', []))
    const asked = whole({ port: gateway.port, ...chat, body: '{"model":"m"}' })
    await until(() => gateway.exchanges.room.all === 1)
    await gateway.clock.advance(60_000)
    gateway.set(serviceObjects('app', [app]))
    expect(await asked).toMatchObject({ status: 418, text: '{}' })
  })

  it('goes to the route of its model', async () => {
    using small = await target((req, res) => req.resume().on('end', () => res.end('small')))
    const tiers = [
      { model: 'big', route: 'app' },
      { model: '*', route: 'small' },
    ]
    await using gateway = await loopbackGateway({
      routes: [llmRoute('app', { modelTiers: tiers }), { ...routeTo('small'), rules: [] }],
      objects: serviceObjects('small', [small]),
    })
    expect(await whole({ port: gateway.port, ...chat, body: '{"model":"m"}' })).toMatchObject({ status: 200, text: 'small' })
    expect(gateway.counts.of('default/app')).toMatchObject({ concurrency: 0 })
    expect(gateway.counts.of('default/small')).toMatchObject({ concurrency: 0, total: 1 })
  })

  it('loads its model in a new pod before requests get there', async () => {
    const asked: string[] = []
    using app = await target(async (req, res) => {
      let body = ''
      for await (const chunk of req) body += chunk
      asked.push(`${req.url} ${body}`)
      res.writeHead(200, json).end('{}')
    })
    await using gateway = await loopbackGateway({ routes: [llmRoute('app', { warmModel: 'm:7b' })] })
    gateway.set(serviceObjects('app', []))
    const held = whole({ port: gateway.port, path: '/x' })
    await until(() => gateway.exchanges.room.all === 1)
    gateway.set(serviceObjects('app', [app]))
    expect(await held).toMatchObject({ status: 200 })
    expect(asked).toEqual(['/api/generate {"model":"m:7b","keep_alive":-1}', '/x '])
  })
})

describe('lists of models', () => {
  it('are answered from memory while their server sleeps, and wake nobody', async () => {
    using app = await target((_req, res) => res.writeHead(200, json).end('{"models":["m"]}'))
    await using gateway = await loopbackGateway({ routes: [llmRoute('app')], objects: serviceObjects('app', [app]) })
    const ask = () => whole({ port: gateway.port, path: '/api/tags' })
    expect((await ask()).headers).not.toHaveProperty('x-ballast-cached')
    gateway.set(serviceObjects('app', []))
    const { total } = gateway.counts.of('default/app')
    expect(await ask()).toMatchObject({ status: 200, text: '{"models":["m"]}', headers: { 'x-ballast-cached': 'true' } })
    expect(gateway.counts.of('default/app')).toMatchObject({ concurrency: 0, total })
  })
})

describe('people', () => {
  const page = { accept: 'text/html', 'sec-fetch-mode': 'navigate' }
  const route = routeTo('app')
  const shown = { ...route, hints: { ...route.hints, waiting: 'page' as const } }

  it('see a page, which goes on by itself; machines wait', async () => {
    using app = await target((_req, res) => res.end('here'))
    await using gateway = await loopbackGateway({ routes: [shown] })
    gateway.set(serviceObjects('app', []))
    const first = await whole({ port: gateway.port, path: '/a?b', headers: page })
    expect(first).toMatchObject({
      status: 503,
      headers: { 'content-type': 'text/html; charset=utf-8', 'cache-control': 'no-store' },
    })
    expect(Number(first.headers['retry-after'])).toBeGreaterThan(0)
    expect(first.text).toContain('app')
    expect(gateway.counts.of('default/app').concurrency).toBe(1)
    const stream = await begun({ port: gateway.port, path: '/.ballast/progress?for=%2Fa%3Fb' })
    expect(stream.headers['content-type']).toMatch(/^text\/event-stream/)
    const held = whole({ port: gateway.port, path: '/api' })
    await until(() => gateway.exchanges.room.all === 1)
    // Who looks at the page keeps the target wanted.
    await gateway.clock.advance(120_000)
    expect(gateway.counts.of('default/app').concurrency).toBe(2)
    gateway.set(serviceObjects('app', [app]))
    expect(await held).toMatchObject({ status: 200, text: 'here' })
    await until(() => stream.read.isOver)
    expect(stream.read.text).toMatch(/event: ready/)
    expect(gateway.counts.of('default/app').concurrency).toBe(0)
    expect(await whole({ port: gateway.port, path: '/a?b', headers: page })).toMatchObject({ status: 200, text: 'here' })
  })

  it('wait as machines do where the route says so', async () => {
    await using gateway = await loopbackGateway({ routes: [route] })
    gateway.set(serviceObjects('app', []))
    const asked = whole({ port: gateway.port, path: '/', headers: page })
    await until(() => gateway.exchanges.room.all === 1)
    gateway.exchanges.endWaiting()
    expect(await asked).toMatchObject({ status: 503, text: 'Service Unavailable\n' })
  })
})
