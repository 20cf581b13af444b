// The gateway beside those that users would have in its place, alternating in one run, each a process of its own before the same backend.
// `npm run bench -- gateway [--seconds 6] [--rounds 3] [--routes 200] [--only warm|held|streams] [--held 10000] [--without upstream,nginx]`
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { cpus, loadavg, release, tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { systemClock } from '#kube/clock.ts'
import { bundle, writeBundle } from '../scripts/image/bundle.ts'
import { PartUnavailable } from '../test/real/cache.ts'
import { gatewayPeers } from '../test/real/gateway/peers.ts'
import { backendObjects, collectionPath, GatewaySite, machineAddress } from '../test/real/gateway/site.ts'
import { needProgramsOfImage } from '../test/real/image/programs-of-image.ts'
import { needPrograms, placeOf } from '../test/real/machine-programs.ts'
import { until } from '../test/real/metrics/servers.ts'
import { commandOutput } from '../test/real/run-command.ts'
import { type BudgetRow, budgetTable } from './budget-table.ts'
import { familyOf, makeRoutes, type Peer, routeObject, startNginx, startPeer, startReverseProxy } from './gateway-peers.ts'
import { cpuMsOf } from './twin-process.ts'

const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '6' },
    rounds: { type: 'string', default: '3' },
    routes: { type: 'string', default: '200' },
    held: { type: 'string', default: '10000' },
    only: { type: 'string' },
    without: { type: 'string', default: '' },
  },
})
const seconds = Number(values.seconds)
const rounds = Number(values.rounds)
const routes = Number(values.routes)
const heldCount = Number(values.held)
const without = new Set(values.without.split(','))
const connections = 64
const wantedPerSecond = 20_000
const streamCount = 500
const eventsPerSecond = 20
/** What the target of held requests answers a second. */
const sleeperRate = 5_000
const host = `route-${Math.floor(routes / 2)}.test`

await using stack = new AsyncDisposableStack()
const directory = mkdtempSync(join(tmpdir(), 'ballast-bench-gateway-'))
stack.defer(() => rmSync(directory, { recursive: true, force: true }))

const mebibytesOf = (pid: number, field: 'VmRSS' | 'VmHWM') =>
  familyOf(pid)
    .map(one => new RegExp(`^${field}:\\s+(\\d+) kB`, 'm').exec(readFileSync(`/proc/${one}/status`, 'utf8'))?.[1])
    .reduce((sum, kibibytes) => sum + Number(kibibytes ?? Number.NaN) / 1_024, 0)
const cpuMs = (pid: number) => familyOf(pid).reduce((sum, one) => sum + cpuMsOf(one), 0)
const median = (numbers: readonly number[]) => numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)] ?? Number.NaN
const say = (line: string) => void process.stdout.write(`  ${line}\n`)

const app = join(directory, 'app')
writeBundle(await bundle(join(import.meta.dirname, '..')), app)
const hold = { requestsPerRoute: 20_000, requests: 20_000, mebibytesPerRoute: 256, mebibytes: 512 }

await needPrograms('wrk')
await needProgramsOfImage()
const backend = await startPeer(stack, 'backend', '-listen=0.0.0.0:0')
const backendPort = Number(await backend.line())
const site = stack.use(await GatewaySite.start())
await makeRoutes(site, backendPort, routes)

/** A part that the machine cannot have is left out, and said. */
async function had(name: string, start: () => Promise<Peer>): Promise<readonly Peer[]> {
  if (without.has(name)) return []
  try {
    return [await start()]
  } catch (error) {
    if (!(error instanceof PartUnavailable)) throw error
    say(`without ${name}: ${error.message}`)
    return []
  }
}

const direct: Peer = { name: 'direct', port: backendPort, pid: backend.pid }
const services = ['app.default', 'sleeper.default']
const interceptor = () => site.upstream(services).then(({ port, pid }): Peer => ({ name: 'interceptor', port, pid }))
/** Ours with HAProxy as data plane, as the image has it, or all by itself. */
const ownPeer = (name: string, dataPlane: string) => async (): Promise<Peer> => {
  const { port, pid } = await site.ours([process.execPath, join(app, 'ballast.mjs')], { hold, dataPlane })
  return { name, port, pid }
}
const ours = ownPeer('ours', 'haproxy')
const alone = ownPeer('ours without HAProxy', 'builtin')
const peers: readonly Peer[] = [
  direct,
  ...(await had('nginx', () => startNginx(stack, directory, backendPort, routes))),
  ...(await had('go', () => startReverseProxy(stack, backendPort, routes))),
  ...(await had('upstream', interceptor)),
  ...(await had('alone', alone)),
  ...(await had('ours', ours)),
]

