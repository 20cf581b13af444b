// An hour of a cluster on a virtual clock, in this process: what it costs in processor time. At rest there is what the nodes write of
// themselves; busy, CronJobs run, Deployments are rolled out and autoscalers follow their load besides.
// `node bench/twin-hour.ts [NODES] [WORKLOADS] [HOURS] [auto|exact|busy|crowded ...]`.
import { loadavg } from 'node:os'
import { VirtualClock } from '#kube/clock.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { startTwin, type Twin } from '#twin/twin.ts'
import { biggestCluster, dumpedObjects } from './big-dump.ts'
import { type BudgetRow, budgetTable } from './budget-table.ts'
import { type Bustle, busyCluster } from './busy-cluster.ts'

const defaultNodes = 1_000
const defaultWorkloads = 1_000
const startMs = Date.UTC(2026, 2, 2, 5)
const minuteMs = 60_000
const minutesOfHour = 60
const settleLimitMs = 3_600_000
const modes = ['auto', 'exact', 'busy', 'crowded'] as const
/** A few autoscalers, CronJobs and roll-outs, and of all ten times as many, and five times as many roll-outs. */
const bustles: Readonly<Record<'busy' | 'crowded', Bustle>> = {
  busy: { scaledEach: 100, rollOutEach: 5 },
  crowded: { scaledEach: 10, rollOutEach: 1 },
}

type Mode = (typeof modes)[number]

interface Size {
  readonly nodes: number
  readonly workloads: number
  readonly hours: number
}

const cpuSeconds = (since?: NodeJS.CpuUsage) => {
  const { user, system } = process.cpuUsage(since)
  return (user + system) / 1e6
}

/** Lets the hours pass, a minute at a time, with `eachMinute` before it. */
async function pass(clock: VirtualClock, hours: number, eachMinute: (minute: number) => void): Promise<void> {
  for (let minute = 0; minute < hours * minutesOfHour; minute++) {
    eachMinute(minute)
    await clock.advance(minuteMs)
  }
}

async function atRest({ nodes, workloads, hours }: Size, heartbeat: 'auto' | 'exact'): Promise<readonly BudgetRow[]> {
  const { replicas } = biggestCluster
  const objects = dumpedObjects({ nodes, workloads, replicas }).toArray() as KubeObject[]
  const clock = new VirtualClock(startMs)
  await using twin = await startTwin({ clock, objects, components: { heartbeat } })
  await twin.settle({ limitMs: settleLimitMs })
  const before = twin.access.revision
  const used = process.cpuUsage()
  await pass(clock, hours, () => undefined)
  const seconds = cpuSeconds(used)
  const writes = twin.access.revision - before
  // As many Leases as there are nodes are renewed every 10 s, or 50 a second at most; each node tells its status every 5 minutes.
  const leases = Math.min(nodes / 10, heartbeat === 'auto' ? 50 : nodes / 10) * 3600
  const expected = (leases + nodes * 12) * hours
  if (writes < 0.99 * expected) throw new Error(`${writes} writes in ${hours} h, where ${expected} were to come`)
  if (twin.access.list('pods').length !== workloads * replicas) throw new Error('pods were lost')
  const what = `${hours} h of ${nodes} nodes and ${workloads * replicas} pods, heartbeats ${heartbeat}`
  return [
    { what, value: seconds, unit: 's of CPU', budget: { atMost: 60 * hours } },
    { what: '  writes', value: writes, unit: '' },
  ]
}

/** Writes of each sort, as the store tells them. */
function counted(twin: Twin): ReadonlyMap<string, number> {
  const counts = new Map<string, number>()
  for (const resource of twin.access.resources())
    twin.access.subscribe(resource, ({ type }) => {
      const name = `${resource} ${type}`
      counts.set(name, (counts.get(name) ?? 0) + 1)
    })
  return counts
}

async function busy({ nodes, workloads, hours }: Size, mode: 'busy' | 'crowded'): Promise<readonly BudgetRow[]> {
  const { replicas } = biggestCluster
  const started = process.cpuUsage()
  const cluster = busyCluster({ nodes, workloads, replicas }, bustles[mode])
  const clock = new VirtualClock(startMs)
  await using twin = await startTwin({ clock, objects: cluster.objects, components: { heartbeat: 'exact' } })
  await twin.settle({ limitMs: settleLimitMs })
  const settledSeconds = cpuSeconds(started)
  const counts = counted(twin)
  const before = twin.access.revision
  const used = process.cpuUsage()
  await pass(clock, hours, minute => cluster.rollOut(twin.access, minute))
  const seconds = cpuSeconds(used)
  const count = (name: string) => counts.get(name) ?? 0
  const jobs = count('jobs.batch ADDED')
  const made = count('pods ADDED')
  const sized = cluster.scalings(twin.access)
  if (jobs < 0.99 * cluster.jobsAnHour * hours) throw new Error(`${jobs} Jobs in ${hours} h, not ${cluster.jobsAnHour} an hour`)
  if (made < jobs + (hours * cluster.rollOutsAnHour - 2) * replicas)
    throw new Error(`${made} pods were made: not every roll-out went through`)
  if (sized === 0) throw new Error('no autoscaler has scaled')
  const what = `${hours} h of ${nodes} nodes and ${workloads * replicas} pods, heartbeats exact, ${mode}`
  const rows: BudgetRow[] = [
    { what, value: seconds, unit: 's of CPU', budget: { atMost: 60 * hours } },
    { what: '  from the start to at rest', value: settledSeconds, unit: 's of CPU' },
    { what: '  writes', value: twin.access.revision - before, unit: '' },
    { what: '  Jobs of CronJobs', value: jobs, unit: '' },
    { what: '  pods made', value: made, unit: '' },
    { what: '  Deployments that have another size', value: sized, unit: '' },
    { what: '  most resident memory of the process', value: process.resourceUsage().maxRSS / 1024, unit: 'MiB' },
  ]
  for (const [name, value] of [...counts].toSorted(([, one], [, other]) => other - one).slice(0, 12))
    rows.push({ what: `    ${name}`, value, unit: '' })
  return rows
}

export async function twinHour(size: Size, wanted: readonly Mode[]): Promise<readonly BudgetRow[]> {
  const rows: BudgetRow[] = []
  for (const mode of wanted)
    rows.push(...(mode === 'busy' || mode === 'crowded' ? await busy(size, mode) : await atRest(size, mode)))
  return rows
}

if (import.meta.main) {
  const words = process.argv.slice(2)
  const [nodes = defaultNodes, workloads = defaultWorkloads, hours = 1] = words.map(Number).filter(Number.isFinite)
  const wanted = modes.filter(mode => words.includes(mode))
  const rows = await twinHour({ nodes, workloads, hours }, wanted.length === 0 ? modes : wanted)
  process.stdout.write(`${budgetTable(rows)}\nload ${loadavg()[0]?.toFixed(1)}\n`)
}
