// Nodes as network namespaces on one bridge, 10.99.0.i/24, with the outside at 10.99.0.254. The bridge lies in a namespace of its own, so
// that any number of laboratories can stand on one machine; one more link leads from this process to the outside.

import { spawnSync } from 'node:child_process'
import { readdirSync } from 'node:fs'
import { PartUnavailable } from '../../cache.ts'
import { atEnd } from '../../endings.ts'
import { needPrograms } from '../../machine-programs.ts'
import { commandOutput, runCommand } from '../../run-command.ts'

export interface NodeNetwork {
  /** `n1`. */
  readonly name: string
  readonly namespace: string
  readonly address: string
}

export interface Shape {
  /** As `tc` has it: `1gbit`. Both directions. */
  readonly rate: string
}

export interface Network extends AsyncDisposable {
  readonly nodes: readonly NodeNetwork[]
  /** Where what is outside the cluster runs, and where the nodes find it. */
  readonly outside: { readonly namespace: string; readonly address: string }
  /** Where this process finds what runs outside; nodes cannot come this way. */
  readonly reach: string
  /** One more namespace on the bridge, at `10.99.0.<host>`, with a link of its own to this process. Once. */
  attachReachable(
    name: string,
    host: number,
  ): Promise<{ readonly namespace: string; readonly address: string; readonly reach: string }>
  /** The node's link is limited in both directions; `outside` is the link to what is outside. */
  shape(where: NodeNetwork | 'outside', shape: Shape): Promise<void>
  /** Takes a node's link down or up again; its neighbours are told nothing. */
  link(node: NodeNetwork, state: 'up' | 'down'): Promise<void>
  /** Splits the nodes: those of `group` and the others no longer reach each other; both still reach the outside. */
  split(group: readonly NodeNetwork[]): Promise<void>
  heal(): Promise<void>
}

const outsideAddress = '10.99.0.254'

/** Makes `count` nodes (at most 200). @throws PartUnavailable where this machine has no network namespaces for us */
export async function makeNetwork(count: number): Promise<Network> {
  if (process.platform !== 'linux' || process.getuid?.() !== 0)
    throw new PartUnavailable('network namespaces need Linux and root')
  await needPrograms('ip', 'tc', 'curl')
  const tag = await claimedTag()
  const hub = hubOf(tag)
  const reachNumber = Number.parseInt(tag, 36) % 16_000
  // Each network has two blocks of four addresses: one for the outside, one for what is attached later.
  const reachAt = (block: 18 | 19, host: number) =>
    `198.${block}.${Math.floor(reachNumber / 64)}.${(reachNumber % 64) * 4 + host}`
  const nodes = Array.from({ length: count }, (_, index) => ({
    name: `n${index + 1}`,
    namespace: `bm${tag}-n${index + 1}`,
    address: `10.99.0.${index + 1}`,
  }))
  const namespaces = [hub, `bm${tag}-out`, ...nodes.map(({ namespace }) => namespace)]
  const outside = { namespace: `bm${tag}-out`, address: outsideAddress }
  const remove = () => {
    for (const namespace of namespaces) spawnSync('ip', ['netns', 'delete', namespace])
  }
  const isOver = atEnd(remove)
  const ip = (...args: readonly string[]) => commandOutput('ip', args)
  const attach = async (namespace: string, port: string, address: string) => {
    await ip('netns', 'add', namespace)
    await ip('-n', hub, 'link', 'add', port, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', namespace)
    await ip('-n', hub, 'link', 'set', port, 'master', 'br0', 'up')
    await ip('-n', namespace, 'link', 'set', 'lo', 'up')
    await ip('-n', namespace, 'address', 'add', `${address}/24`, 'dev', 'eth0')
    await ip('-n', namespace, 'link', 'set', 'eth0', 'up')
  }
  const reachable = async (namespace: string, device: string, block: 18 | 19) => {
    await ip('-n', namespace, 'link', 'add', 'reach', 'type', 'veth', 'peer', 'name', device, 'netns', '1')
    await ip('address', 'add', `${reachAt(block, 1)}/30`, 'dev', device)
    await ip('link', 'set', device, 'up')
    await ip('-n', namespace, 'address', 'add', `${reachAt(block, 2)}/30`, 'dev', 'reach')
    await ip('-n', namespace, 'link', 'set', 'reach', 'up')
    return reachAt(block, 2)
  }
  const limit = async (namespace: string, device: string, { rate }: Shape) => {
    const tbf = ['root', 'tbf', 'rate', rate, 'burst', '512kb', 'latency', '100ms']
    await commandOutput('ip', ['netns', 'exec', namespace, 'tc', 'qdisc', 'replace', 'dev', device, ...tbf])
  }
  try {
    await ip('-n', hub, 'link', 'add', 'br0', 'type', 'bridge')
    await ip('-n', hub, 'link', 'set', 'br0', 'up')
    await attach(outside.namespace, 'out', outsideAddress)
    for (const node of nodes) await attach(node.namespace, node.name, node.address)
    await reachable(outside.namespace, `bm${tag}`, 18)
  } catch (cause) {
    remove()
    isOver()
    throw cause
  }
  return {
    nodes,
    outside,
    reach: reachAt(18, 2),
    async attachReachable(name, host) {
      const namespace = `bm${tag}-${name}`
      namespaces.push(namespace)
      const address = `10.99.0.${host}`
      await attach(namespace, name, address)
      return { namespace, address, reach: await reachable(namespace, `bm${tag}-${name}`, 19) }
    },
    async shape(where, shape) {
      const { namespace, port } =
        where === 'outside' ? { namespace: outside.namespace, port: 'out' } : { namespace: where.namespace, port: where.name }
      await limit(namespace, 'eth0', shape)
      await limit(hub, port, shape)
    },
    async link(node, state) {
      await ip('-n', hub, 'link', 'set', node.name, state)
    },
    async split(group) {
      const others = nodes.filter(({ name }) => !group.some(node => node.name === name))
      for (const node of group) {
        for (const other of others) await ip('-n', node.namespace, 'route', 'add', 'blackhole', `${other.address}/32`)
      }
      for (const node of others) {
        for (const other of group) await ip('-n', node.namespace, 'route', 'add', 'blackhole', `${other.address}/32`)
      }
    },
    async heal() {
      for (const node of nodes) {
        await commandOutput('ip', ['-n', node.namespace, 'route', 'flush', 'type', 'blackhole'])
      }
    },
    async [Symbol.asyncDispose]() {
      remove()
      isOver()
    },
  }
}

const hubOf = (tag: string): string => `bm${tag}-hub`

/** Not given twice by this process: what a network leaves behind may go a moment after it. */
const given = new Set<string>()

/** Makes the hub's namespace, by whose name a network is nobody else's: others are made at the same time, here and in other processes. */
async function claimedTag(): Promise<string> {
  const inUse = new Set(namespacesOfMachine())
  for (let number = process.pid % 40_000; ; number = (number + 7) % 46_000) {
    const tag = number.toString(36).padStart(4, '0')
    const hub = hubOf(tag)
    if (given.has(tag) || inUse.has(hub)) continue
    given.add(tag)
    const made = await runCommand('ip', ['netns', 'add', hub])
    if (made.code === 0) return tag
    if (!made.stderr.includes('File exists')) throw new PartUnavailable(`no network namespace: ${made.stderr.trim()}`)
  }
}

function namespacesOfMachine(): readonly string[] {
  try {
    return readdirSync('/var/run/netns')
  } catch (cause) {
    if (cause instanceof Error && 'code' in cause && cause.code === 'ENOENT') return []
    throw cause
  }
}
