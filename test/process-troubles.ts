// Processes that are no controller under the same troubles: the drop-in descheduler, the reporters on nodes, and what measures use. A row starts one on a twin
// and says what it has not done; the harness does each wrong to each request that it makes.
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Registry } from 'prom-client'
import { openApi } from '#kube/client/api.ts'
import type { Transport } from '#kube/client/transport.ts'
import type { VirtualClock } from '#kube/clock.ts'
import { EventRecorder } from '#kube/events/events.ts'
import { Informers } from '#kube/informers/informer.ts'
import { silentLog } from '#kube/log.ts'
import type { KubeObject, Node } from '#kube/objects/objects.ts'
import { builtIn } from '#kube/objects/resource.ts'
import { everything } from '#kube/objects/selector.ts'
import { seededRandom } from '#kube/random.ts'
import type { Twin } from '#twin/twin.ts'
import { emptyReading, type NodeReading } from '../src/capabilities/metrics/decode/reading.ts'
import { Measuring } from '../src/capabilities/metrics/measuring.ts'
import { pathAnnotation } from '../src/capabilities/metrics/names.ts'
import { readinessConfiguration } from '../src/capabilities/readiness/config.ts'
import { reportCondition } from '../src/capabilities/readiness/reporter/condition-reporter.ts'
import { startReporter } from '../src/capabilities/readiness/reporter/reporter.ts'
import { DeschedulerCluster } from './descheduler-cluster.ts'
import { cluster as objectsOf, policyOf, tainted } from './descheduler-objects.ts'
import { node } from './small-cluster.ts'
import { TroubledWire, type TroubleKind, troubleKinds, WireScene } from './troubled-wire.ts'

/** What a process is given and asked for. */
export interface ProcessRow {
  readonly objects: readonly KubeObject[]
  /** Starts it; disposing ends it. */
  start(on: Stage): Promise<AsyncDisposable & { /** Why it ended by itself. */ ended(): string | undefined }>
  /** Something new for it to do. */
  work(on: Stage): Promise<void>
  /** What is not as it is to be in the end: a line each. */
  undone(on: Stage): readonly string[]
  /** What may never be: a line each. */
  faults(on: Stage): readonly string[]
  /** How long it takes at most without trouble, in milliseconds of the cluster. */
  readonly limitMs: number
}

interface Stage {
  readonly cluster: DeschedulerCluster
  readonly twin: Twin
  readonly clock: VirtualClock
  readonly between: (inner: Transport) => Transport
}

/** `burst`: the next four requests; `long`: for five minutes. */
export interface ProcessRun {
  readonly kind: TroubleKind
  readonly key: string
  readonly moment: 'at start' | 'under way'
  readonly length: 'burst' | 'long'
}

const burst = 4
const longMs = 300_000
const backOffMs = 120_000
const { signal } = new AbortController()

/** Every run of a row, found by one without trouble. @throws Error where the row itself is wrong */
export async function processRuns(row: ProcessRow): Promise<readonly ProcessRun[]> {
  const { scene, faults } = await play(row, undefined)
  if (faults.length > 0) throw new Error(`the row is wrong without trouble: ${faults.join('; ')}`)
  return [...scene.seen.keys()].flatMap(key =>
    troubleKinds.flatMap(kind =>
      (['at start', 'under way'] as const).flatMap(moment =>
        (['burst', 'long'] as const).map(length => ({ kind, key, moment, length })),
      ),
    ),
  )
}

/** What was wrong in a run: nothing where all is well. */
export async function processFaultsOf(row: ProcessRow, run: ProcessRun): Promise<readonly string[]> {
  return (await play(row, run)).faults
}

async function play(
  row: ProcessRow,
  run: ProcessRun | undefined,
): Promise<{ readonly scene: WireScene; readonly faults: readonly string[] }> {
  const scene = new WireScene()
  await using cluster = await DeschedulerCluster.start(row.objects)
  const { clock, twin } = cluster
  const on: Stage = { cluster, twin, clock, between: inner => new TroubledWire(inner, clock, scene) }
  const trouble = run && { kind: run.kind, key: run.key, ...(run.length === 'burst' && { count: burst }) }
  const faults: string[] = []
  if (trouble !== undefined && run?.moment === 'at start') scene.begin(trouble)
  const started = await row.start(on)
  try {
    if (run?.moment !== 'at start') {
      await passes(cluster, row.limitMs, () => row.undone(on).length === 0)
      faults.push(...row.undone(on).map(line => `before any trouble: ${line}`))
      if (trouble !== undefined) scene.begin(trouble)
    }
    await row.work(on)
    if (run?.length === 'long') await passes(cluster, longMs, () => started.ended() !== undefined)
    else await passes(cluster, longMs, () => scene.isOver || started.ended() !== undefined)
    scene.end()
    await passes(cluster, row.limitMs + backOffMs, () => row.undone(on).length === 0 || started.ended() !== undefined)
    await passes(cluster, 10_000, () => false)
    const ended = started.ended()
    faults.push(...row.undone(on), ...row.faults(on), ...(ended === undefined ? [] : [`it ended: ${ended}`]))
  } finally {
    await started[Symbol.asyncDispose]()
  }
  return { scene, faults }
}

