// Settings of a node's containerd that change what its mirror can do, or how it is asked.
import type { Check } from '../check.ts'
import type { ContainerdLine } from './containerd.ts'
import { type Agent, ports } from './laboratory/agents.ts'
import { registryName, startLaboratory } from './laboratory/laboratory.ts'
import { until } from './laboratory/program.ts'
import { megabyte, patient, pulledByCri, referenceOf, seeded } from './pulls.ts'

const ask = (agent: Agent, path: string) =>
  agent.head(`http://${agent.node.address}:${ports.registry}/v2/acme/app/${path}?ns=${registryName}`)

/** `discard_unpacked_layers = true`: what was pulled cannot be given to others, so nothing is promised. */
async function layersDiscarded(line: ContainerdLine): Promise<string> {
  await using laboratory = await startLaboratory({
    nodes: 2,
    line,
    containerdOf: name => ({ discardUnpackedLayers: name === 'n1' }),
  })
  const [n1, n2] = laboratory.nodes
  if (n1 === undefined || n2 === undefined) throw new Error('two nodes')
  const [first, second] = await laboratory.startAgents({ kind: 'ballast', flags: patient })
  if (first === undefined || second === undefined) throw new Error('two agents')
  const image = await laboratory.outside.push({ repository: 'acme/app', tag: 'v1', layers: [4 * megabyte] })
  const [layer] = image.layers
  if (layer === undefined) throw new Error('a layer')
  await pulledByCri(n1, referenceOf(image))
  await until('the agent says that layers are discarded', async () => {
    return (await first.metric('ballast_mirror_problems', { reason: 'LayersDiscarded' })) === 1
  })
  for (const agent of [first, second]) {
    const tag = await ask(agent, `manifests/${image.tag}`)
    if (tag !== 404) throw new Error(`${agent.node.name}: its tag is answered ${tag}, expected 404`)
    // It goes with the next collection of garbage, and until then it is given to whoever asks.
    const isGone = async () => (await ask(agent, `blobs/${layer.digest}`)) === 404
    await until(`${agent.node.name} has no layer`, isGone, 60_000, 100)
  }
  await pulledByCri(n2, referenceOf(image))
  const copies = laboratory.outside.copies(layer)
  if (copies !== 2) throw new Error(`${copies} copies of the layer left the registry, expected one for each node`)
  return `containerd ${n1.containerd.version}: told as LayersDiscarded, its tags are answered 404, the other node asks the registry`
}

/** Layers in pieces: several ranges of one blob at once, each read only as far as its piece. */
async function layersInPieces(): Promise<string> {
  const pieces = ['concurrent_layer_fetch_buffer = 2097152', 'max_concurrent_downloads = 6']
  await using laboratory = await startLaboratory({
    nodes: 2,
    line: '2',
    containerdOf: () => ({ imageLines: pieces, transferLines: pieces }),
  })
  const [n1, n2] = laboratory.nodes
  if (n1 === undefined || n2 === undefined) throw new Error('two nodes')
  const agents = await laboratory.startAgents({ kind: 'ballast', flags: patient })
  const image = await laboratory.outside.push({ repository: 'acme/app', tag: 'v1', layers: [20 * megabyte] })
  await seeded(laboratory, n1, image, agents.slice(1))
  const [, second] = agents
  const before = (await second?.metric('spegel_mirror_requests_total', { cache: 'hit' })) ?? 0
  await laboratory.outside.stop()
  await pulledByCri(n2, referenceOf(image))
  const requests = ((await second?.metric('spegel_mirror_requests_total', { cache: 'hit' })) ?? 0) - before
  // Tag, manifest, configuration and layer would be four.
  if (requests <= 4) throw new Error(`${requests} requests: the layer came in one piece`)
  return `containerd ${n1.containerd.version}: a layer of 20 MB in pieces of 2 MiB, ${requests} requests in all, with the outside cut off`
}

const lines: readonly ContainerdLine[] = ['1.6', '2']

export const containerdSettingsChecks: readonly Check[] = [
  ...lines.map(line => ({
    name: `mirror: a node that discards its layers, containerd ${line}`,
    alone: true,
    run: () => layersDiscarded(line),
  })),
  { name: 'mirror: layers fetched in pieces, containerd 2', alone: true, run: layersInPieces },
]
