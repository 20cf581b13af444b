// Images between nodes: ours, upstream's Spegel and the registry read directly, in one run, in the same network namespaces. Medians; links
// are shaped by `tc tbf`. Where the machine has no namespaces, no containerd or no Spegel, it says so and measures the rest.
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { systemClock } from '#kube/clock.ts'
import { issueAuthority, issueLeaf } from '#kube/server/certificates.ts'
import { agentTlsName } from '../src/capabilities/mirror/prefetch.ts'
import { PartUnavailable } from '../test/real/cache.ts'
import { type Agent, type AgentKind, ports } from '../test/real/mirror/laboratory/agents.ts'
import type { PushedImage } from '../test/real/mirror/laboratory/images.ts'
import { type Laboratory, type LaboratoryNode, registryName, startLaboratory } from '../test/real/mirror/laboratory/laboratory.ts'
import { referenceOf, untilFound } from '../test/real/mirror/pulls.ts'
import { commandOutput } from '../test/real/run-command.ts'
import { peerProgram } from '../test/real/upstreams/peer-archives.ts'
import { type BudgetRow, budgetTable } from './budget-table.ts'
import { manyDigests } from './mirror-digests.ts'

const megabyte = 1_000_000
const bigLayer = 1_000 * megabyte
/** Layers of the image that ten nodes want at once. */
const sharedLayers = [40, 40, 40, 40].map(size => size * megabyte)
const warmRequests = 15
const crowd = 10
/** Longer than upstream's default of 20 ms, for both: ten nodes on two processors answer late. */
const patient = ['--mirror-resolve-timeout', '500ms'] as const

interface Transfer {
  readonly seconds: number
  readonly firstByteMs: number
}

/** Reads a blob within the node to nowhere. @throws Error where it does not come whole */
async function read(node: LaboratoryNode, host: string, image: PushedImage, layer: number): Promise<Transfer> {
  const blob = image.layers[layer]
  if (blob === undefined) throw new Error(`no layer ${layer}`)
  const url = `${host}/v2/${image.repository}/blobs/${blob.digest}?ns=${registryName}`
  const told = '%{http_code} %{size_download} %{time_total} %{time_starttransfer}'
  const asked = ['netns', 'exec', node.namespace, 'curl', '-s', '-o', '/dev/null', '-w', told, url]
  const [status, size, total, first] = (await commandOutput('ip', asked)).split(' ').map(Number)
  if (status !== 200 || size !== blob.size) throw new Error(`${url}: status ${status}, ${size} of ${blob.size} bytes`)
  return { seconds: total ?? Number.NaN, firstByteMs: (first ?? Number.NaN) * 1_000 }
}

const median = (values: readonly number[]) => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN

interface OneToOne {
  readonly seconds: number
  readonly cpuPerGb: { readonly serving: number; readonly receiving: number }
  readonly firstByteMs: number
  readonly peakRss: number
  readonly pss: number
}

async function fromPeer(laboratory: Laboratory, kind: Measured, big: PushedImage, rounds: number): Promise<OneToOne> {
  const [n1, n2] = laboratory.nodes
  const flags = kind === 'ballast-tls' ? [...patient, ...(await certificateFlags(laboratory))] : patient
  const agents = await laboratory.startAgents({ kind: kind === 'ballast-tls' ? 'ballast' : kind, flags })
  const [serving, receiving] = agents
  if (n1 === undefined || n2 === undefined || serving === undefined || receiving === undefined) throw new Error('two nodes')
  await untilFound(receiving, big)
  const own = `http://${n2.address}:${ports.registry}`
  const took: number[] = []
  const cpu = { serving: [] as number[], receiving: [] as number[] }
  for (let round = 0; round < rounds; round++) {
    const before = [serving.program.cpuSeconds(), receiving.program.cpuSeconds()]
    took.push((await read(n2, own, big, 0)).seconds)
    cpu.serving.push(serving.program.cpuSeconds() - (before[0] ?? 0))
    cpu.receiving.push(receiving.program.cpuSeconds() - (before[1] ?? 0))
  }
  const first: number[] = []
  for (let request = 0; request < warmRequests; request++) first.push((await read(n2, own, big, 1)).firstByteMs)
  const { pss, peakRss } = receiving.program.memory()
  for (const agent of agents) await agent.stop()
  return {
    seconds: median(took),
    cpuPerGb: { serving: median(cpu.serving), receiving: median(cpu.receiving) },
    firstByteMs: median(first),
    pss,
    peakRss,
  }
}

/** Ours with certificates, so that agents speak TLS with each other; upstream has nothing of the kind. */
type Measured = AgentKind | 'ballast-tls'

