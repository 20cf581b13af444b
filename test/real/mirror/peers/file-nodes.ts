// Twenty mirrors on stores made of files, each a process on a node of its own: routing and relay, with the copies counted that left the outside.
import { spawn } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import * as z from 'zod'
import type { Check } from '../../check.ts'
import { atEnd } from '../../endings.ts'
import { makeNetwork, type NodeNetwork } from '../laboratory/network.ts'
import { startOutside } from '../laboratory/outside.ts'
import { until } from '../laboratory/program.ts'

const count = 20
const layerBytes = 8_000_000
/** Start, and twenty of them on whatever machine this is. */
const startLimitMs = 240_000

const said = z.union([
  z.object({ id: z.string() }),
  z.object({ tag: z.string(), answer: z.looseObject({ error: z.string().exactOptional() }) }),
])
const state = z.looseObject({ peers: z.number(), ready: z.boolean(), fromOutside: z.number() })
const pulled = z.looseObject({ mirrored: z.number(), outside: z.number() })

interface FileNode extends AsyncDisposable {
  readonly name: string
  state(): Promise<z.output<typeof state>>
  pull(blob: { readonly digest: string; readonly size: number }): Promise<z.output<typeof pulled>>
  kill(): Promise<void>
}

async function startFileNode(node: NodeNetwork, first: string, outside: string, directory: string): Promise<FileNode> {
  mkdirSync(directory, { recursive: true })
  const program = [process.execPath, '--disable-warning=ExperimentalWarning', join(import.meta.dirname, 'file-node.ts')]
  const flags = [`--address=${node.address}`, `--directory=${directory}`, `--first=${first}`, `--outside=${outside}`]
  const child = spawn('ip', ['netns', 'exec', node.namespace, ...program, ...flags], { stdio: ['pipe', 'pipe', 'pipe'] })
  const isOver = atEnd(() => child.kill('SIGKILL'))
  let errors = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    errors = `${errors}${text}`.slice(-4_000)
  })
  const started = Promise.withResolvers<void>()
  const waiting = new Map<string, PromiseWithResolvers<unknown>>()
  createInterface(child.stdout).on('line', line => {
    const message = said.parse(JSON.parse(line))
    if ('id' in message) return started.resolve()
    const { answer, tag } = message
    if (answer.error === undefined) waiting.get(tag)?.resolve(answer)
    else waiting.get(tag)?.reject(new Error(`${node.name}: ${answer.error}\n${errors}`))
    waiting.delete(tag)
  })
  const ended = new Promise<void>(resolve => child.once('close', () => resolve()))
  void ended.then(() => {
    isOver()
    const gone = new Error(`${node.name} ended: ${errors}`)
    for (const { reject } of [started, ...waiting.values()]) reject(gone)
  })
  let asked = 0
  const ask = async (words: string): Promise<unknown> => {
    const waiter = Promise.withResolvers<unknown>()
    waiting.set(`${++asked}`, waiter)
    child.stdin.write(`${asked} ${words}\n`)
    return await waiter.promise
  }
  const kill = async () => {
    child.kill('SIGKILL')
    await ended
  }
  await started.promise
  return {
    name: node.name,
    state: async () => state.parse(await ask('state')),
    pull: async ({ digest, size }) => pulled.parse(await ask(`pull ${digest} ${size}`)),
    kill,
    [Symbol.asyncDispose]: kill,
  }
}

async function twentyFileNodes(): Promise<string> {
  await using network = await makeNetwork(count)
  await using resources = new AsyncDisposableStack()
  const outside = resources.use(await startOutside({ ...network.outside, reach: network.reach }))
  const directory = mkdtempSync(join(tmpdir(), 'bf-'))
  resources.defer(() => rmSync(directory, { recursive: true, force: true }))
  const image = await outside.push({ repository: 'acme/app', tag: 'v1', layers: [layerBytes, layerBytes, layerBytes] })
  const [one, two, three] = image.layers
  const first = network.nodes[0]?.address ?? ''
  if (one === undefined || two === undefined || three === undefined) throw new Error('three layers were pushed')
  const nodes = await Promise.all(
    network.nodes.map(async node => resources.use(await startFileNode(node, first, outside.url, join(directory, node.name)))),
  )
  for (const node of nodes) {
    await until(`${node.name} knows all`, async () => (await node.state()).peers >= count - 1, startLimitMs, 250)
  }
  outside.forget()
  // Both layers at once, by all at once.
  await Promise.all(nodes.flatMap(node => [node.pull(one), node.pull(two)]))
  const copies = [one, two].map(layer => outside.copies(layer))
  if (copies.some(copy => copy > 1.2)) throw new Error(`copies that left the outside: ${copies.join(', ')}`)
  // The one that fetches dies in the middle of it.
  await network.shape('outside', { rate: '30mbit' })
  const before = new Map(await Promise.all(nodes.map(async node => [node, (await node.state()).fromOutside] as const)))
  const pulls = nodes.map(async node => [node, await node.pull(three).catch((error: unknown) => error)] as const)
  const fetching = await until('one fetches', async () => {
    for (const node of nodes) if ((await node.state()).fromOutside > (before.get(node) ?? 0)) return node
    return undefined
  })
  await fetching.kill()
  for (const [node, result] of await Promise.all(pulls)) {
    if (node !== fetching && result instanceof Error) throw result
  }
  return `two layers to ${count} nodes at once: ${copies.map(copy => copy.toFixed(2)).join(' and ')} copies left the outside; with the one that fetches killed in the middle ${outside.copies(three).toFixed(2)}, and all others have it whole`
}

export const fileNodeChecks: readonly Check[] = [
  { name: 'mirror: twenty nodes on stores made of files share what they load', alone: true, run: twentyFileNodes },
]
