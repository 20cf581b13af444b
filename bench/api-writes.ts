// Writes and reads over HTTPS: the same client against the twin and against kube-apiserver with etcd, in short rounds by turns, so that a
// load of the machine that comes and goes meets both alike. `node bench/api-writes.ts [COUNT]`.
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { PartUnavailable } from '#test/real/cache.ts'
import { startControlPlane } from '#test/real/control-plane/start.ts'
import { type AskedRound, phases, type RoundTimes, readPhases } from './api-writes-client.ts'
import { quantile } from './twin-client.ts'
import { startTwinProcess } from './twin-process.ts'

const [countText = '1600'] = process.argv.slice(2)
const count = Number(countText)
const rounds = 8
/** Reads in one round. */
const readCount = 160

/** A server with its client. */
interface Side {
  readonly stop: () => Promise<void>
  round(asked: AskedRound): Promise<RoundTimes>
}

async function sideOf(kubeconfig: string, stopServer: () => Promise<void>): Promise<Side> {
  const client = fork(join(import.meta.dirname, 'api-writes-client.ts'), [kubeconfig], {
    execArgv: ['--disable-warning=ExperimentalWarning'],
  })
  const stop = async () => {
    client.kill()
    await stopServer()
  }
  try {
    await answered(client)
  } catch (error) {
    await stop()
    throw error
  }
  return {
    stop,
    async round(asked) {
      client.send(asked)
      const [times]: readonly RoundTimes[] = await answered(client)
      if (times === undefined) throw new Error('the client told nothing')
      return times
    },
  }
}

/** What the client says next. @throws Error where it ends instead. */
async function answered(client: ChildProcess): Promise<readonly RoundTimes[]> {
  const over = new AbortController()
  const ended = once(client, 'exit', { signal: over.signal }).then(([code]) => {
    throw new Error(`the client ended with ${String(code)}`)
  })
  try {
    return await Promise.race([once(client, 'message', { signal: over.signal }), ended])
  } finally {
    ended.catch(() => undefined) // it is waited for no longer
    over.abort()
  }
}

async function twinSide(): Promise<Side> {
  // What answers is the API server alone, as on the other side.
  const flags = ['--scheduler', 'off', '--kubelet', 'off', '--controllers', '-*', '--heartbeat', 'off']
  const profile = process.env['BALLAST_PROFILE']
  const nodeArguments = profile === undefined ? [] : ['--cpu-prof', `--cpu-prof-dir=${profile}`]
  const twin = await startTwinProcess(flags, { nodeArguments })
  return await sideOf(twin.kubeconfig, () => twin.stop())
}

async function realSide(): Promise<Side | undefined> {
  if (process.env['BALLAST_TWIN_ONLY'] !== undefined) return undefined
  try {
    const plane = await startControlPlane({ scheduler: 'off', controllerManager: false })
    return await sideOf(plane.kubeconfig, () => plane.stop())
  } catch (cause) {
    if (!(cause instanceof PartUnavailable)) throw cause
    console.log(`no real server to compare with: ${cause.message}`)
    return undefined
  }
}

interface PhaseFigures {
  /** Medians over the rounds. */
  readonly perSecond: number
  readonly p50Ms: number
  readonly p99Ms: number
}

/** Round by round, who is first changing; undefined for the side that is not there. */
async function inTurns(sides: readonly (Side | undefined)[], phase: string, total: number) {
  const found = sides.map((): RoundTimes[] => [])
  for (let round = 0; round < rounds; round++) {
    const asked = { phase, from: Math.floor((total * round) / rounds), to: Math.floor((total * (round + 1)) / rounds) }
    const order = [...sides.keys()]
    for (const at of round % 2 === 0 ? order : order.toReversed()) {
      const times = await sides[at]?.round(asked)
      if (times !== undefined) found[at]?.push(times)
    }
  }
  return found.map(times => (times.length === 0 ? undefined : figuresOf(times)))
}

function figuresOf(found: readonly RoundTimes[]): PhaseFigures {
  const median = (of: (one: RoundTimes) => number) => quantile(found.map(of), 0.5)
  return {
    perSecond: median(({ times, seconds }) => times.length / seconds),
    p50Ms: median(({ times }) => quantile(times, 0.5)),
    p99Ms: median(({ times }) => quantile(times, 0.99)),
  }
}

function printRow(cells: readonly string[]): void {
  const [name = '', ...others] = cells
  const budget = others.pop() ?? ''
  console.log(`${name.padEnd(36)}${others.map(text => text.padStart(9)).join('')}${budget}`)
}

const sides: (Side | undefined)[] = []
try {
  sides.push(await twinSide())
  sides.push(await realSide())
  printRow(['16 clients, pods of 6 KB', 'twin /s', 'p50 ms', 'p99 ms', 'real /s', 'p50 ms', 'p99 ms', 'ratio', '  budget'])
  const numbers = (figures: PhaseFigures | undefined) =>
    figures === undefined ? ['-', '-', '-'] : [figures.perSecond.toFixed(0), figures.p50Ms.toFixed(1), figures.p99Ms.toFixed(1)]
  const readRow = async (phase: string, atMostMs: number, who: readonly (Side | undefined)[]) => {
    const [twin, real] = await inTurns(who, phase, readCount * rounds)
    printRow([phase, ...numbers(twin), ...numbers(real), '', `  < ${atMostMs} ms`])
    if ((twin?.p99Ms ?? 0) >= atMostMs) process.exitCode = 1
  }
  for (const { name, share } of phases) {
    if (name === 'deletes') {
      await readRow(readPhases.idle, 2, sides)
      // The real server does not get that far on two cores.
      await readRow(readPhases.busy, 20, sides.slice(0, 1))
    }
    const [twin, real] = await inTurns(sides, name, Math.ceil(count * share))
    const ratio = twin === undefined || real === undefined ? undefined : twin.perSecond / real.perSecond
    const least = name === 'binds' ? ', 1200' : ''
    printRow([name, ...numbers(twin), ...numbers(real), ratio?.toFixed(2) ?? '-', `  >= 1${least}`])
    if ((ratio !== undefined && ratio < 1) || (name === 'binds' && (twin?.perSecond ?? 0) < 1200)) process.exitCode = 1
  }
} finally {
  for (const side of sides) await side?.stop()
}
