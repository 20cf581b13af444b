// What informers of 150,000 pods as real ones are (7.8 KB each) take: bytes a pod, memory of a process with informers alone and with all
// that a controller holds, time until it is in sync, the longest block of its event loop. The server, a process of its own, ignores
// `limit` and sends all pods in one body of 1.2 GB (kube-machinery.md §7, case 35). Beside it the same of client-go (`client-go/`), where
// there is Go. Run it alone: `node bench/informers.ts`.
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createServer, type ServerResponse } from 'node:http'
import { join } from 'node:path'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { ClusterView, podNeed } from '#coordination/facts/cluster-view.ts'
import { openApi } from '#kube/client/api.ts'
import { openHttpTransport } from '#kube/client/http-transport.ts'
import { systemClock } from '#kube/clock.ts'
import { Informers } from '#kube/informers/informer.ts'
import { builtIn } from '#kube/objects/resource.ts'
import { seededRandom } from '#kube/random.ts'
import { PartUnavailable } from '#test/real/cache.ts'
import { builtProgram } from '#test/real/clients/build.ts'
import { bigCluster, nodeOf } from './big-cluster.ts'
import { itemText } from './real-pods.ts'

/** As many, or as the last argument says: a look at fewer takes less patience. */
const pods = Number(/^\d+$/.exec(process.argv.at(-1) ?? '')?.[0] ?? 150_000)
const itemsAWrite = 200

interface Measured {
  readonly syncedSeconds: number
  readonly cpuSeconds: number
  readonly peakMegabytes: number
  readonly settledMegabytes: number
  /** Bytes of the heap for each pod. */
  readonly heapBytes: number
  /** The most that the thread worked between two turns of the loop. */
  readonly blockMs: number
}

interface ClientGoFigures {
  readonly objects: number
  readonly syncedSeconds: number
  readonly cpuSeconds: number
  readonly peakMegabytes: number
  readonly heapBytes: number
}