async function statusOf(peer: Peer, name: string): Promise<string> {
  const asked = ['-s', '-o', '/dev/null', '-w', '%{http_code}', '-m', '5', '-H', `Host: ${name}`]
  return await commandOutput('curl', [...asked, `http://127.0.0.1:${peer.port}/`])
}

async function conditions(): Promise<string> {
  const [cpu] = cpus()
  const memory = Number(/^MemTotal:\s+(\d+)/m.exec(readFileSync('/proc/meminfo', 'utf8'))?.[1] ?? 0) / 2 ** 20
  const versions = `Node ${process.versions.node}, ${(await commandOutput('go', ['version'])).split(' ')[2]}`
  const load = loadavg()
    .map(value => value.toFixed(2))
    .join(' ')
  return `${cpus().length} × ${cpu?.model.trim()}, ${memory.toFixed(0)} GiB, Linux ${release()}, ${versions}; load before ${load}`
}

interface Warm {
  readonly perSecond: number
  readonly cpuMicros: number
  readonly mebibytes: number
  readonly p99Ms: number
  readonly errors: number
}

const toMs: Readonly<Record<string, number>> = { us: 0.001, ms: 1, s: 1_000 }

/** As many requests as it answers, one thread of wrk. */
async function warm({ port, pid }: Peer): Promise<Warm> {
  const before = cpuMs(pid)
  const args = ['-t1', `-c${connections}`, `-d${seconds}s`, '--latency', '-H', `Host: ${host}`, `http://127.0.0.1:${port}/`]
  const output = await commandOutput(placeOf('wrk') ?? 'wrk', args)
  const took = cpuMs(pid) - before
  const [, count = '0', lasted = '0'] = /(\d+) requests in ([\d.]+)s/.exec(output) ?? []
  const [, p99 = '0', unit = 'ms'] = /99%\s+([\d.]+)(us|ms|s)/.exec(output) ?? []
  const refused = Number(/Non-2xx or 3xx responses: (\d+)/.exec(output)?.[1] ?? 0)
  const broken = /Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)/.exec(output)?.slice(1).map(Number) ?? []
  return {
    perSecond: Number(count) / Number(lasted),
    cpuMicros: (took * 1_000) / Number(count),
    mebibytes: mebibytesOf(pid, 'VmRSS'),
    p99Ms: Number(p99) * (toMs[unit] ?? 1),
    errors: broken.reduce((sum, value) => sum + value, refused),
  }
}

/** Latency of requests that come at even times, from when each was due. */
async function paced({ port, name }: Peer, rate: number): Promise<{ readonly p50Ms: number; readonly p99Ms: number }> {
  const url = `http://127.0.0.1:${port}/`
  const flags = [`-url=${url}`, `-host=${host}`, `-rate=${rate}`, `-connections=${connections}`, `-for=${seconds}s`]
  const { broken, ...found } = JSON.parse(await commandOutput(await gatewayPeers(), ['paced', ...flags]))
  if (broken > 0) say(`${name}: ${broken} requests broken`)
  return found
}

function rowsOf<Figure>(
  found: ReadonlyMap<string, Figure>,
  wanted: readonly (readonly [string, string, (one: Figure) => number, BudgetRow['budget']?])[],
  beside: readonly string[],
): readonly BudgetRow[] {
  const own = found.get('ours')
  if (own === undefined) return []
  return wanted.flatMap(([what, unit, of, budget]) =>
    beside
      .filter(name => found.has(name))
      .map((name, at): BudgetRow => {
        const other = found.get(name)
        return {
          ...{ what: at === 0 ? what : '', unit, value: of(own) },
          ...(budget === undefined || at > 0 ? {} : { budget }),
          ...(other === undefined ? {} : { other: { name, value: of(other) } }),
        }
      }),
  )
}

