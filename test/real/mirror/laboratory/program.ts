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
  /** Seconds of processor that it and those that it started used so far, user and system. */
  cpuSeconds(): number
  /** Bytes, with those that it started: proportional set size, what they would free if they ended; what is resident; and the most that was. */
  memory(): { readonly pss: number; readonly rss: number; readonly peakRss: number }
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

/** Processor time of a process with all its threads, and of those that it started, also of those that have ended, in seconds. */
function cpuSecondsOf(pid: number): number {
  return familyOf(pid).reduce((sum, one) => sum + ownCpu(one), 0)
}

/** User and system, its own and of children that have ended. */
function ownCpu(pid: number): number {
  const values = textOf(pid, 'stat').split(') ')[1]?.split(' ') ?? []
  return values.slice(11, 15).reduce((sum, ticks) => sum + Number(ticks), 0) / ticksPerSecond
}

/** A process and all that it started and that run now. */
function familyOf(pid: number): readonly number[] {
  const children = textOf(pid, `task/${pid}/children`)
    .split(' ')
    .map(Number)
    .filter(child => child > 0)
  return [pid, ...children.flatMap(familyOf)]
}

/** Empty where the process has ended. */
function textOf(pid: number, file: string): string {
  try {
    return readFileSync(`/proc/${pid}/${file}`, 'utf8')
  } catch {
    return '' // ENOENT, ESRCH: it has ended
  }
}

/** Memory of a process and those that it started; what is shared counts once for each in `rss` and `peakRss`. */
function memoryOf(pid: number): { readonly pss: number; readonly rss: number; readonly peakRss: number } {
  const kib = (file: string, field: string) =>
    familyOf(pid).reduce(
      (sum, one) => sum + Number(new RegExp(`^${field}:\\s+(\\d+) kB`, 'm').exec(textOf(one, file))?.[1] ?? 0),
      0,
    )
  return { pss: kib('smaps_rollup', 'Pss') * 1_024, rss: kib('status', 'VmRSS') * 1_024, peakRss: kib('status', 'VmHWM') * 1_024 }
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
