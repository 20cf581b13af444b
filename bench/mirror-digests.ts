// What an agent weighs at rest, with nothing and with 20,000 digests of 300 images; how soon it is ready with these, and how long it takes until
// it has announced them to 50 other nodes.
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'

import { systemClock } from '#kube/clock.ts'
import { digestOf, type LayerEntry, packTar } from '../scripts/image/layer.ts'
import { needProgramsOfImage } from '../test/real/image/programs-of-image.ts'
import { type AgentKind, ports } from '../test/real/mirror/laboratory/agents.ts'
import { type Laboratory, type LaboratoryNode, registryName, startLaboratory } from '../test/real/mirror/laboratory/laboratory.ts'
import { startProgram, until } from '../test/real/mirror/laboratory/program.ts'
import type { BudgetRow } from './budget-table.ts'

const images = 300
/** containerd takes an archive of 10,000 descriptors at most. */
const imagesInArchive = 100
const layersOfEach = 65
const peers = 50
/** After the start, until what that took is given back. */
const restMs = 20_000
/** As in the image, where nginx carries bodies. */
const ofTheImage = ['--data-plane', 'nginx'] as const
/** Kept for all processes of a mirror together, MiB resident. */
const idleBudgets = { empty: 90, full: 110 } as const
const readyBudgetSeconds = 3
const mebibytes = (bytes: number) => Math.round(bytes / 2 ** 20)

/** An archive as `ctr images import` takes it: images of layers of a few bytes, no two of them the same. @returns how many digests */
async function archive(path: string, first: number): Promise<number> {
  const entries = new Map<string, LayerEntry>()
  const put = (content: string) => {
    const digest = digestOf(content)
    entries.set(`blobs/sha256/${digest.slice('sha256:'.length)}`, {
      type: 'file',
      content: Buffer.from(content),
      isProgram: false,
    })
    return { digest, size: Buffer.byteLength(content) }
  }
  const oci = 'application/vnd.oci.image'
  const manifests = Array.from({ length: imagesInArchive }, (_, at) => {
    const image = first + at
    const layers = Array.from({ length: layersOfEach }, (_layer, index) => ({
      mediaType: `${oci}.layer.v1.tar`,
      ...put(`image ${image}, layer ${index}`),
    }))
    const rootfs = { type: 'layers', diff_ids: layers.map(({ digest }) => digest) }
    const config = { mediaType: `${oci}.config.v1+json`, ...put(JSON.stringify({ architecture: 'amd64', os: 'linux', rootfs })) }
    const mediaType = `${oci}.manifest.v1+json`
    const manifest = put(JSON.stringify({ schemaVersion: 2, mediaType, config, layers }))
    const annotations = { 'io.containerd.image.name': `${registryName}/acme/many-${image}:v1` }
    return { mediaType, ...manifest, annotations, platform: { architecture: 'amd64', os: 'linux' } }
  })
  const digests = entries.size
  const file = (content: string): LayerEntry => ({ type: 'file', content: Buffer.from(content), isProgram: false })
  entries.set('oci-layout', file('{"imageLayoutVersion":"1.0.0"}'))
  entries.set('index.json', file(JSON.stringify({ schemaVersion: 2, mediaType: `${oci}.index.v1+json`, manifests })))
  writeFileSync(path, await packTar(entries, 0))
  return digests
}

/** Bytes resident of all processes of ours on a node of its own, at rest: the agent, nginx, and a shell that a container has not (1.6 MiB). */
async function atRest(laboratory: Laboratory, node: LaboratoryNode): Promise<number> {
  const agent = await laboratory.startAgent(node, { kind: 'ballast', first: node, flags: ofTheImage })
  await systemClock.after(restMs)
  const { rss } = agent.program.memory()
  await agent.stop()
  return rss
}

interface Measured {
  readonly readySeconds: number
  readonly announcedSeconds: number
  readonly pss: number
  readonly peakRss: number
}

