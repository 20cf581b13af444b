// Images between nodes: ours, upstream's Spegel and the registry read directly, in one run, in the same network namespaces. Medians; links
// are shaped by `tc tbf`. Where the machine has no namespaces, no containerd or no Spegel, it says so and measures the rest.
import { parseArgs } from 'node:util'
import { PartUnavailable } from '../test/real/cache.ts'
import { needProgramsOfImage } from '../test/real/image/programs-of-image.ts'
import type { Agent, AgentKind } from '../test/real/mirror/laboratory/agents.ts'
import { type Laboratory, startLaboratory } from '../test/real/mirror/laboratory/laboratory.ts'
import { referenceOf } from '../test/real/mirror/pulls.ts'
import { peerProgram } from '../test/real/upstreams/peer-archives.ts'
import { type BudgetRow, budgetTable } from './budget-table.ts'
import { manyDigests } from './mirror-digests.ts'
import { underLoads } from './mirror-loads.ts'
import { betweenTwo } from './mirror-transfer.ts'

const megabyte = 1_000_000
/** Layers of the image that ten nodes want at once. */
const sharedLayers = [40, 40, 40, 40].map(size => size * megabyte)
const crowd = 10
/** As the image has it. */
const byNginx = ['--data-plane', 'nginx'] as const
/** Longer than upstream's default of 20 ms, for both: ten nodes on two processors answer late. */
const patient = ['--mirror-resolve-timeout', '500ms'] as const

const median = (values: readonly number[]) => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN

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
  const agents: readonly Agent[] =
    kind === undefined
      ? []
      : await laboratory.startAgents({ kind, flags: kind === 'ballast' ? [...patient, ...byNginx] : patient, ...settings })
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
  await needProgramsOfImage()
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
      ...(theirs === undefined ? {} : { budget: { atMost: theirs.seconds }, other: { name: 'upstream', value: theirs.seconds } }),
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
  const parts = { two: betweenTwo, ten: tenAtOnce, digests: manyDigests, loads: underLoads }
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
