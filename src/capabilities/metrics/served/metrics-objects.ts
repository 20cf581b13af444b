// NodeMetrics and PodMetrics of metrics.k8s.io/v1beta1, as their clients read them: in JSON, and in protobuf, which kubectl and the
// HorizontalPodAutoscaler ask for first. Texts that only JSON has are made when they are read.
import type { KubeObject } from '#kube/objects/objects.ts'
import { formatDuration } from '#kube/time/duration.ts'
import { formatTime } from '#kube/time/time.ts'
import type { ContainerUsage } from '../points/points.ts'
import type { Usage } from '../points/usage-rate.ts'
import { BackwardWriter } from './backward-writer.ts'
import { bytesText, cpuText } from './quantities.ts'

/** Whose usage is told: of a Node or Pod only this much is known. */
export interface Measured {
  readonly name: string
  readonly namespace?: string
  readonly labels?: Readonly<Record<string, string>>
}

interface Told {
  /** Milliseconds since 1970: the time of the answer. */
  readonly nowMs: number
  /** Whether swap is told where it was measured. */
  readonly exposeSwap: boolean
}

type Amounts = Readonly<Record<string, string>>

/** What protobuf is written from. */
const written = Symbol('written')

interface Written {
  readonly createdMs: number
  /** Undefined where nothing could be measured. */
  readonly timeMs: number | undefined
  readonly windowNs: number
  readonly usage?: Amounts
  readonly containers?: readonly { readonly name: string; readonly usage: Amounts }[]
}

interface MetricsObject extends KubeObject {
  readonly [written]: Written
}

const apiVersion = 'metrics.k8s.io/v1beta1'

export function nodeMetrics(node: Measured, usage: Usage, told: Told): MetricsObject {
  const amounts = amountsOf(usage, told)
  return {
    kind: 'NodeMetrics',
    apiVersion,
    metadata: metadataOf(node, told),
    get timestamp() {
      return formatTime(usage.timeMs)
    },
    get window() {
      return windowText(usage.windowNs)
    },
    usage: amounts,
    [written]: { createdMs: told.nowMs, timeMs: usage.timeMs, windowNs: usage.windowNs, usage: amounts },
  }
}

/** `order`: names of the containers as the pod's spec has them; others follow by name. */
export function podMetrics(
  pod: Measured,
  containers: readonly ContainerUsage[],
  order: readonly string[],
  told: Told,
): MetricsObject {
  let oldest: Usage | undefined
  for (const { usage } of containers) if (oldest === undefined || usage.timeMs < oldest.timeMs) oldest = usage
  const described = inOrder(containers, order).map(({ name, usage }) => ({ name, usage: amountsOf(usage, told) }))
  const timeMs = oldest?.timeMs
  const windowNs = oldest?.windowNs ?? 0
  return {
    kind: 'PodMetrics',
    apiVersion,
    metadata: metadataOf(pod, told),
    get timestamp() {
      return timeMs === undefined ? null : formatTime(timeMs)
    },
    get window() {
      return windowText(windowNs)
    },
    containers: described,
    [written]: { createdMs: told.nowMs, timeMs, windowNs, containers: described },
  }
}

/** Go's text of a duration of nanoseconds. */
function windowText(windowNs: number): string {
  return formatDuration(BigInt(windowNs))
}

function inOrder(containers: readonly ContainerUsage[], order: readonly string[]): readonly ContainerUsage[] {
  if (containers.length < 2) return containers
  const place = ({ name }: ContainerUsage) => (order.includes(name) ? order.indexOf(name) : order.length)
  return containers.toSorted((a, b) => place(a) - place(b) || (a.name < b.name ? -1 : 1))
}

function metadataOf({ name, namespace, labels }: Measured, { nowMs }: Told): KubeObject['metadata'] {
  return {
    name,
    ...(namespace === undefined ? {} : { namespace }),
    get creationTimestamp() {
      return formatTime(nowMs)
    },
    ...(labels === undefined ? {} : { labels }),
  }
}

function amountsOf({ cpuNanocores, memoryBytes, swapBytes }: Usage, { exposeSwap }: Told): Amounts {
  const cpu = cpuText(cpuNanocores)
  const memory = bytesText(memoryBytes)
  return exposeSwap && swapBytes !== undefined ? { cpu, memory, swap: bytesText(swapBytes) } : { cpu, memory }
}

const writer = new BackwardWriter()

/** The bytes of a NodeMetrics or PodMetrics that was made here: fields of `k8s.io/metrics` v1beta1. */
export function encodeMetrics(object: KubeObject): Buffer {
  if (!isMetrics(object)) throw new TypeError(`${object.kind} ${object.metadata.name} is none of ours`)
  const { createdMs, timeMs, windowNs, usage, containers } = object[written]
  writer.reset()
  // From the last field to the first.
  if (usage !== undefined) writeAmounts(4, usage)
  if (containers !== undefined)
    for (let at = containers.length - 1; at >= 0; at--) {
      const container = containers[at]
      if (container === undefined) continue
      const mark = writer.mark()
      writeAmounts(2, container.usage)
      writer.text(1, container.name)
      writer.delimit(4, mark)
    }
  const window = writer.mark()
  writer.integer(1, windowNs)
  writer.delimit(3, window)
  if (timeMs !== undefined) writeTime(2, timeMs)
  else writer.delimit(2, writer.mark())
  writeMetadata(object.metadata, createdMs)
  return writer.finish()
}

function isMetrics(object: KubeObject): object is MetricsObject {
  return written in object
}

function writeMetadata({ name, namespace = '', labels = {} }: KubeObject['metadata'], createdMs: number): void {
  const mark = writer.mark()
  const keys = Object.keys(labels)
  for (let at = keys.length - 1; at >= 0; at--) {
    const key = keys[at] ?? ''
    const entry = writer.mark()
    writer.text(2, labels[key] ?? '')
    writer.text(1, key)
    writer.delimit(11, entry)
  }
  writeTime(8, createdMs)
  writer.integer(7, 0)
  writer.text(6, '')
  writer.text(5, '')
  writer.text(4, '')
  writer.text(3, namespace)
  writer.text(2, '')
  writer.text(1, name)
  writer.delimit(1, mark)
}

/** `Time { seconds = 1, nanos = 2 }`, in whole seconds as metadata and timestamps have it. */
function writeTime(field: number, timeMs: number): void {
  const mark = writer.mark()
  writer.integer(2, 0)
  writer.integer(1, Math.floor(timeMs / 1_000))
  writer.delimit(field, mark)
}

/** `map<string, Quantity { string = 1 }>`. */
function writeAmounts(field: number, amounts: Amounts): void {
  const names = Object.keys(amounts)
  for (let at = names.length - 1; at >= 0; at--) {
    const name = names[at] ?? ''
    const entry = writer.mark()
    const quantity = writer.mark()
    writer.text(1, amounts[name] ?? '')
    writer.delimit(2, quantity)
    writer.text(1, name)
    writer.delimit(field, entry)
  }
}
