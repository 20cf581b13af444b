// The same series as delimited MetricFamily messages, which a kubelet sends where it is asked for protobuf.
import { setImmediate as nextTurn } from 'node:timers/promises'
import protobuf from 'protobufjs/light.js'
import { containerOf, NoMetricsError } from './exposition-text.ts'
import { type KnownContainers, usualLabels } from './known-containers.ts'
import {
  type ContainerName,
  emptyReading,
  isOfNode,
  type NodeReading,
  note,
  type RejectedLine,
  type SeriesName,
  seriesNames,
  unbelievable,
} from './reading.ts'

/** Families between two turns of the event loop. */
const sliceBytes = 1 << 17

interface Sample {
  readonly labels: ReadonlyMap<string, string>
  readonly value: number
  readonly timeMs: number | undefined
}

/** What delimited families say, as {@link readExposition} of text. @throws NoMetricsError where the bytes are no families; `signal.reason` */
export async function readFamilies(
  body: Buffer,
  { known, sentMs, signal }: { readonly known: KnownContainers; readonly sentMs: number; readonly signal?: AbortSignal },
): Promise<NodeReading> {
  const containers = known.begin()
  const node = emptyReading()
  const rejected = new Map<RejectedLine, number>()
  const reject = (why: RejectedLine) => rejected.set(why, (rejected.get(why) ?? 0) + 1)
  const take = (name: SeriesName, { labels, value, timeMs = sentMs }: Sample) => {
    const container = containerOf(labels)
    const reading = isOfNode(name) ? node : container === undefined ? 'labels' : containers.of(keyOf(container), () => container)
    if (typeof reading === 'string') return reject(reading)
    const why = unbelievable(value, timeMs)
    if (why === undefined) return note(reading, name, value, timeMs)
    reading.isDoubted = true
    reject(why)
  }
  const reader = protobuf.Reader.create(body)
  let turnAt = sliceBytes
  try {
    while (reader.pos < reader.len) {
      const end = reader.uint32() + reader.pos
      if (end > reader.len) throw new RangeError('a family is longer than the answer')
      readFamily(reader, end, take)
      if (reader.pos < turnAt) continue
      turnAt = reader.pos + sliceBytes
      await nextTurn()
      signal?.throwIfAborted()
    }
  } catch (error) {
    if (!(error instanceof Error) || signal?.aborted === true) throw error
    throw new NoMetricsError(body.toString('latin1', 0, 16))
  }
  known.keep(containers)
  return { node, containers: containers.readings, rejected }
}

/** The labels as text has them, which are not kept besides the name; names that text would write otherwise have a key of their own. */
function keyOf(name: ContainerName): string {
  const { namespace, pod, container } = name
  const isPlain = !`${namespace}${pod}${container}`.includes('"')
  return isPlain ? usualLabels(name) : `${namespace}\n${pod}\n${container}`
}

const wanted = new Set<string>(seriesNames)

function isWanted(name: string): name is SeriesName {
  return wanted.has(name)
}

/** `MetricFamily { name = 1, type = 3, metric = 4 }`; the name comes first where Go wrote it. */
function readFamily(reader: protobuf.Reader, end: number, take: (name: SeriesName, sample: Sample) => void): void {
  let name = ''
  const samples: number[] = []
  while (reader.pos < end) {
    const tag = reader.uint32()
    if (tag >>> 3 === 1 && (tag & 7) === 2) name = reader.string()
    else if (tag >>> 3 === 4 && (tag & 7) === 2) {
      const length = reader.uint32()
      samples.push(reader.pos, reader.pos + length)
      reader.skip(length)
    } else reader.skipType(tag & 7)
  }
  if (reader.pos !== end) throw new RangeError('a family ends elsewhere than it says')
  if (!isWanted(name)) return
  for (let at = 0; at < samples.length; at += 2) {
    reader.pos = samples[at] ?? end
    take(name, readMetric(reader, samples[at + 1] ?? end))
  }
  reader.pos = end
}

/** `Metric { label = 1, gauge = 2, counter = 3, untyped = 5, timestamp_ms = 6 }`. */
function readMetric(reader: protobuf.Reader, end: number): Sample {
  const labels = new Map<string, string>()
  let value = Number.NaN
  let timeMs: number | undefined
  while (reader.pos < end) {
    const tag = reader.uint32()
    const field = tag >>> 3
    if ((tag & 7) === 2 && field === 1) {
      const pair = readPair(reader, reader.uint32() + reader.pos)
      labels.set(pair.name, pair.value)
    } else if ((tag & 7) === 2 && (field === 2 || field === 3 || field === 5))
      value = readValue(reader, reader.uint32() + reader.pos)
    else if ((tag & 7) === 0 && field === 6) timeMs = Number(String(reader.int64()))
    else reader.skipType(tag & 7)
  }
  return { labels, value, timeMs }
}

function readPair(reader: protobuf.Reader, end: number): { readonly name: string; readonly value: string } {
  let name = ''
  let value = ''
  while (reader.pos < end) {
    const tag = reader.uint32()
    if (tag === 10) name = reader.string()
    else if (tag === 18) value = reader.string()
    else reader.skipType(tag & 7)
  }
  return { name, value }
}

/** `Gauge`, `Counter`, `Untyped { value = 1 }`. Zero is not written. */
function readValue(reader: protobuf.Reader, end: number): number {
  let value = 0
  while (reader.pos < end) {
    const tag = reader.uint32()
    if (tag === 9) value = reader.double()
    else reader.skipType(tag & 7)
  }
  return value
}
