// How many watch events a second one core takes in: split, parsed, projected, stored, indexed and told to a handler; pods of 7.8 KB that
// turn ready and unready. Beside it what parsing the same lines alone costs. Run it alone: `node bench/watch-intake.ts`.
import { spawnSync } from 'node:child_process'
import { closeSync, mkdtempSync, openSync, readFileSync, readSync, rmSync, statSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { podNeed } from '#coordination/facts/cluster-view.ts'
import { openApi } from '#kube/client/api.ts'
import type { Transport, TransportStream } from '#kube/client/transport.ts'
import { systemClock } from '#kube/clock.ts'
import { Informers } from '#kube/informers/informer.ts'
import { builtIn } from '#kube/objects/resource.ts'
import { seededRandom } from '#kube/random.ts'
import { realPod } from './real-pods.ts'
import type { Figure } from './scheduler-model.ts'

const pods = 2_000
const rounds = 12
const budgetPerSecond = 30_000
const chunkBytes = 64 * 1024

/** Writes the lines of all rounds: in a process of its own, so that what it leaves behind is not cleared away while others are measured. */
function writeLines(file: string): void {
  const descriptor = openSync(file, 'w')
  for (let round = 0; round < rounds; round++) {
    for (let index = 0; index < pods; index++) {
      const object = realPod(index, 2 + round * pods + index, round % 2 === 0)
      writeSync(descriptor, `${JSON.stringify({ type: round === 0 ? 'ADDED' : 'MODIFIED', object })}\n`)
    }
  }
  closeSync(descriptor)
}

function threadSeconds(since?: NodeJS.CpuUsage): number {
  const { user, system } = process.threadCpuUsage(since)
  return (user + system) / 1e6
}

/** An API server of nothing but one empty list and one watch. */
function servedBy(chunks: AsyncIterable<Uint8Array>): Transport {
  const empty = JSON.stringify({ kind: 'PodList', apiVersion: 'v1', metadata: { resourceVersion: '1' }, items: [] })
  const answer = (body: AsyncIterable<Uint8Array>): TransportStream => ({ status: 200, headers: {}, chunks: body })
  return {
    request: () => Promise.reject(new Error('nothing is asked one by one')),
    stream: async ({ query }) => answer(query?.['watch'] === 'true' ? chunks : once(Buffer.from(empty))),
    close: async () => undefined,
  }
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes
}

/** CPU seconds that one core takes for all rounds but the first third, in which it compiles. */
async function takeIn(file: string): Promise<number> {
  const descriptor = openSync(file, 'r')
  const warmFrom = Math.floor(rounds / 3) * pods
  const over = Promise.withResolvers<number>()
  let told = 0
  let start: NodeJS.CpuUsage | undefined
  async function* stream(): AsyncGenerator<Uint8Array> {
    for (;;) {
      const chunk = Buffer.allocUnsafe(chunkBytes)
      const length = readSync(descriptor, chunk)
      if (length === 0) break
      yield chunk.subarray(0, length)
      if (told >= warmFrom) start ??= process.threadCpuUsage()
    }
    over.resolve(threadSeconds(start))
    await new Promise(() => undefined)
  }
  const stop = new AbortController()
  const api = openApi(servedBy(stream()), { clock: systemClock, userAgent: 'bench' })
  const informers = new Informers(api, { clock: systemClock, random: seededRandom(1), watchList: 'off', signal: stop.signal })
  informers.of(builtIn.pods, { fields: podNeed.fields ?? [] }).onChange(() => told++)
  const seconds = await over.promise
  if (told !== pods * rounds) throw new Error(`${told} changes were told of ${pods * rounds}`)
  return seconds
}

/** What it takes to parse the same lines and no more. */
function parseOnly(file: string): number {
  const bytes = readFileSync(file)
  const warmFrom = Math.floor(rounds / 3) * pods
  let start: NodeJS.CpuUsage | undefined
  let from = 0
  for (let end = bytes.indexOf(10), line = 0; end >= 0; end = bytes.indexOf(10, from), line++) {
    if (line === warmFrom) start = process.threadCpuUsage()
    JSON.parse(bytes.toString('latin1', from, end))
    from = end + 1
  }
  return threadSeconds(start)
}

/** Runs one of the above in a process of its own and yields what it printed. */
function apart(task: string, file: string): number {
  const { stdout, status } = spawnSync(process.execPath, [import.meta.filename, task, file], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  if (status !== 0) throw new Error(`${task} ended with ${status}`)
  return Number(stdout.toString())
}

export function intakeFigures(): readonly Figure[] {
  const folder = mkdtempSync(join(tmpdir(), 'ballast-bench-'))
  try {
    const file = join(folder, 'watch')
    apart('write', file)
    const events = pods * (rounds - Math.floor(rounds / 3))
    const runs = Array.from({ length: 3 }, () => ({ taken: apart('take-in', file), parsed: apart('parse', file) }))
    const taken = Math.min(...runs.map(run => run.taken))
    const parsed = Math.min(...runs.map(run => run.parsed))
    return [
      { name: 'bytes of an event', value: statSync(file).size / pods / rounds, unit: 'B' },
      { name: 'events taken in on one core', value: events / taken, unit: 'a second', target: budgetPerSecond },
      { name: 'the same lines with JSON.parse alone', value: events / parsed, unit: 'a second' },
      { name: 'taking in, of what parsing alone costs', value: taken / parsed, unit: 'times' },
    ]
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

async function main([task, file = '']: readonly string[]): Promise<void> {
  if (task === 'write') writeLines(file)
  else if (task === 'take-in') process.stdout.write(String(await takeIn(file)), () => process.exit())
  else if (task === 'parse') process.stdout.write(String(parseOnly(file)))
  else
    for (const { name, value, unit, target } of intakeFigures()) {
      const budget = target === undefined ? '' : `   budget: ${target} (${value >= target ? 'met' : 'missed'})`
      process.stdout.write(`${name.padEnd(44)} ${value.toFixed(value < 10 ? 2 : 0).padStart(10)} ${unit}${budget}\n`)
    }
}

if (import.meta.main) await main(process.argv.slice(2))
