// `ballast twin` in a process of its own, so that what is measured of it is its own: memory, processor time, stalls.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { systemClock } from '#kube/clock.ts'
import type { OwnFigures } from './own-figures.ts'

const main = join(import.meta.dirname, '..', 'src', 'cli', 'main.ts')
const defaultStartMs = 120_000
const defaultHeapMegabytes = 3072

export interface TwinProcess {
  /** Path of a kubeconfig of group `system:masters`; removed by {@link stop}. */
  readonly kubeconfig: string
  readonly url: string
  readonly pid: number
  /** From the start of the process to its answers. */
  readonly startMs: number
  /** Resident now. */
  rssBytes(): number
  /** The most that was resident so far. */
  peakRssBytes(): number
  /** How its event loop fared since this was last asked; `withHeap` collects garbage first, which stalls it. */
  figures(withHeap?: boolean): Promise<OwnFigures>
  /** Processor time so far, user and system, milliseconds. */
  cpuMs(): number
  stop(): Promise<void>
}

export interface TwinProcessOptions {
  /** Duration of the wait until it answers. */
  readonly startMs?: number
  /** `--max-old-space-size`. */
  readonly heapMegabytes?: number
  /** Further arguments of node, such as `--cpu-prof`. */
  readonly nodeArguments?: readonly string[]
}

/** Starts `ballast twin` with `flags` (`--kubeconfig-out` is added) and yields when it answers. @throws Error with its last lines when it does not. */
export async function startTwinProcess(flags: readonly string[], options: TwinProcessOptions = {}): Promise<TwinProcess> {
  const startedMs = systemClock.elapsed()
  const directory = mkdtempSync(join(tmpdir(), 'ballast-twin-process-'))
  const kubeconfig = join(directory, 'kubeconfig')
  const nodeArguments = [
    '--disable-warning=ExperimentalWarning',
    `--max-old-space-size=${options.heapMegabytes ?? defaultHeapMegabytes}`,
    '--expose-gc',
    `--import=${join(import.meta.dirname, 'own-figures.ts')}`,
    ...(options.nodeArguments ?? []),
  ]
  const child = spawn(process.execPath, [...nodeArguments, main, 'twin', '--kubeconfig-out', kubeconfig, ...flags], {
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    env: { ...process.env, NO_COLOR: '1' },
  })
  let said = ''
  let isStopping = false
  const exited = new Promise<void>(resolve => {
    child.once('exit', (code, signal) => {
      resolve()
      // The measuring process sees at most that a connection breaks.
      if (!isStopping) process.stderr.write(`the twin ended (${code ?? signal}): ${said}\n`)
    })
  })
  const endWithThis = () => void child.kill('SIGKILL')
  process.once('exit', endWithThis)
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    said = (said + text).slice(-4000)
  })
  const stop = async () => {
    isStopping = true
    process.off('exit', endWithThis)
    if (child.exitCode === null && child.signalCode === null) {
      child.kill('SIGTERM')
      const force = systemClock.schedule(5_000, () => void child.kill('SIGKILL'))
      await exited
      force()
    }
    rmSync(directory, { recursive: true, force: true })
  }
  // The kubeconfig is written when the twin has everything and listens, and appears whole.
  while (!existsSync(kubeconfig)) {
    const isLate = systemClock.elapsed() - startedMs > (options.startMs ?? defaultStartMs)
    if (isLate || child.exitCode !== null || child.signalCode !== null || child.pid === undefined) {
      await stop()
      throw new Error(`the twin ${isLate ? 'did not answer in time' : `ended (${child.exitCode ?? child.signalCode})`}: ${said}`)
    }
    await systemClock.after(20)
  }
  const pid = child.pid ?? 0
  return {
    kubeconfig,
    url: /server: (\S+)/.exec(readFileSync(kubeconfig, 'utf8'))?.[1] ?? '',
    pid,
    startMs: systemClock.elapsed() - startedMs,
    rssBytes: () => memoryOf(pid, 'VmRSS'),
    peakRssBytes: () => memoryOf(pid, 'VmHWM'),
    cpuMs: () => cpuMsOf(pid),
    async figures(withHeap = false) {
      const answered = once(child, 'message')
      child.send(withHeap ? 'heap' : 'stalls')
      const [figures]: readonly OwnFigures[] = await answered
      if (figures === undefined) throw new Error('the twin told nothing of itself')
      return figures
    },
    stop,
  }
}

/** The most of a process that was resident so far, bytes. */
export const peakRssOf = (pid: number): number => memoryOf(pid, 'VmHWM')

function memoryOf(pid: number, field: 'VmRSS' | 'VmHWM'): number {
  const found = new RegExp(`${field}:\\s+(\\d+) kB`).exec(readFileSync(`/proc/${pid}/status`, 'utf8'))
  return Number(found?.[1] ?? 0) * 1024
}

/** Processor time of a process so far, user and system. Linux counts in hundredths of a second, whatever the kernel ticks at. */
export function cpuMsOf(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return (Number(fields[11]) + Number(fields[12])) * 10
}
