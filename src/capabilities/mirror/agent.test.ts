// Agents as they run, on addresses of the loopback network, with stores in memory instead of containerd's.
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Registry } from 'prom-client'
import { expect, onTestFinished, test } from 'vitest'
import { systemClock } from '#kube/clock.ts'
import { silentLog } from '#kube/log.ts'
import { systemRandom } from '#kube/random.ts'
import { temporaryDirectory } from '#kube/testdata/temporary-directory.ts'
import { startMirrorAgent } from './agent.ts'
import { mirrorConfiguration } from './config.ts'
import { upstreamDefaults } from './registry-flags.ts'
import type { MirrorSettings } from './settings.ts'
import { settingsOf } from './settings-of.ts'
import { digestOf, MemoryStore } from './testdata/memory-store.ts'

const blob = '0123456789'

/** A store that ends with its agent. */
class OwnStore extends MemoryStore implements AsyncDisposable {
  async [Symbol.asyncDispose](): Promise<void> {
    // Nothing is held.
  }
}

/** One node at `host`; ports are the same on all, as they have to be. */
async function node(host: string, ports: { readonly registry: number; readonly router: number }, peersFile: string) {
  const store = new OwnStore()
  const settings: MirrorSettings = {
    ...settingsOf(mirrorConfiguration.parse({})),
    ...upstreamDefaults,
    registryAddresses: [`${host}:${ports.registry}`],
    peerPort: ports.registry,
    routerAddress: `${host}:${ports.router}`,
    metricsAddress: `${host}:0`,
    bootstrap: { kind: 'file', file: peersFile },
  }
  const metrics = new Registry()
  const around = { version: '0.1.0', clock: systemClock, random: systemRandom, log: silentLog }
  const agent = await startMirrorAgent({ settings, store, metrics, ...around })
  const end = () => agent[Symbol.asyncDispose]()
  const ask = async (target: string, init: RequestInit = {}) => {
    const reply = await fetch(`http://${host}:${ports.registry}${target}`, init)
    return { status: reply.status, body: await reply.text(), headers: reply.headers }
  }
  const look = async (path: string) => {
    const reply = await fetch(`http://${host}:${agent.ports.metrics}${path}`)
    return { status: reply.status, body: await reply.text(), headers: reply.headers }
  }
  return { agent, store, ask, look, end }
}

/** Two ports that are likely free on all loopback addresses. */
function somePorts() {
  const base = 21_000 + Math.floor(systemRandom() * 8_000)
  return { registry: base, router: base + 10_000 }
}

test('case 30: one node that finds only itself is ready, and misses without waiting for others', async () => {
  const peers = join(await temporaryDirectory(), 'peers')
  await writeFile(peers, '127.0.1.1\n')
  const alone = await node('127.0.1.1', somePorts(), peers)
  onTestFinished(alone.end)
  await expect.poll(async () => (await alone.ask('/readyz')).status).toBe(200)
  expect(alone.agent.readiness()).toEqual({ isReady: true, reason: '' })
  expect(alone.agent.router.state()).toMatchObject({ isAlone: true, peers: 0 })
  const miss = await alone.ask(`/v2/acme/app/blobs/${digestOf('missing')}?ns=x.io`)
  expect([miss.status, JSON.parse(miss.body).errors[0].detail]).toEqual([404, { attempts: 0 }])
  // Nobody was told that it is wanted, so nobody was waited for.
  expect(alone.agent.router.state().announced).toBe(0)
})