async function measureWarm(): Promise<readonly BudgetRow[]> {
  const all = new Map<string, Warm[]>()
  for (const peer of peers) await warm(peer) // their code is warm from here on
  for (let round = 0; round < rounds; round++)
    for (const peer of peers) {
      const figures = await warm(peer)
      all.set(peer.name, [...(all.get(peer.name) ?? []), figures])
      if (figures.errors > 0) say(`${peer.name}: ${figures.errors} errors`)
    }
  const found = new Map(
    [...all].map(([name, list]): [string, Warm] => {
      const of = (value: (one: Warm) => number) => median(list.map(value))
      return [
        name,
        {
          perSecond: of(one => one.perSecond),
          cpuMicros: of(one => one.cpuMicros),
          mebibytes: of(one => one.mebibytes),
          p99Ms: of(one => one.p99Ms),
          errors: list.reduce((sum, { errors }) => sum + errors, 0),
        },
      ]
    }),
  )
  for (const [name, { perSecond, cpuMicros, mebibytes, p99Ms, errors }] of found)
    say(
      `${name}: ${perSecond.toFixed(0)}/s, ${cpuMicros.toFixed(1)} µs a request, ${mebibytes.toFixed(0)} MiB, p99 ${p99Ms.toFixed(2)} ms, ${errors} errors`,
    )
  // Half of what it has to carry, or of what it carries where that is less.
  const rate = Math.min(found.get('ours')?.perSecond ?? wantedPerSecond, wantedPerSecond) / 2
  const latencies = new Map<string, { readonly p50Ms: number; readonly p99Ms: number }>()
  for (const peer of peers) {
    const list: Awaited<ReturnType<typeof paced>>[] = []
    for (let round = 0; round < rounds; round++) list.push(await paced(peer, rate))
    const middle = { p50Ms: median(list.map(({ p50Ms }) => p50Ms)), p99Ms: median(list.map(({ p99Ms }) => p99Ms)) }
    latencies.set(peer.name, middle)
    say(`${peer.name} at ${rate.toFixed(0)}/s: p50 ${middle.p50Ms.toFixed(2)} ms, p99 ${middle.p99Ms.toFixed(2)} ms`)
  }
  const directP99 = latencies.get('direct')?.p99Ms ?? 0
  const others = ['interceptor', 'Go proxy', 'nginx', 'ours without HAProxy']
  return [
    ...rowsOf(
      found,
      [
        [`${routes} routes, ${connections} connections, 1 KiB`, '/s', ({ perSecond }) => perSecond, { atLeast: wantedPerSecond }],
        ['  processor for one', 'µs', ({ cpuMicros }) => cpuMicros, { atMost: 40 }],
        ['  resident', 'MiB', ({ mebibytes }) => mebibytes],
      ],
      others,
    ),
    ...rowsOf(
      latencies,
      [[`p99 added at ${rate.toFixed(0)}/s`, 'ms', ({ p99Ms }) => Math.max(0.01, p99Ms - directP99), { atMost: 2 }]],
      others,
    ),
  ]
}

interface Held {
  readonly peakMebibytes: number
  readonly keptMebibytes: number
  readonly answered: number
  readonly lastMs: number
  readonly statuses: Readonly<Record<string, number>>
}

/** All wait for a target that becomes ready when the last has been sent. Each has a process of its own, so that the peak is of these requests. */
async function held(start: () => Promise<Peer>): Promise<Held> {
  const own = new AsyncDisposableStack()
  const sleeper = await startPeer(own, 'backend', '-listen=0.0.0.0:0', `-most=${sleeperRate}`)
  const port = Number(await sleeper.line())
  const [service, slice] = backendObjects('sleeper', port, false)
  if (service === undefined || slice === undefined) throw new Error('a Service and its slice')
  const objects = [service, slice, routeObject('sleeper', 'sleeper', port)]
  await site.make(objects)
  try {
    const peer = await start()
    // A route that is not there answers 404; this one waits.
    await until('the route to be known', async () => (await statusOf(peer, 'route-0.test')) === '200')
    await systemClock.after(2_000)
    const before = mebibytesOf(peer.pid, 'VmRSS')
    const load = await startPeer(own, 'held', `-url=http://127.0.0.1:${peer.port}/`, '-host=sleeper.test', `-count=${heldCount}`)
    await load.line()
    await systemClock.after(2_000)
    const waiting = mebibytesOf(peer.pid, 'VmRSS')
    const path = `${collectionPath('EndpointSlice')}/${slice.metadata.name}`
    const endpoints = [{ addresses: [machineAddress()], conditions: { ready: true } }]
    await site.plane.client.want('PATCH', path, { endpoints })
    load.goOn()
    const { statuses, lastMs } = JSON.parse(await load.line())
    const figures = {
      peakMebibytes: mebibytesOf(peer.pid, 'VmHWM'),
      keptMebibytes: waiting - before,
      answered: statuses['200'] ?? 0,
      lastMs,
      statuses,
    }
    say(`${peer.name}: ${before.toFixed(0)} MiB before, ${waiting.toFixed(0)} MiB with all held; ${JSON.stringify(figures)}`)
    return figures
  } finally {
    for (const { kind, metadata } of objects) await site.plane.client.want('DELETE', `${collectionPath(kind)}/${metadata.name}`)
    await own.disposeAsync()
  }
}