/** One certificate for all nodes, as a Secret would bring it. */
async function certificateFlags(laboratory: Laboratory): Promise<readonly string[]> {
  const [first] = laboratory.nodes
  if (first === undefined) throw new Error('a node')
  const directory = join(first.directory, 'peer-certificates')
  mkdirSync(directory, { recursive: true })
  const nowMs = systemClock.now()
  const authority = await issueAuthority({ commonName: 'agents', nowMs })
  const own = { commonName: agentTlsName, dnsNames: [agentTlsName], ipAddresses: [], nowMs }
  const { certificate, key } = await issueLeaf(authority, { ...own, usages: ['server', 'client'] })
  const files = { 'ca.crt': authority.certificate, 'tls.crt': certificate, 'tls.key': key }
  for (const [name, text] of Object.entries(files)) writeFileSync(join(directory, name), text)
  return ['--peer-addr', `:${ports.peers}`, '--peer-cert-dir', directory]
}

async function oneToOne(rounds: number, kinds: readonly AgentKind[]): Promise<readonly BudgetRow[]> {
  await using laboratory = await startLaboratory({ nodes: 2, line: '2' })
  const [n1, n2] = laboratory.nodes
  if (n1 === undefined || n2 === undefined) throw new Error('two nodes')
  for (const where of [n1, n2, 'outside'] as const) await laboratory.network.shape(where, { rate: '10gbit' })
  const big = await laboratory.outside.push({ repository: 'acme/big', tag: 'v1', layers: [bigLayer, megabyte] })
  const seeded = await n1.fetch(referenceOf(big))
  if (seeded.code !== 0) throw new Error(seeded.stderr)
  const direct: Transfer[] = []
  for (let round = 0; round < rounds; round++) direct.push(await read(n2, laboratory.outside.url, big, 0))
  const warm: number[] = []
  for (let request = 0; request < warmRequests; request++) warm.push((await read(n2, laboratory.outside.url, big, 1)).firstByteMs)
  const seen = new Map<Measured, OneToOne>()
  for (const kind of [...kinds, 'ballast-tls'] as const) seen.set(kind, await fromPeer(laboratory, kind, big, rounds))
  const ours = seen.get('ballast')
  const secured = seen.get('ballast-tls')
  const theirs = seen.get('upstream')
  if (ours === undefined || secured === undefined) throw new Error('ours was not measured')
  const beside = (value: (of: OneToOne) => number) =>
    theirs === undefined ? {} : { other: { name: 'upstream', value: value(theirs) } }
  const cpu = ({ cpuPerGb }: OneToOne) => cpuPerGb.serving + cpuPerGb.receiving
  console.log(
    `direct: 1 GB in ${median(direct.map(({ seconds }) => seconds)).toFixed(2)} s, first byte ${median(warm).toFixed(2)} ms`,
  )
  for (const [kind, { cpuPerGb, pss, peakRss }] of seen) {
    console.log(
      `${kind}: CPU s/GB serving ${cpuPerGb.serving.toFixed(2)}, receiving ${cpuPerGb.receiving.toFixed(2)}; the receiving one ${mebibytes(pss)} MiB PSS, ${mebibytes(peakRss)} MiB at most`,
    )
  }
  return [
    {
      what: '1 GB from a node, 10 Gbit/s',
      value: ours.seconds,
      unit: 's',
      ...(theirs === undefined ? {} : { budget: { atMost: theirs.seconds } }),
      ...beside(({ seconds }) => seconds),
    },
    {
      what: 'CPU of both agents for 1 GB',
      value: cpu(ours),
      unit: 's',
      ...(theirs === undefined ? {} : { budget: { atMost: 1.5 * cpu(theirs) } }),
      ...beside(cpu),
    },
    {
      what: 'first byte on a warm route',
      value: ours.firstByteMs,
      unit: 'ms',
      budget: { atMost: median(warm) + 5 },
      ...beside(({ firstByteMs }) => firstByteMs),
    },
    { what: '1 GB from a node, mutual TLS', value: secured.seconds, unit: 's', ...beside(({ seconds }) => seconds) },
    { what: 'CPU of both agents for 1 GB, mutual TLS', value: cpu(secured), unit: 's', ...beside(cpu) },
    { what: 'first byte on a warm route, mutual TLS', value: secured.firstByteMs, unit: 'ms' },
    { what: 'memory after it, PSS', value: mebibytes(ours.pss), unit: 'MiB', ...beside(({ pss }) => mebibytes(pss)) },
  ]
}

const mebibytes = (bytes: number) => Math.round(bytes / 2 ** 20)

