// What an agent weighs with 300 images and 50 other nodes, and how long it takes until it has announced their 20,000 digests.
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'

import { systemClock } from '#kube/clock.ts'
import { digestOf, type LayerEntry, packTar } from '../scripts/image/layer.ts'
import { type AgentKind, ports } from '../test/real/mirror/laboratory/agents.ts'
import { registryName, startLaboratory } from '../test/real/mirror/laboratory/laboratory.ts'
import { startProgram, until } from '../test/real/mirror/laboratory/program.ts'
import type { BudgetRow } from './budget-table.ts'

const images = 300
/** containerd takes an archive of 10,000 descriptors at most. */
const imagesInArchive = 100
const layersOfEach = 65
const peers = 50
const settleMs = 10_000
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

export async function manyDigests(_rounds: number, kinds: readonly AgentKind[]): Promise<readonly BudgetRow[]> {
  await using laboratory = await startLaboratory({ nodes: 2, line: '2' })
  const [n1, n2] = laboratory.nodes
  if (n1 === undefined || n2 === undefined) throw new Error('two nodes')
  const path = join(n1.directory, 'many.tar')
  let digests = 0
  for (let first = 0; first < images; first += imagesInArchive) {
    digests += await archive(path, first)
    const imported = await n1.containerd.ctr('images', 'import', '--local', '--no-unpack', path)
    if (imported.code !== 0) throw new Error(imported.stderr)
  }
  const flags = ['--count', `${peers}`, '--host', n2.address, '--port', `${ports.bootstrap}`]
  const others = startProgram(process.execPath, [join(import.meta.dirname, 'mirror-peers.ts'), ...flags], n2)
  try {
    await until('the other nodes are there', () => others.log().includes('ready') || others.hasEnded(), 180_000)
    if (others.hasEnded()) throw new Error(others.log())
    const seen = new Map<AgentKind, { readonly seconds: number; readonly pss: number; readonly peakRss: number }>()
    for (const kind of kinds) {
      const startedMs = systemClock.elapsed()
      const agent = await laboratory.startAgent(n1, { kind, first: n2, readyMs: 300_000 })
      const seconds = (systemClock.elapsed() - startedMs) / 1_000
      await systemClock.after(settleMs)
      seen.set(kind, { seconds, ...agent.program.memory() })
      console.log(
        `${kind}: ready after ${seconds.toFixed(1)} s, ${mebibytes(agent.program.memory().pss)} MiB PSS, ${mebibytes(agent.program.memory().peakRss)} MiB at most, CPU ${agent.program.cpuSeconds().toFixed(1)} s; peers ${await agent.metric('ballast_mirror_peers')}`,
      )
      await agent.stop()
    }
    const ours = seen.get('ballast')
    const theirs = seen.get('upstream')
    if (ours === undefined) throw new Error('ours was not measured')
    const beside = (value: (of: { readonly pss: number; readonly peakRss: number }) => number) =>
      theirs === undefined ? {} : { other: { name: 'upstream', value: mebibytes(value(theirs)) } }
    return [
      // Upstream says that it is ready before it has announced: nothing to compare with.
      {
        what: `${digests} digests announced to ${peers} nodes, from its start`,
        value: ours.seconds,
        unit: 's',
        budget: { atMost: 30 },
      },
      {
        what: `memory with ${images} images and ${peers} nodes, PSS`,
        value: mebibytes(ours.pss),
        unit: 'MiB',
        budget: { atMost: 160 },
        ...beside(({ pss }) => pss),
      },
      { what: 'its peak, RSS', value: mebibytes(ours.peakRss), unit: 'MiB', ...beside(({ peakRss }) => peakRss) },
    ]
  } finally {
    await others.kill()
  }
}
