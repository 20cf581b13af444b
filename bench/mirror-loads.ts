// A mirror where processors are busy: whether a first pull comes from another node, upstream's or ours, while twenty programs want the same
// two processors, and what becomes of many requests at once for what nobody has.
import { systemClock } from '#kube/clock.ts'
import { needProgramsOfImage } from '../test/real/image/programs-of-image.ts'
import { type Agent, type AgentKind, ports } from '../test/real/mirror/laboratory/agents.ts'
import type { PushedImage } from '../test/real/mirror/laboratory/images.ts'
import { type Laboratory, type LaboratoryNode, registryName, startLaboratory } from '../test/real/mirror/laboratory/laboratory.ts'
import { startProgram, until } from '../test/real/mirror/laboratory/program.ts'
import { referenceOf, untilFound } from '../test/real/mirror/pulls.ts'
import type { BudgetRow } from './budget-table.ts'

const megabyte = 1_000_000
const busyLoops = 20
/** How long they run before anything is measured. */
const settleMs = 5_000
const layersOfEach = [megabyte, 4 * megabyte]
/** Who has the image and who pulls it, by the number of the node; upstream's is the first. */
const pulls = [
  ...[0, 1, 2, 0, 2, 0, 1, 0, 2, 0].map((seed, at) => ({ seed, puller: seed === 0 ? 1 + (at % 2) : 3 - seed })),
  ...[1, 2, 1, 2].map(seed => ({ seed, puller: 0 })),
]
const misses = 1_500
const missLimitMs = 120_000
const budgets = { firstPulls: 9, slowestSeconds: 5, peakMebibytes: 250 } as const

/** Asks for so many unknown blobs at once, and says how many answers came and how late the last one was. */
const asker = `
const { request } = require('node:http')
const [host, port, count, registry] = process.argv.slice(1)
const started = performance.now(), statuses = {}
let slowest = 0, left = Number(count)
const over = what => {
  statuses[what] = (statuses[what] ?? 0) + 1
  slowest = Math.max(slowest, performance.now() - started)
  if (--left === 0) console.log(JSON.stringify({ slowest, statuses }))
}
for (let i = 0; i < Number(count); i++) {
  const path = '/v2/acme/none/blobs/sha256:' + i.toString(16).padStart(64, '0') + '?ns=' + registry
  request({ host, port, path, agent: false, headers: { 'user-agent': 'containerd/v2.1.9' } }, response => {
    response.resume().on('end', () => over(response.statusCode))
  }).on('error', error => over(error.code)).end()
}
`

interface Misses {
  readonly slowest: number
  readonly statuses: Readonly<Record<string, number>>
}

async function asked(node: LaboratoryNode): Promise<Misses> {
  let told: Misses | undefined
  // Who asks has the right of way: what is measured is the agent.
  const args = ['-n', '-15', process.execPath, '-e', asker, node.address, String(ports.registry), String(misses), registryName]
  const program = startProgram('nice', args, {
    namespace: node.namespace,
    onLine: line => {
      if (line.startsWith('{')) told = JSON.parse(line)
    },
  })
  try {
    return await until(`${misses} requests are answered`, () => told, missLimitMs)
  } finally {
    await program.kill()
  }
}

interface Seeded {
  readonly image: PushedImage
  readonly puller: number
  readonly seed: number
}

/** Each image on one node; another than the one that is to pull it has found it, so that the puller knows nothing of it. */
async function seededImages(laboratory: Laboratory, agents: readonly Agent[]): Promise<readonly Seeded[]> {
  const seeded: Seeded[] = []
  for (const [at, { seed, puller }] of pulls.entries()) {
    const image = await laboratory.outside.push({ repository: `acme/first-${at}`, tag: 'v1', layers: layersOfEach })
    const result = await laboratory.nodes[seed]?.fetch(referenceOf(image))
    if (result?.code !== 0) throw new Error(result?.stderr)
    seeded.push({ image, puller, seed })
  }
  for (const { image, puller, seed } of seeded) {
    const other = agents.find((_agent, number) => number !== puller && number !== seed)
    if (other !== undefined) await untilFound(other, image)
  }
  return seeded
}

