// What the page of images says of bytes, held against two real agents between which a real piece of content went.
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Registry } from 'prom-client'
import { expect, onTestFinished, test } from 'vitest'
import { systemClock } from '#kube/clock.ts'
import { silentLog } from '#kube/log.ts'
import { systemRandom } from '#kube/random.ts'
import { temporaryDirectory } from '#kube/testdata/temporary-directory.ts'
import { startMirrorAgent } from '../src/capabilities/mirror/agent.ts'
import { mirrorConfiguration } from '../src/capabilities/mirror/config.ts'
import { upstreamDefaults } from '../src/capabilities/mirror/registry-flags.ts'
import { settingsOf } from '../src/capabilities/mirror/settings-of.ts'
import { MemoryStore } from '../src/capabilities/mirror/testdata/memory-store.ts'
import { readingOf } from '../src/dashboard/source/mirror-poll.ts'

class OwnStore extends MemoryStore implements AsyncDisposable {
  async [Symbol.asyncDispose](): Promise<void> {
    // Nothing is held.
  }
}

test('bytes from other nodes and to other nodes are those that went over, on both sides, and none else', async () => {
  const peers = join(await temporaryDirectory(), 'peers')
  const base = 21_000 + Math.floor(systemRandom() * 8_000)
  const ports = { registry: base, router: base + 10_000 }
  const hosts = ['127.0.2.1', '127.0.2.2']
  await writeFile(peers, `${hosts.join('\n')}\n`)
  const start = async (host: string) => {
    const store = new OwnStore()
    const agent = await startMirrorAgent({
      settings: {
        ...settingsOf(mirrorConfiguration.parse({})),
        ...upstreamDefaults,
        registryAddresses: [`${host}:${ports.registry}`],
        peerPort: ports.registry,
        routerAddress: `${host}:${ports.router}`,
        metricsAddress: `${host}:0`,
        bootstrap: { kind: 'file', file: peers },
      },
      store,
      metrics: new Registry(),
      version: '0.1.0',
      clock: systemClock,
      random: systemRandom,
      log: silentLog,
    })
    onTestFinished(() => agent[Symbol.asyncDispose]())
    const page = async () => readingOf(await (await fetch(`http://${host}:${agent.ports.metrics}/metrics`)).text())
    return { agent, store, page }
  }
  const giver = await start('127.0.2.1')
  const taker = await start('127.0.2.2')
  await expect.poll(() => [giver, taker].map(({ agent }) => agent.router.state().peers)).toEqual([1, 1])
  const bytes = Buffer.alloc(300_000, 7)
  const digest = giver.store.put(bytes)
  const get = async (host: string) => {
    const reply = await fetch(`http://${host}:${ports.registry}/v2/acme/app/blobs/${digest}?ns=ghcr.io`)
    return { status: reply.status, length: (await reply.arrayBuffer()).byteLength }
  }
  // Content of its own goes to nobody else.
  expect((await get('127.0.2.1')).length).toBe(bytes.length)
  await expect.poll(() => get('127.0.2.2')).toEqual({ status: 200, length: bytes.length })
  await expect.poll(() => giver.page()).toMatchObject({ bytesIn: 0, bytesOut: bytes.length })
  const reading = await taker.page()
  expect(reading).toMatchObject({ bytesIn: bytes.length, bytesOut: 0 })
  expect(reading.kind === 'read' ? reading.registries.get('ghcr.io')?.hits : 0).toBe(1)
})