async function passes(cluster: DeschedulerCluster, ms: number, done: () => boolean): Promise<void> {
  const untilMs = cluster.clock.now() + ms
  if (!done()) await cluster.until(() => done() || cluster.clock.now() >= untilMs, 500)
}

const policy = policyOf({ deschedule: { RemovePodsViolatingNodeTaints: {} } })

const late: KubeObject = {
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name: 'late', namespace: 'shop', annotations: { 'descheduler.alpha.kubernetes.io/evict': '' } },
  spec: { nodeName: 'n1', containers: [{ name: 'main', image: 'registry.example/late:1' }] },
}

const descheduler: ProcessRow = {
  objects: objectsOf([tainted('n1'), node('n2')], { n1: 2 }),
  limitMs: 150_000,
  async start({ cluster, between }) {
    const run = cluster.run({ policy, settings: { deschedulingIntervalMs: 60_000 }, between })
    return {
      ended: () => (run.end === undefined ? undefined : String(run.end.error ?? 'without an error')),
      [Symbol.asyncDispose]: async () => run.kill(),
    }
  },
  async work({ cluster }) {
    await cluster.admin.resource<KubeObject>(builtIn.pods).create(late, { namespace: 'shop', signal })
  },
  undone: ({ cluster }) =>
    Object.entries(cluster.standing()).flatMap(([name, on]) => (on === 'n1' ? [`${name} is on n1 still`] : [])),
  // Three pods were on n1: whoever is evicted once more was not.
  faults: ({ cluster }) => (cluster.evictions.filter(line => line.startsWith('201')).length > 3 ? ['evicted twice'] : []),
}

const conditionType = 'ballast.dev/MirrorReady'
const reported: Node = {
  ...node('n1'),
  status: { conditions: [{ type: 'Ready', status: 'True' }], addresses: [{ type: 'InternalIP', address: '127.0.0.1' }] },
}

/** Answers 500 until it is told to be well. */
async function endpoint() {
  const state = { isWell: false }
  const server = createServer((request, response) => {
    if (request.url === '/ballast/notices') response.writeHead(404).end()
    else response.writeHead(state.isWell ? 200 : 500, { connection: 'close' }).end('NoPeers: nobody')
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  return { state, port: (server.address() as AddressInfo).port, close: () => server.close() }
}

function reporterRow(
  start: (on: Stage & { readonly port: number }, stop: AbortSignal) => Promise<() => Promise<void>>,
): ProcessRow {
  let open: Awaited<ReturnType<typeof endpoint>> | undefined
  const condition = ({ twin }: Stage, type: string) =>
    (twin.access.list('nodes') as readonly Node[])
      .find(({ metadata }) => metadata.name === 'n1')
      ?.status?.conditions?.find(one => one.type === type)?.status
  return {
    objects: [reported],
    limitMs: 60_000,
    async start(on) {
      const server = await endpoint()
      open = server
      const stop = new AbortController()
      const end = await start({ ...on, port: server.port }, stop.signal)
      return {
        ended: () => undefined,
        [Symbol.asyncDispose]: async () => {
          stop.abort(new DOMException('stopped', 'AbortError'))
          await end()
          server.close()
        },
      }
    },
    async work() {
      if (open !== undefined) open.state.isWell = true
    },
    undone: on => {
      const expected = open?.state.isWell === true ? 'True' : 'False'
      const found = condition(on, conditionType)
      return found === expected ? [] : [`the condition is ${found}, not ${expected}`]
    },
    faults: on => (condition(on, 'Ready') === 'True' ? [] : ['the condition of the kubelet is gone']),
  }
}

const apiOf = ({ twin, clock, between }: Stage) =>
  openApi(between(twin.transport({ admin: true })), { clock, userAgent: 'test', log: silentLog })

const resolutionMs = 15_000
/** Its annotation is refused, and an Event says so. */
const oddly = (name: string): KubeObject => {
  const { metadata, status, ...rest } = node(name) as Node
  const addresses = [{ type: 'InternalIP', address: name }]
  return { ...rest, metadata: { ...metadata, annotations: { [pathAnnotation]: '../x' } }, status: { ...status, addresses } }
}
const measuredPod = (name: string, nodeName: string): KubeObject => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name, namespace: 'shop' },
  spec: { nodeName, containers: [{ name: 'main', image: 'registry.example/app:1' }] },
  status: { phase: 'Running' },
})

