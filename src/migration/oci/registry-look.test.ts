// Whether a tag is there, asked of registries on this machine that answer as real ones do, and as they should not.
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { describe, expect, test } from 'vitest'
import { lookForTags, type TagLook, tagKey } from './registry-look.ts'

type Answer = (request: IncomingMessage, response: ServerResponse, host: string) => void

const never = new AbortController().signal

/** What `answer` makes of one chart; and every request, with what it carried. */
async function looked(
  answer: Answer,
  { path = 'charts/app', tag = '1.2.3', twice = false }: { path?: string; tag?: string; twice?: boolean } = {},
): Promise<{ readonly found: TagLook | undefined; readonly asked: readonly string[] }> {
  const asked: string[] = []
  const server = createServer((request, response) => {
    const { authorization = 'nothing', cookie } = request.headers
    asked.push(`${request.method} ${request.url} ${authorization}${cookie === undefined ? '' : ' cookie'}`)
    answer(request, response, `127.0.0.1:${port}`)
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  try {
    const address = `oci://127.0.0.1:${port}/${path}`
    const artefacts = [{ address, tag }, ...(twice ? [{ address, tag }] : [])]
    return { found: (await lookForTags(artefacts, { signal: never })).get(tagKey(address, tag)), asked }
  } finally {
    server.closeAllConnections()
    await new Promise(resolve => server.close(resolve))
  }
}

const status =
  (code: number, headers: Readonly<Record<string, string>> = {}): Answer =>
  (_, response) =>
    response.writeHead(code, headers).end()

/** Gives a token to anybody, and asks for it. */
const withTokens =
  (body: string, then = 200): Answer =>
  (request, response, host) => {
    if (request.url?.startsWith('/token') === true) response.writeHead(200).end(body)
    else if (request.headers.authorization === 'Bearer anybody') response.writeHead(then).end()
    else {
      const challenge = `Bearer realm="http://${host}/token?a=b",service="registry",scope="repository:charts/app:pull"`
      response.writeHead(401, { 'www-authenticate': challenge }).end()
    }
  }

const manifest = '/v2/charts/app/manifests/1.2.3'

test('there, and absent', async () => {
  expect(await looked(status(200), { twice: true })).toEqual({ found: { kind: 'there' }, asked: [`HEAD ${manifest} nothing`] })
  expect((await looked(status(404))).found).toEqual({ kind: 'absent' })
})

test('a token that anybody gets is asked for once, and shown to the registry', async () => {
  const { found, asked } = await looked(withTokens('{"token":"anybody"}'))
  expect(found).toEqual({ kind: 'there' })
  expect(asked).toEqual([
    `HEAD ${manifest} nothing`,
    'GET /token?a=b&service=registry&scope=repository%3Acharts%2Fapp%3Apull nothing',
    `HEAD ${manifest} Bearer anybody`,
  ])
  expect((await looked(withTokens('{"access_token":"anybody"}', 404))).found).toEqual({ kind: 'absent' })
})

test('a registry without HEAD is asked with GET', async () => {
  const { found, asked } = await looked((request, response) => response.writeHead(request.method === 'HEAD' ? 405 : 200).end())
  expect([found?.kind, asked.map(one => one.split(' ')[0])]).toEqual(['there', ['HEAD', 'GET']])
})

test('a token goes to no other host', async () => {
  const elsewhere: string[] = []
  const other = createServer((request, response) => {
    elsewhere.push(request.headers.authorization ?? 'nothing')
    response.writeHead(200).end()
  })
  await new Promise<void>(resolve => other.listen(0, '127.0.0.1', resolve))
  const { port } = other.address() as AddressInfo
  try {
    const leads: Answer = (request, response, host) => {
      if (request.headers.authorization === undefined) withTokens('{"token":"anybody"}')(request, response, host)
      else response.writeHead(307, { location: `http://127.0.0.1:${port}/v2/` }).end()
    }
    // It is not https, so that it is not even followed.
    expect((await looked(leads)).found).toEqual({ kind: 'unknown', because: expect.stringMatching(/answered 307$/) })
    expect(elsewhere).toEqual([])
  } finally {
    other.closeAllConnections()
    await new Promise(resolve => other.close(resolve))
  }
})

describe('not known, with the reason', () => {
  test.each<[string, Answer, RegExp]>([
    [
      'it wants credentials',
      status(401, { 'www-authenticate': 'Basic realm="x"' }),
      /shows it only to who has credentials \(401\)/,
    ],
    ['it forbids', status(403), /\(403\)/],
    ['it is overrun', status(429), /answered 429/],
    ['it is broken', status(503), /answered 503/],
    ['it is odd', status(405), /takes neither HEAD nor GET/],
    ['it hangs up', request => request.socket.destroy(), /other side closed|ECONNRESET|socket/i],
    [
      'it leads in circles',
      (request, response) => response.writeHead(302, { location: request.url ?? '' }).end(),
      /answered 302/,
    ],
    ['a token that is no JSON', withTokens('<html>'), /JSON/],
    ['a token without end', withTokens(`"${'x'.repeat(70_000)}"`), /a token of more than 65536 bytes/],
    ['no token', withTokens('{}'), /\(401\)/],
    [
      'a token service elsewhere that is not asked by https',
      status(401, { 'www-authenticate': 'Bearer realm="http://tokens.example/"' }),
      /\(401\)/,
    ],
  ])('%s', async (_, answer, because) => {
    expect((await looked(answer)).found).toEqual({ kind: 'unknown', because: expect.stringMatching(because) })
  })

  test.each([
    ['a tag that is none', { tag: 'a b' }],
    ['a way out of the registry', { tag: '../../other' }],
  ])('%s', async (_, given) => {
    const { found, asked } = await looked(status(200), given)
    expect([found?.kind, asked]).toEqual(['unknown', []])
  })

  test('nobody is there', async () => {
    const server = createServer()
    await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
    const { port } = server.address() as AddressInfo
    await new Promise(resolve => server.close(resolve))
    const found = await lookForTags([{ address: `oci://127.0.0.1:${port}/charts/app`, tag: '1.2.3' }], { signal: never })
    expect([...found.values()]).toEqual([{ kind: 'unknown', because: expect.stringContaining('ECONNREFUSED') }])
  })
})