test('what one node has another gets, and the metrics say so', async () => {
  const peers = join(await temporaryDirectory(), 'peers')
  const ports = somePorts()
  await writeFile(peers, '127.0.1.2\n127.0.1.3\n')
  const first = await node('127.0.1.2', ports, peers)
  onTestFinished(first.end)
  const second = await node('127.0.1.3', ports, peers)
  onTestFinished(second.end)
  await expect.poll(() => [first, second].map(({ agent }) => agent.router.state().peers)).toEqual([1, 1])
  const digest = first.store.put(blob)
  const manifest = { schemaVersion: 2, mediaType: 'application/vnd.oci.image.manifest.v1+json', config: {}, layers: [] }
  first.store.tag('ghcr.io/acme/app:v1', first.store.put(JSON.stringify(manifest)))
  const got = async () => await second.ask(`/v2/acme/app/blobs/${digest}?ns=ghcr.io`)
  await expect.poll(async () => (await got()).status).toBe(200)
  expect((await got()).body).toBe(blob)
  const tag = () => second.ask('/v2/acme/app/manifests/v1?ns=ghcr.io', { method: 'HEAD' })
  await expect.poll(async () => (await tag()).status).toBe(200)
  expect((await tag()).headers.get('content-type')).toBe(manifest.mediaType)
  const shown = (await second.look('/metrics')).body
  expect(shown).toMatch(/^spegel_mirror_requests_total\{registry="ghcr.io",cache="hit"\} [1-9]/m)
  expect(shown).toMatch(/^ballast_mirror_bytes_total\{source="peer",direction="in"\} [1-9]/m)
  expect(shown).toMatch(/^ballast_mirror_peers 1$/m)
  expect(shown).toMatch(/^ballast_mirror_announced 1$/m)
  expect((await first.look('/metrics')).body).toMatch(/^spegel_advertised_image_tags\{registry="ghcr.io"\} 1$/m)
  expect(JSON.parse((await first.look('/debug/web/metadata')).body)).toEqual({ libp2p: { id: first.agent.router.id } })
  const measured = await second.look('/debug/web/measure?image=ghcr.io/acme/app:v1')
  expect(measured.status).toBe(200)
  expect(measured.body).toContain(first.agent.router.id)
  expect((await second.look('/debug/web/measure')).status).toBe(400)
  expect((await second.look('/debug/web/stats')).status).toBe(200)
  expect((await first.look('/debug/web/stats')).body).toContain('ghcr.io/acme/app:v1')
})

test('case 16: content of another node that does not match is told at the notices, and counted', async () => {
  const peers = join(await temporaryDirectory(), 'peers')
  const ports = somePorts()
  await writeFile(peers, '127.0.1.5\n127.0.1.6\n')
  const liar = await node('127.0.1.5', ports, peers)
  onTestFinished(liar.end)
  const second = await node('127.0.1.6', ports, peers)
  onTestFinished(second.end)
  await expect.poll(() => [liar, second].map(({ agent }) => agent.router.state().peers), { timeout: 20_000 }).toEqual([1, 1])
  const digest = liar.store.put(blob)
  liar.store.damage(digest, () => Buffer.from('0123456780'))
  const notices = async () => JSON.parse((await second.look('/ballast/notices')).body)
  const told = async () => {
    expect((await second.ask(`/v2/acme/app/blobs/${digest}?ns=ghcr.io`)).status).toBe(404)
    return (await notices()).events
  }
  await expect.poll(told, { timeout: 20_000 }).toEqual([
    {
      number: 1,
      reason: 'PoisonedBlob',
      message: `${digest} of ghcr.io/acme/app: bytes of ${liar.agent.router.id} do not match it; nothing wrong was passed on`,
      atMs: expect.any(Number),
    },
  ])
  const shown = (await second.look('/metrics')).body
  expect(shown).toMatch(/^ballast_mirror_verify_failures_total\{peer="[^"]+"\} 1$/m)
  expect(shown).toMatch(/^ballast_mirror_problems\{reason="LayersDiscarded"\} 0$/m)
})

test('it ends in order: what is being sent comes whole, nothing new is taken', async () => {
  const peers = join(await temporaryDirectory(), 'peers')
  await writeFile(peers, '127.0.1.4\n')
  const one = await node('127.0.1.4', somePorts(), peers)
  const big = Buffer.alloc(64 * 2 ** 20, 7)
  const digest = one.store.put(big)
  const reply = await fetch(`http://127.0.1.4:${one.agent.ports.registry[0]}/v2/acme/app/blobs/${digest}?ns=x.io`)
  const ending = one.end()
  expect(one.agent.readiness().reason).toContain('shutting down')
  await expect.poll(async () => await one.ask('/livez').catch(() => 'refused')).toBe('refused')
  expect((await reply.arrayBuffer()).byteLength).toBe(big.length)
  await ending
})
