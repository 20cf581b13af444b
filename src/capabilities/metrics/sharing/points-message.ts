// What one replica passes on to another: what it read of kubelets, as numbers, so that both keep the same to the last digit.
import {
  bytes,
  flag,
  hasFewFields,
  integer,
  list,
  manyBytes,
  message,
  optionalCount,
  text,
  texts,
} from '#kube/protobuf-message.ts'
import { containersLimit } from '../decode/known-containers.ts'
import { type ContainerReading, emptyReading, type NodeReading, type Reading, unbelievable } from '../decode/reading.ts'

/** Another meaning of any field is another version: replicas of two versions ask by themselves. */
const wireVersion = 1
/** Nanoseconds: the largest counter that a kubelet is believed. */
const int64Nanos = 2 ** 63 * 1e9

/** What a replica read of one kubelet. */
export interface PassedPoints {
  readonly node: string
  /** Time of day by the clock of whoever asked. */
  readonly receivedMs: number
  /** The node was asked by the replica whose it is, not in another's place. */
  readonly isOwners: boolean
  readonly reading: NodeReading
}

/** The same, as one answer brings it. */
export interface Heard extends PassedPoints {
  /** Since it was read, when the answer was made. */
  readonly ageMs: number
}

interface PointsAnswer {
  /** Another one, and numbers begin anew. */
  readonly instance: string
  /** Number of the last that is in it. */
  readonly upTo: number
  /** There is more than this. */
  readonly isCut: boolean
  readonly heard: readonly Heard[]
}

const pointsMessage = message({
  node: text(1),
  receivedMs: integer(2),
  isOwners: flag(3),
  /** Doubles, seven for each: the node's, then each container's. On the wire this is `repeated double`. */
  numbers: bytes(4),
  /** Namespace, pod and name of each container; the first two empty where they are those of the one before. */
  names: texts(5),
  /** One double for each of `numbers`, where local disks are measured. */
  storage: bytes(6),
})
const entryMessage = message({ ageMs: integer(1), points: bytes(2) })
const header = { version: optionalCount(1), instance: text(2), upTo: integer(3), isCut: flag(4) }
const answerMessage = message({ ...header, entries: list(5, entryMessage) })
/** The same, with each entry as it came. */
const rawAnswerMessage = message({ ...header, entries: manyBytes(5) })

/** An answer that cannot be used: it is no answer, of another version, or says what nobody can have measured. */
class PointsRefused extends Error {
  override readonly name = 'PointsRefused'
}

const numbersEach = 7
const namesEach = 3
const mostNames = namesEach * containersLimit

export function encodePoints({ node, receivedMs, isOwners, reading }: PassedPoints): Buffer {
  const { containers } = reading
  const numbers = new Float64Array(numbersEach * (1 + containers.length))
  const names = new Array<string>(containers.length * namesEach)
  put(numbers, 0, reading.node)
  let before: ContainerReading | undefined
  for (const [at, container] of containers.entries()) {
    put(numbers, at + 1, container)
    const { namespace, pod } = container
    const isSame = before?.namespace === namespace && before.pod === pod
    names[at * namesEach] = isSame ? '' : namespace
    names[at * namesEach + 1] = isSame ? '' : pod
    names[at * namesEach + 2] = container.container
    before = container
  }
  return pointsMessage.encode({
    ...{ node, receivedMs, isOwners, names },
    numbers: new Uint8Array(numbers.buffer),
    storage: storageOf(reading),
  })
}

export function encodeAnswer({
  entries,
  ...rest
}: Omit<PointsAnswer, 'heard'> & {
  readonly entries: readonly { readonly ageMs: number; readonly points: Uint8Array }[]
}): Buffer {
  return answerMessage.encode({ version: wireVersion, ...rest, entries })
}

/** More nodes than anybody has. */
const mostEntries = 65_536
/** What a message of ours has beside its lists. */
const singleFields = 8
/** Names of a life, as UUIDs are. */
const longestInstance = 64
/** It comes back in the next question. */
const largestNumber = 999_999_999_999_999

/** What an answer says; waits for `nextTurn` now and then, since it may be long. @throws PointsRefused */
export async function decodeAnswer(body: Uint8Array, nextTurn: () => Promise<void>): Promise<PointsAnswer> {
  const answer = read(() => rawAnswerMessage.decode(withFewFields(body, mostEntries)))
  if (answer.version !== wireVersion)
    throw new PointsRefused(`it speaks version ${answer.version ?? 'none'} of ours, which is ${wireVersion}`)
  const { instance, upTo, isCut, entries } = answer
  const isNamed = instance !== '' && instance.length <= longestInstance
  if (!isNamed || !(upTo >= 0 && upTo <= largestNumber)) throw new PointsRefused('it does not say what it sent')
  const heard: Heard[] = []
  let inTurn = 0
  for (const [at, entry] of entries.entries()) {
    if (at % entriesInTurn === 0 || inTurn > bytesInTurn) {
      inTurn = 0
      await nextTurn()
    }
    inTurn += entry.length
    const { ageMs, points } = read(() => entryMessage.decode(withFewFields(entry, 0)))
    if (!Number.isSafeInteger(ageMs) || ageMs < 0) throw new PointsRefused('an age is none')
    heard.push({ ageMs, ...readPoints(points) })
  }
  return { instance, upTo, isCut, heard }
}

