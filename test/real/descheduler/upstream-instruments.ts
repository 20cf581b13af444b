// What upstream's descheduler shows of itself: metrics, health and traces of one cycle. `node …/upstream-instruments.ts` records it.
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { systemClock } from '#kube/clock.ts'
import { listening } from '#kube/server/listening.ts'
import { startTwin } from '#twin/twin.ts'
import {
  type CollectedSpan,
  familiesIn,
  type RecordedInstruments,
  spanShapes,
} from '../../../src/capabilities/deschedule/compat/instruments/testdata/exposition.ts'
import { limitedCluster, limitedPolicy } from '../../../src/capabilities/deschedule/compat/instruments/testdata/limited-cycle.ts'
import { builtProgram } from '../clients/build.ts'
import { needPrograms } from '../machine-programs.ts'
import { commandOutput } from '../run-command.ts'
import { upstreamPath, upstreamVersion } from '../upstreams/build.ts'

const flags =
  '--descheduling-interval=1h --bind-address=127.0.0.1 --secure-port=PORT --otel-collector-endpoint=COLLECTOR --otel-trace-namespace=test'
const paths = ['/healthz', '/healthz?verbose', '/healthz/Descheduler', '/livez', '/readyz', '/', '/metrics']
const longestMs = 60_000

/** Where a program of the descheduler is and how it is called; the flags follow. */
interface Program {
  readonly command: string
  readonly words: readonly string[]
  readonly environment: Readonly<Record<string, string>>
  /** Names of the spans that are compared. */
  readonly spans: readonly string[]
}

export const comparedSpans = ['runDeschedulerLoop', 'runProfiles', 'RemovePodsViolatingNodeTaints', 'EvictPod']

export async function upstreamInstruments(): Promise<RecordedInstruments> {
  const program = {
    command: await upstreamPath('descheduler'),
    words: [],
    environment: { PATH: '/usr/bin:/bin' },
    spans: comparedSpans,
  }
  return { version: upstreamVersion('descheduler'), command: `descheduler ${flags}`, ...(await instrumentsOf(program)) }
}

/** Runs one cycle of `program` on the twin and looks at it with curl and a collector. Throws Error where it does not come to its end. */
export async function instrumentsOf(program: Program): Promise<Omit<RecordedInstruments, 'version' | 'command'>> {
  await needPrograms('curl')
  await using stack = new AsyncDisposableStack()
  const directory = mkdtempSync(join(tmpdir(), 'ballast-instruments-'))
  stack.defer(() => rmSync(directory, { recursive: true, force: true }))
  const twin = stack.use(
    await startTwin({ clock: systemClock, objects: limitedCluster(), components: false, listen: { port: 0 } }),
  )
  const collector = await startCollector()
  stack.defer(() => collector.stop())
  const [policy, kubeconfig] = [join(directory, 'policy.json'), join(directory, 'kubeconfig')]
  writeFileSync(policy, limitedPolicy)
  writeFileSync(kubeconfig, await twin.kubeconfig({ name: 'descheduler', groups: ['system:masters'] }), { mode: 0o600 })
  const port = await freePort()
  const given = flags.replace('PORT', String(port)).replace('COLLECTOR', collector.address).split(' ')
  const words = [...program.words, `--policy-config-file=${policy}`, `--kubeconfig=${kubeconfig}`, ...given]
  const child = spawn(program.command, words, { stdio: ['ignore', 'ignore', 'pipe'], env: program.environment, cwd: directory })
  const said: string[] = []
  child.stderr.setEncoding('utf8').on('data', (text: string) => said.push(text))
  const ended = endOf(child)
  stack.defer(async () => {
    child.kill('SIGKILL')
    await ended
  })
  const read = (path: string) => curl(`https://127.0.0.1:${port}${path}`)
  const hasCycled = async () => /^descheduler_loop_duration_seconds_count.* 1$/m.test((await read('/metrics')).body)
  await until(hasCycled, () => `the end of the first cycle: ${said.join('').slice(-2_000)}`)
  const metrics = await read('/metrics')
  const answers: Record<string, { status: number; body?: string }> = {}
  for (const path of paths) {
    const { status, body } = await read(path)
    answers[path] = { status, ...(path !== '/metrics' && { body }) }
  }
  child.kill('SIGTERM')
  const code = await ended
  if (code !== 0) throw new Error(`after SIGTERM: found ${code}, expected 0; ${said.join('').slice(-2_000)}`)
  const isWhole = () => program.spans.every(name => collector.spans.some(span => span.name === name))
  await until(isWhole, () => `spans ${program.spans.join(', ')}; there are ${collector.spans.map(({ name }) => name).join(', ')}`)
  return { families: familiesIn(metrics.body, 'descheduler_'), spans: spanShapes(collector.spans, program.spans), answers }
}

interface Collector {
  readonly address: string
  readonly spans: readonly CollectedSpan[]
  stop(): Promise<void>
}

async function startCollector(): Promise<Collector> {
  const program = await builtProgram(join(import.meta.dirname, 'collector'), 'collector')
  const child = spawn(program, [], { stdio: ['ignore', 'pipe', 'inherit'] })
  const ended = endOf(child)
  const spans: CollectedSpan[] = []
  const { promise, resolve } = Promise.withResolvers<string>()
  createInterface(child.stdout).on('line', line => {
    const value = JSON.parse(line)
    if (typeof value.address === 'string') resolve(value.address)
    else spans.push(value)
  })
  return {
    address: await promise,
    spans,
    async stop() {
      child.kill('SIGTERM')
      await ended
    },
  }
}

/** The certificate is the program's own: nobody else signed it. */
async function curl(url: string): Promise<{ readonly status: number; readonly body: string }> {
  try {
    const text = await commandOutput('curl', ['-sk', '--max-time', '10', '-w', '\n%{http_code}', url])
    const cut = text.trimEnd().lastIndexOf('\n')
    return { status: Number(text.slice(cut + 1)), body: text.slice(0, cut) }
  } catch {
    // Nobody listens yet.
    return { status: 0, body: '' }
  }
}

function endOf(child: ChildProcess): Promise<number | null> {
  const { promise, resolve, reject } = Promise.withResolvers<number | null>()
  child.once('error', reject)
  child.once('exit', resolve)
  return promise
}

async function freePort(): Promise<number> {
  const server = createServer()
  const port = await listening(server, { port: 0, host: '127.0.0.1' })
  const { promise, resolve } = Promise.withResolvers<void>()
  server.close(() => resolve())
  await promise
  return port
}

async function until(isSo: () => boolean | Promise<boolean>, what: () => string): Promise<void> {
  const startMs = systemClock.elapsed()
  while (!(await isSo())) {
    if (systemClock.elapsed() - startMs > longestMs) throw new Error(`waited ${longestMs / 1000} s for ${what()}`)
    await systemClock.after(100)
  }
}

if (import.meta.main) {
  const path = join(import.meta.dirname, '..', '..', 'fixtures', 'descheduler-instruments', 'upstream.json')
  writeFileSync(path, `${JSON.stringify(await upstreamInstruments(), undefined, 1)}\n`)
}