/** Everything at one version; watches stay open and silent. */
async function serve(): Promise<void> {
  const pieces = [...podPieces()]
  const server = createServer((request, response) => {
    const { pathname, searchParams } = new URL(request.url ?? '/', 'http://127.0.0.1')
    response.setHeader('content-type', 'application/json')
    if (searchParams.get('sendInitialEvents') !== null) {
      response.statusCode = 422
      response.end(
        JSON.stringify({ kind: 'Status', apiVersion: 'v1', status: 'Failure', code: 422, reason: 'Invalid', message: 'no' }),
      )
    } else if (searchParams.get('watch') === 'true') response.flushHeaders()
    else if (pathname === '/api/v1/pods') void sendPods(response, pieces)
    else {
      const items = pathname === '/api/v1/nodes' ? Array.from({ length: bigCluster.nodes }, (_, index) => nodeOf(index)) : []
      response.end(JSON.stringify({ kind: 'List', apiVersion: 'v1', metadata: { resourceVersion: '200000' }, items }))
    }
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  process.stdout.write(`http://127.0.0.1:${typeof address === 'object' ? address?.port : ''}\n`)
}

/** The items of the list, made once and before anybody waits for them. */
function* podPieces(): Generator<Buffer> {
  for (let from = 0; from < pods; from += itemsAWrite) {
    const items = Array.from({ length: Math.min(itemsAWrite, pods - from) }, (_, index) =>
      itemText(from + index, from + index + 1),
    )
    yield Buffer.from(`${from === 0 ? '' : ','}${items.join(',')}`)
  }
}

async function sendPods(response: ServerResponse, pieces: readonly Buffer[]): Promise<void> {
  response.write('{"kind":"PodList","apiVersion":"v1","metadata":{"resourceVersion":"200000"},"items":[')
  for (const piece of pieces) if (!response.write(piece)) await once(response, 'drain')
  response.end(']}')
}

function megabytesOf(field: 'VmHWM' | 'VmRSS'): number {
  const match = new RegExp(`${field}:\\s+(\\d+) kB`).exec(readFileSync('/proc/self/status', 'utf8'))
  return Number(match?.[1] ?? Number.NaN) / 1024
}

function threadMs(since?: NodeJS.CpuUsage): number {
  const { user, system } = process.threadCpuUsage(since)
  return (user + system) / 1000
}

/** Syncs with the server: the pods alone, or what a controller reads and the state it makes of that. */
async function sync(url: string, what: 'pods' | 'controller'): Promise<Measured> {
  const stop = new AbortController()
  const config = {
    server: url,
    tls: { authority: undefined, serverName: undefined, isInsecure: false, clientCertificate: undefined, clientKey: undefined },
    auth: { kind: 'none' as const },
    impersonate: undefined,
    namespace: 'default',
    proxyUrl: undefined,
    disableCompression: true,
    source: 'benchmark',
    warnings: [],
  }
  setFlagsFromString('--expose-gc')
  const collectGarbage: () => void = runInNewContext('gc')
  collectGarbage()
  const heapBefore = process.memoryUsage().heapUsed
  const transport = openHttpTransport(config, { clock: systemClock, random: seededRandom(1) })
  const api = openApi(transport, { clock: systemClock, userAgent: 'bench' })
  let blockMs = 0
  let isOver = false
  const watched = (async () => {
    for (let cpu = process.threadCpuUsage(); !isOver; cpu = process.threadCpuUsage()) {
      await new Promise(resolve => setImmediate(resolve))
      blockMs = Math.max(blockMs, threadMs(cpu))
    }
  })()
  const startMs = systemClock.elapsed()
  const cpu = process.cpuUsage()
  const informers = new Informers(api, { clock: systemClock, random: seededRandom(1), signal: stop.signal })
  const view = what === 'controller' ? new ClusterView(informers, systemClock) : undefined
  informers.of(builtIn.pods, { fields: podNeed.fields ?? [] })
  await informers.allSynced(stop.signal)
  const state = await view?.snapshot(stop.signal)
  const syncedSeconds = (systemClock.elapsed() - startMs) / 1000
  const { user, system } = process.cpuUsage(cpu)
  isOver = true
  await watched
  const peakMegabytes = megabytesOf('VmHWM')
  collectGarbage()
  collectGarbage()
  if (informers.of(builtIn.pods).store.size !== pods) throw new Error('not all pods came')
  if (state !== undefined && state.pods.size !== pods) throw new Error(`the state has ${state.pods.size} pods`)
  const heapBytes = (process.memoryUsage().heapUsed - heapBefore) / pods
  return {
    syncedSeconds,
    cpuSeconds: (user + system) / 1e6,
    peakMegabytes,
    settledMegabytes: megabytesOf('VmRSS'),
    heapBytes,
    blockMs,
  }
}

function begin(...args: readonly string[]): ChildProcess {
  const flags = ['--disable-warning=ExperimentalWarning', import.meta.filename, ...args, String(pods)]
  return spawn(process.execPath, flags, { stdio: ['ignore', 'pipe', 'inherit'] })
}

/** What client-go's informer of the same pods takes; `undefined` where it cannot be built. */
async function clientGo(url: string): Promise<ClientGoFigures | undefined> {
  try {
    const path = await builtProgram(join(import.meta.dirname, 'client-go'), 'informer')
    const child = spawn(path, [url], { stdio: ['ignore', 'pipe', 'inherit'] })
    // What the program's `figures` are.
    const figures = JSON.parse(await firstLine(child)) as ClientGoFigures
    if (figures.objects !== pods) throw new Error(`client-go has ${figures.objects} pods`)
    return figures
  } catch (error) {
    if (!(error instanceof PartUnavailable || error instanceof SilentChild)) throw error
    process.stdout.write(`skipped beside client-go: ${error.message}\n`)
    return undefined
  }
}

/** It ended without its figures: what went wrong is on the error stream. */
class SilentChild extends Error {
  override readonly name = 'SilentChild'
}

async function firstLine(child: ChildProcess): Promise<string> {
  let text = ''
  for await (const chunk of child.stdout ?? []) {
    text += String(chunk)
    if (text.includes('\n')) return text.slice(0, text.indexOf('\n'))
  }
  throw new SilentChild(`${child.spawnargs.slice(-2).join(' ')} said nothing`)
}

async function measured(url: string, what: 'pods' | 'controller'): Promise<Measured> {
  const child = begin('sync', url, what)
  const line = await firstLine(child)
  // What this file wrote.
  return JSON.parse(line) as Measured
}

interface Row {
  readonly name: string
  readonly value: number
  readonly unit: string
  readonly most?: number
}

export async function informerFigures(): Promise<readonly Row[]> {
  const server = begin('serve')
  try {
    const url = await firstLine(server)
    const alone = await measured(url, 'pods')
    const controller = await measured(url, 'controller')
    return [
      { name: 'informers alone: heap of a pod', value: alone.heapBytes, unit: 'B', most: 1536 },
      { name: 'informers alone: peak memory of the process', value: alone.peakMegabytes, unit: 'MiB', most: 400 },
      { name: 'informers alone: empty to in sync', value: alone.syncedSeconds, unit: 's', most: 15 },
      { name: 'informers alone: CPU', value: alone.cpuSeconds, unit: 's' },
      { name: 'informers alone: longest block, work', value: alone.blockMs, unit: 'ms', most: 25 },
      ...ratios('client-go with a transform', alone, await clientGo(url)),
      { name: 'with the state of a controller: heap of a pod', value: controller.heapBytes, unit: 'B' },
      { name: 'with the state of a controller: peak memory', value: controller.peakMegabytes, unit: 'MiB', most: 600 },
      { name: 'with the state of a controller: at rest', value: controller.settledMegabytes, unit: 'MiB', most: 600 },
      { name: 'with the state of a controller: in sync', value: controller.syncedSeconds, unit: 's', most: 15 },
      { name: 'with the state of a controller: longest block', value: controller.blockMs, unit: 'ms', most: 50 },
    ]
  } finally {
    server.kill()
  }
}

/** Ours as multiples of client-go's, which are named beside them. Budgets: kube-machinery.md §6.3. */
function ratios(other: string, ours: Measured, theirs: ClientGoFigures | undefined): readonly Row[] {
  if (theirs === undefined) return []
  const { peakMegabytes, heapBytes, cpuSeconds, syncedSeconds } = theirs
  return [
    {
      name: `peak memory, of ${other} (${peakMegabytes.toFixed(0)} MiB)`,
      value: ours.peakMegabytes / peakMegabytes,
      unit: 'times',
      most: 1.5,
    },
    { name: `heap of a pod, of ${other} (${heapBytes.toFixed(0)} B)`, value: ours.heapBytes / heapBytes, unit: 'times' },
    {
      name: `CPU, of ${other} (${cpuSeconds.toFixed(1)} s)`,
      value: ours.cpuSeconds / cpuSeconds,
      unit: 'times',
      most: 3,
    },
    { name: `in sync, of ${other} (${syncedSeconds.toFixed(1)} s)`, value: ours.syncedSeconds / syncedSeconds, unit: 'times' },
  ]
}

async function main([task, url = '', what]: readonly string[]): Promise<void> {
  if (task === 'serve') return await serve()
  if (task === 'sync') {
    process.stdout.write(`${JSON.stringify(await sync(url, what === 'controller' ? what : 'pods'))}\n`, () => process.exit())
    return
  }
  for (const { name, value, unit, most } of await informerFigures()) {
    const budget = most === undefined ? '' : `   budget: ${most} (${value <= most ? 'met' : 'missed'})`
    process.stdout.write(
      `${name.padEnd(62)} ${value.toFixed(value < 10 ? 2 : value < 100 ? 1 : 0).padStart(8)} ${unit}${budget}\n`,
    )
  }
}

if (import.meta.main) await main(process.argv.slice(2))