/** Rows of what holds where processors are busy. */
export async function underLoads(_rounds: number, kinds: readonly AgentKind[]): Promise<readonly BudgetRow[]> {
  await needProgramsOfImage()
  await using laboratory = await startLaboratory({ nodes: 3, line: '2' })
  const [n1, n2, n3] = laboratory.nodes
  if (n1 === undefined || n2 === undefined || n3 === undefined) throw new Error('three nodes')
  const first = kinds.includes('upstream') ? 'upstream' : 'ballast'
  const agents: Agent[] = []
  for (const node of laboratory.nodes) {
    const kind = node === n1 ? first : 'ballast'
    // As the image has it.
    const flags = kind === 'ballast' ? { flags: ['--data-plane', 'nginx'] } : {}
    agents.push(await laboratory.startAgent(node, { kind, readyMs: 0, ...flags }))
  }
  for (const agent of agents) {
    await agent.ready()
    await agent.announced()
  }
  const seeded = await seededImages(laboratory, agents)
  await laboratory.outside.stop()
  const loops = Array.from({ length: busyLoops }, () => startProgram(process.execPath, ['-e', 'for (;;);']))
  try {
    await systemClock.after(settleMs)
    const good = { ours: 0, theirs: 0 }
    for (const { image, puller, seed } of seeded) {
      const startedMs = systemClock.elapsed()
      const result = await laboratory.nodes[puller]?.pull(referenceOf(image))
      const isGood = result?.code === 0
      if (isGood) good[puller === 0 ? 'theirs' : 'ours']++
      const seconds = ((systemClock.elapsed() - startedMs) / 1_000).toFixed(1)
      console.log(
        `node ${puller + 1} from node ${seed + 1}: ${isGood ? 'pulled' : result?.stderr.trim().slice(-200)} after ${seconds} s`,
      )
    }
    const [, ours] = agents
    if (ours === undefined) throw new Error('an agent of ours')
    for (const agent of agents.slice(1)) console.log(await reasonsOf(agent))
    const before = ours.program.memory().peakRss
    const { slowest, statuses } = await asked(n2)
    const peak = ours.program.memory().peakRss
    const mebibytes = (bytes: number) => Math.round(bytes / 2 ** 20)
    console.log(`misses: ${JSON.stringify(statuses)}, ${mebibytes(before)} MiB at most before; ${await reasonsOf(ours)}`)
    const pullsOfOurs = pulls.filter(({ puller }) => puller !== 0).length
    return [
      {
        what: `first pulls of ${pullsOfOurs} that succeed at the first try, ${busyLoops} busy loops, nodes of ${first} and ours`,
        value: good.ours,
        unit: '',
        budget: { atLeast: budgets.firstPulls },
      },
      { what: `the same by ${first}'s agent, of ${pulls.length - pullsOfOurs}`, value: good.theirs, unit: '' },
      { what: `${misses} misses at once that are answered`, value: statuses['404'] ?? 0, unit: '', budget: { atLeast: misses } },
      { what: '  the slowest answer', value: slowest / 1_000, unit: 's', budget: { atMost: budgets.slowestSeconds } },
      { what: '  RSS of the agent at most', value: mebibytes(peak), unit: 'MiB', budget: { atMost: budgets.peakMebibytes } },
    ]
  } finally {
    for (const loop of loops) await loop.kill()
  }
}

/** Why an agent left requests to the registry. */
async function reasonsOf(agent: Agent): Promise<string> {
  const reasons = ['no-peer', 'timeout', 'failed', 'slow', 'leading', 'late', 'store', 'fault', 'busy']
  const counts = reasons.map(async reason => `${reason} ${await agent.metric('ballast_mirror_fallthrough_total', { reason })}`)
  return `${agent.node.name}: ${(await Promise.all(counts)).join(', ')}`
}
