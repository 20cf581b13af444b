// One program of the laboratory: where it runs, what it said, what it cost.
import { spawn } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { systemClock } from '#kube/clock.ts'
import { atEnd } from '../../endings.ts'

export interface ProgramOptions {
  /** Network namespace; without it the machine's own. */
  readonly namespace?: string
  readonly env?: Readonly<Record<string, string>>
  readonly cwd?: string
  /** Gets each line of both outputs. */
  readonly onLine?: (line: string) => void
}

export interface Program {
  readonly pid: number
  readonly hasEnded: () => boolean
  /** The last lines of both outputs. */
  readonly log: () => string
  /** Seconds of processor that it used so far, user and system. */
  cpuSeconds(): number
  /** Bytes: proportional set size, what it would free if it ended; the most that was resident; what is resident of it and its children together. */
  memory(): { readonly pss: number; readonly peakRss: number; readonly rss: number }
  signal(name: NodeJS.Signals): void
  /** SIGTERM, after 5 s SIGKILL; yields the exit code, -1 after a signal. */
  stop(): Promise<number>
  /** SIGKILL. */
  kill(): Promise<void>
}

const stopLimitMs = 5_000
const keptLines = 400
/** `_SC_CLK_TCK` of every Linux that Node runs on. */
const ticksPerSecond = 100

/** Starts it; it is killed when this process ends. */
export function startProgram(path: string, args: readonly string[], options: ProgramOptions = {}): Program {
  const command = options.namespace === undefined ? [path, ...args] : ['ip', 'netns', 'exec', options.namespace, path, ...args]
  const [first = path, ...rest] = command
  const child = spawn(first, rest, {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, ...options.env },
    cwd: options.cwd,
  })
  const isOver = atEnd(() => child.kill('SIGKILL'))
  const lines: string[] = []
  const hear = (line: string) => {
    lines.push(line)
    if (lines.length > keptLines) lines.splice(0, lines.length - keptLines)
    options.onLine?.(line)
  }
  for (const stream of [child.stdout, child.stderr]) {
    let partial = ''
    stream.setEncoding('utf8').on('data', (text: string) => {
      const whole = (partial + text).split('\n')
      partial = whole.pop() ?? ''
      for (const line of whole) hear(line)
    })
    stream.on('end', () => {
      if (partial !== '') hear(partial)
    })
  }
  const ended = new Promise<number>(resolve => {
    child.once('error', cause => {
      hear(`${path}: ${cause.message}`)
      isOver()
      resolve(-1)
    })
    child.once('close', code => {
      isOver()
      resolve(code ?? -1)
    })
  })
  const hasEnded = () => child.exitCode !== null || child.signalCode !== null || child.pid === undefined
  const pid = child.pid ?? -1
  return {
    pid,
    hasEnded,
    log: () => lines.join('\n'),
    cpuSeconds: () => cpuSecondsOf(pid),
    memory: () => memoryOf(pid),
    signal: name => void child.kill(name),
    async stop() {
      child.kill('SIGCONT')
      child.kill('SIGTERM')
      const cancel = systemClock.schedule(stopLimitMs, () => void child.kill('SIGKILL'))
      const code = await ended
      cancel()
      return code
    },
    async kill() {
      child.kill('SIGKILL')
      await ended
    },
  }
}

/** Processor time of a process with all its threads, in seconds. */
function cpuSecondsOf(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? []
  return (Number(fields[11]) + Number(fields[12])) / ticksPerSecond
}

function memoryOf(pid: number): ReturnType<Program['memory']> {
  const kib = (file: string, field: string) =>
    Number(new RegExp(`^${field}:\\s+(\\d+) kB`, 'm').exec(readFileSync(`/proc/${pid}/${file}`, 'utf8'))?.[1] ?? Number.NaN)
  return { pss: kib('smaps_rollup', 'Pss') * 1_024, peakRss: kib('status', 'VmHWM') * 1_024, rss: rssWithChildren(pid) }
}

/** Bytes that are resident of a process and all below it; pages that two of them share count twice. */
function rssWithChildren(pid: number): number {
  const own = Number(/^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? Number.NaN) * 1_024
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ').filter(Boolean)
  return children
    .map(Number)
    .map(rssWithChildren)
    .reduce((sum, rss) => sum + rss, own)
}

/** Asks again and again until `holds` yields something other than false and undefined. @throws Error with `what` after `limitMs` */
export async function until<T>(
  what: string,
  holds: () => Promise<T | false | undefined> | T | false | undefined,
  limitMs = 20_000,
  everyMs = 25,
): Promise<T> {
  const startedMs = systemClock.elapsed()
  for (;;) {
    const value = await holds()
    if (value !== undefined && value !== false) return value
    if (systemClock.elapsed() - startedMs > limitMs) throw new Error(`not within ${limitMs / 1_000} s: ${what}`)
    await systemClock.after(everyMs)
  }
}

export const programAt = (path: string): string | undefined => (existsSync(path) ? path : undefined)
