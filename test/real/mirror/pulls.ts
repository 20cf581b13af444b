// What users do: pull on one node, and on the others with the outside cut off.
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Check } from '../check.ts'
import { needProgramsOfImage } from '../image/programs-of-image.ts'
import type { ContainerdLine } from './containerd.ts'
import { type Agent, ports } from './laboratory/agents.ts'
import type { PushedImage } from './laboratory/images.ts'
import { type Laboratory, type LaboratoryNode, registryName, startLaboratory } from './laboratory/laboratory.ts'
import { until } from './laboratory/program.ts'

/** Look-ups in time on a machine of two processors that runs four nodes: the default of 20 ms is for nodes with processors of their own. */
export const patient = ['--mirror-resolve-timeout', '2s'] as const

export const referenceOf = ({ repository, tag }: PushedImage) => `${registryName}/${repository}:${tag}`
export const megabyte = 1_000_000
const usualAttempts = 4

/**
 * Pulls as a kubelet does: again after a failure, so often. On a machine of two processors a peer's answer may take longer than the 100 ms
 * after which a request goes on to the outside, which is cut off here. @throws Error with what was said last
 */
export async function pulled(node: LaboratoryNode, reference: string, attempts = usualAttempts): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    const { code, stderr } = await node.pull(reference)
    if (code === 0) return
    if (attempt >= attempts) throw new Error(`${node.name} cannot pull ${reference}: ${stderr}`)
  }
}

/** The same by CRI. @throws Error with what was said last */
export async function pulledByCri(node: LaboratoryNode, reference: string): Promise<string> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await node.pullByCri(reference)
    } catch (cause) {
      if (attempt >= usualAttempts) throw cause
    }
  }
}

/** Has the node pull from the outside, and waits until another node's mirror answers for each part of the image. */
export async function seeded(
  laboratory: Laboratory,
  node: LaboratoryNode,
  image: PushedImage,
  asked: readonly Agent[],
): Promise<void> {
  await pulled(node, referenceOf(image))
  for (const agent of asked) await untilFound(agent, image)
  laboratory.outside.forget()
}

/** Waits until the agent gets the image's manifest and its layers from others. */
export async function untilFound(agent: Agent, image: PushedImage): Promise<void> {
  const base = `http://${agent.node.address}:${ports.registry}/v2/${image.repository}`
  const query = `?ns=${registryName}`
  const urls = [
    `${base}/manifests/${image.tag}${query}`,
    `${base}/manifests/${image.manifest}${query}`,
    ...image.layers.map(({ digest }) => `${base}/blobs/${digest}${query}`),
  ]
  await until(
    `${agent.node.name} finds ${image.repository}`,
    async () => {
      for (const url of urls) if ((await agent.head(url)) !== 200) return false
      return true
    },
    60_000,
    200,
  )
}

function nodesOf<Count extends number>({ nodes }: Laboratory, count: Count) {
  if (nodes.length < count) throw new Error('too few nodes')
  return nodes
}

async function pullWithoutOutside(line: ContainerdLine, dataPlane: 'builtin' | 'nginx' = 'builtin'): Promise<string> {
  if (dataPlane === 'nginx') await needProgramsOfImage()
  await using laboratory = await startLaboratory({ nodes: 4, line })
  const [n1, n2, n3, n4] = nodesOf(laboratory, 4)
  const agents = await laboratory.startAgents({ kind: 'ballast', flags: patient, settings: { dataPlane } })
  const platforms = ['linux/amd64', 'linux/arm64']
  const image = await laboratory.outside.push({ repository: 'acme/app', tag: 'v1', layers: [megabyte, 20 * megabyte], platforms })
  if (n1 === undefined || n2 === undefined || n3 === undefined || n4 === undefined) throw new Error('four nodes')
  await seeded(laboratory, n1, image, agents.slice(1))
  await laboratory.outside.stop()
  await pulled(n2, referenceOf(image))
  await pulled(n3, `${registryName}/${image.repository}@${image.digest}`)
  const reference = await pulledByCri(n4, referenceOf(image))
  const hits = await Promise.all(agents.map(agent => agent.metric('spegel_mirror_requests_total', { cache: 'hit' })))
  if (hits.slice(1).some(count => count === 0)) throw new Error(`hits of the nodes: ${hits.join(', ')}`)
  return `containerd ${n1.containerd.version}: an index by tag, by digest and by CRI (${reference.slice(0, 19)}) from a node, hits ${hits.join(', ')}`
}

