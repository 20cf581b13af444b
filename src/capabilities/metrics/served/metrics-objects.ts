// NodeMetrics and PodMetrics of metrics.k8s.io/v1beta1, as their clients read them: in JSON, and in protobuf, which kubectl and the
// HorizontalPodAutoscaler ask for first. Texts that only JSON has are made when they are read.

import { BackwardWriter } from '#kube/backward-writer.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { formatDuration } from '#kube/time/duration.ts'
import { formatTime } from '#kube/time/time.ts'
import type { ContainerUsage } from '../points/points.ts'
import type { Usage } from '../points/usage-rate.ts'
import { bytesInto, bytesText, cpuInto, cpuText } from './quantities.ts'

/** Whose usage is told: of a Node or Pod only this much is known. */
export interface Measured {
  readonly name: string
  readonly namespace?: string
  readonly labels?: Readonly<Record<string, string>>
}

/** What is told besides CPU and memory, where it was measured. */
export interface Exposed {
  readonly swap: boolean
  readonly storage: boolean
}

interface Told {
  /** Milliseconds since 1970: the time of the answer. */
  readonly nowMs: number
  readonly exposed: Exposed
}

type Amounts = Readonly<Record<string, string>>

/** What protobuf is written from. */
const written = Symbol('written')

interface Written {
  readonly createdMs: number
  /** Undefined where nothing could be measured. */
  readonly timeMs: number | undefined
  readonly windowNs: number
  readonly exposed: Exposed
  readonly usage?: Usage
  readonly containers?: readonly ContainerUsage[]
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
    [written]: {
      createdMs: told.nowMs,
      timeMs: usage.timeMs,
      windowNs: usage.windowNs,
      exposed: told.exposed,
      usage,
    },
  }
}

/** `order`: the containers as the pod's spec has them; others follow by name. */
export function podMetrics(pod: Measured, containers: readonly ContainerUsage[], order: Order, told: Told): MetricsObject {
  const content = writtenOf(containers, order, told)
  const { timeMs, windowNs } = content
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
    containers: content.containers.map(({ name, usage }) => ({ name, usage: amountsOf(usage, told) })),
    [written]: content,
  }
}

function writtenOf(
  containers: readonly ContainerUsage[],
  order: Order,
  { nowMs, exposed }: Told,
): Written & Required<Pick<Written, 'containers'>> {
  let oldest: Usage | undefined
  for (const { usage } of containers) if (oldest === undefined || usage.timeMs < oldest.timeMs) oldest = usage
  return {
    createdMs: nowMs,
    timeMs: oldest?.timeMs,
    windowNs: oldest?.windowNs ?? 0,
    exposed,
    containers: inOrder(containers, order),
  }
}

/** Go's text of a duration of nanoseconds. */
function windowText(windowNs: number): string {
  return formatDuration(BigInt(windowNs))
}

/** Those of a pod's spec, or as much of them as is known. */
type Order = readonly { readonly name: string }[]

function inOrder(containers: readonly ContainerUsage[], order: Order): readonly ContainerUsage[] {
  if (containers.length < 2 || isInOrder(containers, order)) return containers
  const places = new Map(order.map(({ name }, at) => [name, at]))
  const place = ({ name }: ContainerUsage) => places.get(name) ?? order.length
  return containers.toSorted((a, b) => place(a) - place(b) || (a.name < b.name ? -1 : 1))
}

