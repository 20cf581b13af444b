// What a simulated kubelet tells of its node and pods, in the forms that real ones have: behind nodes/N/proxy, and on a port of its own.
import type { Node, Pod } from '#kube/objects/objects.ts'
import { notFound, StatusError, statusBody } from '#kube/objects/status.ts'
import { parseQuantity } from '#kube/values/quantity.ts'
import { fieldsAt, itemsAt, jsonText, textAt } from '../../json-value.ts'
import { plainText, textAnswer } from '../answers/answer.ts'
import { familiesMessage, familiesType, wantsFamilies } from '../answers/metric-messages.ts'
import { familyText, type MetricFamily, type MetricLine } from '../answers/metric-text.ts'
import { type ApiServer, timestamp } from '../api-server.ts'
import type { WriteRequest } from '../object-writes.ts'
import type { TwinRequest, TwinResponse } from '../request.ts'
import { CpuCounters } from './cpu-counters.ts'
import type { UsageSource } from './metrics-api.ts'

export type WholeResponse = Extract<TwinResponse, { kind: 'whole' }>

interface ContainerStats {
  readonly name: string
  readonly image: string
  readonly id: string
  readonly startMs: number
  readonly nanocores: number
  readonly cpuSeconds: number
  readonly throttledSeconds: number
  readonly hasCpuLimit: boolean
  readonly memoryBytes: number
  /** On the node's disk. */
  readonly storageBytes: number
}

interface PodStats {
  readonly pod: Pod
  readonly containers: readonly ContainerStats[]
}

interface NodeStats {
  readonly node: Node
  readonly nowMs: number
  readonly nanocores: number
  readonly cpuSeconds: number
  readonly memoryBytes: number
  readonly pods: readonly PodStats[]
}

export class KubeletApi {
  readonly #server: ApiServer
  readonly #usage: () => UsageSource | undefined
  readonly #isDead: (node: string) => boolean
  readonly #counters = new CpuCounters()

  /** `isDead`: whether the kubelet of a node has ended, whatever its Node object still says. */
  constructor(server: ApiServer, usage: () => UsageSource | undefined, isDead: (node: string) => boolean) {
    this.#server = server
    this.#usage = usage
    this.#isDead = isDead
  }

  /** Whether nobody answers at the kubelet's port: at once, not when the cluster has noticed. */
  isSilent(node: Node): boolean {
    return isUnknown(node) || this.#isDead(node.metadata.name)
  }

