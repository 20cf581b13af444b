// A whole cluster: a control plane with its own namespace, nodes with real kubelets, an outside with a registry, pods that reach each other.
import { globSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { kubectlPath, programPath } from '../control-plane/debian.ts'
import { type ControlPlane, type ControlPlanePlace, kubernetesAddress, startControlPlane } from '../control-plane/start.ts'
import { needPrograms } from '../machine-programs.ts'
import { pushProgram } from '../mirror/laboratory/images.ts'
import { makeNetwork, type Network } from '../mirror/laboratory/network.ts'
import { type Outside, startOutside } from '../mirror/laboratory/outside.ts'
import { startProgram, until } from '../mirror/laboratory/program.ts'
import { type CommandResult, commandOutput, runCommand } from '../run-command.ts'
import { type KubeletNode, type KubeletNodeOptions, startKubeletNode } from './kubelet-node.ts'

export interface KubeletClusterOptions {
  readonly nodes: number
  readonly archives: readonly string[]
  readonly taints: KubeletNodeOptions['taints']
  /** See {@link KubeletNodeOptions}; gets the registry's address on the outside. */
  readonly containerdFiles: (outside: string) => Readonly<Record<string, string>>
  /** Pods find Services by their names, and ports of the host lead to pods, as Spegel's chart needs it. */
  readonly isServed?: boolean
  /** Names of the nodes whose kubelets serve with the cluster's certificates; see {@link KubeletNodeOptions}. */
  readonly certified?: readonly string[]
  readonly audit?: boolean
  /** See {@link KubeletNodeOptions}. */
  readonly volumeStatsPeriod?: string
}

export interface KubeletCluster extends AsyncDisposable {
  readonly network: Network
  readonly outside: Outside & {
    /** Where images are pushed to it. */
    readonly base: string
  }
  readonly plane: ControlPlane
  /** Where the control plane runs. */
  readonly place: ControlPlanePlace
  readonly nodes: readonly KubeletNode[]
  kubectl(...args: readonly string[]): Promise<CommandResult>
  /** `kubectl apply --server-side -f -`. @throws Error with what it said */
  apply(text: string): Promise<void>
  /** Pushes an image that runs until it is told to end. */
  pushRunning(repository: string, tag: string, besides: number): ReturnType<typeof pushProgram>
}

/** What images are called here; each node knows where that is. */
export const registryHost = 'registry.test:5055'
const planeHost = 253
const podRangeOf = (index: number) => `10.244.${index + 1}.0/24`

/** The archives in a directory of our image that these nodes take. */
export const archivesIn = (image: string): readonly string[] =>
  globSync('*-linux-amd64.tar', { cwd: image }).map(name => join(image, name))

/** What a machine's user has who pulls from the registry: for {@link KubeletClusterOptions}. */
export const registryFiles = (outside: string): Readonly<Record<string, string>> => ({
  'conf.d/10-paths.toml':
    'version = 3\n[plugins."io.containerd.cri.v1.images".registry]\n  config_path = "/etc/containerd/certs.d"\n',
  [`certs.d/${registryHost}/hosts.toml`]: `server = '${outside}'\n`,
})

/** Starts all of it and waits until the nodes are Ready. @throws PartUnavailable */
export async function startKubeletCluster(options: KubeletClusterOptions): Promise<KubeletCluster> {
  const busybox = readFileSync(await programPath('bookworm', 'busybox-static', 'bin/busybox'))
  const kubectlProgram = await kubectlPath('newest')
  const stack = new AsyncDisposableStack()
  try {
    const directory = mkdtempSync(join(tmpdir(), 'bk-'))
    stack.defer(() => rmSync(directory, { recursive: true, force: true, maxRetries: 3 }))
    const network = stack.use(await makeNetwork(options.nodes))
    const place = await network.attachReachable('plane', planeHost)
    await route(network, place)
    const outside = stack.use(await startOutside({ ...network.outside, reach: network.reach }))
    const base = `http://${network.reach}:${new URL(outside.url).port}`
    const pushRunning = (repository: string, tag: string, besides: number) =>
      pushProgram(base, {
        repository,
        tag,
        besides,
        program: { path: 'bin/busybox', content: busybox },
        command: ['/bin/busybox', 'sleep', '1000000'],
      })
    await pushRunning('pause', '1', 10)
    const plane = await startControlPlane({
      scheduler: '1.36',
      controllerManager: true,
      place,
      ...(options.audit === true ? { audit: true } : {}),
    })
    stack.defer(() => plane.stop())
    const names = options.isServed === true ? await startNames(stack, plane, place) : undefined
    const nodes = await Promise.all(
      network.nodes.map((node, index) =>
        startKubeletNode({
          network: node,
          directory: join(directory, node.name),
          plane,
          place,
          podRange: podRangeOf(index),
          sandboxImage: `${new URL(outside.url).host}/pause:1`,
          archives: options.archives,
          hosts: [`${network.outside.address} ${registryHost.split(':')[0]}`],
          taints: options.taints,
          containerdFiles: options.containerdFiles(outside.url),
          volumeStatsPeriod: options.volumeStatsPeriod,
          isCertified: options.certified?.includes(node.name) === true,
          ...(names === undefined ? {} : { names }),
        }),
      ),
    )
    for (const node of nodes) stack.use(node)
    const kubectl = (...args: readonly string[]) =>
      runCommand(kubectlProgram, [`--kubeconfig=${plane.kubeconfig}`, ...args], { timeoutMs: 120_000 })
    const cluster: KubeletCluster = {
      network,
      outside: { ...outside, base },
      plane,
      place,
      nodes,
      kubectl,
      pushRunning,
      async apply(text) {
        const flags = [`--kubeconfig=${plane.kubeconfig}`, 'apply', '--server-side', '-f', '-']
        await commandOutput(kubectlProgram, flags, { input: text, timeoutMs: 120_000 })
      },
      [Symbol.asyncDispose]: () => stack.disposeAsync(),
    }
    return cluster
  } catch (cause) {
    await stack.disposeAsync()
    throw cause
  }
}

/** Answers names of the cluster beside the control plane. @returns its address */
async function startNames(stack: AsyncDisposableStack, plane: ControlPlane, place: ControlPlanePlace): Promise<string> {
  await needPrograms('iptables')
  const { namespace, address } = place
  const program = startProgram(process.execPath, [join(import.meta.dirname, 'names.ts'), address, plane.kubeconfig], {
    namespace,
  })
  stack.defer(() => program.kill())
  await until('names are answered', () => {
    if (program.hasEnded()) throw new Error(`names: ${program.log()}`)
    return program.log().includes('names are answered')
  })
  return address
}

/** Pods and the Service `kubernetes` are reached by routes alone: every pod keeps its address. */
async function route(network: Network, place: { readonly namespace: string; readonly address: string }): Promise<void> {
  const ip = (namespace: string, ...args: readonly string[]) => commandOutput('ip', ['-n', namespace, ...args])
  await ip(place.namespace, 'address', 'add', `${kubernetesAddress}/32`, 'dev', 'lo')
  for (const [index, node] of network.nodes.entries()) {
    await ip(place.namespace, 'route', 'add', podRangeOf(index), 'via', node.address)
    await ip(node.namespace, 'route', 'add', `${kubernetesAddress}/32`, 'via', place.address)
    for (const [other, to] of network.nodes.entries())
      if (to !== node) await ip(node.namespace, 'route', 'add', podRangeOf(other), 'via', to.address)
    await commandOutput('ip', ['netns', 'exec', node.namespace, 'sh', '-c', 'echo 1 > /proc/sys/net/ipv4/ip_forward'])
  }
}
