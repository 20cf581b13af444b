// One metrics server as a process, whoever wrote it: processor time and memory of its scrapes, and how long its lists take.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { Agent, request } from 'undici'
import { systemClock } from '#kube/clock.ts'
import type { KeyPair } from '#kube/server/certificates.ts'
import { freePort } from '../test/real/control-plane/free-ports.ts'
import { quantile } from '../test/real/reload/judge.ts'
import { appSelector } from './metrics-cluster.ts'
import type { OwnFigures } from './own-figures.ts'
import { cpuMsOf } from './twin-process.ts'

export interface Program {
  readonly name: string
  readonly command: string
  /** Before the flags. */
  readonly args: readonly string[]
  readonly environment: Readonly<Record<string, string>>
  /** It tells of its event loop. */
  readonly hasLoop: boolean
}

interface RunOptions {
  readonly flags: readonly string[]
  readonly admin: KeyPair
  readonly nodes: number
  readonly resolutionSeconds: number
  /** Scrapes that are measured, after the first two. */
  readonly ticks: number
  readonly autoscalerLists: number
  readonly listsASecond: number
}

/** A list of all pods. */
interface ListFigures {
  readonly firstByteMs: number
  readonly wholeMs: number
  readonly bytes: number
  /** What the process took while it was made and sent. */
  readonly cpuMs: number
}

export interface RunFigures {
  /** Cores, on average, while it does nothing but scrape. */
  readonly scrapeCores: number
  readonly rssMebibytes: number
  readonly peakMebibytes: number
  readonly protobuf: ListFigures
  readonly json: ListFigures
  readonly autoscaler: { readonly p50Ms: number; readonly p99Ms: number; readonly cpuMs: number }
  /** While it scraped, and while it answered; undefined for those without such a loop. */
  readonly scrapeLoop: OwnFigures | undefined
  readonly listLoop: OwnFigures | undefined
}

const startLimitMs = 180_000
const pods = '/apis/metrics.k8s.io/v1beta1/pods'
const protobufType = 'application/vnd.kubernetes.protobuf'

/** @throws Error with its last words where it does not serve */
export async function measureProgram(program: Program, options: RunOptions): Promise<RunFigures> {
  const port = await freePort()
  const child = spawn(program.command, [...program.args, `--secure-port=${port}`, ...options.flags], {
    stdio: ['ignore', 'pipe', 'pipe', program.hasLoop ? 'ipc' : 'ignore'],
    env: { PATH: '/usr/bin:/bin', ...program.environment },
  })
  const ended = new Promise<void>(resolve => child.once('exit', () => resolve()))
  let said = ''
  for (const stream of [child.stdout, child.stderr])
    stream?.setEncoding('utf8').on('data', (text: string) => {
      said = (said + text).slice(-3_000)
    })
  const { pid } = child
  if (pid === undefined) throw new Error(`${program.command} did not start`)
  const { certificate, key } = options.admin
  const agent = new Agent({
    connect: { rejectUnauthorized: false, cert: certificate, key },
    connections: 8,
    bodyTimeout: 120_000,
    headersTimeout: 120_000,
  })
  const ask = async (path: string, accept: string) =>
    await request(`https://127.0.0.1:${port}${path}`, { dispatcher: agent, headers: { accept } })
  const loop = async (): Promise<OwnFigures | undefined> => {
    if (!program.hasLoop) return undefined
    const answered = once(child, 'message')
    child.send('stalls')
    const [figures]: readonly OwnFigures[] = await answered
    return figures
  }
  try {
    const startedMs = systemClock.elapsed()
    const isReady = async () => {
      try {
        const { statusCode, body } = await ask('/readyz', '*/*')
        await body.dump()
        return statusCode === 200
      } catch {
        // It does not listen yet; the limit tells when it never will.
        return false
      }
    }
    while (!(await isReady())) {
      const isLate = systemClock.elapsed() - startedMs > startLimitMs
      if (isLate || child.exitCode !== null) throw new Error(`${program.name} does not serve: ${said}`)
      await systemClock.after(500)
    }
    const resolutionMs = options.resolutionSeconds * 1_000
    await systemClock.after(2 * resolutionMs)
    await loop()
    const before = { cpuMs: cpuMsOf(pid), ms: systemClock.elapsed() }
    await systemClock.after(options.ticks * resolutionMs)
    const scrapeCores = (cpuMsOf(pid) - before.cpuMs) / (systemClock.elapsed() - before.ms)
    const rssMebibytes = mebibytesOf(pid, 'VmRSS')
    const scrapeLoop = await loop()
    const list = async (accept: string): Promise<ListFigures> => {
      const cpuMs = cpuMsOf(pid)
      const beganMs = systemClock.elapsed()
      const { statusCode, body } = await ask(pods, accept)
      if (statusCode !== 200) throw new Error(`${program.name} answered ${statusCode}: ${await body.text()}`)
      let firstByteMs: number | undefined
      let bytes = 0
      for await (const piece of body) {
        firstByteMs ??= systemClock.elapsed() - beganMs
        bytes += piece.length
      }
      const wholeMs = systemClock.elapsed() - beganMs
      return { firstByteMs: firstByteMs ?? wholeMs, wholeMs, bytes, cpuMs: cpuMsOf(pid) - cpuMs }
    }
    // The second of each, when its code is warm: autoscalers and kubectl are no first callers.
    const second = async (accept: string) => {
      await list(accept)
      await systemClock.after(500)
      return await list(accept)
    }
    const protobuf = await second(protobufType)
    const json = await second('application/json')
    const autoscalerCpuMs = cpuMsOf(pid)
    const took = await autoscalerLists(ask, options)
    const autoscaler = { p50Ms: quantile(took, 0.5), p99Ms: quantile(took, 0.99), cpuMs: cpuMsOf(pid) - autoscalerCpuMs }
    return {
      ...{ scrapeCores, rssMebibytes, protobuf, json, autoscaler, scrapeLoop },
      listLoop: await loop(),
      peakMebibytes: mebibytesOf(pid, 'VmHWM'),
    }
  } finally {
    child.kill('SIGKILL')
    await ended
    await agent.destroy()
  }
}

type Ask = (path: string, accept: string) => Promise<Awaited<ReturnType<typeof request>>>

/** Milliseconds that lists of one workload's pods take, sent at even times whether or not the last is answered. */
async function autoscalerLists(ask: Ask, { nodes, autoscalerLists: count, listsASecond }: RunOptions): Promise<number[]> {
  const flights: Promise<number>[] = []
  const beganMs = systemClock.elapsed()
  for (let at = 0; at < count; at++) {
    const dueMs = beganMs + (at * 1_000) / listsASecond
    const waitMs = dueMs - systemClock.elapsed()
    if (waitMs > 0) await systemClock.after(waitMs)
    const node = (at * 7_919) % nodes
    const path = `/apis/metrics.k8s.io/v1beta1/namespaces/team-${node % 40}/pods?labelSelector=${encodeURIComponent(appSelector(node))}`
    const sentMs = systemClock.elapsed()
    flights.push(
      ask(path, protobufType).then(async ({ body }) => {
        await body.arrayBuffer()
        return systemClock.elapsed() - sentMs
      }),
    )
  }
  return (await Promise.all(flights)).toSorted((a, b) => a - b)
}

function mebibytesOf(pid: number, field: string): number {
  return (
    Number(new RegExp(`^${field}:\\s+(\\d+) kB`, 'm').exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? Number.NaN) / 1024
  )
}
