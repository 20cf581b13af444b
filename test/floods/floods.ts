// Floods of strangers beside a peer that behaves well.
import { fork } from 'node:child_process'
import { join } from 'node:path'
import type { FloodKind, Order, PeerReport, Target } from './flood-process.ts'

const program = join(import.meta.dirname, 'flood-process.ts')

function run(order: Order): Promise<unknown> {
  const { promise, resolve, reject } = Promise.withResolvers<unknown>()
  const child = fork(program, [JSON.stringify(order)], { execArgv: [], stdio: ['ignore', 'inherit', 'inherit', 'ipc'] })
  let said: unknown
  child.once('message', message => {
    said = message
  })
  child.once('exit', code => {
    if (code === 0 && said !== undefined) resolve(said)
    else reject(new Error(`a flood's process ended with ${code}`))
  })
  return promise
}

/** Floods `at` for so long. Yields how many connections were opened. */
export async function flooded(flood: {
  readonly kind: FloodKind
  readonly at: Target
  /** Loopback addresses that it comes from, by turns. */
  readonly from: readonly string[]
  readonly forMs: number
  readonly aSecond: number
  /** Connections that it holds open. */
  readonly open: number
}): Promise<number> {
  return Number(await run({ role: 'stranger', ...flood }))
}

/** Asks each target now and then, as kubelets and API servers do. */
export async function behaving(peer: {
  readonly at: readonly Target[]
  readonly from: string
  readonly forMs: number
  readonly everyMs: number
}): Promise<PeerReport> {
  return (await run({ role: 'peer', ...peer })) as PeerReport
}

/** The least that is not exceeded by `share` of them; 0 for none. */
export function quantile(values: readonly number[], share: number): number {
  return values.toSorted((a, b) => a - b)[Math.min(values.length - 1, Math.floor(values.length * share))] ?? 0
}
