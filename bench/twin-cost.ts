// What requests cost the server that answers them: processor time of the twin's process, beside kube-apiserver and etcd with the same pods,
// in one run, by turns. Processor time and not the clock, so that others on the machine change little. The components of the twin are off:
// what answers is an API server, as on the other side. `node bench/twin-cost.ts [PODS [WRITTEN]] [--no-real]`: so many are listed, so many
// others are written.
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, writeSync } from 'node:fs'
import type { ClientHttp2Session } from 'node:http2'
import { cpus, loadavg, tmpdir } from 'node:os'
import { join } from 'node:path'
import { constants, gunzipSync } from 'node:zlib'
import type { KubeObject } from '#kube/objects/objects.ts'
import { PartUnavailable } from '#test/real/cache.ts'
import { startControlPlane } from '#test/real/control-plane/start.ts'
import { hold } from '#test/real/descheduler/stored-cluster.ts'
import { realPod } from './real-pods.ts'
import { connectTo, quantile, request } from './twin-client.ts'
import { cpuMsOf, peakRssOf, startTwinProcess } from './twin-process.ts'

const writers = 16
const rounds = 4
const pageSize = 500
const words = process.argv.slice(2)
const [pods = 30_000, written = 4_000] = words.filter(word => !word.startsWith('-')).map(Number)
const namespace = 'written'

/** A server, and what it has used so far. */
interface Side {
  readonly name: string
  readonly kubeconfig: string
  /** Milliseconds of the server's process, user and system. */
  readonly cpuMs: () => number
  /** The same of its store, where that is another process. */
  readonly storeCpuMs: () => number
  readonly peakBytes: () => number
  readonly stop: () => Promise<void>
}

/** Both sides have them as they are, with their times and statuses. */
function* listedPods(): Generator<KubeObject> {
  for (let index = 0; index < pods; index++) yield realPod(index, 1)
}

async function twinSide(): Promise<Side> {
  const directory = mkdtempSync(join(tmpdir(), 'ballast-bench-cost-'))
  const dump = join(directory, 'pods.json')
  const file = openSync(dump, 'w')
  writeSync(file, '{"apiVersion":"v1","kind":"List","items":[')
  let separator = ''
  for (const pod of listedPods()) {
    writeSync(file, separator + JSON.stringify(pod))
    separator = ',\n'
  }
  writeSync(file, ']}')
  closeSync(file)
  const flags = ['--cluster', dump, '--scheduler', 'off', '--kubelet', 'off', '--controllers', '-*', '--heartbeat', 'off']
  const twin = await startTwinProcess(flags, { startMs: 600_000 })
  rmSync(directory, { recursive: true })
  return {
    name: 'twin',
    kubeconfig: twin.kubeconfig,
    cpuMs: twin.cpuMs,
    storeCpuMs: () => 0,
    peakBytes: twin.peakRssBytes,
    stop: twin.stop,
  }
}

async function realSide(): Promise<Side | undefined> {
  if (words.includes('--no-real')) return undefined
  try {
    const plane = await startControlPlane({ scheduler: 'off', controllerManager: false })
    await hold(plane, listedPods().toArray())
    const [server, store] = [childOf('kube-apiserver'), childOf('etcd')]
    return {
      name: `kube-apiserver ${plane.serverVersion}`,
      kubeconfig: plane.kubeconfig,
      cpuMs: () => cpuMsOf(server),
      storeCpuMs: () => cpuMsOf(store),
      peakBytes: () => peakRssOf(server),
      stop: plane.stop,
    }
  } catch (cause) {
    if (!(cause instanceof PartUnavailable)) throw cause
    console.log(`no real server to compare with: ${cause.message}`)
    return undefined
  }
}

/** The process that this one started of a program. */
function childOf(program: string): number {
  const children = readFileSync(`/proc/self/task/${process.pid}/children`, 'utf8').trim().split(' ').map(Number)
  const found = children.find(pid => readFileSync(`/proc/${pid}/comm`, 'utf8').trim() === program)
  if (found === undefined) throw new Error(`${program} does not run`)
  return found
}

interface Sent {
  readonly method: string
  readonly path: string
  readonly body?: object
  readonly type?: string
}