/** Some 50 µs each. */
const entriesInTurn = 32
const bytesInTurn = 256 * 1024

function readPoints(data: Uint8Array): PassedPoints {
  const {
    node,
    receivedMs,
    isOwners,
    numbers: sent,
    names,
    storage: stored,
  } = read(() => pointsMessage.decode(withFewFields(data, mostNames)))
  const count = names.length / namesEach
  if (node === '' || !Number.isInteger(count) || sent.length !== Float64Array.BYTES_PER_ELEMENT * numbersEach * (1 + count))
    throw new PointsRefused(`points of ${JSON.stringify(node)} are not whole`)
  if (count > containersLimit) throw new PointsRefused(`${JSON.stringify(node)} has ${count} containers`)
  if (unbelievable(0, receivedMs) !== undefined) throw new PointsRefused('a time is none')
  if (stored.length !== 0 && stored.length !== Float64Array.BYTES_PER_ELEMENT * (1 + count))
    throw new PointsRefused(`points of ${JSON.stringify(node)} are not whole`)
  // Views of doubles begin at multiples of eight.
  const numbers = new Float64Array(new Uint8Array(sent).buffer)
  const storage = new Float64Array(new Uint8Array(stored).buffer)
  const own = emptyReading()
  take(numbers, 0, own)
  own.storageBytes = counted(storage[0], 2 ** 63)
  const containers: ContainerReading[] = []
  let [namespace, pod] = ['', '']
  for (let at = 0; at < count; at++) {
    const [one = '', two = '', container = ''] = names.slice(at * namesEach, (at + 1) * namesEach)
    if (one !== '' || two !== '') [namespace, pod] = [one, two]
    const reading: ContainerReading = { namespace, pod, container, ...emptyReading() }
    take(numbers, at + 1, reading)
    reading.storageBytes = counted(storage[at + 1], 2 ** 63)
    containers.push(reading)
  }
  return { node, receivedMs, isOwners, reading: { node: own, containers, rejected: new Map() } }
}

/** Empty where nobody measures it. */
function storageOf({ node, containers }: NodeReading): Uint8Array {
  const all = [node, ...containers].map(({ storageBytes }) => storageBytes)
  if (all.every(one => one === undefined)) return new Uint8Array()
  return new Uint8Array(Float64Array.from(all, one => one ?? NaN).buffer)
}

/** NaN stands for what is not known. */
function put(numbers: Float64Array, at: number, reading: Reading): void {
  const { cpuNs, cpuMs, memoryBytes, memoryMs, swapBytes, startNs, isDoubted } = reading
  numbers.set(
    [cpuNs ?? NaN, cpuMs, memoryBytes ?? NaN, memoryMs, swapBytes ?? NaN, startNs ?? NaN, isDoubted ? 1 : 0],
    at * numbersEach,
  )
}

/** @throws PointsRefused for what our own decoder would not have believed */
function take(numbers: Float64Array, at: number, reading: Reading): void {
  const from = at * numbersEach
  const time = (index: number): number => {
    const value = numbers[from + index] ?? NaN
    if (unbelievable(0, value) !== undefined) throw new PointsRefused(`${value} is no time`)
    return value
  }
  reading.cpuNs = counted(numbers[from], int64Nanos)
  reading.cpuMs = time(1)
  reading.memoryBytes = counted(numbers[from + 2], 2 ** 63)
  reading.memoryMs = time(3)
  reading.swapBytes = counted(numbers[from + 4], 2 ** 63)
  reading.startNs = counted(numbers[from + 5], int64Nanos)
  reading.isDoubted = numbers[from + 6] !== 0
}

/** A whole number; undefined for what is not known. @throws PointsRefused */
function counted(value: number | undefined, most: number): number | undefined {
  if (value === undefined || Number.isNaN(value)) return undefined
  if (!(value >= 0 && value <= most && Number.isInteger(value))) throw new PointsRefused(`${value} is no measurement`)
  return value
}

/** Refuses what would be large once it is read: a field takes two bytes of a message, and many more of memory. @throws Error */
function withFewFields(body: Uint8Array, inLists: number): Uint8Array {
  if (!hasFewFields(body, singleFields + inLists)) throw new Error(`a message has more than ${singleFields + inLists} fields`)
  return body
}

function read<T>(decode: () => T): T {
  try {
    return decode()
  } catch (error) {
    throw new PointsRefused(`it is no answer of ours: ${error instanceof Error ? error.message : String(error)}`)
  }
}
