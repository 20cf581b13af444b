// Spegel as Helm and its own chart install it, swapped for Ballast node by node with `ballast migrate`, and back: real kubelets, both run as pods.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { helmChart } from '../helm/helm.ts'
import { ownImage, reference } from '../image/own-image.ts'
import { pushProgram } from '../mirror/laboratory/images.ts'
import { until } from '../mirror/laboratory/program.ts'
import { runCommand } from '../run-command.ts'
import { peerChart, peerProgram } from '../upstreams/peer-archives.ts'
import { archivesIn, type KubeletCluster, registryFiles, registryHost, startKubeletCluster } from './cluster.ts'
import type { KubeletNode } from './kubelet-node.ts'
import { limitMs, runPod, toldOf, untilFound } from './pods.ts'

const program = join(import.meta.dirname, '..', '..', '..', 'src', 'cli', 'main.ts')
/** Where hosts files of Spegel's chart lead, and those of ours after the swap. */
const hostPort = 30_020
const megabyte = 1_000_000
/** What our manifests call the image. */
const published = 'ghcr.io/ballast-dev/ballast:0.1.0'

const spegelValues = {
  image: { repository: `${registryHost}/spegel-org/spegel`, tag: 'v0.7.4' },
  // Two processors for two nodes and a control plane: look-ups need more than the usual 20 ms.
  spegel: { mirroredRegistries: [`http://${registryHost}`], mirrorResolveTimeout: '2s', logLevel: 'DEBUG' },
}

export async function spegelIsSwapped(): Promise<string> {
  const spegel = readFileSync(await peerProgram('spegel'))
  const chart = await peerChart('spegel')
  const archives = archivesIn(await ownImage())
  using helm = await helmChart(new Map())
  await using cluster = await startKubeletCluster({
    nodes: 2,
    archives,
    taints: [],
    isServed: true,
    containerdFiles: registryFiles,
  })
  const [n1, n2] = cluster.nodes
  if (n1 === undefined || n2 === undefined) throw new Error('two nodes')
  for (const node of cluster.nodes) {
    const tagged = await node.ctr('images', 'tag', reference, published)
    if (tagged.code !== 0) throw new Error(`ctr images tag: ${tagged.stderr}`)
  }
  try {
    await pushProgram(cluster.outside.base, {
      repository: 'spegel-org/spegel',
      tag: 'v0.7.4',
      besides: 10,
      program: { path: 'spegel', content: spegel },
      // It runs in an image of this kind only.
      files: { 'etc/os-release': 'PRETTY_NAME="Distroless"\n' },
      entrypoint: ['/spegel'],
      command: [],
    })
    await helm.want(['package', chart, '--version', '0.7.4', '--app-version', 'v0.7.4', '--destination', helm.directory])
    const values = helm.write('spegel.yaml', JSON.stringify(spegelValues))
    const kubeconfig = `--kubeconfig=${cluster.plane.kubeconfig}`
    const archive = join(helm.directory, 'spegel-0.7.4.tgz')
    await helm.want(['install', 'spegel', archive, '-n', 'spegel', '--create-namespace', '-f', values, kubeconfig])
    await untilReady(cluster, 'spegel', 'spegel')
    const before = await hostsFile(n1)
    const told = [await shared(cluster, n1, n2, 'acme/spegel', true)]
    const forth = await migrated(cluster, '--forget-release')
    await untilReady(cluster, 'ballast-agent', 'ballast-agent-mirror')
    await isGone(cluster, 'spegel', 'spegel')
    told.push(await shared(cluster, n1, n2, 'acme/ballast', false))
    const back = await migrated(cluster, '--back')
    await untilReady(cluster, 'spegel', 'spegel')
    await isGone(cluster, 'ballast-agent', 'ballast-agent-mirror')
    told.push(await shared(cluster, n1, n2, 'acme/again', true))
    const after = await hostsFile(n1)
    if (after !== before) throw new Error(`the hosts file was\n${before}\nand is\n${after}`)
    const { length: steps } = forth.match(/: (?:done|was so)/g) ?? []
    if (steps < 8) throw new Error(`of the steps forth only ${steps} were told of: ${forth}`)
    if (!/: (?:done|was so)/.test(back)) throw new Error(`no step back was told of: ${back}`)
    return `Helm and upstream's chart 0.7.4 on two kubelets ${cluster.plane.serverVersion}: there and back; with Spegel, Ballast and Spegel again copies of a layer for two nodes: ${told.join(', ')}; the hosts file is as it was`
  } catch (cause) {
    throw new Error(`${cause instanceof Error ? cause.message : String(cause)}\n${await toldOf(cluster)}`, { cause })
  }
}

/** Runs `migrate apply spegel` as its user does. @throws Error with what it said */
async function migrated({ plane }: KubeletCluster, ...flags: readonly string[]): Promise<string> {
  const args = [program, 'migrate', 'apply', 'spegel', '--all', '--yes', ...flags, '--kubeconfig', plane.kubeconfig]
  const { code, stdout, stderr } = await runCommand(process.execPath, args, { env: { NO_COLOR: '1' }, timeoutMs: 900_000 })
  if (code !== 0) throw new Error(`migrate apply spegel ${flags.join(' ')} ended with ${code}: ${stdout}${stderr}`)
  return `${stdout}${stderr}`
}

/**
 * A pod of a new image on one node, then on the other. Spegel 0.7.4 told of tags alone here, so the registry was asked for the rest.
 * @returns how many copies of its layer left the registry
 */
async function shared(
  cluster: KubeletCluster,
  first: KubeletNode,
  second: KubeletNode,
  repository: string,
  isSpegel: boolean,
): Promise<string> {
  const image = await cluster.pushRunning(repository, 'v1', 8 * megabyte)
  cluster.outside.forget()
  await runPod(cluster, first, image)
  await untilFound(second, image, hostPort, isSpegel)
  await runPod(cluster, second, image)
  const layer = image.layers.at(-1)
  if (layer === undefined) throw new Error('the image has no layer')
  const copies = cluster.outside.copies(layer)
  if (!isSpegel && copies > 1.1) throw new Error(`${copies.toFixed(2)} copies of ${repository} left the registry`)
  return copies.toFixed(2)
}

interface Counted {
  readonly status: {
    readonly desiredNumberScheduled: number
    readonly numberReady: number
  }
}

async function untilReady({ plane, nodes }: KubeletCluster, namespace: string, name: string): Promise<void> {
  await until(
    `DaemonSet ${namespace}/${name} is ready on each node`,
    async () => {
      const { status }: Counted = JSON.parse(
        JSON.stringify(await plane.client.want('GET', `/apis/apps/v1/namespaces/${namespace}/daemonsets/${name}`)),
      )
      return status.desiredNumberScheduled === nodes.length && status.numberReady === nodes.length
    },
    limitMs,
    500,
  )
}

async function isGone({ kubectl }: KubeletCluster, namespace: string, name: string): Promise<void> {
  const { stdout } = await kubectl('-n', namespace, 'get', 'daemonsets', '-o', 'name')
  if (stdout.includes(`/${name}`)) throw new Error(`DaemonSet ${namespace}/${name} is still there`)
}

const hostsFile = async ({ machine }: KubeletNode): Promise<string> =>
  readFileSync(machine.path(`/etc/containerd/certs.d/${registryHost}/hosts.toml`), 'utf8')
