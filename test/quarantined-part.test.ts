// A part with a bug of its own, in a process that is there for it alone: what shows it, and what does not restart the process.
import { Registry } from 'prom-client'
import { expect, test } from 'vitest'
import { ConnectionError } from '#kube/client/connection-error.ts'
import type { Transport } from '#kube/client/transport.ts'
import { silentLog } from '#kube/log.ts'
import type { Pod } from '#kube/objects/objects.ts'
import { builtIn } from '#kube/objects/resource.ts'
import { answerHealth } from '#kube/server/health.ts'
import { doing, type Start } from './breaking-capability.ts'
import { type ControlledCluster, controlledCluster } from './controlled-cluster.ts'
import { smallCluster } from './small-cluster.ts'

const pods = [{ ...builtIn.pods, kind: 'Pod', mode: 'full' }] as const
const metrics = new Registry()

async function page({ health }: ControlledCluster, path: string): Promise<number> {
  const of = { live: () => health.live(), ready: () => health.ready(), metrics, log: silentLog }
  return (await answerHealth(of, 'GET', path)).status
}

const pages = async (of: ControlledCluster) =>
  Object.fromEntries(await Promise.all(['/livez', '/readyz', '/readyz/broken'].map(async path => [path, await page(of, path)])))

const startOf = (start: Start, between?: (inner: Transport) => Transport) =>
  controlledCluster({
    objects: smallCluster(),
    capabilities: [doing('broken', start, 'leading', { needs: pods })],
    ...(between === undefined ? {} : { between }),
  })

test('fails its page, and the process, which has nothing else to do; it is tried after a minute, and works where the bug is gone', async () => {
  let isBroken = true
  await using of = await startOf(() => {
    if (isBroken) throw new TypeError('broken')
  })
  of.startController()
  await of.pass(30_000)
  expect(await pages(of)).toEqual({ '/livez': 500, '/readyz': 200, '/readyz/broken': 500 })
  expect((await of.events()).filter(event => event.includes('PartQuarantined'))).toEqual([
    expect.stringMatching(
      /^Warning PartQuarantined Lease ballast-controller: broken\/controller is quarantined until .*: broken\./,
    ),
  ])
  isBroken = false
  await of.pass(60_000)
  expect(await pages(of)).toEqual({ '/livez': 200, '/readyz': 200, '/readyz/broken': 200 })
})

test('beside another the process lives on', async () => {
  const broken = doing('broken', () => {
    throw new TypeError('broken')
  })
  await using of = await controlledCluster({ objects: smallCluster(), capabilities: [broken, doing('sound', () => undefined)] })
  of.startController()
  await of.pass(30_000)
  expect(await pages(of)).toEqual({ '/livez': 200, '/readyz': 200, '/readyz/broken': 500 })
})

test('an outage of an hour is nobody’s fault: the process is not to be restarted, and all is back when the server is', async () => {
  let isAway = false
  const between = (inner: Transport): Transport => ({
    request: request => (isAway ? Promise.reject(new ConnectionError('the line is cut')) : inner.request(request)),
    stream: request => (isAway ? Promise.reject(new ConnectionError('the line is cut')) : inner.stream(request)),
    close: () => inner.close(),
  })
  const reads: Start = async ({ api }, signal) => {
    await api.resource(builtIn.pods).list({ signal })
  }
  await using of = await startOf(reads, between)
  of.startController()
  await of.pass(30_000)
  isAway = true
  for (let minute = 0; minute < 60; minute += 10) {
    await of.pass(600_000)
    expect(await page(of, '/livez')).toBe(200)
  }
  isAway = false
  await of.pass(120_000)
  expect(await pages(of)).toEqual({ '/livez': 200, '/readyz': 200, '/readyz/broken': 200 })
  expect([of.ended, of.errors.filter(({ message }) => message.includes('quarantined'))]).toEqual([undefined, []])
})

test('an object that its reader cannot take is set aside by name: the part goes on with the others', async () => {
  const taken: string[] = []
  await using of = await startOf(async ({ informers }, signal) => {
    informers.of<Pod>(builtIn.pods).onChange(({ object: { metadata } }) => {
      if (metadata.name.startsWith('hostile')) throw new TypeError('hostile')
      taken.push(metadata.name)
    })
    await informers.allSynced(signal)
  })
  const { signal } = new AbortController()
  const pod = (name: string): Pod => ({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace: 'shop' },
    spec: { containers: [{ name: 'main', image: 'web' }] },
  })
  for (const name of ['hostile-a', 'fine']) await of.admin.resource<Pod>(builtIn.pods).create(pod(name), { signal })
  of.startController()
  await of.pass(30_000)
  for (const name of ['hostile-b', 'hostile-c', 'fine-too'])
    await of.admin.resource<Pod>(builtIn.pods).create(pod(name), { signal })
  await of.pass(30_000)
  expect(taken).toEqual(expect.arrayContaining(['fine', 'fine-too']))
  expect(await pages(of)).toEqual({ '/livez': 200, '/readyz': 200, '/readyz/broken': 200 })
  const named = of.errors
    .filter(({ message }) => message === 'informer handler threw')
    .map(({ facts }) => Reflect.get(facts, 'name'))
  expect([...new Set(named)].toSorted()).toEqual(['shop/hostile-a', 'shop/hostile-b', 'shop/hostile-c'])
})