/** Whether they are the first of `order`, one by one: so it is with most pods. */
function isInOrder(containers: readonly ContainerUsage[], order: Order): boolean {
  for (let at = 0; at < containers.length; at++) if (containers[at]?.name !== order[at]?.name) return false
  return true
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

function amountsOf({ cpuNanocores, memoryBytes, swapBytes, storageBytes }: Usage, { exposed }: Told): Amounts {
  return {
    cpu: cpuText(cpuNanocores),
    ...(exposed.storage && storageBytes !== undefined ? { 'ephemeral-storage': bytesText(storageBytes) } : {}),
    memory: bytesText(memoryBytes),
    ...(exposed.swap && swapBytes !== undefined ? { swap: bytesText(swapBytes) } : {}),
  }
}

const writer = new BackwardWriter()

/** The bytes of a NodeMetrics or PodMetrics that was made here: fields of `k8s.io/metrics` v1beta1. Good until the next call. */
export function encodeMetrics(object: KubeObject): Buffer {
  if (!isMetrics(object)) throw new TypeError(`${object.kind} ${object.metadata.name} is none of ours`)
  return encode(object.metadata, object[written])
}

/** The bytes of {@link podMetrics} of the same, without that object. Good until the next call. */
export function encodePodMetrics(pod: Measured, containers: readonly ContainerUsage[], order: Order, told: Told): Buffer {
  return encode(pod, writtenOf(containers, order, told))
}

function encode(measured: Measured, { createdMs, timeMs, windowNs, exposed, usage, containers }: Written): Buffer {
  writer.reset()
  // From the last field to the first.
  if (usage !== undefined) writeAmounts(4, usage, exposed)
  if (containers !== undefined)
    for (let at = containers.length - 1; at >= 0; at--) {
      const container = containers[at]
      if (container === undefined) continue
      const mark = writer.mark()
      writeAmounts(2, container.usage, exposed)
      writer.text(1, container.name)
      writer.delimit(4, mark)
    }
  const window = writer.mark()
  writer.integer(1, windowNs)
  writer.delimit(3, window)
  if (timeMs !== undefined) writeTime(2, timeMs)
  else writer.delimit(2, writer.mark())
  writeMetadata(measured, createdMs)
  return writer.finish()
}

function isMetrics(object: KubeObject): object is MetricsObject {
  return written in object
}

function writeMetadata({ name, namespace = '', labels = {} }: Measured, createdMs: number): void {
  const mark = writer.mark()
  const keys = Object.keys(labels)
  for (let at = keys.length - 1; at >= 0; at--) {
    const key = keys[at] ?? ''
    const entry = writer.mark()
    writer.text(2, labels[key] ?? '')
    writer.text(1, key)
    writer.delimit(11, entry)
  }
  writer.part(createdPart(createdMs))
  writer.text(3, namespace)
  writer.text(2, '')
  writer.text(1, name)
  writer.delimit(1, mark)
}

/** What is the same in the metadata of all that one list tells of: the time, and what none of ours has. */
let created: { readonly ms: number; readonly bytes: Buffer } = { ms: Number.NaN, bytes: Buffer.alloc(0) }

function createdPart(createdMs: number): Buffer {
  if (created.ms === createdMs) return created.bytes
  const bytes = partOf(part => {
    writeTime(8, createdMs, part)
    part.integer(7, 0)
    part.text(6, '')
    part.text(5, '')
    part.text(4, '')
  })
  created = { ms: createdMs, bytes }
  return bytes
}

function partOf(write: (part: BackwardWriter) => void): Buffer {
  const part = new BackwardWriter()
  write(part)
  return Buffer.from(part.finish())
}

/** `Time { seconds = 1, nanos = 2 }`, in whole seconds as metadata and timestamps have it. */
function writeTime(field: number, timeMs: number, into = writer): void {
  const mark = into.mark()
  into.integer(2, 0)
  into.integer(1, Math.floor(timeMs / 1_000))
  into.delimit(field, mark)
}

const nameOf = (text: string) => partOf(part => part.text(1, text))
/** Keys of the map, in their field. */
const names = { cpu: nameOf('cpu'), storage: nameOf('ephemeral-storage'), memory: nameOf('memory'), swap: nameOf('swap') }

const asCharacters = {
  scaled(amount: number, suffix: string) {
    writer.characters(suffix)
    writer.digits(amount)
  },
  text: (text: string) => writer.characters(text),
}

/** `map<string, Quantity { string = 1 }>`, by name. */
function writeAmounts(field: number, usage: Usage, exposed: Exposed): void {
  const { cpuNanocores, memoryBytes, swapBytes, storageBytes } = usage
  if (exposed.swap && swapBytes !== undefined) writeBytes(field, names.swap, swapBytes)
  writeBytes(field, names.memory, memoryBytes)
  if (exposed.storage && storageBytes !== undefined) writeBytes(field, names.storage, storageBytes)
  const cpu = writer.mark()
  cpuInto(cpuNanocores, asCharacters)
  writeEntry(field, names.cpu, cpu)
}

function writeBytes(field: number, name: Buffer, bytes: number): void {
  const mark = writer.mark()
  bytesInto(bytes, asCharacters)
  writeEntry(field, name, mark)
}

/** Closes the text that began at `mark`: the quantity, and the entry of its name. */
function writeEntry(field: number, name: Buffer, mark: number): void {
  writer.delimit(1, mark)
  writer.delimit(2, mark)
  writer.part(name)
  writer.delimit(field, mark)
}
