// Real kubelets before servers that are folders: `ballast manifests --enable nfs`, in our image, whose `mount.nfs` is the stand-in. All else is real: mount(8),
// the kubelet's plug-in manager, its mounts for containers, the scheduler and the controllers of volumes.

import { chmodSync, copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { stringify } from 'yaml'
import { commandLine } from '../../../cli/bundled.ts'
import { atEnd } from '../../endings.ts'
import { ownImage, reference } from '../../image/own-image.ts'
import { archivesIn, type KubeletCluster, registryFiles, startKubeletCluster } from '../../kubelet/cluster.ts'
import type { KubeletNode } from '../../kubelet/kubelet-node.ts'
import { limitMs, toldOf } from '../../kubelet/pods.ts'
import { until } from '../../mirror/laboratory/program.ts'
import { commandOutput } from '../../run-command.ts'
import { NfsServers, standIn } from '../servers.ts'
import { addStandIn } from './stand-in-policy.ts'

/** Where node part and controller part are. */
export const agents = 'ballast-agent'
export const nodePart = 'daemonset/ballast-agent-nfs'
export const driverName = 'nfs.csi.k8s.io'
/** The seed's. */
export const className = 'nfs-slow'

export interface NfsCluster extends AsyncDisposable {
  readonly cluster: KubeletCluster
  readonly servers: NfsServers
  /** The folder that `candlekeep` exports as `/kubernetes`. */
  readonly share: string
}

interface NfsClusterOptions {
  readonly nodes: number
  /** The settings beside the capability itself, as of `--set`. */
  readonly settings?: readonly string[]
  /** `umount` of our image is the stand-in too, so that it can be told to hang. */
  readonly umount?: boolean
  /** Ours is not installed. */
  readonly isBare?: boolean
}

/** Starts it all, with the seed's class; waits until each kubelet knows the driver. @throws PartUnavailable */
export async function startNfsCluster({
  nodes,
  settings = [],
  umount = false,
  isBare = false,
}: NfsClusterOptions): Promise<NfsCluster> {
  const program = await standIn()
  const archives = archivesIn(await ownImage())
  const stack = new AsyncDisposableStack()
  try {
    const root = mkdtempSync(join(tmpdir(), 'bnfs-k-'))
    const remove = () => rmSync(root, { recursive: true, force: true, maxRetries: 3 })
    const forget = atEnd(remove)
    stack.defer(() => {
      remove()
      forget()
    })
    chmodSync(root, 0o755)
    mkdirSync(join(root, 'exports', '.told'), { recursive: true })
    writeFileSync(join(root, '.root'), join(root, 'exports'))
    copyFileSync(program, join(root, 'stand-in'))
    chmodSync(join(root, 'stand-in'), 0o755)
    const servers = new NfsServers(join(root, 'exports'))
    const share = servers.addShare('candlekeep', 'kubernetes')
    chmodSync(share, 0o777)
    const cluster = stack.use(
      await startKubeletCluster({
        nodes,
        archives,
        taints: [],
        audit: true,
        volumeStatsPeriod: '5s',
        containerdFiles: registryFiles,
      }),
    )
    await cluster.pushRunning('acme/worker', 'v1', 10)
    const site = { cluster, servers, share, [Symbol.asyncDispose]: () => stack.disposeAsync() }
    await cluster.apply(stringify(seedClass))
    await addStandIn(cluster, { root, umount })
    if (!isBare) {
      await install(site, settings)
    }
    return site
  } catch (cause) {
    await stack.disposeAsync()
    throw cause
  }
}

const seedClass = {
  apiVersion: 'storage.k8s.io/v1',
  kind: 'StorageClass',
  metadata: { name: className },
  provisioner: driverName,
  parameters: { server: 'candlekeep', share: '/kubernetes' },
  mountOptions: ['nfsvers=4.1', 'nconnect=16'],
  reclaimPolicy: 'Delete',
  allowVolumeExpansion: true,
}

/** Installs it, or changes what is installed; waits until each kubelet knows the driver. Settings are of `--set`. */
export async function install(site: Pick<NfsCluster, 'cluster'>, settings: readonly string[]): Promise<void> {
  await site.cluster.apply(await manifests(settings))
  await untilServed(site)
}

/** What is installed; settings are of `--set`. */
async function manifests(settings: readonly string[]): Promise<string> {
  const [, registry = '', repository = '', tag = ''] = /^([^/]+)\/(.+):(.+)$/.exec(reference) ?? []
  const image = Object.entries({ registry, repository, tag }).map(([key, text]) => `image.${key}=${text}`)
  const less = ['--disable', 'deschedule,isolate', '--set', 'controller.replicas=1']
  const sets = [...image, ...settings].flatMap(text => ['--set', text])
  return await commandOutput(process.execPath, [commandLine, 'manifests', '--enable', 'nfs', ...less, ...sets])
}

/** Waits until each kubelet knows the driver, and the controller is ready. */
export async function untilServed({ cluster }: Pick<NfsCluster, 'cluster'>): Promise<void> {
  await until(
    'each kubelet knows the driver',
    async () => {
      const all = await Promise.all(cluster.nodes.map(({ machine }) => isRegistered(cluster, machine.name)))
      return all.every(Boolean)
    },
    limitMs,
    250,
  )
  await want(cluster, '-n', agents, 'rollout', 'status', nodePart, `--timeout=${limitMs / 1_000}s`)
  await want(cluster, '-n', agents, 'rollout', 'status', 'deployment/ballast-nfs-controller', `--timeout=${limitMs / 1_000}s`)
}

/** Whether the kubelet has told the API server of the driver. */
async function isRegistered(cluster: KubeletCluster, node: string): Promise<boolean> {
  const { code, stdout } = await cluster.kubectl('get', 'csinode', node, '-o', 'jsonpath={.spec.drivers[*].name}')
  return code === 0 && stdout.split(' ').includes(driverName)
}

/** Places of volumes that are mounted on the machine for its pods, each as often as something is mounted there. */
export const volumeMounts = (node: KubeletNode): readonly string[] =>
  mountsLike(node, /^\/var\/lib\/kubelet\/pods\/[^/]+\/volumes\/kubernetes\.io~csi\/[^/]+\/mount$/)

/** Places of volumes that are mounted for the whole node. */
export const stagedMounts = (node: KubeletNode): readonly string[] =>
  mountsLike(node, /^\/var\/lib\/kubelet\/plugins\/kubernetes\.io\/csi\/nfs\.csi\.k8s\.io\/[^/]+\/globalmount$/)

const mountsLike = ({ machine }: KubeletNode, place: RegExp): readonly string[] =>
  readFileSync(machine.mounted('/proc/1/mountinfo'), 'utf8')
    .split('\n')
    .map(line => line.split(' ')[4] ?? '')
    .filter(target => place.test(target))

/** What kubectl prints. @throws Error with what it said */
export async function want(cluster: KubeletCluster, ...args: readonly string[]): Promise<string> {
  const { code, stdout, stderr } = await cluster.kubectl(...args)
  if (code !== 0) throw new Error(`kubectl ${args.join(' ')}: ${stderr}`)
  return stdout
}

/** Runs a check, and adds to what it throws what one wants to read then. */
export async function toldWhere({ cluster, servers }: NfsCluster, check: () => Promise<string>): Promise<string> {
  try {
    return await check()
  } catch (cause) {
    const logs = await Promise.all(
      [nodePart, 'deployment/ballast-nfs-controller'].map(
        async name => (await cluster.kubectl('-n', agents, 'logs', name, '--tail=40')).stdout,
      ),
    )
    const kubelets = cluster.nodes.map(node =>
      node
        .kubeletLog()
        .split('\n')
        .filter(line => /csi|volume|plugin/i.test(line))
        .slice(-30)
        .join('\n'),
    )
    const calls = servers
      .calls()
      .slice(-20)
      .map(call => JSON.stringify(call))
    const told = [...kubelets, ...calls, ...logs, await toldOf(cluster)].join('\n')
    throw new Error(`${cause instanceof Error ? cause.message : String(cause)}\n${told}`, { cause })
  }
}
