// Bytes from one node to another, ours beside upstream's Spegel: by containerd and by curl, one large layer and many small ones. Kinds take
// turns in each round; medians. CPU is that of the mirrors of both nodes with all that they start, containerd apart.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { loadavg } from 'node:os'
import { join } from 'node:path'
import { systemClock } from '#kube/clock.ts'
import { issueAuthority, issueLeaf } from '#kube/server/certificates.ts'
import { agentTlsName } from '../src/capabilities/mirror/prefetch.ts'
import { needProgramsOfImage } from '../test/real/image/programs-of-image.ts'
import { type Agent, type AgentKind, ports } from '../test/real/mirror/laboratory/agents.ts'
import type { PushedImage } from '../test/real/mirror/laboratory/images.ts'
import { type Laboratory, type LaboratoryNode, registryName, startLaboratory } from '../test/real/mirror/laboratory/laboratory.ts'
import { referenceOf, untilFound } from '../test/real/mirror/pulls.ts'
import { commandOutput } from '../test/real/run-command.ts'
import type { BudgetRow } from './budget-table.ts'

const megabyte = 1_000_000
const bigLayer = 1_000 * megabyte
const manyImages = 20
const layersOfEach = 15
const warmRequests = 15
/** Longer than upstream's default of 20 ms, for both: busy processors answer late. */
const patient = ['--mirror-resolve-timeout', '500ms'] as const

/** What is measured: upstream has no TLS between its agents. */
const kinds = ['upstream', 'ballast', 'ballast with mutual TLS', 'ballast without nginx'] as const
type Kind = (typeof kinds)[number]

interface Round {
  readonly curlSeconds: number
  readonly curlCpu: number
  readonly pullSeconds: number
  readonly pullCpu: number
  readonly manySeconds: number
  readonly manyCpu: number
  readonly firstByteMs: number
  /** Layers that the registry was asked for, though the other node has all of them. */
  readonly missed: number
}

interface Read {
  readonly seconds: number
  readonly firstByteMs: number
}

const median = (values: readonly number[]) => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN

/** Reads a blob within the node to nowhere. @throws Error where it does not come whole */
async function read(node: LaboratoryNode, host: string, image: PushedImage, layer: number): Promise<Read> {
  const blob = image.layers[layer]
  if (blob === undefined) throw new Error(`no layer ${layer}`)
  const url = `${host}/v2/${image.repository}/blobs/${blob.digest}?ns=${registryName}`
  const told = '%{http_code} %{size_download} %{time_total} %{time_starttransfer}'
  const asked = ['netns', 'exec', node.namespace, 'curl', '-s', '-o', '/dev/null', '-w', told, url]
  const [status, size, total, first] = (await commandOutput('ip', asked)).split(' ').map(Number)
  if (status !== 200 || size !== blob.size) throw new Error(`${url}: status ${status}, ${size} of ${blob.size} bytes`)
  return { seconds: total ?? Number.NaN, firstByteMs: (first ?? Number.NaN) * 1_000 }
}

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

interface Site {
  readonly laboratory: Laboratory
  readonly from: LaboratoryNode
  readonly to: LaboratoryNode
  readonly big: PushedImage
  readonly many: readonly PushedImage[]
  readonly certificates: readonly string[]
}

/** Pulls by containerd, two images at a time; seconds. @throws Error with what it said */
async function pulled(node: LaboratoryNode, images: readonly PushedImage[]): Promise<number> {
  const startedMs = systemClock.elapsed()
  const left = [...images]
  const lane = async () => {
    for (let image = left.shift(); image !== undefined; image = left.shift()) {
      const { code, stderr } = await node.fetch(referenceOf(image))
      if (code !== 0) throw new Error(stderr)
    }
  }
  await Promise.all([lane(), lane()])
  return (systemClock.elapsed() - startedMs) / 1_000
}

async function round(kind: Kind, { laboratory, to, big, many, certificates }: Site): Promise<Round> {
  const plane = kind === 'upstream' ? [] : ['--data-plane', kind.includes('without') ? 'builtin' : 'nginx']
  const tls = kind.includes('TLS') ? certificates : []
  const agents = await laboratory.startAgents({
    kind: kind === 'upstream' ? 'upstream' : 'ballast',
    flags: [...patient, ...plane, ...tls],
  })
  const [, receiving] = agents
  if (receiving === undefined) throw new Error('two nodes')
  for (const image of [big, ...many.slice(-2)]) await untilFound(receiving, image)
  const own = `http://${to.address}:${ports.registry}`
  const first: number[] = []
  for (let request = 0; request < warmRequests; request++) first.push((await read(to, own, big, 1)).firstByteMs)
  const cpu = await metered(agents, () => read(to, own, big, 0))
  laboratory.outside.forget()
  const whole = await metered(agents, () => pulled(to, [big]))
  await to.clean()
  const small = await metered(agents, () => pulled(to, many))
  await to.clean()
  const missed = [big, ...many].flatMap(({ layers }) => layers).reduce((sum, layer) => sum + laboratory.outside.copies(layer), 0)
  for (const agent of agents) await agent.stop()
  return {
    firstByteMs: median(first),
    curlSeconds: cpu.result.seconds,
    curlCpu: cpu.seconds,
    pullSeconds: whole.result,
    pullCpu: whole.seconds,
    manySeconds: small.result,
    manyCpu: small.seconds,
    missed,
  }
}

