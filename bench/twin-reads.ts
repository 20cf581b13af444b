// Reading a big twin: kubectl and plain lists, paged and whole, and how long others wait meanwhile. The real server beside it, with the
// same nodes, where it can be had. Sizes: `node bench/twin-reads.ts [nodes] [workloads] [--no-real]`.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import type { ClientHttp2Session } from 'node:http2'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { systemClock } from '#kube/clock.ts'
import { PartUnavailable } from '../test/real/cache.ts'
import { kubectlPath } from '../test/real/control-plane/debian.ts'
import { type ControlPlane, startControlPlane } from '../test/real/control-plane/start.ts'
import { biggestCluster, fullNode, writeDump } from './big-dump.ts'
import { type BudgetRow, budgetTable } from './budget-table.ts'
import { connectTo, get, quantile, request } from './twin-client.ts'
import { startTwinProcess, type TwinProcess } from './twin-process.ts'

const probeEachMs = 10
const creators = 32
const rounds = 3
/** 15,000 pods: loading ten times as many is what twin-load.ts is for. */
const defaultWorkloads = 500

/** Wall seconds of a kubectl command and the lines it printed. */
async function kubectl(
  kubeconfig: string,
  args: readonly string[],
): Promise<{ readonly seconds: number; readonly lines: number }> {
  const cache = mkdtempSync(join(tmpdir(), 'ballast-bench-kubectl-'))
  const program = await kubectlPath('newest')
  const since = systemClock.elapsed()
  const child = spawn(program, [`--kubeconfig=${kubeconfig}`, `--cache-dir=${cache}`, ...args], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  let lines = 0
  child.stdout.on('data', (chunk: Buffer) => {
    for (const byte of chunk) if (byte === 10) lines++
  })
  const [code]: readonly unknown[] = await once(child, 'close')
  rmSync(cache, { recursive: true, force: true })
  if (code !== 0) throw new Error(`kubectl ${args.join(' ')} ended with ${String(code)}`)
  return { seconds: (systemClock.elapsed() - since) / 1000, lines }
}

/** How long the twin's loop stood still during `work`, and what another client waited for small answers. */
async function meanwhile<T>(twin: TwinProcess, work: () => Promise<T>) {
  const session = connectTo(twin.kubeconfig)
  await get(session, '/version')
  await twin.figures()
  const waits: number[] = []
  let isOver = false
  const probing = (async () => {
    while (!isOver) {
      waits.push((await get(session, '/version')).ms)
      await systemClock.after(probeEachMs)
    }
  })()
  try {
    const value = await work()
    return { value, ...(await twin.figures()), waitMs: quantile(waits, 0.99) }
  } finally {
    isOver = true
    await probing
    session.destroy()
  }
}

/** Megabytes (10^6) a second of the lists that `list` reads to their end. */
async function megabytesASecond(list: () => Promise<number>): Promise<number> {
  const since = systemClock.elapsed()
  const bytes = await list()
  return bytes / 1e3 / (systemClock.elapsed() - since)
}

async function paged(session: ClientHttp2Session, path: string, limit: number): Promise<number> {
  let bytes = 0
  let token = ''
  do {
    const answer = await get(session, `${path}?limit=${limit}${token === '' ? '' : `&continue=${token}`}`)
    if (answer.status !== 200) throw new Error(`${path} was answered with ${answer.status}: ${answer.start}`)
    bytes += answer.bytes
    token = /"continue":"([^"]*)"/.exec(answer.start)?.[1] ?? ''
  } while (token !== '')
  return bytes
}

async function listFigures(twin: TwinProcess, pods: number): Promise<readonly BudgetRow[]> {
  const session = connectTo(twin.kubeconfig)
  try {
    const atLeast = { atLeast: 150 }
    const middle = async (list: () => Promise<number>) => {
      const rates: number[] = []
      for (let round = 0; round < rounds; round++) rates.push(await megabytesASecond(list))
      return quantile(rates, 0.5)
    }
    const whole = await meanwhile(twin, () => middle(async () => (await get(session, '/api/v1/pods')).bytes))
    const pages = await meanwhile(twin, () => middle(() => paged(session, '/api/v1/pods', 500)))
    const selected = await meanwhile(twin, () => get(session, '/api/v1/pods?labelSelector=app%3Dapp-7&limit=500'))
    const onNode = await meanwhile(twin, () => get(session, '/api/v1/pods?fieldSelector=spec.nodeName%3Dnode-7'))
    const stall = { atMost: 50 }
    return [
      { what: `list of ${pods} pods, whole`, value: whole.value, unit: 'MB/s', budget: atLeast },
      { what: '  longest work of the loop in one go', value: whole.longestWorkMs, unit: 'ms', budget: stall },
      { what: '  another client waits, p99', value: whole.waitMs, unit: 'ms' },
      { what: `list of ${pods} pods, pages of 500`, value: pages.value, unit: 'MB/s', budget: atLeast },
      { what: '  longest work of the loop in one go', value: pages.longestWorkMs, unit: 'ms', budget: stall },
      { what: 'pods by a label', value: selected.value.ms, unit: 'ms' },
      { what: 'pods of a node', value: onNode.value.ms, unit: 'ms' },
      {
        what: '  longest work of the loop in one go',
        value: Math.max(selected.longestWorkMs, onNode.longestWorkMs),
        unit: 'ms',
        budget: stall,
      },
    ]
  } finally {
    session.destroy()
  }
}