export async function manyDigests(_rounds: number, kinds: readonly AgentKind[]): Promise<readonly BudgetRow[]> {
  await needProgramsOfImage()
  await using laboratory = await startLaboratory({ nodes: 3, line: '2' })
  const [n1, n2, n3] = laboratory.nodes
  if (n1 === undefined || n2 === undefined || n3 === undefined) throw new Error('three nodes')
  const path = join(n1.directory, 'many.tar')
  let digests = 0
  for (let first = 0; first < images; first += imagesInArchive) {
    digests += await archive(path, first)
    const imported = await n1.containerd.ctr('images', 'import', '--local', '--no-unpack', path)
    if (imported.code !== 0) throw new Error(imported.stderr)
  }
  const idle = { empty: await atRest(laboratory, n3), full: await atRest(laboratory, n1) }
  const flags = ['--count', `${peers}`, '--host', n2.address, '--port', `${ports.bootstrap}`]
  const others = startProgram(process.execPath, [join(import.meta.dirname, 'mirror-peers.ts'), ...flags], n2)
  try {
    await until('the other nodes are there', () => others.log().includes('ready') || others.hasEnded(), 180_000)
    if (others.hasEnded()) throw new Error(others.log())
    const seen = new Map<AgentKind, Measured>()
    for (const kind of kinds) {
      const startedMs = systemClock.elapsed()
      const seconds = () => (systemClock.elapsed() - startedMs) / 1_000
      const agent = await laboratory.startAgent(n1, {
        kind,
        first: n2,
        readyMs: 0,
        ...(kind === 'ballast' ? { flags: ofTheImage } : {}),
      })
      await agent.ready(300_000)
      const readySeconds = seconds()
      await agent.announced(300_000)
      const announcedSeconds = seconds()
      await systemClock.after(restMs)
      seen.set(kind, { readySeconds, announcedSeconds, ...agent.program.memory() })
      console.log(
        `${kind}: ready after ${readySeconds.toFixed(1)} s, announced after ${announcedSeconds.toFixed(1)} s, ${mebibytes(agent.program.memory().pss)} MiB PSS, ${mebibytes(agent.program.memory().peakRss)} MiB at most, CPU ${agent.program.cpuSeconds().toFixed(1)} s; peers ${await agent.metric('ballast_mirror_peers')}`,
      )
      await agent.stop()
    }
    const ours = seen.get('ballast')
    const theirs = seen.get('upstream')
    if (ours === undefined) throw new Error('ours was not measured')
    const beside = (value: (of: Measured) => number) =>
      theirs === undefined ? {} : { other: { name: 'upstream', value: value(theirs) } }
    return [
      {
        what: 'at rest with nothing in the store, RSS of all its processes',
        value: mebibytes(idle.empty),
        unit: 'MiB',
        budget: { atMost: idleBudgets.empty },
      },
      {
        what: `at rest with ${digests} digests, RSS of all its processes`,
        value: mebibytes(idle.full),
        unit: 'MiB',
        budget: { atMost: idleBudgets.full },
      },
      {
        what: `ready with ${digests} digests and ${peers} nodes, from its start`,
        value: ours.readySeconds,
        unit: 's',
        budget: { atMost: readyBudgetSeconds },
        ...beside(({ readySeconds }) => readySeconds),
      },
      // Upstream does not say when it has announced: nothing to compare with.
      {
        what: `${digests} digests announced to ${peers} nodes, from its start`,
        value: ours.announcedSeconds,
        unit: 's',
        budget: { atMost: 30 },
      },
      {
        what: `memory with ${images} images and ${peers} nodes, PSS`,
        value: mebibytes(ours.pss),
        unit: 'MiB',
        budget: { atMost: 160 },
        ...beside(({ pss }) => mebibytes(pss)),
      },
      { what: 'its peak, RSS', value: mebibytes(ours.peakRss), unit: 'MiB', ...beside(({ peakRss }) => mebibytes(peakRss)) },
    ]
  } finally {
    await others.kill()
  }
}
