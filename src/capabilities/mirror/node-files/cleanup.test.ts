import { createServer } from 'node:http'
import { expect, test } from 'vitest'
import { type Clock, VirtualClock } from '#kube/clock.ts'
import { silentLog } from '#kube/log.ts'
import { InputError } from '#kube/problem.ts'
import { cleanUp } from './cleanup.ts'
import { waitForCleanup, waitForCleanupBy } from './cleanup-wait.ts'
import { TestDirectory } from './directory-for-tests.ts'

/** Nobody waits, and nothing is ever late. */
const impatient: Clock = {
  now: () => 0,
  elapsed: () => 0,
  schedule: () => () => undefined,
  at: () => () => undefined,
  after: async () => undefined,
  hold: () => new DisposableStack(),
}

async function freePort(): Promise<number> {
  const server = createServer()
  const { promise, resolve } = Promise.withResolvers<void>()
  server.listen(0, '127.0.0.1', resolve)
  await promise
  const address = server.address()
  const { promise: closed, resolve: close } = Promise.withResolvers<void>()
  server.close(() => close())
  await closed
  return typeof address === 'object' && address !== null ? address.port : 0
}

const ours = "[host.'http://127.0.0.1:5000']\ncapabilities = ['pull', 'resolve']\ndial_timeout = '200ms'"

test('cleanup answers once it is done, and cleanup-wait hears it', async () => {
  await using directory = await TestDirectory.with({
    '_backup/docker.io/hosts.toml': 'a = 1',
    '_default/hosts.toml': ours,
    'quay.io/hosts.toml': 'b = 2',
  })
  const port = await freePort()
  const stop = new AbortController()
  const cleaning = cleanUp({
    registryConfigPath: directory.path,
    nowMs: 0,
    address: `127.0.0.1:${port}`,
    signal: stop.signal,
    log: silentLog,
  })
  const waiting = waitForCleanup({
    probeEndpoint: `127.0.0.1:${port}`,
    threshold: 3,
    periodMs: 2_000,
    clock: impatient,
    signal: stop.signal,
    log: silentLog,
  })
  await waiting
  // There is no record: what has our form goes and is kept, what has not is somebody's.
  expect(await directory.listing()).toEqual({
    'docker.io/hosts.toml': 'a = 1',
    'quay.io/hosts.toml': 'b = 2',
    '_kept/1970-01-01T00-00-00Z/_default/hosts.toml': ours,
  })
  const statuses = await Promise.all(
    [
      ['GET', '/readyz'],
      ['HEAD', '/readyz'],
      ['POST', '/readyz'],
      ['GET', '/other'],
    ].map(async ([method, path]) => (await fetch(`http://127.0.0.1:${port}${path}`, { method: method ?? '' })).status),
  )
  expect(statuses).toEqual([200, 200, 405, 404])
  stop.abort()
  await cleaning
})

test('a failure begins the count anew; ten at a time', async () => {
  const rounds = ['down', '', '', 'down', '', '', '']
  let round = -1
  let now = 0
  let most = 0
  await waitForCleanupBy(
    {
      probeEndpoint: 'nodes:8080',
      threshold: 3,
      periodMs: 2_000,
      clock: impatient,
      signal: new AbortController().signal,
      log: silentLog,
    },
    {
      addressesOf: async () => {
        round++
        return Array.from({ length: 25 }, (_, index) => `10.0.0.${index}`)
      },
      probe: async address => {
        most = Math.max(most, ++now)
        await Promise.resolve()
        now--
        return address === '10.0.0.24' && rounds[round] !== '' ? 'refused' : undefined
      },
    },
  )
  expect(round).toBe(6)
  expect(most).toBe(10)
})

test.each(['8080', 'host', 'host:0', 'host:70000', 'http://host:1', 'a b:1'])('endpoint %s is refused', async probeEndpoint => {
  const clock = new VirtualClock(0)
  const { signal } = new AbortController()
  const waiting = waitForCleanup({ probeEndpoint, threshold: 1, periodMs: 1, clock, signal, log: silentLog })
  await expect(waiting).rejects.toThrow(InputError)
})

test.each(['8080', ':x', ':70000', '::8080'])('address %s is refused before a file is touched', async address => {
  await using directory = await TestDirectory.with({ '_backup/a/hosts.toml': '' })
  const { signal } = new AbortController()
  await expect(cleanUp({ registryConfigPath: directory.path, nowMs: 0, address, signal, log: silentLog })).rejects.toThrow(
    InputError,
  )
  expect(await directory.listing()).toEqual({ '_backup/a/hosts.toml': '' })
})
