// Answers that may hold secrets: chunks are the reader's own, and how an exchange ends is told as other ways tell it.
import { createServer, type RequestListener, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, expect, test } from 'vitest'
import { systemClock } from '../clock.ts'
import type { KubeObject } from '../objects/objects.ts'
import { builtIn } from '../objects/resource.ts'
import { isForbidden } from '../objects/status.ts'
import { openApi } from './api.ts'
import { ConnectionError } from './connection-error.ts'
import { openHttpTransport } from './http-transport.ts'

const signal = new AbortController().signal
const toClose: (() => Promise<void> | void)[] = []
afterEach(async () => {
  for (const close of toClose.splice(0).reverse()) await close()
})

async function allOf<T>(items: AsyncIterable<T>): Promise<readonly T[]> {
  const all: T[] = []
  for await (const item of items) all.push(item)
  return all
}

async function secretsOf(answer: RequestListener) {
  const server = createServer(answer)
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  const tls = {
    authority: undefined,
    serverName: undefined,
    isInsecure: false,
    clientCertificate: undefined,
    clientKey: undefined,
  }
  const transport = openHttpTransport(
    {
      server: `http://127.0.0.1:${port}`,
      tls,
      auth: { kind: 'none' },
      impersonate: undefined,
      namespace: 'default',
      proxyUrl: undefined,
      disableCompression: false,
      source: 'test',
      warnings: [],
    },
    { clock: systemClock, random: () => 0.5 },
  )
  toClose.push(
    () => void server.close(),
    () => server.closeAllConnections(),
    () => transport.close(),
  )
  return openApi(transport, { clock: systemClock, userAgent: 'test' }).resource<KubeObject>(builtIn.secrets)
}

test('an object comes as bytes that its reader may overwrite', async () => {
  const text = JSON.stringify({ data: { a: 'x'.repeat(300_000) } })
  const secrets = await secretsOf((_, response) => response.end(text))
  const chunks: string[] = []
  for await (const chunk of await secrets.bytes('s', { namespace: 'default', signal })) {
    chunks.push(Buffer.from(chunk).toString())
    chunk.fill(0)
  }
  expect(chunks.join('')).toBe(text)
  expect(chunks.length).toBeGreaterThan(1)
})

test('a refusal is a StatusError, a connection that breaks off a ConnectionError', async () => {
  const forbidden = { kind: 'Status', apiVersion: 'v1', status: 'Failure', reason: 'Forbidden', code: 403, message: 'no' }
  const toBreak = Promise.withResolvers<ServerResponse>()
  const secrets = await secretsOf((request, response) => {
    if (request.url?.endsWith('/denied') === true) return response.writeHead(403).end(JSON.stringify(forbidden))
    response.writeHead(200, { 'content-length': '100' })
    response.write('{"data":')
    toBreak.resolve(response)
    return response
  })
  await expect(secrets.bytes('denied', { namespace: 'default', signal })).rejects.toSatisfy(isForbidden)
  const chunks = await secrets.bytes('broken', { namespace: 'default', signal })
  // Only when its head has come: before that it would be the request that breaks off.
  ;(await toBreak.promise).destroy()
  await expect(allOf(chunks)).rejects.toBeInstanceOf(ConnectionError)
})

test('a list and a watch of which a few annotations are read overwrite what they read', async () => {
  const asked: (string | undefined)[] = []
  const metadata = { name: 's', namespace: 'default', resourceVersion: '5', annotations: { kept: 'yes', dropped: 'hunter2' } }
  const secrets = await secretsOf((request, response) => {
    asked.push(request.headers.accept)
    if (request.url?.includes('watch=true') === true)
      response.write(`${JSON.stringify({ type: 'ADDED', object: { kind: 'Secret', metadata } })}\n`)
    else
      response.write(
        JSON.stringify({ kind: 'PartialObjectMetadataList', apiVersion: 'meta.k8s.io/v1', metadata: {}, items: [{ metadata }] }),
      )
    response.end()
  })
  const options = { metadataOnly: true, annotations: ['kept'], signal }
  const { items } = await secrets.list(options)
  expect(items.map(item => item.metadata.annotations)).toEqual([{ kept: 'yes' }])
  const events = await allOf(secrets.watch(options))
  expect(events.map(({ object }) => object.metadata.annotations)).toEqual([{ kept: 'yes' }])
  expect(asked[0]).toContain('PartialObjectMetadataList')
})
