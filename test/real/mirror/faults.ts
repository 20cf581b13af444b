// What goes wrong in clusters: killed agents and containerds, damaged files, collected garbage, full disks, split networks.
import { createHash } from 'node:crypto'
import { closeSync, createReadStream, mkdirSync, mkdtempSync, openSync, readSync, rmSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { PartUnavailable } from '../cache.ts'
import type { Check } from '../check.ts'
import { commandOutput, runCommand } from '../run-command.ts'
import type { ContainerdLine } from './containerd.ts'
import type { Agent } from './laboratory/agents.ts'
import { type Laboratory, type LaboratoryNode, startLaboratory } from './laboratory/laboratory.ts'
import { until } from './laboratory/program.ts'
import { megabyte, patient, pulled, referenceOf, seeded, untilFound } from './pulls.ts'

interface Site<Nodes extends readonly unknown[]> extends AsyncDisposable {
  readonly laboratory: Laboratory
  readonly nodes: Nodes
  readonly agents: readonly Agent[]
}

/** Three nodes with our agents, ready. */
export async function threeNodes(
  line: ContainerdLine,
  { rootOf, flags = patient }: { readonly rootOf?: (name: string) => string; readonly flags?: readonly string[] } = {},
): Promise<Site<readonly [LaboratoryNode, LaboratoryNode, LaboratoryNode]>> {
  const laboratory = await startLaboratory({ nodes: 3, line, ...(rootOf === undefined ? {} : { rootOf }) })
  try {
    const [n1, n2, n3] = laboratory.nodes
    if (n1 === undefined || n2 === undefined || n3 === undefined) throw new Error('three nodes')
    const agents = await laboratory.startAgents({ kind: 'ballast', flags })
    return { laboratory, nodes: [n1, n2, n3], agents, [Symbol.asyncDispose]: () => laboratory[Symbol.asyncDispose]() }
  } catch (cause) {
    await laboratory[Symbol.asyncDispose]()
    throw cause
  }
}

export const pathOfBlob = ({ containerd }: LaboratoryNode, digest: string) =>
  join(containerd.contentPath, 'blobs', ...digest.split(':'))

async function digestOfFile(path: string): Promise<string> {
  const hash = createHash('sha256')
  for await (const piece of createReadStream(path)) hash.update(piece)
  return `sha256:${hash.digest('hex')}`
}

/** @throws Error where the node's store has other bytes than the digest says */
export async function wantRightBytes(node: LaboratoryNode, layers: readonly { readonly digest: string }[]): Promise<void> {
  for (const { digest } of layers) {
    const found = await digestOfFile(pathOfBlob(node, digest))
    if (found !== digest) throw new Error(`${node.name} has ${found} in place of ${digest}`)
  }
}

/** Bytes of downloads that the node's containerd has begun. */
export async function downloaded({ containerd }: LaboratoryNode): Promise<number> {
  const script = `cat ${containerd.contentPath}/ingest/*/data 2>/dev/null | wc -c`
  return Number(await commandOutput('sh', ['-c', script]))
}

export const slow = { rate: '100mbit' } as const
export const slowLayer = 60 * megabyte

async function servingPeerKilled(line: ContainerdLine): Promise<string> {
  await using site = await threeNodes(line)
  const { laboratory, agents } = site
  const [n1, n2, n3] = site.nodes
  const image = await laboratory.outside.push({ repository: 'acme/app', tag: 'v1', layers: [slowLayer] })
  await seeded(laboratory, n1, image, agents.slice(1))
  await pulled(n2, referenceOf(image))
  await untilFound(agents[2] ?? wrong(), image)
  await laboratory.outside.stop()
  await laboratory.network.shape(n3, slow)
  const sent = await Promise.all(agents.map(sentToPeers))
  const pulling = n3.pull(referenceOf(image))
  await until('a part of the layer is there', async () => (await downloaded(n3)) > slowLayer / 4)
  const now = await Promise.all(agents.map(sentToPeers))
  const serving = now.findIndex((cpu, index) => index < 2 && cpu - (sent[index] ?? 0) >= 0.02)
  await agents[serving === 1 ? 1 : 0]?.program.kill()
  const { code, stderr } = await pulling
  if (code !== 0) await pulled(n3, referenceOf(image))
  await wantRightBytes(n3, image.layers)
  const resumes = await (agents[2] ?? wrong()).metric('ballast_mirror_resumes_total')
  return `containerd ${n1.containerd.version}: the serving agent was killed in mid-blob, the other gave the rest; resumed by us ${resumes} times${code === 0 ? '' : `, after a second pull (${stderr.slice(-200)})`}`
}

/** What tells that an agent is the one that serves: its processor time. */
const sentToPeers = (agent: Agent) => Promise.resolve(agent.program.cpuSeconds())

function wrong(): never {
  throw new Error('an agent is missing')
}

async function ownAgentKilled(line: ContainerdLine): Promise<string> {
  await using site = await threeNodes(line)
  const { laboratory, agents } = site
  const [n1, n2] = site.nodes
  const image = await laboratory.outside.push({ repository: 'acme/app', tag: 'v1', layers: [slowLayer] })
  await seeded(laboratory, n1, image, agents.slice(1))
  await laboratory.network.shape(n2, slow)
  const pulling = n2.pull(referenceOf(image))
  await until('a part of the layer is there', async () => (await downloaded(n2)) > slowLayer / 4)
  await agents[1]?.program.kill()
  const { code, stderr } = await pulling
  if (code !== 0) throw new Error(stderr)
  await wantRightBytes(n2, image.layers)
  const [layer] = image.layers
  const copies = layer === undefined ? 0 : laboratory.outside.copies(layer)
  if (copies >= 1) throw new Error(`the outside sent ${copies} copies`)
  return `containerd ${n1.containerd.version} resumed at the outside, which sent ${copies.toFixed(2)} of the layer`
}

async function damagedFile(line: ContainerdLine): Promise<string> {
  await using site = await threeNodes(line)
  const { laboratory, agents } = site
  const [n1, n2, n3] = site.nodes
  const image = await laboratory.outside.push({ repository: 'acme/app', tag: 'v1', layers: [megabyte, 20 * megabyte] })
  await seeded(laboratory, n1, image, agents.slice(1))
  for (const { digest } of image.layers) flipByte(pathOfBlob(n1, digest), 300_000)
  let failures = 0
  for (const node of [n2, n3]) {
    // containerd keeps wrong bytes as a download until its garbage collector runs.
    await until(
      `${node.name} pulls`,
      async () => {
        const isDone = (await node.pull(referenceOf(image))).code === 0
        if (!isDone) failures++
        return isDone
      },
      60_000,
      500,
    )
    await wantRightBytes(node, image.layers)
  }
  const verified = await Promise.all(agents.map(agent => agent.metric('ballast_mirror_verify_failures_total')))
  return `containerd ${n1.containerd.version}: ${failures} failed pulls on two nodes, then the right bytes; found by us ${verified.join(', ')} times`
}

export function flipByte(path: string, at: number): void {
  const file = openSync(path, 'r+')
  const byte = Buffer.alloc(1)
  readSync(file, byte, 0, 1, at)
  byte[0] = (byte[0] ?? 0) ^ 1
  writeSync(file, byte, 0, 1, at)
  closeSync(file)
}

async function collectedWhileServing(line: ContainerdLine): Promise<string> {
  await using site = await threeNodes(line)
  const { laboratory, agents } = site
  const [n1, n2] = site.nodes
  const image = await laboratory.outside.push({ repository: 'acme/app', tag: 'v1', layers: [slowLayer] })
  await seeded(laboratory, n1, image, agents.slice(1))
  await laboratory.outside.stop()
  await laboratory.network.shape(n2, slow)
  const pulling = n2.pull(referenceOf(image))
  await until('a part of the layer is there', async () => (await downloaded(n2)) > slowLayer / 4)
  await n1.clean()
  const { code, stderr } = await pulling
  if (code !== 0) throw new Error(stderr)
  await wantRightBytes(n2, image.layers)
  return `containerd ${n1.containerd.version}: a file that was collected while it was sent came whole`
}

async function containerdComesAndGoes(line: ContainerdLine): Promise<string> {
  await using laboratory = await startLaboratory({ nodes: 2, line })
  const [n1, n2] = laboratory.nodes
  if (n1 === undefined || n2 === undefined) throw new Error('two nodes')
  await n1.containerd.stop()
  const first = await laboratory.startAgent(n1, { kind: 'ballast', flags: patient, readyMs: 0 })
  const second = await laboratory.startAgent(n2, { kind: 'ballast', flags: patient, readyMs: 0 })
  await second.ready()
  const without = await first.readyz()
  if (without.status === 200) throw new Error('ready without a containerd')
  await n1.containerd.start()
  await first.ready()
  const image = await laboratory.outside.push({ repository: 'acme/app', tag: 'v1', layers: [megabyte] })
  await seeded(laboratory, n1, image, [second])
  await n1.containerd.stop('SIGKILL')
  await until('the agent notices', async () => (await first.readyz()).status === 500, 60_000)
  await n1.containerd.start()
  await first.ready()
  await laboratory.outside.stop()
  await pulled(n2, referenceOf(image))
  if (first.program.hasEnded()) throw new Error('the agent ended')
  return `containerd ${n1.containerd.version} absent at start ("${without.body.trim()}"), killed and back: its images are served again`
}

async function diskFull(line: ContainerdLine): Promise<string> {
  const small = mkdtempSync(join(tmpdir(), 'bs-'))
  const root = join(small, 'root')
  mkdirSync(root)
  const mounted = await runCommand('mount', ['-t', 'tmpfs', '-o', 'size=40m', 'tmpfs', root])
  if (mounted.code !== 0) throw new PartUnavailable(`tmpfs: ${mounted.stderr}`)
  try {
    await using site = await threeNodes(line, { rootOf: name => (name === 'n2' ? root : join(small, name)) })
    const { laboratory, agents } = site
    const [n1, n2] = site.nodes
    const big = await laboratory.outside.push({ repository: 'acme/big', tag: 'v1', layers: [60 * megabyte] })
    const little = await laboratory.outside.push({ repository: 'acme/little', tag: 'v1', layers: [megabyte] })
    await seeded(laboratory, n1, big, agents.slice(1))
    await seeded(laboratory, n1, little, agents.slice(1))
    const { code, stderr } = await n2.pull(referenceOf(big))
    if (code === 0 || !stderr.includes('no space left')) throw new Error(`a full disk: ${code} ${stderr}`)
    await n2.clean()
    await until('the little one fits', async () => (await n2.pull(referenceOf(little))).code === 0, 60_000, 500)
    const { status } = await (agents[1] ?? wrong()).readyz()
    if (status !== 200) throw new Error('the agent is not ready')
    return `containerd ${n1.containerd.version} says "no space left on device", and pulls what fits from a node afterwards`
  } finally {
    await runCommand('umount', ['-l', root])
    rmSync(small, { recursive: true, force: true })
  }
}

async function splitHeals(line: ContainerdLine): Promise<string> {
  await using site = await threeNodes(line)
  const { laboratory, agents } = site
  const [n1, n2, n3] = site.nodes
  await laboratory.network.split([n1])
  const image = await laboratory.outside.push({ repository: 'acme/app', tag: 'v1', layers: [megabyte] })
  await pulled(n1, referenceOf(image))
  await pulled(n2, referenceOf(image))
  const [layer] = image.layers
  const copies = layer === undefined ? 0 : laboratory.outside.copies(layer)
  await laboratory.network.heal()
  const late = await laboratory.outside.push({ repository: 'acme/late', tag: 'v1', layers: [megabyte] })
  const healed = performance.now()
  await seeded(laboratory, n1, late, agents.slice(1))
  const seconds = (performance.now() - healed) / 1_000
  await laboratory.outside.stop()
  await pulled(n3, referenceOf(late))
  return `containerd ${n1.containerd.version}: both halves pulled (${copies.toFixed(1)} copies); whole again ${seconds.toFixed(1)} s after the split was over, without a restart`
}

/** What a peer behind it sends in a second is 250 kB. */
const verySlow = { rate: '2mbit' } as const
const slowImageBytes = 12 * megabyte
/** Without a minimum it takes 48 s. */
const mostSlowSeconds = 20

/** The only peer that has the image is behind a slow link; the registry is not. */
export async function slowPeer(line: ContainerdLine, flags: readonly string[] = patient): Promise<string> {
  await using site = await threeNodes(line, { flags })
  const { laboratory, agents } = site
  const [n1, n2] = site.nodes
  const image = await laboratory.outside.push({ repository: 'acme/app', tag: 'v1', layers: [slowImageBytes] })
  await seeded(laboratory, n1, image, agents.slice(1))
  await laboratory.network.shape(n1, verySlow)
  const startedMs = performance.now()
  const { code, stderr } = await n2.fetch(referenceOf(image))
  const seconds = (performance.now() - startedMs) / 1_000
  if (code !== 0) throw new Error(stderr)
  await wantRightBytes(n2, image.layers)
  const [layer] = image.layers
  const copies = layer === undefined ? 0 : laboratory.outside.copies(layer)
  const said = `12 MB in ${seconds.toFixed(1)} s, ${copies.toFixed(2)} of them from the outside`
  if (seconds > mostSlowSeconds) throw new Error(said)
  return `containerd ${n1.containerd.version}: from a peer of 2 Mbit/s with a fast registry beside ${said}`
}

/** The same, and there is no registry: what is slow is all there is. */
async function slowPeerAlone(line: ContainerdLine): Promise<string> {
  await using site = await threeNodes(line)
  const { laboratory, agents } = site
  const [n1, n2] = site.nodes
  const image = await laboratory.outside.push({ repository: 'acme/app', tag: 'v1', layers: [(slowImageBytes / 12) * 8] })
  await seeded(laboratory, n1, image, agents.slice(1))
  await laboratory.network.shape(n1, verySlow)
  await laboratory.outside.stop()
  const startedMs = performance.now()
  let failures = 0
  await until(
    'it comes all the same',
    async () => {
      const isDone = (await n2.fetch(referenceOf(image))).code === 0
      if (!isDone) failures++
      return isDone
    },
    180_000,
    10_000,
  )
  await wantRightBytes(n2, image.layers)
  const seconds = (performance.now() - startedMs) / 1_000
  const left = await (agents[1] ?? wrong()).metric('ballast_mirror_stalls_total')
  return `containerd ${n1.containerd.version}: 8 MB from a peer of 2 Mbit/s with the outside cut off in ${seconds.toFixed(0)} s, after ${failures} failed pulls 10 s apart, left by us ${left} times`
}

const lines: readonly ContainerdLine[] = ['1.6', '2']
const scenarios = {
  'a serving agent is killed in mid-blob': servingPeerKilled,
  "a node's own agent is killed in mid-blob": ownAgentKilled,
  'a damaged file in a node': damagedFile,
  'garbage is collected while it is served': collectedWhileServing,
  'containerd absent, killed and back': containerdComesAndGoes,
  'a full disk': diskFull,
  'a split network heals': splitHeals,
  'a peer of 2 Mbit/s with a fast registry beside': slowPeer,
  'a peer of 2 Mbit/s with the outside cut off': slowPeerAlone,
} as const

export const faultChecks: readonly Check[] = Object.entries(scenarios).flatMap(([name, run]) =>
  lines.map(line => ({ name: `mirror: ${name}, containerd ${line}`, alone: true, run: () => run(line) })),
)
