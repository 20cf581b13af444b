// A metrics.k8s.io of a few rows, made with our library: the program that stands behind the real API server and behind the twin.
import { Registry } from 'prom-client'
import { openApi } from '#kube/client/api.ts'
import type { Transport } from '#kube/client/transport.ts'
import { systemClock } from '#kube/clock.ts'
import { Informers } from '#kube/informers/informer.ts'
import { silentLog } from '#kube/log.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { systemRandom } from '#kube/random.ts'
import { aggregatedApi } from '#kube/server/aggregated-api.ts'
import { type AggregatedServer, startAggregatedServer } from '#kube/server/aggregated-server.ts'
import { issueAuthority, issueLeaf, serviceDnsNames } from '#kube/server/certificates.ts'

export const metricsService = { namespace: 'kube-system', name: 'small-metrics' } as const

const usage = { type: 'object', additionalProperties: { type: 'string' } }
const schema = { type: 'object', properties: { timestamp: { type: 'string' }, window: { type: 'string' } } }
const measured = { timestamp: '2026-01-01T00:00:00Z', window: '15s' } as const

const nodes: readonly KubeObject[] = ['n1', 'n2'].map((name, at) => ({
  apiVersion: 'metrics.k8s.io/v1beta1',
  kind: 'NodeMetrics',
  metadata: { name, creationTimestamp: measured.timestamp, labels: { zone: at === 0 ? 'a' : 'b' } },
  ...measured,
  usage: { cpu: `${250 * (at + 1)}m`, memory: `${512 * (at + 1)}Mi` },
}))

const pods: readonly KubeObject[] = ['cart', 'web'].map(name => ({
  apiVersion: 'metrics.k8s.io/v1beta1',
  kind: 'PodMetrics',
  metadata: {
    name,
    namespace: name === 'cart' ? 'shop' : 'default',
    creationTimestamp: measured.timestamp,
    labels: { app: name },
  },
  ...measured,
  containers: [{ name: 'app', usage: { cpu: '10m', memory: '20Mi' } }],
}))

const textAt = (object: KubeObject, ...path: readonly string[]) => {
  let value: unknown = object
  for (const step of path) value = typeof value === 'object' && value !== null ? Reflect.get(value, step) : undefined
  return typeof value === 'string' ? value : ''
}

const api = aggregatedApi({
  group: 'metrics.k8s.io',
  version: 'v1beta1',
  resources: [
    {
      name: 'nodes',
      kind: 'NodeMetrics',
      namespaced: false,
      list: () => nodes,
      get: ({ name }) => nodes.find(node => node.metadata.name === name),
      columns: [
        { name: 'Name', format: 'name', cell: node => node.metadata.name },
        { name: 'cpu', cell: node => textAt(node, 'usage', 'cpu') },
        { name: 'memory', cell: node => textAt(node, 'usage', 'memory') },
      ],
      schema: { ...schema, properties: { ...schema.properties, usage } },
    },
    {
      name: 'pods',
      kind: 'PodMetrics',
      namespaced: true,
      list: () => pods,
      get: ({ name, namespace }) => pods.find(pod => pod.metadata.name === name && pod.metadata.namespace === namespace),
      schema,
    },
  ],
})

const served = [api]

export interface SmallMetrics extends AsyncDisposable {
  readonly server: AggregatedServer
  /** By which API servers judge it. */
  readonly authority: string
}

/** Listens on loopback, with `transport` to the API server that it stands behind. */
export async function startSmallMetrics(transport: Transport, port = 0): Promise<SmallMetrics> {
  const nowMs = systemClock.now()
  const { name, namespace } = metricsService
  const authority = await issueAuthority({ commonName: 'small metrics', nowMs })
  const tls = await issueLeaf(authority, {
    commonName: name,
    dnsNames: serviceDnsNames(name, namespace),
    usages: ['server'],
    nowMs,
  })
  await using stack = new AsyncDisposableStack()
  const surroundings = { clock: systemClock, random: systemRandom, log: silentLog }
  const client = openApi(transport, { clock: systemClock, userAgent: 'small-metrics/1.0' })
  stack.defer(() => client.close())
  const informers = stack.use(new Informers(client, { ...surroundings, signal: new AbortController().signal }))
  const metrics = new Registry()
  const server = stack.use(
    await startAggregatedServer({
      ...surroundings,
      apis: () => served,
      tls,
      port,
      host: '127.0.0.1',
      api: client,
      informers,
      metrics,
      version: 'v0.1.0',
    }),
  )
  const running = stack.move()
  return { server, authority: authority.certificate, [Symbol.asyncDispose]: () => running.disposeAsync() }
}
