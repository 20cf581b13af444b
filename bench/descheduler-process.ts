// One descheduler as a process, whoever wrote it: how long it takes until its first cycle is done, how long its cycles take by its own
// metrics, what processor time and memory they cost.
import { spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { get } from 'node:https'
import { systemClock } from '#kube/clock.ts'
import { freePort } from '../test/real/control-plane/free-ports.ts'
import { cpuMsOf } from './twin-process.ts'

export interface Program {
  readonly name: string
  readonly command: string
  /** Before the flags. */
  readonly args: readonly string[]
  readonly environment: Readonly<Record<string, string>>
}

interface RunOptions {
  readonly kubeconfig: string
  /** Policy file. */
  readonly file: string
  /** For certificates that the process makes itself. */
  readonly directory: string
  /** After the first one, which counts itself where there are none. */
  readonly cycles: number
  readonly limitSeconds: number
}

export interface RunFigures {
  /** From the start of the process until its first cycle began. */
  readonly syncSeconds: number
  readonly syncCpuSeconds: number
  readonly firstCycleSeconds: number
  /** Average of the cycles after the first; the first one where there are no others. */
  readonly cycleSeconds: number
  readonly cycleCpuSeconds: number
  /** The first cycle was not done within the limit: times are those until then. */
  readonly isUnfinished: boolean
  readonly peakMegabytes: number
  /** At the end, shared pages counted by their share. */
  readonly proportionalMegabytes: number
}

const pollMs = 50
/** The pause as a multiple of the answer's time, so that a process with thousands of series is not measured by how often it is asked for them. */
const pauseFactor = 20

/** What a process has done so far, by its own histogram of cycles. */
interface Done {
  readonly cycles: number
  readonly seconds: number
  readonly hasBegun: boolean
}

/** Since the start of the process. */
interface Passed {
  readonly seconds: number
  readonly cpuSeconds: number
}

/** Runs the program's first cycle and `cycles` more, then ends it. @throws Error with its last words where it does not get there */
export async function measureProgram(program: Program, options: RunOptions): Promise<RunFigures> {
  const port = await freePort()
  const flags = [
    `--policy-config-file=${options.file}`,
    `--kubeconfig=${options.kubeconfig}`,
    '--descheduling-interval=1s',
    `--secure-port=${port}`,
    '--bind-address=127.0.0.1',
    `--cert-dir=${options.directory}`,
  ]
  const since = systemClock.elapsed()
  const child = spawn(program.command, [...program.args, ...flags], {
    stdio: ['ignore', 'ignore', 'pipe'],
    env: { PATH: '/usr/bin:/bin', ...program.environment },
  })
  const ended = new Promise<void>(resolve => child.once('exit', () => resolve()))
  let said = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    said = (said + text).slice(-3_000)
  })
  const { pid } = child
  if (pid === undefined) throw new Error(`${program.command} did not start`)
  const passed = (): Passed => ({ seconds: (systemClock.elapsed() - since) / 1_000, cpuSeconds: cpuMsOf(pid) / 1_000 })
  let begun: Passed | undefined
  const until = async (cycles: number): Promise<Done> => {
    for (;;) {
      const askedMs = systemClock.elapsed()
      const done = await cyclesDone(port)
      const tookMs = systemClock.elapsed() - askedMs
      const how = child.exitCode ?? child.signalCode
      if (how !== null) throw new Error(`${program.name} ended (${how}): ${said}`)
      // A strategy that is counted has ended: the first cycle has begun.
      if (done?.hasBegun === true) begun ??= passed()
      if (done !== undefined && (done.cycles >= cycles || passed().seconds > options.limitSeconds)) return done
      if (passed().seconds > options.limitSeconds) throw new Error(`${program.name} does not answer: ${said}`)
      await systemClock.after(Math.max(pollMs, pauseFactor * tookMs))
    }
  }
  try {
    const first = await until(1)
    const atFirst = passed()
    const last = options.cycles === 0 ? first : await until(first.cycles + options.cycles)
    const cycles = last.cycles - first.cycles
    const isUnfinished = first.cycles === 0
    const firstCycleSeconds = isUnfinished ? atFirst.seconds - (begun?.seconds ?? 0) : first.seconds / first.cycles
    const syncSeconds = isUnfinished ? (begun?.seconds ?? atFirst.seconds) : atFirst.seconds - first.seconds
    return {
      syncSeconds,
      syncCpuSeconds: begun?.cpuSeconds ?? atFirst.cpuSeconds,
      firstCycleSeconds,
      cycleSeconds: cycles === 0 ? firstCycleSeconds : (last.seconds - first.seconds) / cycles,
      cycleCpuSeconds:
        cycles === 0 ? atFirst.cpuSeconds - (begun?.cpuSeconds ?? 0) : (passed().cpuSeconds - atFirst.cpuSeconds) / cycles,
      isUnfinished,
      peakMegabytes: kilobytes(`/proc/${pid}/status`, 'VmHWM') / 1024,
      proportionalMegabytes: kilobytes(`/proc/${pid}/smaps_rollup`, 'Pss') / 1024,
    }
  } finally {
    child.kill('SIGKILL')
    await ended
  }
}

/** Cycles that its metrics count; `undefined` while it does not serve them. */
async function cyclesDone(port: number): Promise<Done | undefined> {
  const text = await body(port)
  if (text === '') return undefined
  const value = (name: string) =>
    Number(new RegExp(`^descheduler_loop_duration_seconds_${name}(?:\\{\\})? (\\S+)$`, 'm').exec(text)?.[1] ?? 0)
  const hasBegun = text.includes('\ndescheduler_strategy_duration_seconds_count{')
  return { cycles: value('count'), seconds: value('sum'), hasBegun }
}

/** Empty while nobody answers. */
function body(port: number): Promise<string> {
  const { promise, resolve } = Promise.withResolvers<string>()
  const request = get({ host: '127.0.0.1', port, path: '/metrics', rejectUnauthorized: false, agent: false }, answer => {
    let text = ''
    answer.setEncoding('utf8').on('data', (chunk: string) => {
      text += chunk
    })
    answer.once('end', () => resolve(text))
    answer.once('error', () => resolve(''))
  })
  request.once('error', () => resolve(''))
  return promise
}

function kilobytes(file: string, field: string): number {
  return Number(new RegExp(`^${field}:\\s+(\\d+) kB`, 'm').exec(readFileSync(file, 'utf8'))?.[1] ?? Number.NaN)
}
