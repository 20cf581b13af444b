// The two smaller homelabs as they are loaded: their tables' figures, what waits there, and from where their nodes get images.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { VirtualClock } from '#kube/clock.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { startTwin, type Twin } from '#twin/twin.ts'
import media from '../examples/media-homelab/expect/tables.json' with { type: 'json' }
import utilities from '../examples/utilities-homelab/expect/tables.json' with { type: 'json' }
import { readSource } from '../src/cli/source/source.ts'
import { runBallast } from './cli/run-ballast.ts'
import { startBallast } from './cli/running-ballast.ts'

const folderOf = (name: string) => join(import.meta.dirname, '../examples', name)

async function loaded(name: string): Promise<Twin> {
  const clock = new VirtualClock(Date.UTC(2026, 0, 12, 20))
  const twin = await startTwin({ clock, objects: readSource(folderOf(name)).objects.map(({ object }) => object) })
  await twin.settle({ limitMs: 600_000 })
  return twin
}

const person = { manager: 'kubectl', user: 'ballast-admin' }
const phaseOf = (twin: Twin, namespace: string, name: string) => twin.access.get('pods', namespace, name)?.['status']

function pod(name: string, node: string, image: string): KubeObject {
  const spec = { nodeName: node, containers: [{ name: 'main', image }] }
  return { apiVersion: 'v1', kind: 'Pod', metadata: { name, namespace: 'default' }, spec }
}

describe.each([
  ['utilities-homelab', utilities],
  ['media-homelab', media],
])('%s', (name, tables) => {
  test('its nodes have what the tables say', async () => {
    const ended = await runBallast(['top', '--cluster', folderOf(name), '-o', 'json'])
    expect(ended.code).toBe(0)
    const { nodes }: { readonly nodes: readonly Row[] } = JSON.parse(ended.output)
    expect(Object.fromEntries(nodes.map(figuresOf))).toEqual(tables.nodes)
  })

  test('it comes up in the twin as it was, and each node has its mirror', async () => {
    await using twin = await loaded(name)
    const waiting = twin.access
      .list('pods')
      .filter(({ status }) => (status as { phase?: string } | undefined)?.phase !== 'Running')
    expect(waiting.map(({ metadata }) => metadata.name.replace(/-[a-z0-9]+-[a-z0-9]+$/, ''))).toEqual(
      name === 'media-homelab' ? ['sixth'] : [],
    )
    const mirrors = twin.access.list('pods').filter(({ metadata }) => metadata.name.startsWith('spegel-'))
    expect(mirrors).toHaveLength(Object.keys(tables.nodes).length)
  })
})

interface Row {
  readonly name: string
  readonly cpu: { readonly requested: number }
  readonly memory: { readonly requested: number }
  readonly pods: { readonly count: number }
}

function figuresOf({ name, cpu, memory, pods }: Row) {
  return [name, { cpuMillicores: cpu.requested, memoryMi: memory.requested / 1_048_576, pods: pods.count }] as const
}

test('M2: the sixth pod waits for a share of the GPU, and is told so', async () => {
  await using twin = await loaded('media-homelab')
  const sixth = twin.access.list('pods', 'media').find(({ metadata }) => metadata.name.startsWith('sixth-'))
  expect(JSON.stringify(sixth?.['status'])).toContain('Insufficient gpu.intel.com/i915')
})

test('M3: what is on the machines is labelled by its rule, the page says who holds the shares, and why says what the sixth waits for', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'ballast-small-'))
  const kubeconfig = join(folder, 'kubeconfig')
  try {
    const words = ['up', '--cluster', folderOf('media-homelab'), '--kubeconfig-out', kubeconfig, '--port', '0']
    await using ballast = startBallast(words)
    await ballast.said(/Ctrl-C ends it\./)
    const address = /The page: (http:\S+)/.exec(ballast.output)?.[1] ?? ''
    const page = async (): Promise<HardwareView> =>
      JSON.parse(await (await fetch(new URL('api/v1/pages/hardware', address))).text())
    await expect
      .poll(async () => rowsOf(await page(), 'labels').map(cells => [cells[0], cells[2], cells[4]]), { timeout: 60_000 })
      .toEqual([
        ['feature.node.kubernetes.io/pci-0300_8086.present', 2, ''],
        ['intel.feature.node.kubernetes.io/gpu', 2, 'intel-dp-gpu-device: a GPU of Intel with its driver'],
      ])
    const found = await page()
    expect(rowsOf(found, 'devices').map(cells => cells.slice(0, 6))).toEqual([
      ['media-1', 'gpu.intel.com/i915', 5, 5, 5, 0],
      ['media-2', 'gpu.intel.com/i915', 5, 5, 0, 5],
    ])
    expect(rowsOf(found, 'holders')).toHaveLength(5)
    await expect
      .poll(async () => rowsOf(await page(), 'waiting')[0]?.at(-1), { timeout: 60_000 })
      .toContain('Insufficient gpu.intel.com/i915')
    const why = await runBallast(['why', 'deployment/sixth', '-n', 'media', '--kubeconfig', kubeconfig])
    expect(why.output).toContain('1 Insufficient gpu.intel.com/i915')
    expect(await ballast.stop()).toBe(0)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
})

interface HardwareView {
  readonly tables: readonly { readonly name: string; readonly rows: readonly { readonly cells: readonly unknown[] }[] }[]
}

const rowsOf = ({ tables }: HardwareView, name: string) =>
  tables.find(table => table.name === name)?.rows.map(({ cells }) => cells) ?? []

test('U3: the image of 12 GB comes from the node that has it, and still does with the registry away', async () => {
  await using twin = await loaded('utilities-homelab')
  const image = 'docker.io/vllm/vllm-openai:v0.11.2'
  twin.fault({ image: { pattern: '*', error: 'ErrImagePull' } })
  twin.access.create('pods', pod('again', 'util-w1', image), person)
  await twin.settle({ limitMs: 3_600_000 })
  expect(phaseOf(twin, 'default', 'again')).toMatchObject({ phase: 'Running' })
  expect(twin.imagePulls).toMatchObject([{ node: 'util-w1', image, source: 'peer', bytes: 12_000_000_000 }])
})

test('a registry that is not among the eight is asked itself', async () => {
  await using twin = await loaded('utilities-homelab')
  for (const node of ['util-w1', 'util-w2']) {
    twin.access.create('pods', pod(`other-${node}`, node, 'registry.example.net/a/b:1'), person)
    await twin.settle({ limitMs: 3_600_000 })
  }
  expect(twin.imagePulls.map(({ source }) => source)).toEqual(['outside', 'outside'])
})

test('up without a RebalancePolicy shows the cluster, says that nothing is planned, and goes on until it is stopped', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'ballast-small-'))
  const kubeconfig = join(folder, 'kubeconfig')
  try {
    await using ballast = startBallast([
      'up',
      '--cluster',
      folderOf('media-homelab'),
      '--no-dashboard',
      '--kubeconfig-out',
      kubeconfig,
    ])
    await ballast.said(/Ctrl-C ends it\./)
    expect(ballast.output).toMatch(/^media-1 .*32 %/m)
    expect(ballast.output).toContain('The cluster has no RebalancePolicy, so nothing is planned and nothing moves.')
    expect(await ballast.stop()).toBe(0)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
})