/** The real server with as many nodes; undefined where it cannot be had. */
async function realPlane(nodes: number): Promise<ControlPlane | undefined> {
  let plane: ControlPlane
  try {
    plane = await startControlPlane({ scheduler: 'off', controllerManager: false })
  } catch (cause) {
    if (!(cause instanceof PartUnavailable)) throw cause
    process.stdout.write(`no real server to compare with: ${cause.message}\n`)
    return undefined
  }
  const session = connectTo(plane.kubeconfig)
  try {
    const body = (number: number) => JSON.stringify(fullNode(number)).replace(/"resourceVersion":"1",/, '')
    let next = 0
    const create = async () => {
      while (next < nodes) {
        const { status, start } = await request(
          session,
          { ':method': 'POST', ':path': '/api/v1/nodes', 'content-type': 'application/json' },
          body(next++),
        )
        if (status !== 201) throw new Error(`a node was answered with ${status}: ${start}`)
      }
    }
    await Promise.all(Array.from({ length: creators }, create))
    return plane
  } catch (error) {
    await plane.stop()
    throw error
  } finally {
    session.destroy()
  }
}

/** Medians of reading all nodes of each server, by turns: a load that comes and goes meets both alike. */
async function nodeReads(kubeconfigs: readonly string[]) {
  const found = kubeconfigs.map(() => ({ seconds: [] as number[], rates: [] as number[] }))
  const sessions = kubeconfigs.map(connectTo)
  try {
    // The first round warms up.
    for (let round = 0; round <= rounds; round++)
      for (const [at, kubeconfig] of kubeconfigs.entries()) {
        const session = sessions[at]
        if (session === undefined) continue
        const { seconds } = await kubectl(kubeconfig, ['get', 'nodes'])
        const rate = await megabytesASecond(async () => (await get(session, '/api/v1/nodes')).bytes)
        if (round === 0) continue
        found[at]?.seconds.push(seconds)
        found[at]?.rates.push(rate)
      }
  } finally {
    for (const session of sessions) session.destroy()
  }
  return found.map(({ seconds, rates }) => ({ seconds: quantile(seconds, 0.5), rate: quantile(rates, 0.5) }))
}

export async function twinReads(nodes: number, workloads: number, withReal: boolean): Promise<readonly BudgetRow[]> {
  const directory = mkdtempSync(join(tmpdir(), 'ballast-bench-reads-'))
  const pods = workloads * biggestCluster.replicas
  const rows: BudgetRow[] = []
  const real = withReal ? await realPlane(nodes) : undefined
  try {
    const dump = join(directory, 'cluster.json')
    writeDump(dump, { nodes, workloads, replicas: biggestCluster.replicas })
    const twin = await startTwinProcess(['--cluster', dump], { startMs: 600_000 })
    try {
      const [own = { seconds: 0, rate: 0 }, others] = await nodeReads([
        twin.kubeconfig,
        ...(real === undefined ? [] : [real.kubeconfig]),
      ])
      await real?.stop()
      const getNodes = await meanwhile(twin, () => kubectl(twin.kubeconfig, ['get', 'nodes']))
      const getPods = await meanwhile(twin, () => kubectl(twin.kubeconfig, ['get', 'pods', '-A']))
      if (getNodes.value.lines !== nodes + 1 || getPods.value.lines !== pods + 1)
        throw new Error(`kubectl printed ${getNodes.value.lines} and ${getPods.value.lines} lines`)
      const beside = (value: number | undefined) => (value === undefined ? {} : { other: { name: 'kube-apiserver', value } })
      const stall = { what: '  longest work of the loop in one go', unit: 'ms', budget: { atMost: 50 } } as const
      rows.push(
        { what: `kubectl get nodes, ${nodes}`, value: own.seconds, unit: 's', budget: { atMost: 2 }, ...beside(others?.seconds) },
        { ...stall, value: getNodes.longestWorkMs },
        { what: '  another client waits, p99', value: getNodes.waitMs, unit: 'ms' },
        { what: `list of ${nodes} nodes`, value: own.rate, unit: 'MB/s', ...beside(others?.rate) },
        { what: `kubectl get pods -A, ${pods}`, value: getPods.value.seconds, unit: 's', budget: { atMost: 25 } },
        { ...stall, value: getPods.longestWorkMs },
        { what: '  loop stood still by the clock, with others on the machine', value: getPods.longestStallMs, unit: 'ms' },
        { what: '  another client waits, p99', value: getPods.waitMs, unit: 'ms' },
        ...(await listFigures(twin, pods)),
      )
    } finally {
      await twin.stop()
    }
  } finally {
    await real?.stop()
    rmSync(directory, { recursive: true, force: true })
  }
  return rows
}

if (import.meta.main) {
  const words = process.argv.slice(2)
  const [nodes = biggestCluster.nodes, workloads = defaultWorkloads] = words.filter(word => !word.startsWith('-')).map(Number)
  process.stdout.write(`${budgetTable(await twinReads(nodes, workloads, !words.includes('--no-real')))}\n`)
}
