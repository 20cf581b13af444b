// The same series as delimited MetricFamily messages, which a kubelet sends where it is asked for protobuf.
import { setImmediate } from 'node:timers/promises'
import protobuf from 'protobufjs/light.js'
import { containerOf, NoMetricsError } from './exposition-text.ts'
import { type Decoding, usualLabels } from './known-containers.ts'
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

/** Families and series between two turns of the event loop: a millisecond or two. */
const stepsAtOnce = 256
/** Bytes; those of ours are half as long at most. */
const longestName = 100
/** A series with its labels, as {@link readExposition} takes no longer line. */
const longestSeries = 32_768

interface Sample {
  readonly labels: ReadonlyMap<string, string>
  readonly value: number
  readonly timeMs: number | undefined
}

/** What delimited families say, as {@link readExposition} of text. @throws NoMetricsError where the bytes are no families; `signal.reason` */
export async function readFamilies(
  body: Buffer,
  { known, sentMs, signal, nextTurn = setImmediate }: Decoding,
): Promise<NodeReading> {
  const containers = known.begin()
  const node = emptyReading()
  const rejected = new Map<RejectedLine, number>()
  const reject = (why: RejectedLine) => rejected.set(why, (rejected.get(why) ?? 0) + 1)
  const take = (name: SeriesName, sample: Sample | undefined) => {
    if (sample === undefined) return reject('syntax')
    const { labels, value, timeMs = sentMs } = sample
    const container = containerOf(labels)
    const reading = isOfNode(name) ? node : container === undefined ? 'labels' : containers.of(keyOf(container), () => container)
    if (typeof reading === 'string') return reject(reading)
    const why = unbelievable(value, timeMs)
    if (why === undefined) return note(reading, name, value, timeMs)
    reading.isDoubted = true
    reject(why)
  }
  const reader = protobuf.Reader.create(body)
  let steps = 0
  try {
    while (reader.pos < reader.len) {
      const end = reader.uint32() + reader.pos
      if (end === reader.pos) throw new RangeError('a family without a name')
      if (end > reader.len) throw new RangeError('a family is longer than the answer')
      for (const _ of readFamily(reader, end, take)) {
        if (++steps % stepsAtOnce !== 0) continue
        await nextTurn()
        signal?.throwIfAborted()
      }
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

/** `MetricFamily { name = 1, type = 3, metric = 4 }`; the name comes first where Go wrote it. Yields after each step. */
function* readFamily(
  reader: protobuf.Reader,
  end: number,
  take: (name: SeriesName, sample: Sample | undefined) => void,
): Generator<void> {
  let name = ''
  const samples: number[] = []
  yield
  while (reader.pos < end) {
    const tag = reader.uint32()
    if (tag >>> 3 === 1 && (tag & 7) === 2) name = nameIn(reader)
    else if (tag >>> 3 === 4 && (tag & 7) === 2) {
      const length = reader.uint32()
      samples.push(reader.pos, reader.pos + length)
      reader.skip(length)
    } else reader.skipType(tag & 7)
    yield
  }
  if (reader.pos !== end) throw new RangeError('a family ends elsewhere than it says')
  if (!isWanted(name)) return
  for (let at = 0; at < samples.length; at += 2) {
    const [from = end, to = end] = [samples[at], samples[at + 1]]
    reader.pos = from
    take(name, to - from > longestSeries ? undefined : readMetric(reader, to))
    yield
  }
  reader.pos = end
}

/** A name that may be one of ours; what is longer is none. */
function nameIn(reader: protobuf.Reader): string {
  const length = reader.uint32()
  if (length > longestName) {
    reader.skip(length)
    return ''
  }
  const from = reader.pos
  reader.skip(length)
  return Buffer.from(reader.buf.subarray(from, from + length)).toString()
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
