// Replays what kubectl asked when the traces were recorded. No kubectl is needed for it.
import { globSync, readFileSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { describe, expect, test } from 'vitest'
import type { HttpVerb } from '#kube/client/transport.ts'
import { withoutProtobuf } from '#test/fidelity-exchange.ts'
import { type Exchange, movedBy, shapeOf, type Trace, traceTwinOptions } from '#test/kubectl-trace.ts'
import { startTwin, type Twin } from './twin.ts'

const fixtures = join(import.meta.dirname, '..', '..', 'test', 'fixtures', 'kubectl')
const files = globSync('*/*.json', { cwd: fixtures }).toSorted()

test('there are traces of two versions', () => {
  expect(new Set(files.map(file => dirname(file))).size).toBe(2)
  expect(files.length).toBeGreaterThan(50)
})

describe.each(files)('%s', file => {
  test(`${basename(file, '.json')} is answered as it was recorded`, async () => {
    const trace = JSON.parse(readFileSync(join(fixtures, file), 'utf8')) as Trace
    await using twin = await startTwin(traceTwinOptions())
    const moved = twin.access.revision - trace.startRevision
    for (const [index, exchange] of trace.exchanges.entries()) {
      const { status, shape } = await replay(twin, movedBy(exchange, moved))
      const what = `${index + 1}: ${exchange.verb} ${exchange.path}?${exchange.query}`
      expect({ what, status, shape }).toEqual({ what, status: exchange.status, shape: exchange.shape })
    }
  })
})

async function replay(twin: Twin, exchange: Exchange): Promise<Pick<Exchange, 'status' | 'shape'>> {
  const stop = new AbortController()
  const body =
    exchange.body === undefined
      ? undefined
      : 'text' in exchange.body
        ? exchange.body.text
        : Buffer.from(exchange.body.base64, 'base64')
  const request = {
    verb: exchange.verb as HttpVerb,
    path: exchange.path,
    query: Object.fromEntries(new URLSearchParams(exchange.query)),
    headers: {
      'user-agent': 'kubectl/replayed',
      accept: withoutProtobuf(exchange.accept),
      ...(exchange.contentType === '' ? {} : { 'content-type': exchange.contentType }),
      ...impersonation(exchange),
    },
    ...(body === undefined ? {} : { body }),
    signal: stop.signal,
  }
  const transport = twin.transport({ admin: true })
  if (exchange.shape['kind'] === 'watch') {
    const { status } = await transport.stream(request)
    stop.abort()
    return { status, shape: { kind: 'watch' } }
  }
  const etag = exchange.status === 304 ? (await transport.request(request)).headers['etag'] : undefined
  const answer = await transport.request(
    etag === undefined ? request : { ...request, headers: { ...request.headers, 'if-none-match': etag } },
  )
  return { status: answer.status, shape: shapeOf(answer.headers['content-type'] ?? '', new TextDecoder().decode(answer.body)) }
}

function impersonation(exchange: Exchange): Record<string, string> {
  return exchange.impersonates === undefined ? {} : { 'impersonate-user': exchange.impersonates }
}
