// How long a user waits: from the command to the first table, cold (nothing compiled yet) and warm, with the most memory it held.
import { spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { systemClock } from '#kube/clock.ts'
import type { Figure } from './scheduler-model.ts'

const main = join(import.meta.dirname, '..', 'src', 'cli', 'main.ts')

interface Run {
  readonly firstTableMs: number
  readonly wholeMs: number
  readonly peakMegabytes: number
}

/** The most resident memory of a process so far, in MiB; Linux tells it. */
function peakOf(pid: number | undefined): number {
  try {
    const match = /VmHWM:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))
    return match === null ? 0 : Number(match[1]) / 1024
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return 0 // ended, or not Linux
    throw error
  }
}

async function run(args: readonly string[], cache: string): Promise<Run> {
  const start = systemClock.elapsed()
  const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', main, ...args], {
    env: { ...process.env, NODE_COMPILE_CACHE: cache, NO_COLOR: '1' },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  let firstTableMs = 0
  let peakMegabytes = 0
  child.stdout.on('data', (chunk: Buffer) => {
    if (firstTableMs === 0 && chunk.includes('NODE')) firstTableMs = systemClock.elapsed() - start
    peakMegabytes = Math.max(peakMegabytes, peakOf(child.pid))
  })
  const { promise, resolve, reject } = Promise.withResolvers<number | null>()
  child.on('error', reject)
  child.on('close', resolve)
  const code = await promise
  if (code !== 0) throw new Error(`ballast ${args.join(' ')} ended with ${code}`)
  return { firstTableMs, wholeMs: systemClock.elapsed() - start, peakMegabytes }
}

/** `up --once` cold and warm, and `plan` warm. */
export async function startFigures(): Promise<readonly Figure[]> {
  const cache = mkdtempSync(join(tmpdir(), 'ballast-bench-'))
  try {
    const cold = await run(['up', '--once'], cache)
    const warm = await run(['up', '--once'], cache)
    const plan = await run(['plan', '--cluster', join(import.meta.dirname, '..', 'examples', 'talos-homelab')], cache)
    return [
      { name: 'up: first table, cold', value: cold.firstTableMs / 1000, unit: 's' },
      { name: 'up: first table, warm', value: warm.firstTableMs / 1000, unit: 's' },
      { name: 'up --once: the whole example on the virtual clock, warm', value: warm.wholeMs / 1000, unit: 's' },
      { name: 'up --once: peak memory of its process', value: warm.peakMegabytes, unit: 'MiB' },
      { name: 'plan of the example as a command, warm', value: plan.wholeMs / 1000, unit: 's' },
      { name: 'plan of the example as a command: peak memory of its process', value: plan.peakMegabytes, unit: 'MiB' },
    ]
  } finally {
    rmSync(cache, { recursive: true, force: true })
  }
}

if (import.meta.main) {
  for (const { name, value, unit } of await startFigures()) process.stdout.write(`${name}: ${value.toFixed(2)} ${unit}\n`)
}