async function metered<T>(
  agents: readonly Agent[],
  work: () => Promise<T>,
): Promise<{ readonly result: T; readonly seconds: number }> {
  const used = () => agents.reduce((sum, agent) => sum + agent.program.cpuSeconds(), 0)
  const before = used()
  const result = await work()
  return { result, seconds: used() - before }
}

/** What the figures depend on. */
export function conditions(): string {
  const cpuinfo = readFileSync('/proc/cpuinfo', 'latin1')
  const [, model = '?'] = /^model name\s*: (.+)$/m.exec(cpuinfo) ?? []
  const flags = new Set((/^flags\s*: (.+)$/m.exec(cpuinfo)?.[1] ?? '').split(' '))
  const count = cpuinfo.match(/^processor\s*:/gm)?.length ?? 0
  const named = ['aes', 'vaes', 'sha_ni', 'avx2', 'avx512f'].map(flag => `${flags.has(flag) ? '' : 'no '}${flag}`)
  // What programs are told not to use: OpenSSL's variable, and Go's.
  const without = ['OPENSSL_ia32cap', 'GODEBUG'].flatMap(name =>
    process.env[name] === undefined ? [] : `${name}=${process.env[name]}`,
  )
  return `${count} × ${model.trim()} (${[...named, ...without].join(', ')}), load before ${loadavg()
    .map(load => load.toFixed(1))
    .join(' ')}`
}

/** Rows of what one node gets from another. */
export async function betweenTwo(rounds: number, here: readonly AgentKind[]): Promise<readonly BudgetRow[]> {
  await needProgramsOfImage()
  console.log(conditions())
  await using laboratory = await startLaboratory({ nodes: 2, line: '2' })
  const [from, to] = laboratory.nodes
  if (from === undefined || to === undefined) throw new Error('two nodes')
  for (const where of [from, to, 'outside'] as const) await laboratory.network.shape(where, { rate: '10gbit' })
  const big = await laboratory.outside.push({ repository: 'acme/big', tag: 'v1', layers: [bigLayer, megabyte] })
  const many: PushedImage[] = []
  for (let image = 0; image < manyImages; image++) {
    const layers = Array.from({ length: layersOfEach }, () => megabyte)
    many.push(await laboratory.outside.push({ repository: `acme/many-${image}`, tag: 'v1', layers }))
  }
  await pulled(from, [big, ...many])
  const site = { laboratory, from, to, big, many, certificates: await certificateFlags(laboratory) }
  const direct: number[] = []
  for (let request = 0; request < warmRequests; request++)
    direct.push((await read(to, laboratory.outside.url, big, 1)).firstByteMs)
  const seen = new Map<Kind, Round[]>()
  for (let turn = 0; turn < rounds; turn++) {
    for (const kind of kinds) {
      if (kind === 'upstream' && !here.includes('upstream')) continue
      const figures = await round(kind, site)
      seen.set(kind, [...(seen.get(kind) ?? []), figures])
      console.log(`${turn + 1}/${rounds} ${kind}: ${JSON.stringify(figures)}`)
    }
  }
  console.log(`first byte directly: ${median(direct).toFixed(2)} ms`)
  return rowsOf(seen, median(direct))
}

function rowsOf(seen: ReadonlyMap<Kind, readonly Round[]>, directMs: number): readonly BudgetRow[] {
  const of = (kind: Kind, value: (round: Round) => number) => median((seen.get(kind) ?? []).map(value))
  const hasUpstream = seen.has('upstream')
  const row = (what: string, unit: string, kind: Kind, value: (round: Round) => number, most?: number): BudgetRow => ({
    what: `${what}: ${kind}`,
    value: of(kind, value),
    unit,
    ...(hasUpstream ? { other: { name: 'upstream', value: of('upstream', value) } } : {}),
    ...(hasUpstream && most !== undefined ? { budget: { atMost: most * of('upstream', value) } } : {}),
  })
  const ours = kinds.filter(kind => kind !== 'upstream')
  // Plain HTTP and mutual TLS by the data plane of the image have goals; the rest is for comparison.
  const goal = (kind: Kind, plain: number, tls: number) =>
    kind === 'ballast' ? plain : kind === 'ballast with mutual TLS' ? tls : undefined
  return ours.flatMap(kind => [
    row('1 GB by containerd', 's', kind, ({ pullSeconds }) => pullSeconds, goal(kind, 1, 1.15)),
    row('  CPU', 's', kind, ({ pullCpu }) => pullCpu, goal(kind, 1.3, 2)),
    row('1 GB by curl', 's', kind, ({ curlSeconds }) => curlSeconds),
    row('  CPU', 's', kind, ({ curlCpu }) => curlCpu),
    row('300 layers of 1 MB', 's', kind, ({ manySeconds }) => manySeconds, kind === 'ballast' ? 1 : undefined),
    row('  CPU', 's', kind, ({ manyCpu }) => manyCpu, kind === 'ballast' ? 1.5 : undefined),
    {
      ...row('first byte on a warm route', 'ms', kind, ({ firstByteMs }) => firstByteMs),
      ...(goal(kind, 1, 1) === undefined ? {} : { budget: { atMost: directMs + 5 } }),
    },
    row('layers from the registry though the peer has them', '', kind, ({ missed }) => missed),
  ])
}
