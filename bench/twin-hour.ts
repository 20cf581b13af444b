// An hour of a cluster at rest on a virtual clock, in this process: what it costs in processor time, with what the nodes write of themselves
// meanwhile. `node bench/twin-hour.ts [NODES] [WORKLOADS] [HOURS]`.
import { VirtualClock } from '#kube/clock.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { startTwin } from '#twin/twin.ts'
import { biggestCluster, dumpedObjects } from './big-dump.ts'
import { type BudgetRow, budgetTable } from './budget-table.ts'

const defaultNodes = 1_000
const defaultWorkloads = 1_000
const startMs = Date.UTC(2026, 2, 2, 5)
const hourMs = 3_600_000
const settleLimitMs = hourMs

const cpuMs = (since?: NodeJS.CpuUsage) => {
  const { user, system } = process.cpuUsage(since)
  return (user + system) / 1000
}

export async function twinHour(nodes: number, workloads: number, hours: number): Promise<readonly BudgetRow[]> {
  const rows: BudgetRow[] = []
  const { replicas } = biggestCluster
  for (const heartbeat of ['auto', 'exact'] as const) {
    const objects = dumpedObjects({ nodes, workloads, replicas }).toArray() as KubeObject[]
    const clock = new VirtualClock(startMs)
    await using twin = await startTwin({ clock, objects, components: { heartbeat } })
    await twin.settle({ limitMs: settleLimitMs })
    const before = twin.access.revision
    const [used, sinceMs] = [process.cpuUsage(), clock.now()]
    await clock.advance(hours * hourMs)
    const writes = twin.access.revision - before
    // As many Leases as there are nodes are renewed every 10 s, or 50 a second at most; each node tells its status every 5 minutes.
    const leases = Math.min(nodes / 10, heartbeat === 'auto' ? 50 : nodes / 10) * 3600
    const expected = (leases + nodes * 12) * hours
    if (writes < 0.99 * expected || clock.now() - sinceMs !== hours * hourMs)
      throw new Error(`${writes} writes in ${(clock.now() - sinceMs) / hourMs} h, where ${expected} were to come`)
    if (twin.access.list('pods').length !== workloads * replicas) throw new Error('pods were lost')
    const what = `${hours} h of ${nodes} nodes and ${workloads * replicas} pods, heartbeats ${heartbeat}`
    rows.push({ what, value: cpuMs(used) / 1000, unit: 's of CPU', budget: { atMost: 60 * hours } })
    rows.push({ what: '  writes', value: writes, unit: '' })
  }
  return rows
}

if (import.meta.main) {
  const [nodes = defaultNodes, workloads = defaultWorkloads, hours = 1] = process.argv.slice(2).map(Number)
  process.stdout.write(`${budgetTable(await twinHour(nodes, workloads, hours))}\n`)
}
