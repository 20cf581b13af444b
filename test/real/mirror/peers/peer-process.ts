// A node of the table as a process: ours, or one of upstream's libraries in Go. Commands go in as lines, answers come out as JSON.
import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import * as z from 'zod'
import { builtOnce } from '../../cache.ts'
import { builtProgram } from '../../clients/build.ts'
import { atEnd } from '../../endings.ts'

/** What a node answers; only what was asked for is there. */
const answer = z.looseObject({
  error: z.string().exactOptional(),
  id: z.string().exactOptional(),
  found: z.array(z.string()).exactOptional(),
  hosts: z.record(z.string(), z.array(z.string())).exactOptional(),
  agents: z.record(z.string(), z.string()).exactOptional(),
  ms: z.number().exactOptional(),
  firstMs: z.number().exactOptional(),
  cpuMs: z.number().exactOptional(),
  longestTurnMs: z.number().exactOptional(),
  rss: z.number().exactOptional(),
  peers: z.union([z.number(), z.array(z.object({ id: z.string(), agent: z.string() }))]).exactOptional(),
})
export type Answer = z.output<typeof answer>

export interface PeerProcess extends AsyncDisposable {
  readonly kind: 'ours' | 'go'
  readonly id: string
  readonly pid: number
  /** Where others find it: `10.99.0.1`. */
  readonly address: string
  /** @throws Error with what it said where it refuses. */
  ask(command: string): Promise<Answer>
  kill(): Promise<void>
}

export interface PeerProcessOptions {
  readonly kind: 'ours' | 'go'
  readonly namespace?: string
  readonly address: string
  readonly port?: number
  readonly security?: 'noise' | 'tls' | 'both'
  readonly zone?: string
  /** Ours only: whom it asks first. */
  readonly join?: readonly string[]
}

export const peerPort = 5_001

/** The program in Go. @throws PartUnavailable without Go or its modules */
export function goPeerPath(): Promise<string> {
  return builtOnce('the Go peer', () => builtProgram(join(import.meta.dirname, '..', 'go'), 'peer'))
}

export async function startPeer(options: PeerProcessOptions): Promise<PeerProcess> {
  const { kind, namespace, address, port = peerPort, security = 'both' } = options
  const command = kind === 'go' ? await goCommand(address, port, security) : ownCommand(options, port, security)
  const [first = '', ...rest] = namespace === undefined ? command : ['ip', 'netns', 'exec', namespace, ...command]
  const child = spawn(first, rest, { stdio: ['pipe', 'pipe', 'pipe'] })
  const isOver = atEnd(() => child.kill('SIGKILL'))
  const ended = new Promise<void>(resolve => child.once('close', () => resolve()))
  let said = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    said = `${said}${text}`.slice(-4_000)
  })
  const waiting: PromiseWithResolvers<Answer>[] = []
  const next = () => {
    const waiter = Promise.withResolvers<Answer>()
    waiting.push(waiter)
    return waiter.promise
  }
  createInterface(child.stdout).on('line', line => waiting.shift()?.resolve(answer.parse(JSON.parse(line))))
  void ended.then(() => {
    isOver()
    for (const { reject } of waiting.splice(0)) reject(new Error(`${kind} at ${address} ended: ${said}`))
  })
  const { id = '' } = await next()
  return {
    kind,
    id,
    pid: child.pid ?? -1,
    address,
    async ask(line) {
      const reply = next()
      child.stdin.write(`${line}\n`)
      const got = await reply
      if (got.error !== undefined) throw new Error(`${kind} at ${address}: ${line}: ${got.error}\n${said}`)
      return got
    },
    async kill() {
      child.kill('SIGKILL')
      await ended
    },
    async [Symbol.asyncDispose]() {
      child.kill('SIGKILL')
      await ended
    },
  }
}

async function goCommand(address: string, port: number, security: string): Promise<readonly string[]> {
  const family = address.includes(':') ? 6 : 4
  return [await goPeerPath(), `-listen=/ip${family}/${address}/tcp/${port}`, `-security=${security}`]
}

function ownCommand(
  { address, zone = '', join: first = [] }: PeerProcessOptions,
  port: number,
  security: string,
): readonly string[] {
  const flags = ['--max-semi-space-size=1', '--max-old-space-size=64', '--disable-warning=ExperimentalWarning']
  const listen = address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`
  return [
    process.execPath,
    ...flags,
    join(import.meta.dirname, 'own-peer.ts'),
    ...[`--listen=${listen}`, `--security=${security}`, `--zone=${zone}`],
    ...first.map(text => `--join=${text}`),
  ]
}
