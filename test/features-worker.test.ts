// The worker on a machine that is made up, before a twin: what it publishes, when it looks again, what it survives.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, expect, test } from 'vitest'
import { type Api, openApi } from '#kube/client/api.ts'
import { ConnectionError } from '#kube/client/connection-error.ts'
import type { Transport, TransportRequest } from '#kube/client/transport.ts'
import { VirtualClock } from '#kube/clock.ts'
import { silentLog } from '#kube/log.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { builtIn } from '#kube/objects/resource.ts'
import { seededRandom } from '#kube/random.ts'
import { HostTree } from '#machines/host-tree.ts'
import { startTwin } from '#twin/twin.ts'
import { featuresConfiguration } from '../src/capabilities/features/config.ts'
import { ofAnswers } from '../src/capabilities/features/discovery/cpu/read-cpuid.ts'
import { featureKinds } from '../src/capabilities/features/kinds.ts'
import { nodeFeatures } from '../src/capabilities/features/names.ts'
import { startWorker } from '../src/capabilities/features/publishing/worker.ts'
import { writeTree } from './real/features/tree-files.ts'

const { signal } = new AbortController()
const namespace = 'agents'
const featureFiles = 'etc/kubernetes/node-feature-discovery/features.d'
const roots: string[] = []
afterEach(() => {
  for (const root of roots.splice(0)) rmSync(root, { recursive: true, force: true })
})

const owner = { apiVersion: 'apps/v1', kind: 'DaemonSet', name: 'agent', uid: 'uid-set', controller: true }
const pod: KubeObject = {
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name: 'agent-x', namespace, uid: 'uid-pod', ownerReferences: [owner] },
  spec: { containers: [{ name: 'features', image: 'ballast' }] },
}

/** Requests as the server got them, and what stands in the way. */
class Wire {
  readonly writes: string[] = []
  isCut = false

  between(inner: Transport): Transport {
    const pass = <T>(request: TransportRequest, go: () => Promise<T>) => {
      if (this.isCut) return Promise.reject(new ConnectionError('cut'))
      if (request.verb !== 'GET') this.writes.push(`${request.verb} ${request.path}`)
      return go()
    }
    return {
      request: request => pass(request, () => inner.request(request)),
      stream: request => pass(request, () => inner.stream(request)),
      close: () => inner.close(),
    }
  }
}

async function machine(worker: object = {}, files: Readonly<Record<string, string>> = {}) {
  const root = mkdtempSync(join(tmpdir(), 'ballast-worker-'))
  roots.push(root)
  writeTree(root, {
    files: {
      'sys/class/net': { directory: true },
      'sys/bus/pci/devices': { directory: true },
      [`${featureFiles}/first`]: 'first=1\n',
      ...files,
    },
  })
  const clock = new VirtualClock(Date.parse('2026-03-02T04:00:00Z'))
  const definitions = featureKinds.flatMap(({ definition }) => definition ?? [])
  const twin = await startTwin({
    clock,
    seed: 1,
    objects: [...definitions, { apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace } }, pod],
  })
  await twin.settle({ limitMs: 60_000 })
  const wire = new Wire()
  const api: Api = openApi(wire.between(twin.transport({ admin: true })), { clock, userAgent: 'test' })
  const ports = { take: () => undefined, offer: () => undefined }
  const start = (podUid = 'uid-pod') => {
    const identity = { name: 'agent-x', namespace, instance: 'agent-x_1', podUid }
    const context = { clock, random: seededRandom(1), log: silentLog, identity, ports, node: 'n1', api }
    const tree = new HostTree({ hostPrefix: `${root}/`, ownRoot: root })
    const around = { tree, architecture: 'x64', cpuid: () => ofAnswers('nobody', new Map()) }
    return startWorker(context, featuresConfiguration.parse({ worker }), signal, around)
  }
  const published = () => (twin.access.list('nodefeatures.nfd.k8s-sigs.io') as readonly KubeObject[])[0]
  const labels = () => (published()?.['spec'] as { labels?: Record<string, string> } | undefined)?.labels ?? {}
  const until = (done: () => boolean, limitMs = 60_000) => clock.runUntil(done, { limitMs })
  const pass = async (ms: number) => {
    const atMs = clock.now() + ms
    clock.schedule(ms, () => undefined)
    await until(() => clock.now() >= atMs, ms + 1_000)
  }
  const admin = openApi(twin.transport({ admin: true }), { clock, userAgent: 'admin' })
  return { root, clock, twin, admin, wire, start, published, labels, until, pass }
}

