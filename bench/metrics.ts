// Resource metrics at 5,000 nodes and 150,000 pods: how fast answers of kubelets are decoded and stored, what they take in memory, and how long a
// list of all pods takes. Without sockets, and without the peer: metrics-server gives no way to its decoder.

import { readExposition } from '../src/capabilities/metrics/decode/exposition-text.ts'
import { KnownContainers } from '../src/capabilities/metrics/decode/known-containers.ts'
import { Points } from '../src/capabilities/metrics/points/points.ts'
import { metricsApi } from '../src/capabilities/metrics/served/metrics-api.ts'
import { systemClock } from '../src/kube/clock.ts'
import { breather } from '../src/kube/controllers/breather.ts'
import type { Informer } from '../src/kube/informers/informer-view.ts'
import type { KubeObject, Pod } from '../src/kube/objects/objects.ts'
import { parseLabelSelector } from '../src/kube/objects/selector.ts'
import { resourceAnswer } from '../src/kube/server/aggregated-answers.ts'

const nodes = 5_000
const podsPerNode = 30
const containersPerNode = 45
const resolutionMs = 15_000

const containerSeries = [
  ['container_cpu_usage_seconds_total', (at: number, second: number) => (100 + at * 1.37 + second * 0.1).toFixed(6)],
  ['container_memory_working_set_bytes', (at: number) => (4.7264768e7 + at * 4096).toExponential()],
  ['container_start_time_seconds', (at: number) => (1.6332538e9 + at / 100).toExponential()],
  ['container_swap_usage_bytes', () => '0'],
] as const
const podSeries = ['pod_cpu_usage_seconds_total', 'pod_memory_working_set_bytes', 'pod_swap_usage_bytes'] as const

const podOf = (node: number, at: number) => ({ namespace: `team-${node % 40}`, name: `deployment-${node}-7f9c5b6d4-${at}x` })

/** What a kubelet of 30 pods and 45 containers says at a second. */
function body(node: number, second: number): Buffer {
  const time = 1_633_253_800_000 + second * 1_000
  const lines = containerSeries.flatMap(([name, value]) => [
    `# TYPE ${name} gauge`,
    ...Array.from({ length: containersPerNode }, (_, at) => {
      const pod = podOf(node, at % podsPerNode)
      const container = at < podsPerNode ? 'main' : 'sidecar'
      return `${name}{container="${container}",namespace="${pod.namespace}",pod="${pod.name}"} ${value(at, second)} ${time}`
    }),
  ])
  const ofPods = podSeries.flatMap(name =>
    Array.from({ length: podsPerNode }, (_, at) => {
      const pod = podOf(node, at)
      return `${name}{namespace="${pod.namespace}",pod="${pod.name}"} 1.5 ${time}`
    }),
  )
  const own = [`node_cpu_usage_seconds_total ${1_000 + second} ${time}`, `node_memory_working_set_bytes 1.6e+09 ${time}`]
  return Buffer.from(`${[...lines, ...ofPods, ...own].join('\n')}\n`)
}

function cpuMs(since: NodeJS.CpuUsage): number {
  const { user, system } = process.cpuUsage(since)
  return (user + system) / 1_000
}

const say = (text: string) => void process.stdout.write(`${text}\n`)

const known = Array.from({ length: nodes }, () => new KnownContainers())
const points = new Points({ resolutionMs, staleAfterMs: resolutionMs * 2.5, isStrict: false })
for (const second of [0, 15, 30]) {
  let bytes = 0
  let decodeMs = 0
  let storeMs = 0
  for (const [node, own] of known.entries()) {
    const text = body(node, second)
    bytes += text.length
    const before = process.cpuUsage()
    const reading = await readExposition(text, { known: own, sentMs: 0 })
    decodeMs += cpuMs(before)
    const decoded = process.cpuUsage()
    const wallMs = 1_633_253_800_000 + second * 1_000
    points.store(`node-${node}`, reading, { wallMs, elapsedMs: systemClock.elapsed() })
    storeMs += cpuMs(decoded)
  }
  say(
    `scrape at ${second} s: ${(bytes / 1e6).toFixed(0)} MB of ${nodes} nodes, decoded in ${decodeMs.toFixed(0)} ms of CPU (${(bytes / 1e3 / decodeMs).toFixed(0)} MB/s), stored in ${storeMs.toFixed(0)} ms; ${(process.memoryUsage.rss() / 1024 ** 2).toFixed(0)} MiB resident`,
  )
}

const pods = Array.from({ length: nodes * podsPerNode }, (_, at): Pod => {
  const node = Math.floor(at / podsPerNode)
  const { name, namespace } = podOf(node, at % podsPerNode)
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace, labels: { app: `app-${node}`, 'pod-template-hash': '7f9c5b6d4' } },
    spec: { containers: [{ name: 'main' }, { name: 'sidecar' }] },
    status: { phase: 'Running' },
  }
})

function informerOf<T extends KubeObject>(objects: readonly T[]): Pick<Informer<T>, 'store' | 'onChange'> {
  return {
    onChange(handler) {
      for (const object of objects)
        handler({ type: 'ADDED', object, previous: undefined, initial: true, finalStateUnknown: false })
      return () => undefined
    },
    store: {
      get: () => undefined,
      list: () => objects.values(),
      byUid: () => undefined,
      byIndex: () => [].values(),
      addIndex: () => undefined,
      size: objects.length,
      resourceVersion: '1',
    },
  }
}

const everything = parseLabelSelector('')
if (!everything.ok) throw new Error(everything.problem.expected)
const api = metricsApi({
  nodes: informerOf([]),
  pods: informerOf(pods),
  points,
  nodeSelector: everything.value,
  exposeSwap: false,
  clock: systemClock,
  onServed: () => undefined,
})
const info = {
  kind: 'resource',
  verb: 'list',
  group: 'metrics.k8s.io',
  version: 'v1beta1',
  resource: 'pods',
  namespace: undefined,
  name: undefined,
  subresource: undefined,
} as const
for (const accept of ['application/vnd.kubernetes.protobuf', 'application/json']) {
  for (let round = 0; round < 3; round++) {
    const began = systemClock.elapsed()
    const before = process.cpuUsage()
    const { pieces } = await resourceAnswer([api], {
      info,
      caller: { name: 'bench', groups: [], extra: {} },
      query: new URLSearchParams(),
      accept,
      signal: new AbortController().signal,
      breathe: breather(systemClock),
    })
    let length = 0
    for await (const piece of pieces) length += piece.length
    say(
      `list of ${pods.length} pods, ${accept}: ${(systemClock.elapsed() - began).toFixed(0)} ms, ${cpuMs(before).toFixed(0)} ms of CPU, ${(length / 1e6).toFixed(0)} MB`,
    )
  }
}