/** The three lines that users' machine data has, as they stand there: port 30020, every registry, no server. */
const seedHosts = (address: string) =>
  `[host.'http://${address}:30020']\ncapabilities = ['pull', 'resolve']\ndial_timeout = '200ms'\n`

async function seedHostsFile(line: ContainerdLine): Promise<string> {
  await using laboratory = await startLaboratory({ nodes: 2, line })
  const [n1, n2] = laboratory.nodes
  if (n1 === undefined || n2 === undefined) throw new Error('two nodes')
  const agents = await laboratory.startAgents({ kind: 'ballast', flags: patient })
  const image = await laboratory.outside.push({ repository: 'acme/app', tag: 'v1', layers: [megabyte] })
  await seeded(laboratory, n1, image, agents.slice(1))
  const file = join(n2.hosts, '_default', 'hosts.toml')
  writeFileSync(file, seedHosts(n2.address))
  await pulled(n2, referenceOf(image))
  await n2.clean()
  await pulledByCri(n2, referenceOf(image))
  return `containerd ${n1.containerd.version} reads ${JSON.stringify(readFileSync(file, 'utf8').split('\n')[0])} and asks nobody else`
}

async function joinsLater(line: ContainerdLine): Promise<string> {
  await using laboratory = await startLaboratory({ nodes: 3, line })
  const [n1, n2, n3] = laboratory.nodes
  if (n1 === undefined || n2 === undefined || n3 === undefined) throw new Error('three nodes')
  const first = await laboratory.startAgent(n1, { kind: 'ballast', flags: patient, readyMs: 0 })
  const second = await laboratory.startAgent(n2, { kind: 'ballast', flags: patient })
  await first.ready()
  const image = await laboratory.outside.push({ repository: 'acme/app', tag: 'v1', layers: [megabyte] })
  await seeded(laboratory, n1, image, [second])
  await laboratory.outside.stop()
  const startedMs = performance.now()
  const third = await laboratory.startAgent(n3, { kind: 'ballast', flags: patient })
  const readyMs = performance.now() - startedMs
  await untilFound(third, image)
  await pulled(n3, referenceOf(image))
  return `containerd ${n1.containerd.version}: a node that came later was ready after ${(readyMs / 1_000).toFixed(1)} s and pulled from the others`
}

async function bigLayer(line: ContainerdLine, dataPlane: 'builtin' | 'nginx' = 'builtin'): Promise<string> {
  if (dataPlane === 'nginx') await needProgramsOfImage()
  await using laboratory = await startLaboratory({ nodes: 2, line })
  const [n1, n2] = laboratory.nodes
  if (n1 === undefined || n2 === undefined) throw new Error('two nodes')
  const agents = await laboratory.startAgents({ kind: 'ballast', flags: patient, settings: { dataPlane } })
  const image = await laboratory.outside.push({ repository: 'acme/big', tag: 'v1', layers: [1_000 * megabyte] })
  const seeding = await n1.fetch(referenceOf(image))
  if (seeding.code !== 0) throw new Error(seeding.stderr)
  for (const agent of agents.slice(1)) await untilFound(agent, image)
  await laboratory.outside.stop()
  const startedMs = performance.now()
  const { code, stderr } = await n2.fetch(referenceOf(image))
  if (code !== 0) throw new Error(stderr)
  const seconds = (performance.now() - startedMs) / 1_000
  const peaks = agents.map(agent => Math.round(agent.program.memory().peakRss / 2 ** 20))
  return `containerd ${n1.containerd.version}: 1 GB from a node in ${seconds.toFixed(1)} s, agents' peak ${peaks.join(' and ')} MiB`
}

const lines: readonly ContainerdLine[] = ['1.6', '2']
const scenarios = {
  'pulls by tag, digest and CRI with the outside cut off': pullWithoutOutside,
  "pulls with the seed's hosts.toml as it stands": seedHostsFile,
  'a node that joins pulls from the others': joinsLater,
  'a layer of 1 GB comes from a node': bigLayer,
} as const

const byNginx = {
  'by nginx, pulls by tag, digest and CRI with the outside cut off': pullWithoutOutside,
  'by nginx, a layer of 1 GB comes from a node': bigLayer,
} as const

export const pullChecks: readonly Check[] = [
  ...Object.entries(scenarios).flatMap(([name, run]) =>
    lines.map(line => ({ name: `mirror: ${name}, containerd ${line}`, alone: true, run: () => run(line) })),
  ),
  ...Object.entries(byNginx).flatMap(([name, run]) =>
    lines.map(line => ({ name: `mirror: ${name}, containerd ${line}`, alone: true, run: () => run(line, 'nginx') })),
  ),
]
