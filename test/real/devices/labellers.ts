// AMD's node labeller and ours before the same API server, on the same machines: the same labels, and neither takes back what the other gave.

import { deepStrictEqual } from 'node:assert'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { eventually } from '../ballast/example-cluster.ts'
import { commandLine } from '../ballast/site.ts'
import { PartUnavailable } from '../cache.ts'
import { startControlPlane } from '../control-plane/start.ts'
import { writeTree } from '../features/tree-files.ts'
import { startProgram } from '../mirror/laboratory/program.ts'
import { upstreamPath, upstreamVersion } from '../upstreams/build.ts'
import { gpus } from './amd-cases.ts'
import { cardDetails, type Files, merged } from './device-trees.ts'
import { asMachine } from './plugins.ts'

/** The kinds that no call of a driver's library is needed for. */
const flags = [
  ...['device-id', 'product-name', 'driver-version', 'driver-src-version', 'vram', 'simd-count', 'cu-count'],
  ...['compute-memory-partition', 'compute-partitioning-supported', 'memory-partitioning-supported'],
].map(kind => `-${kind}`)

const left = { address: '0000:43:00.0', numa: '0' }
const right = { address: '0000:63:00.0', numa: '1' }
const spx = { compute: 'SPX', memory: 'NPS1' }
const available = (address: string): Files => ({
  [`sys/devices/pci0000:00/${address}/available_compute_partition`]: 'SPX, CPX\n',
})

const machines: Readonly<Record<string, Files>> = {
  alike: merged(gpus([left, right]), cardDetails(left.address, 1), cardDetails(right.address, 2)),
  'two-kinds': merged(
    gpus([left, right]),
    cardDetails(left.address, 1, { name: 'Radeon PRO W6800 (32 GB)', id: '0x73a3', gibibytes: 32 }),
    cardDetails(right.address, 2),
  ),
  partitioned: merged(gpus([{ ...left, ...spx }]), cardDetails(left.address, 1, { gibibytes: 192 }), available(left.address)),
}

/** @throws Error with what differs */
export async function comparedLabellers(): Promise<string> {
  if (process.getuid?.() !== 0) throw new PartUnavailable('mounts need root')
  const upstream = await upstreamPath('amd-node-labeller')
  await using stack = new AsyncDisposableStack()
  const plane = await startControlPlane({ scheduler: 'off', controllerManager: false, audit: true })
  stack.defer(() => plane.stop())
  const folder = mkdtempSync(join(tmpdir(), 'ballast-labellers-'))
  stack.defer(() => rmSync(folder, { recursive: true, force: true }))
  const others = { pool: 'gpu', 'amd.com/mi300x': 'true' }
  const labelsOf = async (node: string) => {
    const { metadata } = await plane.client.want('GET', `/api/v1/nodes/${node}`)
    const { 'kubernetes.io/hostname': _name, ...labels } = metadata.labels ?? {}
    return labels
  }
  const labelled = async (node: string, command: readonly string[]) => {
    const [program = '', ...args] = command
    const running = startProgram(program, args, { env: { DS_NODE_NAME: node } })
    try {
      return await eventually(
        () => `${node} is not labelled: ${running.log()}`,
        async () => {
          const labels = await labelsOf(node)
          return 'amd.com/gpu.compute-partitioning-supported' in labels ? labels : undefined
        },
        60_000,
      )
    } finally {
      await running.kill()
    }
  }
  let count = 0
  for (const [node, files] of Object.entries(machines)) {
    const tree = join(folder, node)
    writeTree(tree, { files })
    const fresh = async () => {
      await plane.client.want('POST', '/api/v1/nodes', {
        apiVersion: 'v1',
        kind: 'Node',
        metadata: { name: node, labels: others },
      })
    }
    await fresh()
    const unshare = ['unshare', '--mount', '--propagation', 'private', 'sh', '-c', asMachine, 'machine', tree]
    const byThem = await labelled(node, [...unshare, upstream, `-kubeconfig=${plane.kubeconfig}`, ...flags])
    await plane.client.want('DELETE', `/api/v1/nodes/${node}`)
    await fresh()
    const own = [
      process.execPath,
      commandLine,
      'amd-node-labeller',
      `-kubeconfig=${plane.kubeconfig}`,
      `-prefix=${tree}`,
      ...flags,
    ]
    deepStrictEqual(await labelled(node, own), byThem, node)
    count += Object.keys(byThem).length - Object.keys(others).length
  }
  return `server ${plane.serverVersion}: ${Object.keys(machines).length} machines, ${count} labels as by ${upstreamVersion('amd-node-labeller')}`
}