/** What a kubelet says that runs these pods, each at half a core. */
function measured(nowMs: number, pods: readonly string[]): NodeReading {
  const one = { ...emptyReading(), cpuNs: nowMs * 5e5, cpuMs: nowMs, memoryBytes: 4_096, memoryMs: nowMs }
  const containers = pods.map(pod => ({ ...one, namespace: 'shop', pod, container: 'main', startNs: 1e18 }))
  return { node: one, containers, rejected: new Map() }
}

/** What measures use in both processes: the part of `ballast apiserver`, and the one in metrics-server's place. */
function measuringRow(): ProcessRow {
  let measuring: Measuring | undefined
  let hasMore = false
  return {
    objects: [oddly('n1'), oddly('n2'), measuredPod('a', 'n1'), measuredPod('b', 'n2')],
    limitMs: 90_000,
    async start(on) {
      hasMore = false
      const { clock } = on
      const stop = new AbortController()
      const around = { clock, random: seededRandom(1), log: silentLog }
      const api = apiOf(on)
      const informers = new Informers(api, { ...around, signal: stop.signal })
      const events = new EventRecorder(api, { ...around, controller: 'metrics-server', instance: 'test' })
      const pods: Readonly<Record<string, readonly string[]>> = { n1: ['a', 'late'], n2: ['b'] }
      measuring = new Measuring({
        settings: {
          points: { resolutionMs, staleAfterMs: 2.5 * resolutionMs, isStrict: false },
          address: { addressTypes: ['InternalIP'], port: 10_250, useNodeStatusPort: false, scheme: 'https' },
          nodeSelector: everything,
          exposed: { swap: false, storage: false },
        },
        informers,
        client: { scrape: async url => measured(clock.now(), pods[new URL(url).hostname] ?? []) },
        ...{ clock, log: silentLog, registry: new Registry(), events },
      })
      let end: string | undefined
      const running = measuring.run(stop.signal).catch((error: unknown) => {
        if (!stop.signal.aborted) end = String(error)
      })
      return {
        ended: () => end,
        [Symbol.asyncDispose]: async () => {
          stop.abort(new DOMException('stopped', 'AbortError'))
          await running
          await events[Symbol.asyncDispose]()
          await informers[Symbol.asyncDispose]()
          await api.close()
        },
      }
    },
    async work({ cluster }) {
      hasMore = true
      await cluster.admin.resource<KubeObject>(builtIn.pods).create(measuredPod('late', 'n1'), { namespace: 'shop', signal })
    },
    undone() {
      const names = (objects: Iterable<KubeObject>) => Array.from(objects, ({ metadata }) => metadata.name).toSorted()
      const { usage } = measuring ?? {}
      const wanted = [...['a', 'b'], ...(hasMore ? ['late'] : [])]
      const found = [names(usage?.nodes() ?? []).join(), names(usage?.pods() ?? []).join()]
      return found[0] === 'n1,n2' && found[1] === wanted.join() ? [] : [`served are ${found.join(' and ')}`]
    },
    // Whatever befell the API server, kubelets were asked all the time: what was served is served with times of its own.
    faults: () => {
      const ages = Array.from(measuring?.usage.scrapes() ?? [], ({ ageMs }) => ageMs ?? Infinity)
      return ages.every(age => age <= 2 * resolutionMs) ? [] : [`nodes were read ${ages} ms ago`]
    },
  }
}

/** By name: what is no part of the controller and talks to the API server. */
export const processRows: Readonly<Record<string, ProcessRow>> = {
  descheduler,
  'resource metrics': measuringRow(),
  'reporter of an agent': reporterRow(async ({ port, ...on }, stop) => {
    const section = readinessConfiguration.parse({ agent: { mirror: `http://NODE_IP:${port}/readyz` } })
    const running = await startReporter(
      {
        clock: on.clock,
        random: seededRandom(1),
        log: silentLog,
        node: 'n1',
        api: apiOf(on),
        identity: { name: 'a', namespace: 'ballast-agent', instance: 'a_1' },
        ports: { take: () => undefined, offer: () => undefined },
      },
      section,
      stop,
    )
    return async () => running[Symbol.asyncDispose]()
  }),
  'readiness-condition-reporter': reporterRow(async ({ port, ...on }, stop) => {
    const endpointUrl = `http://127.0.0.1:${port}/readyz`
    const running = reportCondition(
      { node: 'n1', type: conditionType, endpoint: endpointUrl, intervalMs: 30_000, heartbeatMs: 300_000 },
      { api: apiOf(on), clock: on.clock, log: silentLog, signal: stop },
    )
    return () => running
  }),
}
