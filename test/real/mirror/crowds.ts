// Others' agents beside ours, hostile clients, and many nodes without a containerd each.
import type { Check } from '../check.ts'

import { peerProgram } from '../upstreams/peer-archives.ts'
import { type Agent, ports } from './laboratory/agents.ts'
import { type LaboratoryNode, startLaboratory } from './laboratory/laboratory.ts'
import { startProgram, until } from './laboratory/program.ts'
import { megabyte, patient, pulled, referenceOf, seeded } from './pulls.ts'

/** Upstream's agent and ours, each pulling what the other's node has. Its own line of containerd: upstream needs 2.1. */
async function mixedCluster(): Promise<string> {
  await peerProgram('spegel')
  await using laboratory = await startLaboratory({ nodes: 3, line: '2' })
  const [n1, n2, n3] = laboratory.nodes
  if (n1 === undefined || n2 === undefined || n3 === undefined) throw new Error('three nodes')
  const theirs = await laboratory.startAgent(n1, { kind: 'upstream', flags: patient, readyMs: 0 })
  const ours = await laboratory.startAgent(n2, { kind: 'ballast', flags: patient, readyMs: 0 })
  const alsoTheirs = await laboratory.startAgent(n3, { kind: 'upstream', flags: patient, readyMs: 0 })
  for (const agent of [theirs, ours, alsoTheirs]) await agent.ready()
  const fromThem = await laboratory.outside.push({ repository: 'acme/theirs', tag: 'v1', layers: [megabyte, 8 * megabyte] })
  const fromUs = await laboratory.outside.push({ repository: 'acme/ours', tag: 'v1', layers: [megabyte, 8 * megabyte] })
  await seeded(laboratory, n1, fromThem, [ours])
  await seeded(laboratory, n2, fromUs, [theirs, alsoTheirs])
  await laboratory.outside.stop()
  await pulled(n2, referenceOf(fromThem))
  await pulled(n1, referenceOf(fromUs))
  await pulled(n3, referenceOf(fromUs))
  const hits = await Promise.all([theirs, ours, alsoTheirs].map(hitsOf))
  if (hits.some(count => count === 0)) throw new Error(`hits: ${hits.join(', ')}`)
  return `Spegel 0.7.4 and ours in one cluster, plain HTTP: each pulled from the other with the outside cut off (hits ${hits.join(', ')})`
}

const hitsOf = (agent: Agent) => agent.metric('spegel_mirror_requests_total', { cache: 'hit' })

const sockets = 10_000
const memoryLimit = 256 * 2 ** 20

/** Holds connections open from within a node; a program of its own, for their number. */
const holder = `
const { connect } = require('node:net')
const [host, port, count, text] = process.argv.slice(1)
let open = 0, ended = 0
const next = () => {
  for (let i = 0; i < 200 && open + ended < Number(count); i++) {
    const socket = connect(Number(port), host)
    open++
    socket.on('connect', () => socket.write(text.replaceAll('|', '\\r\\n')))
    socket.on('error', () => {})
    socket.on('close', () => { open--; ended++ })
  }
  if (open + ended < Number(count)) setImmediate(next)
}
next()
setInterval(() => console.log(JSON.stringify({ open, ended })), 200)
`

