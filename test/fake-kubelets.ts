// Kubelets of a test: HTTPS servers on loopback that answer /metrics/resource as a real one does, from a model of containers in time.
import { createServer, type Server } from 'node:https'
import { systemClock } from '#kube/clock.ts'
import { issueAuthority, issueLeaf, type KeyPair } from '#kube/server/certificates.ts'
import { listening } from '#kube/server/listening.ts'

/** A container; times in milliseconds since 1970. */
export interface FakeContainer {
  readonly namespace: string
  readonly pod: string
  readonly name: string
  readonly startMs: number
  /** In cores, since its start; 0 is a counter that stays at 0. */
  readonly cores: number
  readonly bytes: number
}

export interface FakeNode {
  readonly name: string
  readonly cores: number
  readonly bytes: number
  /** Those that run at a time. */
  containers(nowMs: number): readonly FakeContainer[]
}

/** How a kubelet answers instead. */
export interface FakeFault {
  readonly status?: number
  readonly body?: string
  readonly hangs?: boolean
}

export interface FakeKubelet {
  readonly port: number
  /** Headers of each scrape, in order. */
  readonly asked: Readonly<Record<string, string | string[] | undefined>>[]
  fault: FakeFault | undefined
}

/** Kubelets measure now and then, and say the same until they do again. */
const housekeepingMs = 10_000
/** Nodes have counted since then. */
export const bornMs = Date.UTC(2026, 0, 1)

/** The text that a kubelet says at a time: all that was measured at the last multiple of ten seconds. */
export function expositionOf(node: FakeNode, nowMs: number): string {
  const atMs = Math.floor(nowMs / housekeepingMs) * housekeepingMs
  const containers = node.containers(atMs)
  const each = (name: string, amountOf: (container: FakeContainer) => number | string, hasTime = true) =>
    containers.map(container => {
      const labels = `container="${container.name}",namespace="${container.namespace}",pod="${container.pod}"`
      return `${name}{${labels}} ${amountOf(container)}${hasTime ? ` ${atMs}` : ''}`
    })
  const seconds = (cores: number, startMs: number) => ((cores * (atMs - startMs)) / 1_000).toFixed(6)
  return [
    '# HELP container_cpu_usage_seconds_total [STABLE] Cumulative cpu time consumed by the container in core-seconds',
    '# TYPE container_cpu_usage_seconds_total counter',
    ...each('container_cpu_usage_seconds_total', ({ cores, startMs }) => seconds(cores, startMs)),
    '# HELP container_memory_working_set_bytes [STABLE] Current working set of the container in bytes',
    '# TYPE container_memory_working_set_bytes gauge',
    ...each('container_memory_working_set_bytes', ({ bytes }) => bytes.toExponential()),
    '# HELP container_start_time_seconds [STABLE] Start time of the container since unix epoch in seconds',
    '# TYPE container_start_time_seconds gauge',
    ...each('container_start_time_seconds', ({ startMs }) => (startMs / 1_000).toExponential(), false),
    '# HELP node_cpu_usage_seconds_total [STABLE] Cumulative cpu time consumed by the node in core-seconds',
    '# TYPE node_cpu_usage_seconds_total counter',
    `node_cpu_usage_seconds_total ${seconds(node.cores, bornMs)} ${atMs}`,
    '# HELP node_memory_working_set_bytes [STABLE] Current working set of the node in bytes',
    '# TYPE node_memory_working_set_bytes gauge',
    `node_memory_working_set_bytes ${node.bytes.toExponential()} ${atMs}`,
    '# HELP pod_cpu_usage_seconds_total [STABLE] Cumulative cpu time consumed by the pod in core-seconds',
    '# TYPE pod_cpu_usage_seconds_total counter',
    ...[...new Set(containers.map(({ namespace, pod }) => `namespace="${namespace}",pod="${pod}"`))].map(
      labels => `pod_cpu_usage_seconds_total{${labels}} 1 ${atMs}`,
    ),
    '# HELP resource_scrape_error [STABLE] 1 if there was an error while getting container metrics, 0 otherwise',
    '# TYPE resource_scrape_error gauge',
    'resource_scrape_error 0',
    '',
  ].join('\n')
}

export class FakeKubelets implements AsyncDisposable {
  readonly authority: KeyPair
  readonly #leaf: KeyPair
  readonly #now: () => number
  readonly #servers: Server[] = []

  private constructor(authority: KeyPair, leaf: KeyPair, now: () => number) {
    this.authority = authority
    this.#leaf = leaf
    this.#now = now
  }

  /** `now`: the time by which they measure. */
  static async start(now: () => number = () => systemClock.now()): Promise<FakeKubelets> {
    const nowMs = systemClock.now()
    const authority = await issueAuthority({ commonName: 'kubelets', nowMs })
    const leaf = await issueLeaf(authority, { commonName: 'kubelet', ipAddresses: ['127.0.0.1'], usages: ['server'], nowMs })
    return new FakeKubelets(authority, leaf, now)
  }

  /** Opens one, on a port of its own. */
  async open(node: FakeNode): Promise<FakeKubelet> {
    const kubelet: { -readonly [Key in keyof FakeKubelet]: FakeKubelet[Key] } = { port: 0, asked: [], fault: undefined }
    const server = createServer({ cert: this.#leaf.certificate, key: this.#leaf.key }, (request, response) => {
      kubelet.asked.push({ ...request.headers, path: request.url })
      const { fault = {} } = kubelet
      if (fault.hangs === true) return
      const isFound = request.url === '/metrics/resource'
      response.writeHead(fault.status ?? (isFound ? 200 : 404), { 'content-type': 'text/plain; version=0.0.4; charset=utf-8' })
      response.end(fault.body ?? (isFound ? expositionOf(node, this.#now()) : ''))
    })
    this.#servers.push(server)
    kubelet.port = await listening(server, { port: 0, host: '127.0.0.1' })
    return kubelet
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const server of this.#servers) {
      server.closeAllConnections()
      const { promise, resolve } = Promise.withResolvers<void>()
      server.close(() => resolve())
      await promise
    }
  }
}