test('it publishes its node, with its owners and the pod that found it', async () => {
  const of = await machine()
  await using worker = await of.start()
  await of.until(() => of.published() !== undefined)
  expect(of.published()?.metadata).toMatchObject({
    name: 'n1',
    namespace,
    labels: { 'nfd.node.kubernetes.io/node-name': 'n1' },
    annotations: { 'nfd.node.kubernetes.io/worker.pod.uid': 'uid-pod' },
    ownerReferences: [
      { apiVersion: 'v1', kind: 'Pod', name: 'agent-x', uid: 'uid-pod', blockOwnerDeletion: false },
      { apiVersion: 'apps/v1', kind: 'DaemonSet', name: 'agent', uid: 'uid-set', blockOwnerDeletion: false },
    ],
  })
  expect(of.labels()).toMatchObject({ first: '1' })
  expect(worker.health()).toEqual([expect.objectContaining({ ok: true })])
  await of.twin.stop()
})

test('at rest it writes nothing, and looks again by its interval', async () => {
  const of = await machine({ core: { sleepInterval: '60s' } })
  await using _worker = await of.start()
  await of.until(() => of.published() !== undefined)
  await of.pass(3 * 3_600_000)
  expect(of.wire.writes).toHaveLength(1)
  await of.twin.stop()
})

test('with sleepInterval 0s a feature file, a device and a line that expires are seen all the same', async () => {
  const expiring = `# +expiry-time=2026-03-02T05:00:00Z\nbrief=1\n`
  const of = await machine({ core: { sleepInterval: '0s' } }, { [`${featureFiles}/brief`]: expiring })
  await using _worker = await of.start()
  await of.until(() => of.labels()['brief'] === '1')
  writeFileSync(join(of.root, featureFiles, 'second'), 'second=2\n')
  await of.until(() => of.labels()['second'] === '2', 3_000)
  const place = 'sys/bus/pci/devices/0000:00:02.0'
  const attributes = { class: '0x030000', vendor: '0x8086', device: '0x7d51', subsystem_vendor: '0', subsystem_device: '0' }
  writeTree(of.root, {
    files: Object.fromEntries(Object.entries(attributes).map(([name, value]) => [`${place}/${name}`, `${value}\n`])),
  })
  await of.until(() => Object.keys(of.labels()).some(key => key.endsWith('pci-0300_8086.present')), 7_000)
  await of.until(() => of.labels()['brief'] === undefined, 3_700_000)
  expect(new Date(of.clock.now()).toISOString()).toMatch(/^2026-03-02T05:00:0/)
  await of.twin.stop()
})

test('with hotplug off devices that come are no news', async () => {
  const of = await machine({ core: { sleepInterval: '0s', hotplug: 'off' } })
  await using _worker = await of.start()
  await of.until(() => of.published() !== undefined)
  writeTree(of.root, { files: { 'sys/class/net/eth0/operstate': 'up\n' } })
  await of.pass(600_000)
  expect(of.wire.writes).toHaveLength(1)
  await of.twin.stop()
})

test('a server that is away is asked again; what was published stays', async () => {
  const of = await machine()
  of.wire.isCut = true
  await using worker = await of.start()
  await of.pass(30_000)
  expect(worker.health()).toEqual([expect.objectContaining({ ok: false })])
  of.wire.isCut = false
  await of.until(() => of.published() !== undefined)
  of.wire.isCut = true
  writeFileSync(join(of.root, featureFiles, 'second'), 'second=2\n')
  await of.pass(120_000)
  expect(worker.health()).toEqual([expect.objectContaining({ ok: true })])
  of.wire.isCut = false
  await of.until(() => of.labels()['second'] === '2')
  await of.twin.stop()
})

test('what somebody wrote into it is replaced when it is looked at, and an object that is gone is made again', async () => {
  const of = await machine()
  await using _worker = await of.start()
  await of.until(() => of.published() !== undefined)
  const resource = of.admin.resource<KubeObject>(nodeFeatures)
  await resource.patch('n1', { type: 'merge', body: { spec: { labels: { foreign: 'x' } } } }, { namespace, signal })
  await of.until(() => of.labels()['foreign'] === undefined, 4_000_000)
  await resource.delete('n1', { namespace, signal })
  await of.until(() => of.published() !== undefined, 4_000_000)
  await of.twin.stop()
})

test('a new pod on the node is news, though it finds the same', async () => {
  const of = await machine()
  const first = await of.start()
  await of.until(() => of.published() !== undefined)
  await first[Symbol.asyncDispose]()
  await of.admin.resource(builtIn.pods).delete('agent-x', { namespace, signal })
  await of.admin
    .resource<KubeObject>(builtIn.pods)
    .create({ ...pod, metadata: { name: 'agent-x', namespace, ownerReferences: [owner] } }, { namespace, signal })
  await using _second = await of.start('uid-new')
  await of.until(() => of.published()?.metadata.annotations?.['nfd.node.kubernetes.io/worker.pod.uid'] === 'uid-new')
  await of.twin.stop()
})