interface Together {
  readonly seconds: number
  readonly copies: number
}

interface Relay {
  readonly settle: string
  readonly hold: string
}

async function atOnce(laboratory: Laboratory, kind: AgentKind | undefined, rounds: number, relay?: Relay): Promise<Together> {
  const settings = relay === undefined ? {} : { settings: { relay, headerTimeout: relay.hold } }
  const agents: readonly Agent[] = kind === undefined ? [] : await laboratory.startAgents({ kind, flags: patient, ...settings })
  const seen: Together[] = []
  for (let round = 0; round < rounds; round++) {
    const image = await laboratory.outside.push({
      repository: `acme/new-${kind ?? 'direct'}-${relay?.settle ?? 'usual'}-${round}`,
      tag: 'v1',
      layers: sharedLayers,
    })
    laboratory.outside.forget()
    const startedMs = performance.now()
    const results = await Promise.all(laboratory.nodes.map(node => node.fetch(referenceOf(image))))
    const seconds = (performance.now() - startedMs) / 1_000
    const failed = results.find(({ code }) => code !== 0)
    if (failed !== undefined) throw new Error(`${kind}: ${failed.stderr}`)
    const copies = image.layers.map(layer => laboratory.outside.copies(layer))
    seen.push({ seconds, copies: copies.reduce((sum, count) => sum + count, 0) / copies.length })
    console.log(
      `${kind ?? 'direct'}: ${seconds.toFixed(1)} s, copies of each layer ${copies.map(count => count.toFixed(2)).join(' ')}`,
    )
    await Promise.all(laboratory.nodes.map(node => node.clean()))
  }
  for (const agent of agents) await agent.stop()
  return { seconds: median(seen.map(({ seconds }) => seconds)), copies: median(seen.map(({ copies }) => copies)) }
}

async function tenAtOnce(rounds: number, kinds: readonly AgentKind[]): Promise<readonly BudgetRow[]> {
  await using laboratory = await startLaboratory({ nodes: crowd, line: '2' })
  for (const where of [...laboratory.nodes, 'outside'] as const) await laboratory.network.shape(where, { rate: '1gbit' })
  const direct = await atOnce(laboratory, undefined, rounds)
  const theirs = kinds.includes('upstream') ? await atOnce(laboratory, 'upstream', rounds) : undefined
  const ours = await atOnce(laboratory, 'ballast', rounds)
  // The defaults are for nodes that answer within milliseconds; ten nodes on two processors do not.
  const patiently = await atOnce(laboratory, 'ballast', rounds, { settle: '1s', hold: '20s' })
  console.log(`direct: ${direct.seconds.toFixed(1)} s, ${direct.copies.toFixed(2)} copies`)
  return [
    {
      what: `${crowd} nodes pull a new image at once, 1 Gbit/s`,
      value: ours.seconds,
      unit: 's',
      ...(theirs === undefined
        ? {}
        : { budget: { atMost: theirs.seconds / 2 }, other: { name: 'upstream', value: theirs.seconds } }),
    },
    { what: 'the same with settle 1s, hold and header timeout 20s', value: patiently.seconds, unit: 's' },
    {
      what: 'copies from outside, settle 1s, hold and header timeout 20s',
      value: patiently.copies,
      unit: '',
      budget: { atMost: 1.2 },
    },
    {
      what: 'copies from outside',
      value: ours.copies,
      unit: '',
      budget: { atMost: 1.2 },
      ...(theirs === undefined ? {} : { other: { name: 'upstream', value: theirs.copies } }),
    },
  ]
}

async function kindsHere(): Promise<readonly AgentKind[]> {
  try {
    await peerProgram('spegel')
    return ['upstream', 'ballast']
  } catch (cause) {
    if (!(cause instanceof PartUnavailable)) throw cause
    console.log(`without upstream: ${cause.message}`)
    return ['ballast']
  }
}

async function main(): Promise<void> {
  const { values } = parseArgs({ options: { rounds: { type: 'string', default: '5' }, only: { type: 'string' } } })
  const rounds = Number(values.rounds)
  const kinds = await kindsHere()
  const parts = { one: oneToOne, ten: tenAtOnce, digests: manyDigests }
  const rows: BudgetRow[] = []
  for (const [name, part] of Object.entries(parts)) {
    if (values.only === undefined || values.only === name) rows.push(...(await part(rounds, kinds)))
  }
  console.log(budgetTable(rows))
}

try {
  await main()
} catch (cause) {
  if (!(cause instanceof PartUnavailable)) throw cause
  console.log(`skipped: ${cause.message}`)
}
