// What one answer of a kubelet says of its node and of each container: cumulative CPU, memory, when that was, since when it counts.

/** The series that are read; all others are passed over. */
export const seriesNames = [
  'node_cpu_usage_seconds_total',
  'node_memory_working_set_bytes',
  'node_swap_usage_bytes',
  'container_cpu_usage_seconds_total',
  'container_memory_working_set_bytes',
  'container_start_time_seconds',
  'container_swap_usage_bytes',
] as const

export type SeriesName = (typeof seriesNames)[number]

/** Whose a container's series are. */
export interface ContainerName {
  readonly namespace: string
  readonly pod: string
  readonly container: string
}

/** Numbers of a node or container; undefined where the answer has no such series. */
export interface Reading {
  /** Nanoseconds of CPU since its start: a whole number, exact as upstream's is (the product in doubles, cut off). */
  cpuNs: number | undefined
  /** Milliseconds since 1970 at which the CPU was measured. */
  cpuMs: number
  memoryBytes: number | undefined
  memoryMs: number
  swapBytes: number | undefined
  /** What is on local disks: another answer of the kubelet has it. */
  storageBytes: number | undefined
  /** Nanoseconds since 1970; undefined where it is not known. */
  startNs: number | undefined
  /** One of its lines was rejected: what it has not said is not nothing. */
  isDoubted: boolean
}

export interface ContainerReading extends Reading, ContainerName {}

/** Why a line was rejected. */
export type RejectedLine = 'syntax' | 'labels' | 'value' | 'timestamp' | 'too-many'

/** One answer of a kubelet. */
export interface NodeReading {
  readonly node: Reading
  /** In the order in which they first appear. */
  readonly containers: readonly ContainerReading[]
  readonly rejected: ReadonlyMap<RejectedLine, number>
}

export function emptyReading(): Reading {
  return {
    cpuNs: undefined,
    cpuMs: 0,
    memoryBytes: undefined,
    memoryMs: 0,
    swapBytes: undefined,
    storageBytes: undefined,
    startNs: undefined,
    isDoubted: false,
  }
}

const nanosPerSecond = 1e9
/** The largest int64 and one: what is greater is no measurement. */
const int64End = 2 ** 63
/** The last time that the API can print. */
const latestMs = Date.UTC(9999, 11, 31, 23, 59, 59, 999)

/** Why `value` with `timeMs` cannot be a measurement; undefined where it can. */
export function unbelievable(value: number, timeMs: number): RejectedLine | undefined {
  if (!(value >= 0 && value <= int64End)) return 'value'
  return timeMs >= 0 && timeMs <= latestMs && Number.isInteger(timeMs) ? undefined : 'timestamp'
}

/** Writes one believable value into a reading. The time of a start series is not used. A later value overwrites. */
export function note(reading: Reading, name: SeriesName, value: number, timeMs: number): void {
  switch (name) {
    case 'node_cpu_usage_seconds_total':
    case 'container_cpu_usage_seconds_total':
      reading.cpuNs = Math.trunc(value * nanosPerSecond)
      reading.cpuMs = timeMs
      return
    case 'node_memory_working_set_bytes':
    case 'container_memory_working_set_bytes':
      reading.memoryBytes = Math.trunc(value)
      reading.memoryMs = timeMs
      return
    case 'node_swap_usage_bytes':
    case 'container_swap_usage_bytes':
      reading.swapBytes = Math.trunc(value)
      return
    case 'container_start_time_seconds':
      reading.startNs = Math.trunc(value * nanosPerSecond) || undefined
      return
  }
}

export function isOfNode(name: SeriesName): boolean {
  return name.startsWith('node_')
}