async function measureHeld(): Promise<readonly BudgetRow[]> {
  const found = new Map<string, Held>()
  if (!without.has('upstream')) found.set('interceptor', await held(interceptor))
  if (!without.has('alone')) found.set('ours without HAProxy', await held(alone))
  found.set('ours', await held(ours))
  return rowsOf(
    found,
    [
      [`${heldCount} held: resident at most`, 'MiB', ({ peakMebibytes }) => peakMebibytes, { atMost: 300 }],
      ['  answered', '', ({ answered }) => answered, { atLeast: heldCount }],
      [`  last answer after Ready (${sleeperRate}/s)`, 'ms', ({ lastMs }) => lastMs, { atMost: 5_000 }],
    ],
    ['interceptor', 'ours without HAProxy'],
  )
}

interface Streams {
  readonly events: number
  readonly broken: number
  readonly p50Ms: number
  readonly p99Ms: number
  readonly cpuMicros: number
}

async function streamsThrough(peer: Peer): Promise<Streams> {
  await using own = new AsyncDisposableStack()
  const load = await startPeer(
    own,
    'streams',
    `-url=http://127.0.0.1:${peer.port}/events?rate=${eventsPerSecond}`,
    `-host=${host}`,
    `-count=${streamCount}`,
    `-for=${seconds}s`,
  )
  await load.line()
  await systemClock.after(1_000)
  const before = cpuMs(peer.pid)
  load.goOn()
  const found: Omit<Streams, 'cpuMicros'> = JSON.parse(await load.line())
  const cpuMicros = ((cpuMs(peer.pid) - before) * 1_000) / found.events
  say(
    `${peer.name}: ${found.events} events, ${found.broken} streams broken, p50 ${found.p50Ms.toFixed(2)} ms, p99 ${found.p99Ms.toFixed(2)} ms, ${cpuMicros.toFixed(1)} µs an event`,
  )
  return { ...found, cpuMicros }
}

async function measureStreams(): Promise<readonly BudgetRow[]> {
  const found = new Map<string, Streams>()
  for (const peer of peers) found.set(peer.name, await streamsThrough(peer))
  const straight = found.get('direct')?.p50Ms ?? 0
  return rowsOf(
    found,
    [
      [
        `${streamCount} streams × ${eventsPerSecond} events/s: p50 added`,
        'ms',
        ({ p50Ms }) => Math.max(0.01, p50Ms - straight),
        { atMost: 1 },
      ],
      ['  p99', 'ms', ({ p99Ms }) => p99Ms, { atMost: 40 }],
      ['  processor for one event', 'µs', ({ cpuMicros }) => cpuMicros],
    ],
    ['interceptor', 'Go proxy', 'nginx', 'ours without HAProxy'],
  )
}

say(await conditions())
for (const peer of peers) {
  await until(`${peer.name} to lead to the backend`, async () => (await statusOf(peer, host)) === '200')
  say(`${peer.name}: ${mebibytesOf(peer.pid, 'VmRSS').toFixed(0)} MiB at rest`)
}
const parts = { warm: measureWarm, streams: measureStreams, held: measureHeld }
const rows: BudgetRow[] = []
for (const [name, part] of Object.entries(parts))
  if (values.only === undefined || values.only.split(',').includes(name)) rows.push(...(await part()))
if (rows.length > 0) process.stdout.write(`${budgetTable(rows)}\n`)
