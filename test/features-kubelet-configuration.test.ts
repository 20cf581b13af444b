// A kubelet's policies from its file and from the kubelet itself, over TLS: what is sent, and what bad answers lead to.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import type { RequestListener } from 'node:http'
import { createServer } from 'node:https'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { systemClock } from '#kube/clock.ts'
import { isOutside } from '#kube/outside-error.ts'
import { HostTree } from '#machines/host-tree.ts'
import { makeAuthority } from '#twin/authority.ts'
import { configzOf, readPolicy } from '../src/capabilities/features/topology/kubelet-configuration.ts'

const root = mkdtempSync(join(tmpdir(), 'ballast-configz-'))
const tokenFile = join(root, 'token')
const around = { clock: systemClock, tree: new HostTree({ hostPrefix: `${root}/`, ownRoot: root }), tokenFile }
const { signal } = new AbortController()
const policy = { kubeletconfig: { topologyManagerPolicy: 'restricted', topologyManagerScope: 'pod' } }
let answer: RequestListener = () => undefined
const server = await makeAuthority(systemClock.now(), []).then(({ server: { certificate, key } }) =>
  createServer({ cert: certificate, key }, (request, response) => answer(request, response)),
)
let uri = ''
beforeAll(async () => {
  writeFileSync(tokenFile, 'secret\n')
  const { promise, resolve } = Promise.withResolvers<void>()
  server.listen(0, '127.0.0.1', resolve)
  await promise
  const address = server.address()
  uri = `https://127.0.0.1:${typeof address === 'object' ? address?.port : 0}/configz`
})
afterAll(() => {
  server.closeAllConnections()
  server.close()
  rmSync(root, { recursive: true })
})

async function failure(work: Promise<unknown>): Promise<string> {
  const error: unknown = await work.then(
    () => undefined,
    (reason: unknown) => reason,
  )
  expect(isOutside(error)).toBe(true)
  return error instanceof Error ? error.message : ''
}

test('the kubelet is shown the token, whoever signed its certificate', async () => {
  const asked: unknown[] = []
  answer = ({ url, headers }, response) => {
    asked.push([url, headers.authorization])
    response.end(JSON.stringify(policy))
  }
  expect(await readPolicy(uri, around, signal)).toEqual({ policy: 'restricted', scope: 'pod' })
  expect(asked).toEqual([['/configz', 'Bearer secret']])
})

describe('an answer that is none', () => {
  test.each<readonly [string, RequestListener, string]>([
    ['refused', (_, response) => response.writeHead(403).end(JSON.stringify(policy)), 'status 403'],
    ['elsewhere', (_, response) => response.writeHead(302, { location: 'https://192.0.2.1/' }).end(), 'status 302'],
    ['no JSON', (_, response) => response.end('kubelet'), 'kubelet'],
    ['broken off', (_, response) => void response.write('{', () => response.destroy()), '/configz: '],
    ['too large', (_, response) => response.end(Buffer.alloc(4 * 1024 * 1024 + 1)), 'larger than 4194304 bytes'],
  ])('%s', async (_what, listener, why) => {
    answer = listener
    expect(await failure(readPolicy(uri, around, signal))).toContain(why)
  })

  test('nobody listens', async () => {
    expect(await failure(readPolicy('https://127.0.0.1:1/configz', around, signal))).toContain('ECONNREFUSED')
  })

  test('no token', async () => {
    expect(await failure(readPolicy(uri, { ...around, tokenFile: join(root, 'none') }, signal))).toContain('the token')
  })

  test('a question ends with its signal', async () => {
    answer = () => undefined
    const stop = new AbortController()
    const asking = readPolicy(uri, around, stop.signal)
    stop.abort(new Error('enough'))
    await expect(asking).rejects.toThrow('enough')
  })
})

test('a file', async () => {
  const path = join(root, 'kubelet config.yaml')
  expect(await failure(readPolicy(`file://${path}`, around, signal))).toContain('cannot be read')
  writeFileSync(path, 'kind: KubeletConfiguration\ntopologyManagerPolicy: best-effort\n')
  expect(await readPolicy(`file://${path}`, around, signal)).toEqual({ policy: 'best-effort', scope: 'container' })
})

test.each([
  ['192.0.2.7', 'https://192.0.2.7:10250/configz'],
  ['2001:db8::7', 'https://[2001:db8::7]:10250/configz'],
  ['node-1', 'https://node-1:10250/configz'],
])('the kubelet at %s', (address, expected) => expect(configzOf(address)).toBe(expected))
