// The product as its user runs it: kubelets whose nodes register held, `ballast manifests` applied, and pods whose images come from other nodes.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Check } from '../check.ts'
import { ownImage, reference } from '../image/own-image.ts'
import { pullByCri } from '../mirror/laboratory/cri.ts'
import { until } from '../mirror/laboratory/program.ts'
import { commandOutput } from '../run-command.ts'
import { archivesIn, type KubeletCluster, registryHost, startKubeletCluster } from './cluster.ts'
import { spegelIsSwapped } from './mirror-swap.ts'
import { limitMs, metric, referenceOf, runPod, toldOf, untilFound } from './pods.ts'
import { sessionsAsInKubelets } from './sessions.ts'

const program = join(import.meta.dirname, '..', '..', '..', 'src', 'cli', 'main.ts')
const heldTaint = 'ballast.dev/agent-not-ready'
const megabyte = 1_000_000
const ports = { mirror: 29_999, metrics: 29_997 } as const

const configuration = {
  apiVersion: 'ballast.dev/v1alpha1',
  kind: 'BallastConfiguration',
  capabilities: {
    // Two processors for two nodes and a control plane: look-ups need more than the usual 20 ms.
    mirror: { enabled: true, registries: [`http://${registryHost}`], mirrorResolveTimeout: '2s' },
    readiness: {
      enabled: true,
      rules: [{ name: 'mirror', require: [{ condition: 'ballast.dev/MirrorReady=True' }] }],
    },
  },
}

const ballast = (...args: readonly string[]) => commandOutput(process.execPath, [program, ...args])

async function manifests(): Promise<string> {
  const directory = mkdtempSync(join(tmpdir(), 'bc-'))
  try {
    const file = join(directory, 'ballast.yaml')
    writeFileSync(file, JSON.stringify(configuration))
    const [, registry = '', repository = '', tag = ''] = /^([^/]+)\/(.+):(.+)$/.exec(reference) ?? []
    const image = Object.entries({ registry, repository, tag }).flatMap(([key, text]) => ['--set', `image.${key}=${text}`])
    return await ballast('manifests', '--config', file, ...image)
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}

async function heldNodesServe(): Promise<string> {
  const archives = archivesIn(await ownImage())
  const fragment = await ballast('node-config', 'containerd')
  await using cluster = await startKubeletCluster({
    nodes: 2,
    archives,
    taints: [{ key: heldTaint, effect: 'NoSchedule' }],
    // What the machine's user has: our fragment, and a file of their own for their registry.
    containerdFiles: outside => ({
      'conf.d/20-ballast.toml': fragment,
      [`certs.d/${registryHost}/hosts.toml`]: `server = '${outside}'\n`,
    }),
  })
  const [n1, n2] = cluster.nodes
  if (n1 === undefined || n2 === undefined) throw new Error('two nodes')
  try {
    const startedMs = performance.now()
    await cluster.apply(await manifests())
    await until('the nodes are let go', () => areLetGo(cluster), limitMs, 250)
    const heldSeconds = ((performance.now() - startedMs) / 1_000).toFixed(1)
    const first = await cluster.pushRunning('acme/first', 'v1', 8 * megabyte)
    const second = await cluster.pushRunning('acme/second', 'v1', 8 * megabyte)
    for (const image of [first, second]) await runPod(cluster, n1, image)
    for (const image of [first, second]) await untilFound(n2, image, ports.mirror)
    cluster.outside.forget()
    await cluster.outside.stop()
    await runPod(cluster, n2, first)
    const served = await metric(n2, ports.metrics, 'ballast_mirror_bytes_total', { source: 'peer', direction: 'in' })
    const size = first.layers.at(-1)?.size ?? 0
    if (served < size) throw new Error(`${served} bytes of ${size} came from the other node`)
    await cluster.plane.stop()
    await pullByCri(n2.machine.mounted('/run/containerd/containerd.sock'), referenceOf(second))
    const stalls = await metric(n2, ports.metrics, 'ballast_mirror_stalls_total')
    if (stalls > 0) throw new Error(`${stalls} transfers between two idle nodes stalled`)
    return `two kubelets ${cluster.plane.serverVersion}: held until the mirror served, ${heldSeconds} s after kubectl apply; a pod's image from the other node with the outside cut off, one more by CRI with the API server away`
  } catch (cause) {
    throw new Error(`${cause instanceof Error ? cause.message : String(cause)}\n${await toldOf(cluster)}`, { cause })
  }
}

/** Whether no node has a taint, and each says why: its mirror serves. */
async function areLetGo({ plane, nodes }: KubeletCluster): Promise<boolean> {
  const { items } = JSON.parse(JSON.stringify(await plane.client.want('GET', '/api/v1/nodes'))) as NodeList
  return (
    items.length === nodes.length &&
    items.every(
      ({ spec, status }) =>
        (spec.taints ?? []).length === 0 &&
        status.conditions.some(({ type, status: is }) => type === 'ballast.dev/MirrorReady' && is === 'True'),
    )
  )
}

interface NodeList {
  readonly items: readonly {
    readonly spec: { readonly taints?: readonly object[] }
    readonly status: { readonly conditions: readonly { readonly type: string; readonly status: string }[] }
  }[]
}

export const kubeletChecks: readonly Check[] = [
  {
    name: 'kubelet: nodes that register held serve, are let go, and give each other their images',
    alone: true,
    run: heldNodesServe,
  },
  { name: 'kubelet: kubectl in containers, as in those of the twin', alone: true, run: sessionsAsInKubelets },
  { name: 'kubelet: Spegel to Ballast node by node, and back', alone: true, run: spegelIsSwapped },
]
