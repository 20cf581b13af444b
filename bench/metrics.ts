// Resource metrics at 5,000 nodes and 150,000 pods: how fast answers of kubelets are decoded and stored, what they take in memory, and how long a
// list of all pods takes. Without sockets, and without the peer, which metrics-peers.ts has: metrics-server gives no way to its decoder.

import { readExposition } from '../src/capabilities/metrics/decode/exposition-text.ts'
import { KnownContainers } from '../src/capabilities/metrics/decode/known-containers.ts'
import { Points } from '../src/capabilities/metrics/points/points.ts'
import { metricsApi } from '../src/capabilities/metrics/served/metrics-api.ts'
import { systemClock } from '../src/kube/clock.ts'
import { breather } from '../src/kube/controllers/breather.ts'
import type { Informer } from '../src/kube/informers/informer-view.ts'
import type { KubeObject } from '../src/kube/objects/objects.ts'
import { parseLabelSelector } from '../src/kube/objects/selector.ts'
import { resourceAnswer } from '../src/kube/server/aggregated-answers.ts'
import { kubeletBody, measuredPod, podsPerNode } from './metrics-cluster.ts'

const nodes = 5_000
const resolutionMs = 15_000
const beganMs = 1_633_253_800_000

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
    const text = kubeletBody(node, second, beganMs + second * 1_000)
    bytes += text.length
    const before = process.cpuUsage()
    const reading = await readExposition(text, { known: own, sentMs: 0 })
    decodeMs += cpuMs(before)
    const decoded = process.cpuUsage()
    const wallMs = beganMs + second * 1_000
    points.store(`node-${node}`, reading, { wallMs, elapsedMs: systemClock.elapsed() })
    storeMs += cpuMs(decoded)
  }
  say(
    `scrape at ${second} s: ${(bytes / 1e6).toFixed(0)} MB of ${nodes} nodes, decoded in ${decodeMs.toFixed(0)} ms of CPU (${(bytes / 1e3 / decodeMs).toFixed(0)} MB/s), stored in ${storeMs.toFixed(0)} ms; ${(process.memoryUsage.rss() / 1024 ** 2).toFixed(0)} MiB resident`,
  )
}

const pods = Array.from({ length: nodes * podsPerNode }, (_, at) => measuredPod(Math.floor(at / podsPerNode), at % podsPerNode))

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
  exposed: { swap: false, storage: false },
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
