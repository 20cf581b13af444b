// What goes wrong where nginx carries the bodies: wrong bytes that nobody here saw, slow peers, and processes that are killed in mid-blob.
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { systemClock } from '#kube/clock.ts'
import { issueAuthority } from '#kube/server/certificates.ts'
import type { Check } from '../check.ts'
import { needProgramsOfImage } from '../image/programs-of-image.ts'
import { taken, writeCertificates } from './encrypted.ts'
import { downloaded, flipByte, pathOfBlob, slow, slowLayer, slowPeer, threeNodes, wantRightBytes } from './faults.ts'
import { type Agent, ports } from './laboratory/agents.ts'
import type { PushedImage } from './laboratory/images.ts'
import { type Laboratory, type LaboratoryNode, startLaboratory } from './laboratory/laboratory.ts'
import { nginxOf, runs } from './laboratory/nginx-processes.ts'
import { until } from './laboratory/program.ts'
import { megabyte, patient, pulled, referenceOf, seeded, untilFound } from './pulls.ts'

const flags = [...patient, '--data-plane', 'nginx'] as const
const line = '2'

/** Three nodes whose agents have nginx carry bodies. */
async function nginxNodes() {
  await needProgramsOfImage()
  const site = await threeNodes(line, { flags })
  const [first, second, third] = site.agents
  if (first === undefined || second === undefined || third === undefined) throw new Error('three agents')
  return { ...site, agents: [first, second, third] as const }
}

/** Pulls it, and has something happen when a quarter of its layer is there. */
async function pulledWhile(node: LaboratoryNode, image: PushedImage, happens: () => Promise<void> | void) {
  const pulling = node.fetch(referenceOf(image))
  await until('a part of the layer is there', async () => (await downloaded(node)) > slowLayer / 4)
  await happens()
  return await pulling
}

const wrongBytes = 20 * megabyte

async function poisoned(): Promise<string> {
  await using site = await nginxNodes()
  const { laboratory, agents } = site
  const [n1, n2] = site.nodes
  const image = await laboratory.outside.push({ repository: 'acme/app', tag: 'v1', layers: [wrongBytes] })
  await seeded(laboratory, n1, image, agents.slice(1))
  const [layer] = image.layers
  if (layer === undefined) throw new Error('a layer')
  flipByte(pathOfBlob(n1, layer.digest), 300_000)
  const first = await n2.fetch(referenceOf(image))
  if (first.code === 0) throw new Error('wrong bytes were taken')
  if (existsSync(pathOfBlob(n2, layer.digest))) throw new Error('wrong bytes were committed')
  let failures = 1
  // containerd keeps wrong bytes as a download until its garbage collector runs.
  await until(
    'it pulls',
    async () => {
      const isDone = (await n2.fetch(referenceOf(image))).code === 0
      if (!isDone) failures++
      return isDone
    },
    60_000,
    500,
  )
  await wantRightBytes(n2, image.layers)
  const named = () => agents[1].metric('ballast_mirror_verify_failures_total')
  await until('the poisoner is named', async () => (await named()) > 0)
  return `${failures} failed pulls, then the right bytes; who gave wrong ones was named ${await named()} times`
}

async function servingAgentKilled(): Promise<string> {
  await using site = await nginxNodes()
  const { laboratory, agents } = site
  const [n1, n2] = site.nodes
  const image = await laboratory.outside.push({ repository: 'acme/app', tag: 'v1', layers: [slowLayer] })
  await seeded(laboratory, n1, image, agents.slice(1))
  await laboratory.network.shape(n2, slow)
  const { code, stderr } = await pulledWhile(n2, image, () => agents[0].program.kill())
  if (code !== 0) throw new Error(stderr)
  await wantRightBytes(n2, image.layers)
  const copies = copiesOf(laboratory, image)
  if (copies >= 1) throw new Error(`the outside sent ${copies} copies`)
  return `the rest came from the outside, which sent ${copies.toFixed(2)} of the layer`
}

const copiesOf = ({ outside }: Laboratory, { layers: [layer] }: PushedImage) => (layer === undefined ? 0 : outside.copies(layer))

async function nginxKilled(): Promise<string> {
  await using site = await nginxNodes()
  const { laboratory, agents } = site
  const [n1, n2] = site.nodes
  const [, own] = agents
  const push = (repository: string) => laboratory.outside.push({ repository, tag: 'v1', layers: [slowLayer] })
  const [one, other] = [await push('acme/one'), await push('acme/other')]
  await seeded(laboratory, n1, one, agents.slice(1))
  await seeded(laboratory, n1, other, agents.slice(1))
  await laboratory.network.shape(n2, slow)
  const before = nginxOf(own)
  if (before === undefined) throw new Error('nginx does not run')
  const kill = (pids: readonly number[]) => {
    for (const pid of pids) process.kill(pid, 'SIGKILL')
  }
  const workersKilled = await pulledWhile(n2, one, () => kill(before.workers))
  if (workersKilled.code !== 0) throw new Error(`workers killed: ${workersKilled.stderr}`)
  await wantRightBytes(n2, one.layers)
  const outside = copiesOf(laboratory, one)
  const firstKilled = await pulledWhile(n2, other, () => kill([before.first]))
  if (firstKilled.code !== 0) throw new Error(`the first process killed: ${firstKilled.stderr}`)
  await wantRightBytes(n2, other.layers)
  const after = await until('nginx runs again', () => nginxOf(own))
  if (after.first === before.first) throw new Error('it is the same')
  if (before.workers.some(runs)) throw new Error('its former processes run on')
  await until('it is ready', async () => (await own.readyz()).status === 200)
  await n2.clean()
  await laboratory.outside.stop()
  await pulled(n2, referenceOf(one))
  const copies = copiesOf(laboratory, other)
  return `its workers killed in mid-blob, then the first process: both layers whole (${outside.toFixed(2)} and ${copies.toFixed(2)} of them from the outside), and the next pull comes from a node`
}

