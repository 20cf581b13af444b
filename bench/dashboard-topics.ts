// What each topic of the dashboard costs the loop at 5,000 nodes and 150,000 pods: the first value, and the value after each change.
// Run it alone: `node bench/dashboard-topics.ts`.
import type { Topic } from '#dashboard/contract.ts'
import type { Picture, PictureSource } from '#dashboard/picture.ts'
import { prepareTopic, topicValue } from '#dashboard/stream/topics.ts'
import { nodePodsOf } from '#dashboard/views/nodes/node.ts'
import { searchIn } from '#dashboard/views/search.ts'
import { everything } from '#dashboard/views/viewing.ts'
import { workloadRows } from '#dashboard/views/workloads/workload.ts'
import { systemClock } from '#kube/clock.ts'
import { breather } from '#kube/controllers/breather.ts'
import { type BudgetRow, budgetTable } from './budget-table.ts'
import { bookObjects } from './dashboard-books.ts'
import { dashboardWorld } from './dashboard-world.ts'

const rounds = 12
const mostMs = 50

/** What a page is made of; each is computed in one go. */
const asked = new Map<string, (picture: Picture) => unknown>([
  ...['overview', 'permits', 'node:node-7', 'plan:bench', 'workload:team-0/Deployment/app-3'].map(
    (topic: Topic) => [topic, (picture: Picture) => topicValue(picture, topic, everything)] as const,
  ),
  [
    'pods of a node',
    (picture: Picture) =>
      nodePodsOf(picture, 'node-7', { sort: 'cpu', descending: true, cursor: null, limit: 100, query: '' }, everything),
  ],
  ['search', (picture: Picture) => searchIn(picture, 'app-3', 20)],
  ['table of workloads', (picture: Picture) => workloadRows(picture, { limit: 100 }, everything)],
])

/** The most that the thread worked between two turns of the loop, in ms, while `name` was prepared and computed. */
async function longestBlockMs(source: PictureSource, name: string, value: (picture: Picture) => unknown): Promise<number> {
  let longestMs = 0
  let before = process.threadCpuUsage()
  const turn = () => {
    const { user, system } = process.threadCpuUsage(before)
    longestMs = Math.max(longestMs, (user + system) / 1_000)
    before = process.threadCpuUsage()
  }
  const breathe = breather(systemClock)
  let isOver = false
  const work = (async () => {
    await prepareTopic(source, name, breathe)
    const picture = source.current()
    await new Promise(resolve => setImmediate(resolve))
    value(picture)
  })().finally(() => {
    isOver = true
  })
  while (!isOver) {
    await new Promise(resolve => setImmediate(resolve))
    turn()
  }
  await work
  return longestMs
}

async function main(): Promise<void> {
  await using world = await dashboardWorld(bookObjects(20_000))
  const rows: BudgetRow[] = []
  for (const [name, value] of asked) {
    const firstMs = await longestBlockMs(world.source, name, value)
    await systemClock.after(3_000)
    const later: number[] = []
    for (let round = 0; round < rounds; round++) {
      for (let at = 0; at < 25; at++) world.change()
      await systemClock.after(250)
      later.push(await longestBlockMs(world.source, name, value))
    }
    rows.push({ what: `${name}: first`, value: firstMs, unit: 'ms', budget: { atMost: mostMs } })
    rows.push({ what: `${name}: longest after a change`, value: Math.max(...later), unit: 'ms', budget: { atMost: mostMs } })
  }
  process.stdout.write(`${budgetTable(rows)}\n`)
  if (rows.some(({ value }) => value > mostMs)) process.exitCode = 1
}

await main()