async function floods(): Promise<string> {
  await using laboratory = await startLaboratory({ nodes: 2, line: '2' })
  const [n1, n2] = laboratory.nodes
  if (n1 === undefined || n2 === undefined) throw new Error('two nodes')
  const [first, second] = await laboratory.startAgents({ kind: 'ballast', flags: patient })
  if (first === undefined || second === undefined) throw new Error('two agents')
  const image = await laboratory.outside.push({ repository: 'acme/app', tag: 'v1', layers: [20 * megabyte] })
  await seeded(laboratory, n1, image, [second])
  const [layer] = image.layers
  const blob = `GET /v2/acme/app/blobs/${layer?.digest}?ns=registry.test HTTP/1.1|Host: a||`
  const attacks: Readonly<Record<string, readonly [count: number, text: string]>> = {
    'headers that do not end': [500, `GET /v2/ HTTP/1.1|Host: a|${'X: y|'.repeat(2_000)}`],
    'slow readers': [200, blob],
    'ten thousand sockets': [sockets, 'GET /v2/ HTTP/1.1|'],
  }
  const seen: string[] = []
  for (const [name, [count, text]] of Object.entries(attacks)) {
    await attacked(n1, n1.address, count, text, async ended => {
      const { peakRss } = first.program.memory()
      if (peakRss > memoryLimit) throw new Error(`${name}: ${peakRss} bytes`)
      seen.push(`${name}: ${ended} ended by us, at most ${Math.round(peakRss / 2 ** 20)} MiB so far`)
    })
    await until(
      `it answers after ${name}`,
      async () => (await first.get(`http://${n1.address}:${ports.registry}/v2/`)).status === 200,
    )
  }
  await laboratory.outside.stop()
  await pulled(n2, referenceOf(image))
  return seen.join('; ')
}

async function attacked(
  node: LaboratoryNode,
  host: string,
  count: number,
  text: string,
  meanwhile: (ended: number) => Promise<void>,
): Promise<void> {
  let told = { open: 0, ended: 0 }
  const args = ['-e', holder, host, String(ports.registry), String(count), text]
  const attacker = startProgram(process.execPath, args, {
    namespace: node.namespace,
    onLine: line => {
      if (line.startsWith('{')) told = JSON.parse(line)
    },
  })
  try {
    await until(`${count} sockets`, () => told.open + told.ended >= count, 60_000)
    await meanwhile(told.ended)
  } finally {
    await attacker.kill()
  }
}

const crowd = 10
const newLayers = [40, 40, 40, 40].map(size => size * megabyte)
const mostCopies = 1.2

/** All agents have only just started: no code was run before, no connection was ever made. Nothing is set beyond the defaults. */
async function newImageForAll(): Promise<string> {
  await using laboratory = await startLaboratory({ nodes: crowd, line: '2' })
  for (const where of [...laboratory.nodes, 'outside'] as const) await laboratory.network.shape(where, { rate: '1gbit' })
  const agents = await laboratory.startAgents({ kind: 'ballast' })
  const seen: string[] = []
  for (const round of ['first', 'second']) {
    const image = await laboratory.outside.push({ repository: `acme/${round}`, tag: 'v1', layers: newLayers })
    laboratory.outside.forget()
    const startedMs = performance.now()
    for (const { code, stderr } of await Promise.all(laboratory.nodes.map(node => node.fetch(referenceOf(image)))))
      if (code !== 0) throw new Error(stderr)
    const seconds = (performance.now() - startedMs) / 1_000
    const copies = image.layers.reduce((sum, layer) => sum + laboratory.outside.copies(layer), 0) / image.layers.length
    if (copies > mostCopies) throw new Error(`${round}: ${copies.toFixed(2)} copies; ${await reasonsOf(agents)}`)
    seen.push(`${round}: ${seconds.toFixed(1)} s, ${copies.toFixed(2)} copies`)
    await Promise.all(laboratory.nodes.map(node => node.clean()))
  }
  return `${seen.join('; ')}; ${await reasonsOf(agents)}`
}

/** Why requests were left to the registry, all agents together. */
async function reasonsOf(agents: readonly Agent[]): Promise<string> {
  const reasons = ['no-peer', 'timeout', 'failed', 'slow', 'leading', 'late', 'store', 'fault', 'busy']
  const counts = reasons.map(async reason => {
    const each = await Promise.all(agents.map(agent => agent.metric('ballast_mirror_fallthrough_total', { reason })))
    return `${reason} ${each.reduce((sum, count) => sum + count, 0)}`
  })
  return (await Promise.all(counts)).join(', ')
}

export const crowdChecks: readonly Check[] = [
  { name: "mirror: upstream's Spegel and ours in one cluster", alone: true, run: mixedCluster },
  { name: 'mirror: ten nodes that have just started pull one new image', alone: true, run: newImageForAll },
  { name: 'mirror: header floods, slow readers, ten thousand sockets', alone: true, run: floods },
]
