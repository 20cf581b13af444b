// What the stream of the dashboard costs the process that serves it: 50 readers of the overview and of the permits at 5,000 nodes and
// 150,000 pods while 100 objects change a second, against the same changes without a reader. Readers take what they are given; HTTP is not
// in it. Run it alone: `node bench/dashboard-stream.ts`; a last argument is another number of streams.
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { Hub } from '#dashboard/stream/hub.ts'
import type { StreamSink } from '#dashboard/stream/subscription.ts'
import { everything } from '#dashboard/views/viewing.ts'
import { systemClock } from '#kube/clock.ts'
import { type BudgetRow, budgetTable } from './budget-table.ts'
import { dashboardWorld } from './dashboard-world.ts'

const streams = Number(/^\d+$/.exec(process.argv.at(-1) ?? '')?.[0] ?? 50)
const changesASecond = 100
const changeEveryMs = 50
const measuredMs = 30_000
const settleMs = 5_000
/** One reading of usage is in it. */
const blockMeasuredMs = 20_000
const megabyte = 1_048_576

setFlagsFromString('--expose-gc')
const collect: unknown = runInNewContext('gc')

/** Memory that is in use. */
function usedMegabytes(): number {
  if (typeof collect === 'function') for (let round = 0; round < 3; round++) collect()
  const { heapUsed, external } = process.memoryUsage()
  return (heapUsed + external) / megabyte
}

/** A reader that takes everything at once. */
class Eager implements StreamSink {
  readonly ended = new AbortController().signal
  bytes = 0
  writes = 0

  write(bytes: Uint8Array): boolean {
    this.bytes += bytes.length
    this.writes++
    return true
  }

  drained(): Promise<void> {
    return Promise.resolve()
  }

  end(): void {
    // Nobody waits for it.
  }
}

interface Measured {
  readonly cpuShare: number
  readonly blockMs: number
  readonly megabytes: number
}

async function changing(change: () => void, forMs: number): Promise<void> {
  const startMs = systemClock.elapsed()
  while (systemClock.elapsed() - startMs < forMs) {
    for (let at = 0; at < (changesASecond * changeEveryMs) / 1_000; at++) change()
    await systemClock.after(changeEveryMs)
  }
}

async function measured(change: () => void): Promise<Measured> {
  await changing(change, settleMs)
  const startMs = systemClock.elapsed()
  const before = process.cpuUsage()
  await changing(change, measuredMs)
  const { user, system } = process.cpuUsage(before)
  const cpuShare = (user + system) / 1_000 / (systemClock.elapsed() - startMs)
  const megabytes = usedMegabytes()
  return { cpuShare, megabytes, blockMs: await longestBlock(changing(change, blockMeasuredMs)) }
}

/** The most that the thread worked between two turns of the loop, in ms. Looking takes all of the CPU: nothing else is measured meanwhile. */
async function longestBlock(work: Promise<void>): Promise<number> {
  let isOver = false
  let longestMs = 0
  const end = work.finally(() => {
    isOver = true
  })
  for (let last = process.threadCpuUsage(); !isOver; last = process.threadCpuUsage()) {
    await new Promise(resolve => setImmediate(resolve))
    const { user, system } = process.threadCpuUsage(last)
    longestMs = Math.max(longestMs, (user + system) / 1_000)
  }
  await end
  return longestMs
}

async function main(): Promise<void> {
  await using world = await dashboardWorld()
  const { source } = world
  const change = () => world.change()
  // What is computed for the first time stays known: it is no cost of a stream.
  const none = await measured(change)
  using hub = new Hub({ source, wallClock: systemClock, limits: { streams, streamsPerViewer: streams } })
  const sinks = Array.from({ length: streams }, () => new Eager())
  const firstMs = systemClock.elapsed()
  for (const sink of sinks) hub.subscribe({ topics: ['overview', 'permits'], viewing: everything, lastEventId: undefined, sink })
  while (sinks.some(({ bytes }) => bytes < megabyte / 10)) await systemClock.after(10)
  const firstSnapshotMs = systemClock.elapsed() - firstMs
  const snapshotBytes = sinks[0]?.bytes ?? 0
  const busy = await measured(change)
  const [sink] = sinks
  const rows: readonly BudgetRow[] = [
    {
      what: `${streams} streams, share of a core over none`,
      value: 100 * (busy.cpuShare - none.cpuShare),
      unit: '%',
      budget: { atMost: 5 },
    },
    { what: 'share of a core without a stream', value: 100 * none.cpuShare, unit: '%' },
    { what: 'memory over none', value: busy.megabytes - none.megabytes, unit: 'MiB', budget: { atMost: 40 } },
    { what: 'longest block of the event loop', value: busy.blockMs, unit: 'ms', budget: { atMost: 20 } },
    { what: 'the same without a stream', value: none.blockMs, unit: 'ms' },
    { what: 'first snapshot to all', value: firstSnapshotMs, unit: 'ms' },
    { what: 'bytes of it', value: snapshotBytes / 1_024, unit: 'KiB' },
    {
      what: 'bytes a stream and second',
      value: ((sink?.bytes ?? 0) - snapshotBytes) / 1_024 / ((measuredMs + settleMs + blockMeasuredMs) / 1_000),
      unit: 'KiB',
    },
  ]
  process.stdout.write(`${budgetTable(rows)}\n`)
  if (rows.some(({ value, budget }) => budget !== undefined && 'atMost' in budget && value > budget.atMost)) process.exitCode = 1
}

await main()
