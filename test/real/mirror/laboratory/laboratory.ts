// A small cluster: nodes with a containerd each, an outside, and mirrors on them, upstream's or ours.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { CommandResult } from '../../run-command.ts'
import { type ContainerdLine, type NodeContainerd, type NodeContainerdOptions, startNodeContainerd } from '../containerd.ts'
import { type Agent, type AgentKind, ports, startAgent } from './agents.ts'
import { pullByCri } from './cri.ts'
import { makeNetwork, type Network, type NodeNetwork } from './network.ts'
import { type Outside, startOutside } from './outside.ts'

export interface LaboratoryOptions {
  readonly nodes: number
  readonly line: ContainerdLine
  /** How a node's containerd is set up beside that. */
  readonly containerdOf?: (name: string) => Pick<NodeContainerdOptions, 'discardUnpackedLayers' | 'imageLines' | 'transferLines'>
  /** Root of a node's containerd where it is not to be in a temporary directory. */
  readonly rootOf?: (name: string) => string
}

export interface LaboratoryNode extends NodeNetwork {
  readonly containerd: NodeContainerd
  readonly directory: string
  /** Hosts files that its containerd reads. */
  readonly hosts: string
  /** `ctr images pull` in the node, unpacked. */
  pull(reference: string): Promise<CommandResult>
  /** `ctr content fetch`: the same requests and the same commit, without unpacking. */
  fetch(reference: string): Promise<CommandResult>
  /** `PullImage` of the container runtime interface, as a kubelet asks it; yields the image's reference. @throws Error with what it said */
  pullByCri(reference: string): Promise<string>
  /** Takes all images and all content away, and waits until the files are gone. */
  clean(): Promise<void>
}

export interface StartAgentOptions {
  readonly kind: AgentKind
  readonly flags?: readonly string[]
  readonly settings?: Readonly<Record<string, unknown>>
  readonly env?: Readonly<Record<string, string>>
  readonly readyMs?: number
  readonly first?: NodeNetwork
}

export interface Laboratory extends AsyncDisposable {
  readonly network: Network
  readonly outside: Outside
  readonly nodes: readonly LaboratoryNode[]
  /** The mirror of a node; the first node is whom the others ask for peers. */
  startAgent(node: LaboratoryNode, options: StartAgentOptions): Promise<Agent>
  /** On all nodes, at once; ready. */
  startAgents(options: StartAgentOptions): Promise<readonly Agent[]>
}

/** Registry of every image here: a name that no resolver knows, so that nothing is asked of a real one. */
export const registryName = 'registry.test'

/** Starts network, outside and containerds; all of it is gone when it is disposed. @throws PartUnavailable */
export async function startLaboratory(options: LaboratoryOptions): Promise<Laboratory> {
  const stack = new AsyncDisposableStack()
  try {
    const directory = mkdtempSync(join(tmpdir(), 'bl-'))
    stack.defer(() => rmSync(directory, { recursive: true, force: true, maxRetries: 3 }))
    const network = stack.use(await makeNetwork(options.nodes))
    const outside = stack.use(await startOutside({ ...network.outside, reach: network.reach }))
    const nodes: LaboratoryNode[] = []
    for (const node of network.nodes) nodes.push(await startNode(node, options, join(directory, node.name), outside.url, stack))
    const agents: Agent[] = []
    stack.defer(async () => {
      await Promise.all(agents.map(agent => agent.program.kill()))
    })
    const [head] = nodes
    if (head === undefined) throw new Error('a laboratory needs a node')
    const start = async (node: LaboratoryNode, { first = head, ...how }: StartAgentOptions) => {
      const agent = await startAgent({ ...how, node, first, containerd: node.containerd, directory: node.directory })
      agents.push(agent)
      if (how.readyMs !== 0) await served(agent, how.readyMs)
      return agent
    }
    return {
      network,
      outside,
      nodes,
      startAgent: start,
      async startAgents(how) {
        const started = await Promise.all(nodes.map(node => start(node, { ...how, readyMs: 0 })))
        if (how.readyMs !== 0) await Promise.all(started.map(agent => served(agent, how.readyMs)))
        return started
      },
      [Symbol.asyncDispose]: () => stack.disposeAsync(),
    }
  } catch (cause) {
    await stack.disposeAsync()
    throw cause
  }
}

/** Ready, and found by others: it serves before it has announced what it has. */
async function served(agent: Agent, limitMs?: number): Promise<void> {
  await agent.ready(limitMs)
  await agent.announced(limitMs)
}

async function startNode(
  network: NodeNetwork,
  { line, rootOf, containerdOf }: LaboratoryOptions,
  directory: string,
  outside: string,
  stack: AsyncDisposableStack,
): Promise<LaboratoryNode> {
  const hosts = join(directory, 'certs.d')
  mkdirSync(join(hosts, '_default'), { recursive: true })
  writeFileSync(join(hosts, '_default', 'hosts.toml'), hostsText(outside, [`http://${network.address}:${ports.registry}`]))
  const root = rootOf === undefined ? {} : { root: rootOf(network.name) }
  const containerd = stack.use(
    await startNodeContainerd({ line, netns: network.namespace, configPath: hosts, ...root, ...containerdOf?.(network.name) }),
  )
  const flags = ['--hosts-dir', hosts]
  return {
    ...network,
    containerd,
    directory,
    hosts,
    pull: reference => containerd.pull(reference, { hostsDirectory: hosts }),
    fetch: reference => containerd.ctr('content', 'fetch', ...flags, reference),
    pullByCri: reference => pullByCri(containerd.socket, reference),
    clean: () => clean(containerd),
  }
}

/** What a node's `_default/hosts.toml` says here: mirrors, then the outside. */
export function hostsText(outside: string, mirrors: readonly string[], dialTimeout = '200ms'): string {
  const blocks = mirrors.map(
    mirror => `[host.'${mirror}']\ncapabilities = ['pull', 'resolve']\ndial_timeout = '${dialTimeout}'\n`,
  )
  return [`server = '${outside}'\n`, ...blocks].join('\n')
}

async function clean(containerd: NodeContainerd): Promise<void> {
  const words = (text: string) => text.split(/\s+/).filter(word => word !== '')
  const images = words((await containerd.ctr('images', 'list', '--quiet')).stdout)
  if (images.length > 0) await containerd.ctr('images', 'remove', '--sync', ...images)
  const content = words((await containerd.ctr('content', 'list', '--quiet')).stdout)
  if (content.length > 0) await containerd.ctr('content', 'remove', ...content)
}
