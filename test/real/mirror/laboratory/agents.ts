// The mirror of a node: ours as a program from the sources, or upstream's Spegel, with the same flags.
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { runCommand } from '../../run-command.ts'
import { peerProgram } from '../../upstreams/peer-archives.ts'
import type { NodeContainerd } from '../containerd.ts'
import type { NodeNetwork } from './network.ts'
import { agentEnvironment, ownProgram } from './own-program.ts'
import { type Program, startProgram, until } from './program.ts'

export type AgentKind = 'ballast' | 'upstream'

export interface AgentOptions {
  readonly kind: AgentKind
  readonly node: NodeNetwork
  readonly containerd: Pick<NodeContainerd, 'socket' | 'contentPath'>
  /** Where the node writes what it needs. */
  readonly directory: string
  /** Whose `/id` it asks for a first peer; its own: it is the first. */
  readonly first: NodeNetwork
  /** Further flags, which win over those here. */
  readonly flags?: readonly string[]
  /** Values of `capabilities.mirror` beyond what the flags say; ours only. */
  readonly settings?: Readonly<Record<string, unknown>>
  /** Further variables of its process; ours only. */
  readonly env?: Readonly<Record<string, string>>
}

export interface Agent {
  readonly kind: AgentKind
  readonly node: NodeNetwork
  readonly program: Program
  /** A GET within the node; the status and the body. */
  get(url: string): Promise<{ readonly status: number; readonly body: string }>
  /** The status of a HEAD within the node. */
  head(url: string): Promise<number>
  /** The value of a metric with all these labels, summed over others; 0 where it is not there yet. */
  metric(name: string, labels?: Readonly<Record<string, string>>): Promise<number>
  /** What it says of itself. */
  readyz(): Promise<{ readonly status: number; readonly body: string }>
  /** Waits until it says that it is. @throws Error with what it said where it ends or is not ready in time */
  ready(limitMs?: number): Promise<void>
  /** Waits until what was in its store at the start is announced; upstream's does not say, and counts as if it were. @throws Error after `limitMs` */
  announced(limitMs?: number): Promise<void>
  stop(): Promise<number>
}

export const ports = {
  registry: 29_999,
  router: 29_995,
  peers: 29_996,
  metrics: 29_997,
  seed: 30_020,
  bootstrap: 29_994,
} as const
const readyLimitMs = 120_000

/** Starts the mirror in the node's namespace. */
export async function startAgent(options: AgentOptions): Promise<Agent> {
  const { kind, node, containerd, first } = options
  mkdirSync(options.directory, { recursive: true })
  const base = `http://${first.address}:${ports.bootstrap}`
  const flags = [
    ...['--router-addr', `${node.address}:${ports.router}`],
    ...['--metrics-addr', `:${ports.metrics}`],
    ...['--containerd-sock', containerd.socket],
    ...['--containerd-content-path', containerd.contentPath],
    ...['--data-dir', join(options.directory, 'data')],
    ...['--bootstrap-kind', 'http'],
    ...['--http-bootstrap-addr', `:${ports.bootstrap}`],
    // Upstream's of this line puts the path to it itself.
    ...(kind === 'upstream' ? ['--http-bootstrap-peer', base] : ['--http-bootstrap-url', `${base}/id`]),
    ...(options.flags ?? []),
  ]
  const program =
    kind === 'upstream'
      ? startProgram(await peerProgram('spegel'), ['registry', '--registry-addr', `:${ports.registry}`, ...flags], node)
      : startProgram(process.execPath, [await ownProgram(), ...ownArguments(options, flags)], {
          ...node,
          env: { ...agentEnvironment, ...options.env },
        })
  const get = async (url: string) => {
    const asked = ['netns', 'exec', node.namespace, 'curl', '-s', '-m', '5', '-w', '\n%{http_code}', url]
    const { stdout } = await runCommand('ip', asked)
    const at = stdout.lastIndexOf('\n')
    return { status: Number(stdout.slice(at + 1)), body: stdout.slice(0, at) }
  }
  const head = async (url: string) => {
    const asked = ['netns', 'exec', node.namespace, 'curl', '-s', '-m', '5', '-I', '-o', '/dev/null', '-w', '%{http_code}', url]
    return Number((await runCommand('ip', asked)).stdout)
  }
  const agent: Agent = {
    kind,
    node,
    program,
    get,
    head,
    readyz: () => get(`http://127.0.0.1:${ports.registry}/readyz`),
    async metric(name, labels = {}) {
      const { body } = await get(`http://127.0.0.1:${ports.metrics}/metrics`)
      return metricOf(body, name, labels)
    },
    ready: limitMs => untilReady(agent, limitMs),
    async announced(limitMs = readyLimitMs) {
      if (kind === 'upstream') return
      const isDone = async () => (await agent.metric('ballast_mirror_announced')) === 1
      await until(`${kind} on ${node.name} has announced its content`, isDone, limitMs, 100)
    },
    stop: () => program.stop(),
  }
  return agent
}

async function untilReady(agent: Agent, limitMs = readyLimitMs): Promise<void> {
  let last = ''
  try {
    await until(
      `${agent.kind} on ${agent.node.name} is ready`,
      async () => {
        if (agent.program.hasEnded()) throw new Error('it ended')
        const { status, body } = await agent.readyz()
        last = `${status} ${body}`
        return status === 200
      },
      limitMs,
      100,
    )
  } catch (cause) {
    throw new Error(`${agent.kind} on ${agent.node.name}: ${last}\n${agent.program.log().slice(-4_000)}`, { cause })
  }
}

function ownArguments(options: AgentOptions, flags: readonly string[]): readonly string[] {
  const settings = join(options.directory, 'ballast.yaml')
  const kind = { apiVersion: 'ballast.dev/v1alpha1', kind: 'BallastConfiguration' }
  // Whichever programs another check has brought along: what is tried is said.
  const mirror = {
    enabled: true,
    allowFrom: 'any',
    dataPlane: 'builtin',
    ports: [ports.registry, ports.seed],
    ...options.settings,
  }
  writeFileSync(settings, `${JSON.stringify({ ...kind, capabilities: { mirror } }, undefined, 2)}\n`)
  return ['agent', '--role=mirror', '--config', settings, ...flags]
}

/** Sum of the samples of `name` that have all `labels`. */
export function metricOf(text: string, name: string, labels: Readonly<Record<string, string>> = {}): number {
  return text
    .split('\n')
    .filter(line => line.startsWith(`${name}{`) || line.startsWith(`${name} `))
    .filter(line => Object.entries(labels).every(([label, value]) => line.includes(`${label}="${value}"`)))
    .reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' ') + 1)), 0)
}
