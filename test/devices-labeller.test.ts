// AMD's node labeller in our program: what it reads of a tree, and what it writes to a node of the twin.

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, expect, test } from 'vitest'
import { openApi } from '#kube/client/api.ts'
import { ConnectionError } from '#kube/client/connection-error.ts'
import type { Transport } from '#kube/client/transport.ts'
import { VirtualClock } from '#kube/clock.ts'
import { silentLog } from '#kube/log.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { builtIn } from '#kube/objects/resource.ts'
import { HostTree } from '#machines/host-tree.ts'
import { startTwin } from '#twin/twin.ts'
import { labellerSettings } from '../src/capabilities/devices/flags/labeller-flags.ts'
import { labelKinds } from '../src/capabilities/devices/labelling/gpu-labels.ts'
import { labelNodeOnce, runNodeLabeller } from '../src/capabilities/devices/labelling/node-labeller.ts'
import { gpus } from './real/devices/amd-cases.ts'
import { cardDetails } from './real/devices/device-trees.ts'
import { writeTree } from './real/features/tree-files.ts'
import { node } from './small-cluster.ts'

const { signal } = new AbortController()
const roots: string[] = []
afterEach(() => {
  for (const root of roots.splice(0)) rmSync(root, { recursive: true, force: true })
})

const files = {
  ...gpus([
    { address: '0000:43:00.0', numa: '0' },
    { address: '0000:63:00.0', numa: '1' },
  ]),
  ...cardDetails('0000:43:00.0', 1),
  ...cardDetails('0000:63:00.0', 2),
}
const expected = {
  'amd.com/gpu.family': 'AI',
  'beta.amd.com/gpu.family': 'AI',
  'beta.amd.com/gpu.family.AI': '2',
  'amd.com/gpu.vram': '64G',
  'beta.amd.com/gpu.vram': '64G',
  'beta.amd.com/gpu.vram.64G': '2',
  'amd.com/gpu.cu-count': '38',
  'beta.amd.com/gpu.cu-count': '38',
  'beta.amd.com/gpu.cu-count.38': '2',
  'amd.com/gpu.product-name': 'Instinct_MI300X',
  'beta.amd.com/gpu.product-name': 'Instinct_MI300X',
  'beta.amd.com/gpu.product-name.Instinct_MI300X': '2',
  'beta.amd.com/gpu.firmware.MEC.fw.150': '2',
  'amd.com/gpu.driver-version': '6.10.5',
}
const kinds = ['family', 'vram', 'cu-count', 'product-name', 'firmware', 'driver-version'] as const

async function site(labels: Readonly<Record<string, string>> = { pool: 'gpu' }) {
  const clock = new VirtualClock(Date.parse('2026-03-02T04:00:00Z'))
  const plain = node('n1')
  const labelled = { ...plain, metadata: { ...plain.metadata, labels } }
  const twin = await startTwin({ clock, objects: [labelled], components: false })
  const root = mkdtempSync(join(tmpdir(), 'bl-'))
  roots.push(root)
  writeTree(root, { files })
  const tree = new HostTree({ hostPrefix: `${root}/`, ownRoot: root })
  const through = (transport: Transport) => ({
    api: openApi(transport, { clock, userAgent: 'test' }),
    ...{ tree, node: 'n1', kinds, clock, log: silentLog },
  })
  const nodes = openApi(twin.transport({ admin: true }), { clock, userAgent: 'test' }).resource<KubeObject>(builtIn.nodes)
  const labelsNow = async () => (await nodes.get('n1', { signal })).metadata.labels
  return { clock, twin, through, nodes, labelsNow, [Symbol.asyncDispose]: () => twin.stop() }
}

/** What happens around the first writes, each by its own. */
const around = (inner: Transport, acts: readonly Partial<Record<'before' | 'after', () => Promise<void>>>[]): Transport => {
  let writes = 0
  return {
    request: async request => {
      if (request.verb !== 'PUT') return await inner.request(request)
      const act = acts[writes]
      writes += 1
      await act?.before?.()
      const response = await inner.request(request)
      await act?.after?.()
      return response
    },
    stream: request => inner.stream(request),
    close: () => inner.close(),
  }
}
const dies = async () => {
  throw new ConnectionError('killed')
}

test('labels come, and stay as they are while nothing changes; those of others are kept', async () => {
  await using here = await site({ pool: 'gpu', 'amd.com/gpu.vram': '16G', 'beta.amd.com/gpu.device-id.1': '4' })
  const labeller = here.through(here.twin.transport({ admin: true }))
  expect(await labelNodeOnce(labeller, signal)).toBe(true)
  expect(await here.labelsNow()).toEqual({ pool: 'gpu', ...expected })
  expect(await labelNodeOnce(labeller, signal)).toBe(false)
})

test('somebody else writes the node meanwhile: neither write is lost', async () => {
  await using here = await site()
  const other = async () => {
    await here.nodes.patch('n1', { type: 'merge', body: { metadata: { labels: { other: 'yes' } } } }, { signal })
  }
  await labelNodeOnce(here.through(around(here.twin.transport({ admin: true }), [{ before: other }])), signal)
  expect(await here.labelsNow()).toEqual({ pool: 'gpu', other: 'yes', ...expected })
})

test.each(['before', 'after'] as const)('killed %s its write, the next run ends it', async when => {
  await using here = await site()
  await expect(
    labelNodeOnce(here.through(around(here.twin.transport({ admin: true }), [{ [when]: dies }])), signal),
  ).rejects.toThrow('killed')
  expect(await labelNodeOnce(here.through(here.twin.transport({ admin: true })), signal)).toBe(when === 'before')
  expect(await here.labelsNow()).toEqual({ pool: 'gpu', ...expected })
})

test('a server that is away is asked again, and a label that somebody took comes back', async () => {
  await using here = await site()
  const stop = new AbortController()
  const running = runNodeLabeller(here.through(around(here.twin.transport({ admin: true }), [{ before: dies }])), stop.signal)
  const passed = async (ms: number) => {
    await here.clock.advance(ms)
  }
  await passed(1)
  expect(await here.labelsNow()).toEqual({ pool: 'gpu' })
  await passed(11_000)
  expect(await here.labelsNow()).toEqual({ pool: 'gpu', ...expected })
  await here.nodes.patch('n1', { type: 'merge', body: { metadata: { labels: { 'amd.com/gpu.vram': null } } } }, { signal })
  await passed(61_000)
  expect(await here.labelsNow()).toEqual({ pool: 'gpu', ...expected })
  stop.abort()
  await passed(1)
  await running
})

test('flags, with one dash or two; unknown ones are refused by name', () => {
  const { kinds: chosen, kubeconfig } = labellerSettings([
    '-vram',
    '--cu-count',
    '-family=false',
    '-kubeconfig',
    '/k',
    '-logtostderr',
  ])
  expect([chosen, kubeconfig]).toEqual([['vram', 'cu-count'], '/k'])
  expect(labellerSettings(labelKinds.map(kind => `-${kind}`)).kinds).toEqual(labelKinds)
  expect(() => labellerSettings(['-colour'])).toThrow(/colour/)
  expect(() => labellerSettings(['vram'])).toThrow(/vram/)
})