async function send(session: ClientHttp2Session, { method, path, body, type = 'application/json' }: Sent): Promise<void> {
  const headers = { ':method': method, ':path': path, accept: 'application/json', 'content-type': type }
  const { status, start } = await request(session, headers, body === undefined ? undefined : JSON.stringify(body))
  if (status >= 300) throw new Error(`${method} ${path}: ${status} ${start.slice(0, 400)}`)
}

const placeOf = `/api/v1/namespaces/${namespace}/pods`
const pathOf = (index: number) => `${placeOf}/pod-${index}`

/** Pod number `index` as a controller makes it. */
function madePod(index: number): object {
  const { metadata, spec } = realPod(index, 1)
  const given: Readonly<Record<string, unknown>> = { ...Object(spec) }
  const { nodeName: _node, serviceAccount: _account, priority: _priority, ...rest } = given
  const { labels, annotations, ownerReferences } = metadata
  return { metadata: { name: `pod-${index}`, labels, annotations, ownerReferences }, spec: rest }
}

/** What an API server is told of pods by controllers, schedulers and kubelets, and asked for. */
const requests: readonly { readonly what: string; of(index: number): Sent }[] = [
  { what: 'create', of: index => ({ method: 'POST', path: placeOf, body: madePod(index) }) },
  {
    what: 'bind',

    of: index => ({
      method: 'POST',
      path: `${pathOf(index)}/binding`,
      body: { metadata: { name: `pod-${index}` }, target: { kind: 'Node', name: `node-${index % 100}` } },
    }),
  },
  {
    what: 'status patch',

    of: index => ({
      method: 'PATCH',
      path: `${pathOf(index)}/status`,
      body: { status: realPod(index, 1)['status'] },
      type: 'application/strategic-merge-patch+json',
    }),
  },
  {
    what: 'label patch',
    of: index => ({
      method: 'PATCH',
      path: pathOf(index),
      body: { metadata: { labels: { touched: 'yes' } } },
      type: 'application/merge-patch+json',
    }),
  },
  { what: 'read', of: index => ({ method: 'GET', path: pathOf(index) }) },
]

interface ListForm {
  readonly what: string
  readonly headers: Readonly<Record<string, string>>
  /** In packed pages of {@link pageSize}. */
  readonly isPaged?: boolean
}

const json = { accept: 'application/json' }
const packed = { 'accept-encoding': 'gzip' }
const forms: readonly ListForm[] = [
  { what: 'JSON', headers: json },
  { what: 'JSON, gzip', headers: { ...json, ...packed } },
  { what: 'JSON, gzip, pages of 500', headers: { ...json, ...packed }, isPaged: true },
  {
    what: 'client-go: protobuf, or JSON',
    headers: { accept: 'application/vnd.kubernetes.protobuf,application/json', ...packed },
  },
  {
    what: 'kubectl get: tables of 500, gzip',
    headers: {
      accept: 'application/json;as=Table;v=v1;g=meta.k8s.io,application/json;as=Table;v=v1beta1;g=meta.k8s.io,application/json',
      ...packed,
    },
    isPaged: true,
  },
  { what: 'metadata', headers: { accept: 'application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1' } },
  { what: 'curl: indented JSON', headers: { accept: '*/*', 'user-agent': 'curl/8.14.1' } },
]

/** Reads all pods; yields the bytes that came. */
async function list(session: ClientHttp2Session, { headers, isPaged }: ListForm): Promise<number> {
  let bytes = 0
  for (let token: string | undefined = ''; token !== undefined; ) {
    const query = isPaged === true ? `?limit=${pageSize}${token === '' ? '' : `&continue=${token}`}` : ''
    const answer = await request(session, { ':path': `/api/v1/pods${query}`, ...headers })
    if (answer.status !== 200) throw new Error(`a list was answered with ${answer.status}: ${answer.start}`)
    bytes += answer.bytes
    token = isPaged === true ? tokenIn(answer.start) : undefined
  }
  return bytes
}

/** Where a packed page goes on. */
function tokenIn(start: string): string | undefined {
  // The rest of the page is not there: what comes out until then is enough.
  const text = gunzipSync(Buffer.from(start, 'latin1'), { finishFlush: constants.Z_SYNC_FLUSH }).toString()
  return /"continue":"([^"]+)"/.exec(text)?.[1]
}

/** Milliseconds of processor time. */
interface Cost {
  readonly serverMs: number
  readonly storeMs: number
}