  /** Answers a GET below `nodes/N/proxy`. @throws StatusError 404 for no such node, 501 where no kubelet is simulated, 503 where it is silent */
  answer({ info, request }: WriteRequest): TwinResponse {
    const name = info.name ?? ''
    const found = this.#server.store.get('nodes', undefined, name)
    if (found === undefined) throw notFound({ group: '', resource: 'nodes' }, name)
    if (this.#usage() === undefined)
      throw new StatusError(statusBody(501, 'the twin simulates no kubelets', 'NotImplemented', {}))
    if (this.isSilent(found))
      throw new StatusError(
        statusBody(503, 'error trying to reach service: the kubelet does not answer', 'ServiceUnavailable', {}),
      )
    const path = request.path.slice(request.path.indexOf('/proxy') + '/proxy'.length).replace(/\/$/, '')
    return this.page(found, path, request)
  }

  /** What a kubelet answers at `path`, 404 where that is nothing; `request` says in which form. @throws Error where no kubelet is simulated */
  page(node: Node, path: string, request: Pick<TwinRequest, 'headers' | 'query'>): WholeResponse {
    const usage = this.#usage()
    if (usage === undefined) throw new Error('the twin simulates no kubelets')
    switch (path) {
      case '/healthz':
        return plainText(200, 'ok')
      case '/pods':
        return textAnswer(request, 200, jsonText(podList(this.#podsOn(node.metadata.name))), { encoding: 'json' })
      case '/configz':
        return textAnswer(request, 200, jsonText(configuration(node)), { encoding: 'json' })
      case '/stats/summary':
        return textAnswer(request, 200, jsonText(summary(this.#stats(node, usage))), { encoding: 'json' })
      case '/metrics/resource':
        return metricsPage(resourceMetrics(this.#stats(node, usage)), request)
      case '/metrics/cadvisor':
        return metricsPage(cadvisorMetrics(this.#stats(node, usage)), request)
      default:
        return plainText(404, '404 page not found\n')
    }
  }

  #podsOn(name: string): readonly Pod[] {
    return this.#server.store
      .list('pods')
      .filter(object => textAt(object, 'spec', 'nodeName') === name)
      .map(object => ({ ...object, spec: { containers: [], ...fieldsAt(object, 'spec') } }))
  }

  #stats(node: Node, usage: UsageSource): NodeStats {
    const nowMs = this.#server.clock.now()
    const pods = this.#podsOn(node.metadata.name).flatMap(pod => {
      const containers = usage.pod(pod).map(used => this.#container(pod, used, nowMs))
      return containers.length === 0 ? [] : [{ pod, containers }]
    })
    const whole = usage.node(node.metadata.name) ?? { cpuNanocores: 0, memoryBytes: 0 }
    const since = millisecondsOf(node.metadata.creationTimestamp, nowMs)
    const { usedSeconds } = this.#counters.at(`node ${node.metadata.name}`, { since, nowMs, nanocores: whole.cpuNanocores })
    return { node, nowMs, nanocores: whole.cpuNanocores, cpuSeconds: usedSeconds, memoryBytes: whole.memoryBytes, pods }
  }

  #container(pod: Pod, used: ReturnType<UsageSource['pod']>[number], nowMs: number): ContainerStats {
    const status = itemsAt(pod, 'status', 'containerStatuses').find(one => one['name'] === used.name)
    const startMs = millisecondsOf(textAt(status, 'state', 'running', 'startedAt') ?? pod.status?.startTime, nowMs)
    const id = textAt(status, 'containerID') ?? ''
    const { usedSeconds, throttledSeconds } = this.#counters.at(`${pod.metadata.uid} ${used.name} ${id}`, {
      since: startMs,
      nowMs,
      nanocores: used.cpuNanocores,
      wantedNanocores: used.wantedNanocores ?? used.cpuNanocores,
    })
    const container = pod.spec.containers.find(one => one.name === used.name)
    return {
      name: used.name,
      image: container?.image ?? '',
      id: id.replace(/^.*\/\//, ''),
      startMs,
      nanocores: used.cpuNanocores,
      cpuSeconds: usedSeconds,
      throttledSeconds,
      hasCpuLimit: container?.resources?.limits?.['cpu'] !== undefined,
      memoryBytes: used.memoryBytes,
      storageBytes: used.storageBytes ?? 0,
    }
  }
}

function millisecondsOf(text: string | undefined, otherwise: number): number {
  const ms = Date.parse(text ?? '')
  return Number.isNaN(ms) ? otherwise : ms
}

/** Whether nothing was heard of the node's kubelet for long. */
export function isUnknown(node: Node): boolean {
  return node.status?.conditions?.find(condition => condition.type === 'Ready')?.status === 'Unknown'
}

function metricsPage(families: readonly MetricFamily[], { headers }: Pick<TwinRequest, 'headers'>): WholeResponse {
  const page = (type: string, body: string | Uint8Array): WholeResponse => ({
    kind: 'whole',
    status: 200,
    headers: { 'content-type': type },
    body,
  })
  return wantsFamilies(headers['accept'])
    ? page(familiesType, familiesMessage(families))
    : page('text/plain; version=0.0.4; charset=utf-8', families.map(familyText).join(''))
}

function family(name: string, help: string, type: MetricFamily['type'], lines: readonly MetricLine[]): MetricFamily {
  return { name, help, type, lines }
}

function podList(pods: readonly Pod[]) {
  return { kind: 'PodList', apiVersion: 'v1', metadata: {}, items: pods }
}

/** The settings that the simulated kubelets keep to. */
function configuration(node: Node) {
  return {
    kubeletconfig: {
      kind: 'KubeletConfiguration',
      apiVersion: 'kubelet.config.k8s.io/v1beta1',
      maxPods: Number(node.status?.allocatable?.['pods'] ?? 110),
      nodeStatusReportFrequency: '5m0s',
      nodeLeaseDurationSeconds: 40,
      serializeImagePulls: true,
      evictionHard: { 'memory.available': '100Mi' },
      evictionPressureTransitionPeriod: '5m0s',
    },
  }
}

const inodes = 6_553_600
/** A part of the disk is for all that is no pod's. */
const systemShare = 0.05
const diskWithoutCapacity = 100 * 1024 ** 3

function diskOf(node: Node): number {
  const told = parseQuantity(node.status?.capacity?.['ephemeral-storage'] ?? '')
  return told.ok ? Number(told.value.nanos / 1_000_000_000n) : diskWithoutCapacity
}

/** An eighth of what a container has on disk are its logs. */
function logBytes({ storageBytes }: ContainerStats): number {
  return Math.floor(storageBytes / 8)
}

function summary({ node, nowMs, pods, ...whole }: NodeStats) {
  const time = timestamp(nowMs)
  const cpu = (nanocores: number, seconds: number) => ({
    time,
    usageNanoCores: Math.round(nanocores),
    usageCoreNanoSeconds: Math.round(seconds * 1e9),
  })
  const memory = (bytes: number) => ({
    time,
    usageBytes: Math.round(bytes),
    workingSetBytes: Math.round(bytes),
    rssBytes: Math.round(bytes),
    pageFaults: 0,
    majorPageFaults: 0,
  })
  const total = (containers: readonly ContainerStats[], of: (one: ContainerStats) => number) =>
    containers.reduce((sum, one) => sum + of(one), 0)
  const disk = diskOf(node)
  const systemBytes = Math.round(disk * systemShare)
  const onDisk = (containers: readonly ContainerStats[]) => total(containers, one => one.storageBytes)
  const usedBytes = Math.min(
    disk,
    pods.reduce((sum, { containers }) => sum + onDisk(containers), systemBytes),
  )
  /** Part of the node's filesystem: all say how large it is. */
  const filesystem = (bytes: number) => ({
    time,
    availableBytes: disk - usedBytes,
    capacityBytes: disk,
    usedBytes: bytes,
    inodesFree: inodes,
    inodes,
    inodesUsed: 1,
  })
  return {
    node: {
      nodeName: node.metadata.name,
      startTime: node.metadata.creationTimestamp ?? time,
      cpu: cpu(whole.nanocores, whole.cpuSeconds),
      memory: memory(whole.memoryBytes),
      fs: filesystem(usedBytes),
    },
    pods: pods.map(({ pod, containers }) => ({
      podRef: { name: pod.metadata.name, namespace: pod.metadata.namespace, uid: pod.metadata.uid },
      startTime: pod.status?.startTime ?? time,
      containers: containers.map(one => ({
        name: one.name,
        startTime: timestamp(one.startMs),
        cpu: cpu(one.nanocores, one.cpuSeconds),
        memory: memory(one.memoryBytes),
        rootfs: filesystem(one.storageBytes - logBytes(one)),
        logs: filesystem(logBytes(one)),
      })),
      cpu: cpu(
        total(containers, one => one.nanocores),
        total(containers, one => one.cpuSeconds),
      ),
      memory: memory(total(containers, one => one.memoryBytes)),
      'ephemeral-storage': filesystem(onDisk(containers)),
    })),
  }
}

function resourceMetrics({ nowMs, pods, ...whole }: NodeStats): readonly MetricFamily[] {
  const ofContainers = (value: (one: ContainerStats) => number, atMs?: number): readonly MetricLine[] =>
    pods.flatMap(({ pod, containers }) =>
      containers.map(one => ({ labels: { container: one.name, ...place(pod) }, value: value(one), atMs })),
    )
  const ofPods = (value: (one: ContainerStats) => number): readonly MetricLine[] =>
    pods.map(({ pod, containers }) => ({
      labels: place(pod),
      value: containers.reduce((sum, one) => sum + value(one), 0),
      atMs: nowMs,
    }))
  const ofNode = (value: number): readonly MetricLine[] => [{ labels: {}, value, atMs: nowMs }]
  const cpu = (one: ContainerStats) => one.cpuSeconds
  const memory = (one: ContainerStats) => one.memoryBytes
  const stable = '[STABLE] '
  return [
    family(
      'container_cpu_usage_seconds_total',
      `${stable}Cumulative cpu time consumed by the container in core-seconds`,
      'counter',
      ofContainers(cpu, nowMs),
    ),
    family(
      'container_memory_working_set_bytes',
      `${stable}Current working set of the container in bytes`,
      'gauge',
      ofContainers(memory, nowMs),
    ),
    family(
      'container_start_time_seconds',
      `${stable}Start time of the container since unix epoch in seconds`,
      'gauge',
      ofContainers(one => one.startMs / 1000),
    ),
    family(
      'node_cpu_usage_seconds_total',
      `${stable}Cumulative cpu time consumed by the node in core-seconds`,
      'counter',
      ofNode(whole.cpuSeconds),
    ),
    family(
      'node_memory_working_set_bytes',
      `${stable}Current working set of the node in bytes`,
      'gauge',
      ofNode(whole.memoryBytes),
    ),
    family(
      'pod_cpu_usage_seconds_total',
      `${stable}Cumulative cpu time consumed by the pod in core-seconds`,
      'counter',
      ofPods(cpu),
    ),
    family('pod_memory_working_set_bytes', `${stable}Current working set of the pod in bytes`, 'gauge', ofPods(memory)),
    family('resource_scrape_error', `${stable}1 if there was an error while getting container metrics, 0 otherwise`, 'gauge', [
      { labels: {}, value: 0 },
    ]),
  ]
}

function cadvisorMetrics({ nowMs, pods }: NodeStats): readonly MetricFamily[] {
  const lines = (value: (one: ContainerStats) => number | undefined, extra: Readonly<Record<string, string>> = {}) =>
    pods.flatMap(({ pod, containers }) =>
      containers.flatMap(one => {
        const measured = value(one)
        const labels = {
          ...extra,
          container: one.name,
          id: `/kubepods/pod${pod.metadata.uid}/${one.id}`,
          image: one.image,
          name: one.id,
        }
        return measured === undefined ? [] : [{ labels: { ...labels, ...place(pod) }, value: measured, atMs: nowMs }]
      }),
    )
  const throttled = (one: ContainerStats) => (one.hasCpuLimit ? one.throttledSeconds : undefined)
  return [
    family(
      'container_cpu_cfs_throttled_seconds_total',
      'Total time duration the container has been throttled.',
      'counter',
      lines(throttled),
    ),
    family(
      'container_cpu_usage_seconds_total',
      'Cumulative cpu time consumed in seconds.',
      'counter',
      lines(one => one.cpuSeconds, { cpu: 'total' }),
    ),
    family(
      'container_memory_usage_bytes',
      'Current memory usage in bytes, including all memory regardless of when it was accessed',
      'gauge',
      lines(one => one.memoryBytes),
    ),
    family(
      'container_memory_working_set_bytes',
      'Current working set in bytes.',
      'gauge',
      lines(one => one.memoryBytes),
    ),
  ]
}

function place(pod: Pod): { readonly namespace: string; readonly pod: string } {
  return { namespace: pod.metadata.namespace ?? '', pod: pod.metadata.name }
}
