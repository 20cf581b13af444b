// The client of api-writes.ts, a process of its own and the same for every server: `node api-writes-client.ts KUBECONFIG`. It writes with 16
// kept connections, one request at a time on each; its parent says which requests of which phase, and is told the times.

import { Pool } from 'undici'
import { systemClock } from '#kube/clock.ts'
import { endpointIn } from '#test/real/bad-input/endpoint.ts'
import { realPod } from './real-pods.ts'

/** Some requests of a phase: those with the numbers `from` to `to - 1`. */
export interface AskedRound {
  readonly phase: string
  readonly from: number
  readonly to: number
}

/** How a round went. */
export interface RoundTimes {
  /** From the first request to the last answer. */
  readonly seconds: number
  /** Durations of the requests that count, in milliseconds. */
  readonly times: readonly number[]
}

const connections = 16
const namespace = 'writes'
const pods = `/api/v1/namespaces/${namespace}/pods`
const configMaps = `/api/v1/namespaces/${namespace}/configmaps`
const deployments = `/apis/apps/v1/namespaces/${namespace}/deployments`

interface Write {
  readonly method: 'POST' | 'PUT' | 'PATCH' | 'DELETE' | 'GET'
  readonly path: string
  readonly body?: string
  readonly type?: string
}

/** Pod number `index` as a client makes it: identity, times, place and status are the server's to give. */
function podBody(index: number) {
  const { metadata, spec } = realPod(index, 1)
  const given: Readonly<Record<string, unknown>> = { ...Object(spec) }
  const { nodeName: _node, serviceAccount: _account, priority: _priority, ...rest } = given
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: `pod-${index}`, namespace, labels: metadata.labels, annotations: metadata.annotations },
    spec: { ...rest, serviceAccountName: 'default' } as Record<string, unknown>,
  }
}

function status(index: number, isReady: boolean) {
  const time = '2026-03-02T00:00:00Z'
  return {
    phase: 'Running',
    podIP: `10.1.${index >> 8}.${index & 255}`,
    podIPs: [{ ip: `10.1.${index >> 8}.${index & 255}` }],
    startTime: time,
    conditions: ['Initialized', 'PodScheduled', 'ContainersReady', 'Ready'].map(type => ({
      type,
      status: isReady || type === 'Initialized' || type === 'PodScheduled' ? 'True' : 'False',
      lastTransitionTime: time,
    })),
  }
}

function deploymentBody(index: number, image: string) {
  const { spec, metadata } = podBody(index)
  const containers = (Array.isArray(spec['containers']) ? spec['containers'] : []).map((container: object) => ({
    ...container,
    image,
  }))
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: `app-${index}`, labels: metadata.labels },
    spec: {
      replicas: 0,
      selector: { matchLabels: { app: `app-${index}` } },
      template: {
        metadata: { labels: { ...metadata.labels, app: `app-${index}` } },
        spec: { ...spec, restartPolicy: 'Always', containers },
      },
    },
  }
}

const json = (method: Write['method'], path: string, body: unknown, type = 'application/json'): Write => ({
  method,
  path,
  body: JSON.stringify(body),
  type,
})

/** In the order in which they can be sent; `share` of the count. */
export const phases: readonly { readonly name: string; readonly share: number; write(index: number): Write }[] = [
  { name: 'creates', share: 1, write: index => json('POST', pods, podBody(index)) },
  {
    name: 'binds',
    share: 1,
    write: index =>
      json('POST', `${pods}/pod-${index}/binding`, {
        apiVersion: 'v1',
        kind: 'Binding',
        metadata: { name: `pod-${index}` },
        target: { kind: 'Node', name: `node-${index % 100}` },
      }),
  },
  {
    name: 'status merge patches',
    share: 1,
    write: index =>
      json('PATCH', `${pods}/pod-${index}/status`, { status: status(index, false) }, 'application/strategic-merge-patch+json'),
  },
  {
    name: 'status PUTs',
    share: 1,
    write: index => json('PUT', `${pods}/pod-${index}/status`, { ...podBody(index), status: status(index, true) }),
  },
  {
    name: 'label merge patches',
    share: 1,
    write: index =>
      json('PATCH', `${pods}/pod-${index}`, { metadata: { labels: { touched: 'yes' } } }, 'application/merge-patch+json'),
  },
  {
    name: 'applies that create',
    share: 0.5,
    write: index =>
      json(
        'PATCH',
        `${deployments}/app-${index}?fieldManager=bench`,
        deploymentBody(index, 'app:v1'),
        'application/apply-patch+yaml',
      ),
  },
  {
    name: 'applies that change',
    share: 0.5,
    write: index =>
      json(
        'PATCH',
        `${deployments}/app-${index}?fieldManager=bench`,
        deploymentBody(index, 'app:v2'),
        'application/apply-patch+yaml',
      ),
  },
  { name: 'reads', share: 1, write: index => ({ method: 'GET', path: `${pods}/pod-${index}` }) },
  { name: 'deletes', share: 1, write: index => json('DELETE', `${pods}/pod-${index}`, { gracePeriodSeconds: 0 }) },
]