/** With a connection of its own: servers close those on which nothing happens while the other side has its turn. */
async function connected<T>({ kubeconfig }: Side, act: (session: ClientHttp2Session) => Promise<T>): Promise<T> {
  const session = connectTo(kubeconfig)
  try {
    return await act(session)
  } finally {
    session.destroy()
  }
}

/** Work of each side by turns, who is first changing: of each the rounds that it took. */
async function inTurns(
  work: (session: ClientHttp2Session, side: Side, round: number) => Promise<unknown>,
): Promise<readonly (readonly Cost[])[]> {
  const found = sides.map((): Cost[] => [])
  for (let round = 0; round < rounds; round++) {
    const order = [...sides.entries()]
    for (const [at, side] of round % 2 === 0 ? order : order.toReversed()) {
      const [serverMs, storeMs] = [side.cpuMs(), side.storeCpuMs()]
      await connected(side, session => work(session, side, round))
      found[at]?.push({ serverMs: side.cpuMs() - serverMs, storeMs: side.storeCpuMs() - storeMs })
    }
  }
  return found
}

/** Median of all rounds but the first, which warms up; of a side that is not there no number. */
const median = (costs: readonly Cost[] | undefined, of: keyof Cost) =>
  costs === undefined
    ? Number.NaN
    : quantile(
        costs.slice(1).map(cost => cost[of]),
        0.5,
      )

/** `act` for the numbers from `from` to before `to`, a few at a time. */
async function inParallel(from: number, to: number, act: (index: number) => Promise<void>): Promise<void> {
  let next = from
  const one = async () => {
    while (next < to) await act(next++)
  }
  await Promise.all(Array.from({ length: writers }, one))
}

function row(what: string, cells: readonly (string | number)[]): void {
  const shown = (cell: string | number) => (typeof cell === 'string' ? cell : Number.isNaN(cell) ? '-' : cell.toFixed(2))
  console.log(what.padEnd(36) + cells.map(cell => shown(cell).padStart(11)).join(''))
}

const sides: Side[] = []
try {
  sides.push(await twinSide())
  const real = await realSide()
  if (real !== undefined) sides.push(real)
  console.log(
    `${cpus()[0]?.model ?? ''}, ${cpus().length} cores, Node ${process.version}, load ${loadavg()[0]?.toFixed(1)} before`,
  )
  console.log(`${pods} pods of 7.8 KB; ${sides.map(({ name }) => name).join(', ')}`)
  row(`s of CPU for a list of ${pods}`, ['twin', 'real', 'its store', 'ratio', 'first', 'real first', 'MB', 'real MB'])
  for (const form of forms) {
    const bytes = new Map<Side, number>()
    const [own, others] = await inTurns(async (session, side) => bytes.set(side, await list(session, form)))
    const [twinMs, realMs, storeMs] = [median(own, 'serverMs'), median(others, 'serverMs'), median(others, 'storeMs')]
    const firsts = [own, others].map(costs => (costs?.[0]?.serverMs ?? Number.NaN) / 1000)
    row(form.what, [
      twinMs / 1000,
      realMs / 1000,
      storeMs / 1000,
      twinMs / realMs,
      ...firsts,
      ...sides.map(side => (bytes.get(side) ?? 0) / 1e6),
    ])
  }
  for (const side of sides)
    await connected(side, async session => {
      const path = '/api/v1/namespaces'
      await send(session, { method: 'POST', path, body: { metadata: { name: namespace } } })
      await send(session, {
        method: 'POST',
        path: `${path}/${namespace}/serviceaccounts`,
        body: { metadata: { name: 'default' } },
      })
    })
  row(`ms of CPU for one, ${writers} at a time`, ['twin', 'real', 'its store', 'ratio'])
  const each = Math.floor(written / rounds)
  for (const { what, of } of requests) {
    const [own, others] = await inTurns((session, _side, round) =>
      inParallel(round * each, (round + 1) * each, index => send(session, of(index))),
    )
    const [twinMs, realMs] = [median(own, 'serverMs') / each, median(others, 'serverMs') / each]
    row(what, [twinMs, realMs, median(others, 'storeMs') / each, twinMs / realMs])
  }
  row(
    'most resident memory, MiB',
    sides.map(({ peakBytes }) => peakBytes() / 2 ** 20),
  )
} finally {
  for (const side of sides) await side.stop()
}
