// Records what real servers answer to our scalers in `test/fixtures/scalers`: the bytes of Redis by what was asked, pages of HTTP by their paths.
import { mkdirSync, writeFileSync } from 'node:fs'
import { createServer as createHttpServer } from 'node:http'
import { connect, createServer } from 'node:net'
import { join } from 'node:path'
import { text as textOf } from 'node:stream/consumers'
import { request } from 'undici'
import { systemClock } from '#kube/clock.ts'
import { closed, listening } from '#kube/server/listening.ts'
import { natsCases, prometheusCases, redisCases, type ScalerCase } from '../../scaler-cases.ts'
import { askedKey, type RecordedServer } from '../../scaler-fixture.ts'
import { differenceOf } from '../../scaler-reading.ts'
import { startPrometheus } from '../descheduler/prometheus-server.ts'
import { exposedSeries, exposition } from './checks.ts'
import { httpServers } from './http-servers.ts'
import { startNats, startRedis } from './servers.ts'

/** Larger pages stay out of the repository, and what reads them is tried on real servers only. */
const largestBody = 16 * 1024
const { signal } = new AbortController()
/** What a server says of the machine that it ran on is no part of a recording; the length stays, since Redis counts its bytes. */
const withoutMachine = (answer: string): string =>
  answer.replace(
    /^(executable|config_file|os):(.+?)(?=\r?$)/gm,
    (_, name: string, said: string) => `${name}:${'-'.repeat(said.length)}`,
  )

const directory = join(import.meta.dirname, '..', '..', 'fixtures', 'scalers')

async function recorded(
  name: string,
  { version, wire }: Pick<RecordedServer, 'version' | 'wire'>,
  cases: readonly ScalerCase[],
  proxied: (answers: Map<string, unknown>) => Promise<{ readonly address: string } & AsyncDisposable>,
): Promise<void> {
  const answers = new Map<string, unknown>()
  await using proxy = await proxied(answers)
  for (const one of cases) {
    const difference = await differenceOf(one, proxy.address, signal)
    if (difference !== undefined) throw new Error(difference)
  }
  mkdirSync(directory, { recursive: true })
  const command = 'node test/real/scalers/record.ts'
  const text = JSON.stringify({ version, command, wire, answers: Object.fromEntries(answers) }, null, 1)
  writeFileSync(join(directory, `${name}.json`), `${text}\n`)
}

/** One question, one answer: that is how we speak to Redis. What came before on the connection counts: a login does. */
const bytesTo = (target: number) => async (answers: Map<string, unknown>) => {
  const server = createServer(client => {
    const upstream = connect(target, '127.0.0.1')
    let asked = ''
    client.on('data', (data: Buffer) => {
      asked += data.toString()
      upstream.write(data)
    })
    upstream.on('data', (data: Buffer) => {
      answers.set(asked, withoutMachine(data.toString()))
      client.write(data)
    })
    client.on('close', () => upstream.destroy())
    for (const socket of [client, upstream]) socket.on('error', () => socket.destroy())
  })
  const port = await listening(server, { port: 0, host: '127.0.0.1' })
  return { address: `127.0.0.1:${port}`, [Symbol.asyncDispose]: async () => void server.close() }
}

/** What a server may want of a question, but for its host. */
const passedHeaders = ['authorization', 'content-type', 'accept', 'x-amz-date', 'x-amz-target', 'x-amz-security-token']

const pagesOf = (target: string) => async (answers: Map<string, unknown>) => {
  const server = createHttpServer((incoming, outgoing) => {
    const { method = 'GET', url: path = '', headers } = incoming
    const { authorization } = headers
    const passed = Object.fromEntries(passedHeaders.flatMap(name => (headers[name] === undefined ? [] : [[name, headers[name]]])))
    textOf(incoming)
      .then(async asked => {
        const given = { method, headers: passed, ...(asked === '' ? {} : { body: asked }) }
        const { statusCode, body } = await request(`http://${target}${path}`, given)
        const text = await body.text()
        const key = askedKey({ method, path, body: asked, authorization })
        if (text.length <= largestBody) answers.set(key, { status: statusCode, body: text })
        outgoing.writeHead(statusCode).end(text)
      })
      .catch((error: unknown) => outgoing.destroy(error instanceof Error ? error : undefined))
  })
  const port = await listening(server, { port: 0, host: '127.0.0.1' })
  return {
    address: `127.0.0.1:${port}`,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      await closed(server)
    },
  }
}

const wanted = process.argv.slice(2)
const isWanted = (name: string) => wanted.length === 0 || wanted.includes(name)

if (isWanted('redis')) {
  await using redis = await startRedis()
  await recorded('redis', { version: redis.version, wire: 'bytes' }, redisCases, bytesTo(redis.port))
}
if (isWanted('nats')) {
  await using nats = await startNats()
  await recorded('nats', { version: nats.version, wire: 'http' }, natsCases, pagesOf(nats.address))
}
if (isWanted('prometheus')) {
  await using prometheus = await startPrometheus(exposition, exposedSeries)
  await systemClock.after(2_000)
  const { body } = await request(`${prometheus.url}/api/v1/status/buildinfo`)
  const version = /"version":"([^"]*)"/.exec(await body.text())?.[1] ?? 'unknown'
  await recorded('prometheus', { version, wire: 'http' }, prometheusCases, pagesOf(new URL(prometheus.url).host))
}
for (const [name, { start, cases }] of Object.entries(httpServers))
  if (isWanted(name)) {
    await using server = await start()
    await recorded(name, { version: server.version, wire: 'http' }, cases, pagesOf(server.address))
  }