const quietGapMs = 5
const writesEachMs = 10
const writesAtOnce = 10

/** Reads by one client, one after the other: while nothing else happens, and beside small writes of others. */
export const readPhases = { idle: 'reads, one client, idle', busy: 'reads, one client, 1,000 writes/s' } as const

if (import.meta.main) {
  const [kubeconfig = ''] = process.argv.slice(2)
  const { port, authority, certificate, key } = endpointIn(kubeconfig)
  const connect = { ca: authority, cert: certificate, key }
  const pool = new Pool(`https://127.0.0.1:${port}`, { connections, pipelining: 1, connect })
  const single = new Pool(`https://127.0.0.1:${port}`, { connections: 1, pipelining: 1, connect })
  const send = async ({ method, path, body, type }: Write, by = pool): Promise<void> => {
    const response = await by.request({
      method,
      path,
      ...(body === undefined ? {} : { body }),
      headers: { accept: 'application/json', 'user-agent': 'bench/1', ...(type === undefined ? {} : { 'content-type': type }) },
    })
    const text = await response.body.text()
    if (response.statusCode >= 300) throw new Error(`${method} ${path}: ${response.statusCode} ${text.slice(0, 400)}`)
  }
  const timed = async (write: Write, by = pool): Promise<number> => {
    const sinceMs = systemClock.elapsed()
    await send(write, by)
    return systemClock.elapsed() - sinceMs
  }
  const inPhase = async (write: (index: number) => Write, from: number, to: number): Promise<readonly number[]> => {
    const writes = Array.from({ length: to - from }, (_, index) => write(from + index))
    const times: number[] = []
    await inParallel(writes, async one => void times.push(await timed(one)))
    return times
  }
  const quietly = async (from: number, to: number): Promise<readonly number[]> => {
    const times: number[] = []
    for (let index = from; index < to; index++) {
      times.push(await timed({ method: 'GET', path: `${pods}/pod-${index % 100}` }, single))
      await systemClock.after(quietGapMs)
    }
    return times
  }
  /** By the clock, whether answers have come or not. */
  const besideWrites = async (from: number, to: number): Promise<readonly number[]> => {
    let isOver = false
    let count = 0
    const writing: Promise<void>[] = []
    const tick = () => {
      if (isOver) return
      for (let one = 0; one < writesAtOnce; one++) {
        const body = { data: { count: String(++count) } }
        writing.push(send(json('PATCH', `${configMaps}/busy-${one}`, body, 'application/merge-patch+json')))
      }
      systemClock.schedule(writesEachMs, tick)
    }
    tick()
    try {
      return await quietly(from, to)
    } finally {
      isOver = true
      await Promise.all(writing)
    }
  }
  const roundOf = async ({ phase, from, to }: AskedRound): Promise<RoundTimes> => {
    const sinceMs = systemClock.elapsed()
    const found = phases.find(({ name }) => name === phase)
    const times =
      found !== undefined
        ? await inPhase(found.write, from, to)
        : phase === readPhases.idle
          ? await quietly(from, to)
          : await besideWrites(from, to)
    return { seconds: (systemClock.elapsed() - sinceMs) / 1000, times }
  }
  await send(json('POST', '/api/v1/namespaces', { metadata: { name: namespace } }))
  await send(json('POST', `/api/v1/namespaces/${namespace}/serviceaccounts`, { metadata: { name: 'default' } }))
  for (let one = 0; one < writesAtOnce; one++) await send(json('POST', configMaps, { metadata: { name: `busy-${one}` } }))
  // Connections are made and both programs are warm before anything counts.
  await inPhase(index => json('POST', pods, podBody(1_000_000 + index)), 0, 200)
  await inPhase(index => json('DELETE', `${pods}/pod-${1_000_000 + index}`, { gracePeriodSeconds: 0 }), 0, 200)
  process.on('message', (asked: AskedRound) => void roundOf(asked).then(times => process.send?.(times)))
  process.once('disconnect', () => process.exit(0))
  process.send?.('ready')
}

/** Does `work` for each item, as many at a time as there are connections. */
async function inParallel<T>(items: readonly T[], work: (item: T) => Promise<void>): Promise<void> {
  const left = items.values()
  await Promise.all(
    Array.from({ length: connections }, async () => {
      for (const item of left) await work(item)
    }),
  )
}
