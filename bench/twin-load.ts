// A dump of 5,000 nodes and 150,000 pods loaded by `ballast twin`: until it answers, what it holds, how long its loop stands still while
// the simulated components start, and how fast it works off small changes then. Sizes: `node bench/twin-load.ts [nodes] [workloads]`.
import { mkdtempSync, rmSync } from 'node:fs'
import type { ClientHttp2Session } from 'node:http2'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { systemClock } from '#kube/clock.ts'
import { namespaceOf, podName } from './big-cluster.ts'
import { biggestCluster, writeDump } from './big-dump.ts'
import { type BudgetRow, budgetTable } from './budget-table.ts'
import { connectTo, get, request } from './twin-client.ts'
import { startTwinProcess, type TwinProcess } from './twin-process.ts'

const workload = 7
const longestWaitMs = 120_000
const pollMs = 50
const quietWindowMs = 1_000
/** Less work than this in a window: heartbeats and the probe itself. */
const quietShare = 0.1

/** Seconds until the twin has nothing to do any more but its periodic work. */
async function untilQuiet(twin: TwinProcess): Promise<number> {
  const since = systemClock.elapsed()
  for (let before = twin.cpuMs(); systemClock.elapsed() - since < longestWaitMs; ) {
    await systemClock.after(quietWindowMs)
    const now = twin.cpuMs()
    if (now - before < quietShare * quietWindowMs) break
    before = now
  }
  return (systemClock.elapsed() - since) / 1000
}

/** Seconds until so many pods of the Deployment are ready and no other is left. */
async function untilReady(session: ClientHttp2Session, path: string, wanted: number): Promise<number> {
  const since = systemClock.elapsed()
  for (;;) {
    const { start } = await get(session, `${path}/status`, 'application/json;as=Table;g=meta.k8s.io;v=v1')
    if (start.includes(`"${wanted}/${wanted}",${wanted},${wanted}`)) return (systemClock.elapsed() - since) / 1000
    if (systemClock.elapsed() - since > longestWaitMs) throw new Error(`${path} is not ready: ${start.slice(-600)}`)
    await systemClock.after(pollMs)
  }
}

async function remaining(session: ClientHttp2Session, path: string): Promise<number> {
  const { start } = await get(session, `${path}?limit=1`)
  return 1 + Number(/"remainingItemCount":(\d+)/.exec(start)?.[1] ?? 0)
}

async function workedOff(session: ClientHttp2Session, replicas: number) {
  const namespace = namespaceOf(workload)
  const deployment = `/apis/apps/v1/namespaces/${namespace}/deployments/app-${workload}`
  const patch = (count: number) =>
    request(
      session,
      { ':method': 'PATCH', ':path': deployment, 'content-type': 'application/merge-patch+json' },
      JSON.stringify({ spec: { replicas: count } }),
    )
  await patch(replicas * 2)
  const scaledSeconds = await untilReady(session, deployment, replicas * 2)
  const pod = `/api/v1/namespaces/${namespace}/pods/${podName(workload, 0)}`
  await request(session, { ':method': 'DELETE', ':path': `${pod}?gracePeriodSeconds=0` })
  const replacedSeconds = await untilReady(session, deployment, replicas * 2)
  return { scaledSeconds, replacedSeconds }
}

export async function twinLoad(nodes: number, workloads: number): Promise<readonly BudgetRow[]> {
  const { replicas } = biggestCluster
  const pods = workloads * replicas
  const directory = mkdtempSync(join(tmpdir(), 'ballast-bench-load-'))
  try {
    const dump = join(directory, 'cluster.json')
    const bytes = writeDump(dump, { nodes, workloads, replicas })
    const twin = await startTwinProcess(['--cluster', dump], { startMs: 600_000 })
    const session = connectTo(twin.kubeconfig)
    try {
      const loadCpuMs = twin.cpuMs()
      await twin.figures()
      const quietSeconds = await untilQuiet(twin)
      const starting = await twin.figures()
      const quietCpuMs = twin.cpuMs()
      const count = await remaining(session, '/api/v1/pods')
      const quiet = await twin.figures(true)
      await twin.figures()
      const gatheredCpuMs = twin.cpuMs()
      const { scaledSeconds, replacedSeconds } = await workedOff(session, replicas)
      const working = await twin.figures()
      const workedCpuMs = twin.cpuMs() - gatheredCpuMs
      if (count !== pods) throw new Error(`${count} pods after the start instead of ${pods}`)
      return [
        { what: `dump of ${nodes} nodes and ${pods} pods`, value: bytes / 1e6, unit: 'MB' },
        { what: 'start to ready', value: twin.startMs / 1000, unit: 's', budget: { atMost: 60 } },
        { what: '  processor time', value: loadCpuMs / 1000, unit: 's' },
        { what: 'most resident memory', value: twin.peakRssBytes() / 2 ** 20, unit: 'MiB', budget: { atMost: 2048 } },
        { what: 'heap when quiet', value: quiet.heapBytes / 2 ** 20, unit: 'MiB', budget: { atMost: 1024 } },
        { what: 'components have looked at everything after', value: quietSeconds, unit: 's' },
        { what: '  processor time', value: (quietCpuMs - loadCpuMs) / 1000, unit: 's' },
        { what: '  longest work of the loop in one go', value: starting.longestWorkMs, unit: 'ms', budget: { atMost: 50 } },
        {
          what: `Deployment scaled from ${replicas} to ${replicas * 2}: all ready, images pulled and probed by the cluster's time`,
          value: scaledSeconds,
          unit: 's',
        },
        { what: 'pod killed: replaced and ready', value: replacedSeconds, unit: 's' },
        { what: '  processor time of both', value: workedCpuMs / 1000, unit: 's' },
        { what: '  longest work of the loop in one go', value: working.longestWorkMs, unit: 'ms', budget: { atMost: 50 } },
      ]
    } finally {
      session.destroy()
      await twin.stop()
    }
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}

if (import.meta.main) {
  const [nodes = biggestCluster.nodes, workloads = biggestCluster.workloads] = process.argv.slice(2).map(Number)
  process.stdout.write(`${budgetTable(await twinLoad(nodes, workloads))}\n`)
}