async function agentKilled(): Promise<string> {
  await using site = await nginxNodes()
  const { laboratory, agents } = site
  const [n1, n2] = site.nodes
  const [, own] = agents
  const image = await laboratory.outside.push({ repository: 'acme/app', tag: 'v1', layers: [slowLayer] })
  await seeded(laboratory, n1, image, agents.slice(1))
  const before = nginxOf(own)
  if (before === undefined) throw new Error('nginx does not run')
  const startedMs = performance.now()
  await own.program.kill()
  await until('its nginx ends', () => ![before.first, ...before.workers].some(runs))
  const seconds = (performance.now() - startedMs) / 1_000
  const fresh = await laboratory.startAgent(n2, { kind: 'ballast', flags })
  await untilFound(fresh, image)
  await laboratory.outside.stop()
  await pulled(n2, referenceOf(image))
  return `nginx ended ${seconds.toFixed(1)} s after the agent was killed, and a fresh agent has its ports`
}

async function drains(): Promise<string> {
  await using site = await nginxNodes()
  const { laboratory, agents } = site
  const [n1, n2] = site.nodes
  const image = await laboratory.outside.push({ repository: 'acme/app', tag: 'v1', layers: [slowLayer] })
  await seeded(laboratory, n1, image, agents.slice(1))
  await laboratory.outside.stop()
  await laboratory.network.shape(n2, slow)
  const { code, stderr } = await pulledWhile(n2, image, () => agents[0].program.signal('SIGTERM'))
  if (code !== 0) throw new Error(stderr)
  await wantRightBytes(n2, image.layers)
  await until('the agent ends', () => agents[0].program.hasEnded())
  const resumes = await agents[1].metric('ballast_mirror_resumes_total')
  if (resumes > 0) throw new Error(`the body was broken off ${resumes} times`)
  return 'an agent that got SIGTERM in mid-blob sent the rest of it and ended'
}

async function certificatesReplaced(): Promise<string> {
  await needProgramsOfImage()
  await using laboratory = await startLaboratory({ nodes: 2, line })
  const [n1, n2] = laboratory.nodes
  if (n1 === undefined || n2 === undefined) throw new Error('two nodes')
  const authority = await issueAuthority({ commonName: 'agents', nowMs: systemClock.now() })
  const directoryOf = ({ directory }: LaboratoryNode) => join(directory, 'tls')
  const agents: Agent[] = []
  for (const node of laboratory.nodes) {
    const tls = ['--peer-addr', `${node.address}:${ports.peers}`, '--peer-cert-dir', directoryOf(node)]
    const settings = { peerPort: ports.peers, peerTransport: 'mtls' }
    agents.push(await laboratory.startAgent(node, { kind: 'ballast', flags: [...flags, ...tls], settings, readyMs: 0 }))
  }
  for (const agent of agents) await agent.ready()
  const give = async () => {
    const counts = agents.map(taken)
    for (const node of laboratory.nodes) await writeCertificates(directoryOf(node), authority)
    await until('both take them', () => agents.every((agent, index) => taken(agent) > (counts[index] ?? 0)), 90_000)
  }
  // Neither has one yet, and nginx has to open the port with the first.
  await give()
  const image = await laboratory.outside.push({ repository: 'acme/app', tag: 'v1', layers: [2 * slowLayer] })
  await seeded(laboratory, n1, image, agents.slice(1))
  await laboratory.outside.stop()
  await laboratory.network.shape(n2, slow)
  const { code, stderr } = await pulledWhile(n2, image, give)
  if (code !== 0) throw new Error(stderr)
  await wantRightBytes(n2, image.layers)
  await n2.clean()
  await pulled(n2, referenceOf(image))
  const [, second] = agents
  if (second === undefined) throw new Error('two agents')
  const bytes = () => second.metric('ballast_mirror_bytes_total', { source: 'peer', direction: 'in' })
  await until('all bytes are counted as the other node gave them', async () => (await bytes()) >= 4 * slowLayer)
  return '120 MB over mutual TLS alone, under certificates that came when both agents ran already and were replaced in its middle'
}

const scenarios = {
  'a peer gives wrong bytes': poisoned,
  'a peer of 2 Mbit/s with a fast registry beside': async () => {
    await needProgramsOfImage()
    return await slowPeer(line, flags)
  },
  'a serving agent is killed in mid-blob': servingAgentKilled,
  'its processes are killed in mid-blob': nginxKilled,
  'its agent is killed': agentKilled,
  'an agent drains': drains,
  'certificates come and are replaced': certificatesReplaced,
} as const

export const dataPlaneFaultChecks: readonly Check[] = Object.entries(scenarios).map(([name, run]) => ({
  name: `mirror: nginx carries bodies, ${name}, containerd ${line}`,
  alone: true,
  run,
}))
