// One Secret, for who may list and not get.
import { expect, test } from 'vitest'
import type { Transport, TransportRequest } from '#kube/client/transport.ts'
import { readByList, secretNamed } from './read-by-list.ts'

const signal = new AbortController().signal
const items = [{ metadata: { name: 'queue', namespace: 'media' }, data: { word: 'eA==' } }]

async function asked(request: Partial<TransportRequest>, status = 200, found: readonly unknown[] = items) {
  const seen: string[] = []
  const inner: Transport = {
    request: async ({ verb, path, query }) => {
      seen.push(`${verb} ${path}?${new URLSearchParams(query)}`)
      return { status, headers: {}, body: Buffer.from(JSON.stringify(status === 200 ? { items: found } : { code: status })) }
    },
    stream: () => Promise.reject(new Error('no stream')),
    close: async () => undefined,
  }
  const path = '/api/v1/namespaces/media/secrets/queue'
  const answer = await readByList(inner, secretNamed([])).request({ verb: 'GET', path, signal, ...request })
  return { seen, status: answer.status, body: JSON.parse(Buffer.from(answer.body).toString()) }
}

test('it is a list of one', async () => {
  expect(await asked({})).toEqual({
    seen: ['GET /api/v1/namespaces/media/secrets?fieldSelector=metadata.name%3Dqueue'],
    status: 200,
    body: { ...items[0], apiVersion: 'v1', kind: 'Secret' },
  })
})

test('one that is not there is not found, and a refusal stays one', async () => {
  expect(await asked({}, 200, [])).toMatchObject({ status: 404, body: { reason: 'NotFound' } })
  expect(await asked({}, 403)).toMatchObject({ status: 403, body: { code: 403 } })
})

test.each<[string, Partial<TransportRequest>]>([
  ['a write', { verb: 'PUT' }],
  ['a list', { path: '/api/v1/namespaces/media/secrets' }],
  ['another kind', { path: '/api/v1/namespaces/media/configmaps/queue' }],
])('%s goes on as it is', async (_name, request) => {
  expect((await asked(request)).seen[0]).not.toContain('fieldSelector')
})
