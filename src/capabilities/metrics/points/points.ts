// The last two points of each node and container, by upstream's rules (§3.4) or ours: a container without CPU is no reason to lose its pod,
// and a scrape that failed none to lose what is known.
import type { ContainerReading, NodeReading, Reading } from '../decode/reading.ts'
import { PointColumns } from './point-columns.ts'
import { nanocores, nanosBetween, splitNanos, type Usage } from './usage-rate.ts'

export interface PointRules {
  /** Between two scrapes. */
  readonly resolutionMs: number
  /** How long a point is served without another after it. */
  readonly staleAfterMs: number
  /** Upstream's rules to the letter: a container without CPU or memory loses its pod, a failed scrape loses its node. */
  readonly isStrict: boolean
}

/** When an answer came, by both clocks. */
interface Received {
  /** Time of day: what the node's own time is judged by. */
  readonly wallMs: number
  /** Never jumps: age is counted by it. */
  readonly elapsedMs: number
}

/** What a store did with an answer, for those who tell of it. */
interface Stored {
  /** Pods that another node had said first. */
  readonly duplicates: readonly string[]
  /** The node's clock stepped: windows begin anew. */
  readonly clockStepped: boolean
  /** The node itself was left out: its CPU or memory was missing or zero. */
  readonly nodeIncomplete: boolean
}

export interface ContainerUsage {
  readonly name: string
  readonly usage: Usage
}

/** Why a pod is not served. */
export type PodAbsence =
  | { readonly kind: 'unknown' }
  | { readonly kind: 'waiting'; readonly container: string }
  | { readonly kind: 'incomplete'; readonly container: string }
  | { readonly kind: 'fell'; readonly container: string }
  | { readonly kind: 'stale'; readonly node: string }

/** Containers that younger points are trusted of only from this age on, as upstream's. */
const freshFromMs = 10_000
/** A clock that goes back by more was set. */
const clockBackMs = 600_000

interface PodPoints {
  readonly node: NodePoints
  /** By name, in the kubelet's order; undefined for what cannot be measured. */
  readonly containers: Map<string, number | undefined>
}

interface NodePoints {
  readonly name: string
  slot: number | undefined
  pods: Map<string, PodPoints>
  receivedMs: number
}

export class Points {
  readonly #rules: PointRules
  readonly #columns = new PointColumns()
  readonly #nodes = new Map<string, NodePoints>()
  readonly #pods = new Map<string, PodPoints>()
  /** Slots with two points. */
  #servable = { nodes: 0, containers: 0 }
  /** Containers with a slot, and those without. */
  #measured = 0
  #incomplete = 0

  constructor(rules: PointRules) {
    this.#rules = rules
  }

  /** How many nodes and containers have a rate. */
  get servable(): { readonly nodes: number; readonly containers: number } {
    return this.#servable
  }

  /** How many containers keep their pod from being served, and why. */
  get dropped(): Readonly<Record<'waiting' | 'incomplete', number>> {
    return { waiting: this.#measured - this.#servable.containers, incomplete: this.#incomplete }
  }

  /** Takes what a node answered. */
  store(name: string, reading: NodeReading, received: Received): Stored {
    const node = this.#nodes.get(name) ?? { name, slot: undefined, pods: new Map(), receivedMs: 0 }
    this.#nodes.set(name, node)
    node.receivedMs = received.elapsedMs
    const clock = { stepped: false, wallMs: received.wallMs }
    const own = completeOf(reading.node)
    this.#replaceNode(node, own, clock)
    const duplicates = this.#storePods(node, reading.containers, clock)
    return { duplicates, clockStepped: clock.stepped, nodeIncomplete: own === undefined }
  }

  /** A scrape failed. Upstream forgets the node at once; ours when its points are stale. */
  missed(name: string, nowElapsedMs: number): void {
    const node = this.#nodes.get(name)
    if (node === undefined) return
    if (this.#rules.isStrict || nowElapsedMs - node.receivedMs > this.#rules.staleAfterMs) this.forget(name)
  }

  /** Drops all of a node. */
  forget(name: string): void {
    const node = this.#nodes.get(name)
    if (node === undefined) return
    this.#nodes.delete(name)
    if (node.slot !== undefined) this.#give(node.slot, 'nodes')
    for (const [key, pod] of node.pods) this.#dropPod(key, pod)
  }

  nodeUsage(name: string, nowElapsedMs: number): Usage | undefined {
    const node = this.#nodes.get(name)
    if (node?.slot === undefined || this.#isStale(node, nowElapsedMs)) return undefined
    const usage = this.#usageOf(node.slot)
    return usage === 'fell' ? undefined : usage
  }

  /** Containers of a pod, whole or not at all; `finished` names those that ended, which count no more. */
  podUsage(
    { namespace, name }: { readonly namespace: string; readonly name: string },
    finished: ReadonlySet<string>,
    nowElapsedMs: number,
  ): readonly ContainerUsage[] | PodAbsence {
    const pod = this.#pods.get(podKey(namespace, name))
    if (pod === undefined) return { kind: 'unknown' }
    if (this.#isStale(pod.node, nowElapsedMs)) return { kind: 'stale', node: pod.node.name }
    const found: ContainerUsage[] = []
    let fell: string | undefined
    for (const [container, slot] of pod.containers) {
      if (!this.#rules.isStrict && finished.has(container)) continue
      if (slot === undefined) return { kind: 'incomplete', container }
      const usage = this.#usageOf(slot)
      if (usage === undefined) return { kind: 'waiting', container }
      if (usage === 'fell') fell = container
      else found.push({ name: container, usage })
    }
    // A part of the pod would pass for the whole.
    if (fell !== undefined && !(this.#rules.isStrict && found.length > 0)) return { kind: 'fell', container: fell }
    return found.length === 0 ? { kind: 'unknown' } : found
  }

  /** The last rates of a container, the oldest first; empty where it is not known. */
  containerRates(namespace: string, pod: string, container: string): ReturnType<PointColumns['rates']> {
    const slot = this.#pods.get(podKey(namespace, pod))?.containers.get(container)
    return slot === undefined ? [] : this.#columns.rates(slot)
  }

  /** The last rates of a node, the oldest first. */
  nodeRates(name: string): ReturnType<PointColumns['rates']> {
    const slot = this.#nodes.get(name)?.slot
    return slot === undefined ? [] : this.#columns.rates(slot)
  }

  /** Milliseconds since a node last answered; undefined where it never did. */
  ageMs(name: string, nowElapsedMs: number): number | undefined {
    const node = this.#nodes.get(name)
    return node === undefined ? undefined : nowElapsedMs - node.receivedMs
  }

  #isStale({ receivedMs }: NodePoints, nowElapsedMs: number): boolean {
    return nowElapsedMs - receivedMs > this.#rules.staleAfterMs
  }

  #replaceNode(node: NodePoints, point: Point | undefined, clock: NodeClock): void {
    if (point === undefined) {
      if (node.slot !== undefined) this.#give(node.slot, 'nodes')
      node.slot = undefined
      return
    }
    const isNew = node.slot === undefined
    node.slot ??= this.#columns.take()
    this.#write(node.slot, point, { isNew, counted: 'nodes', mayBeFresh: false, clock })
  }

  #storePods(node: NodePoints, readings: readonly ContainerReading[], clock: NodeClock): readonly string[] {
    const before = node.pods
    const duplicates: string[] = []
    node.pods = new Map()
    for (const reading of readings) {
      const key = podKey(reading.namespace, reading.pod)
      let pod = node.pods.get(key)
      if (pod === undefined) {
        const known = this.#pods.get(key)
        if (known !== undefined && known.node !== node) {
          // Who said it first has it, until it no longer answers or no longer says it.
          if (node.receivedMs - known.node.receivedMs <= this.#rules.resolutionMs * 1.5) {
            if (duplicates.at(-1) !== key) duplicates.push(key)
            continue
          }
          known.node.pods.delete(key)
          this.#dropPod(key, known)
        }
        pod = { node, containers: new Map() }
        node.pods.set(key, pod)
        this.#pods.set(key, pod)
      }
      this.#storeContainer(pod, before.get(key), reading, clock)
    }
    for (const [key, pod] of before) {
      this.#giveAll(pod)
      if (!node.pods.has(key)) this.#pods.delete(key)
    }
    return duplicates.map(key => key.replace('\0', '/'))
  }

  /** Moves the slot from the pod as it was to the pod as it is. */
  #storeContainer(pod: PodPoints, before: PodPoints | undefined, reading: ContainerReading, clock: NodeClock): void {
    const point = completeOf(reading) ?? (this.#rules.isStrict ? undefined : zeroFromStart(reading, clock.wallMs))
    const known = before?.containers.get(reading.container)
    if (point === undefined) {
      // What is known of it is given back with the rest of the pod as it was.
      pod.containers.set(reading.container, undefined)
      this.#incomplete++
      return
    }
    before?.containers.delete(reading.container)
    const slot = known ?? this.#columns.take()
    if (known === undefined) this.#measured++
    pod.containers.set(reading.container, slot)
    this.#write(slot, point, { isNew: known === undefined, counted: 'containers', mayBeFresh: true, clock })
  }

  #write(
    slot: number,
    point: Point,
    {
      isNew,
      counted,
      mayBeFresh,
      clock,
    }: {
      readonly isNew: boolean
      readonly counted: 'nodes' | 'containers'
      readonly mayBeFresh: boolean
      readonly clock: NodeClock
    },
  ): void {
    const columns = this.#columns
    const lastMs = columns.get(slot, 'lastMs')
    const hadPrevious = !Number.isNaN(columns.get(slot, 'previousMs'))
    const isAhead = point.timeMs - clock.wallMs > this.#rules.resolutionMs
    const isStep = isAhead || (!isNew && lastMs - point.timeMs > clockBackMs)
    if (isStep) clock.stepped = true
    const isNews = isNew || point.timeMs > lastMs
    if (!isStep && mayBeFresh && (isFresh(point, this.#rules.resolutionMs) || (isNew && point.isZero === true))) {
      this.#previousIsStart(slot, point)
    } else if (isStep || isNew || (mayBeFresh && point.startNs / 1e6 >= lastMs)) {
      columns.set(slot, 'previousMs', Number.NaN)
    } else if (point.timeMs > lastMs) {
      columns.set(slot, 'previousMs', lastMs)
      columns.set(slot, 'previousRestNs', 0)
      columns.set(slot, 'previousStartNs', columns.get(slot, 'lastStartNs'))
      columns.set(slot, 'previousCpuNs', columns.get(slot, 'lastCpuNs'))
    } else if (hadPrevious && nanosBetween(this.#previousTime(slot), point.timeMs) <= 0) {
      columns.set(slot, 'previousMs', Number.NaN)
    }
    columns.set(slot, 'lastMs', point.timeMs)
    columns.set(slot, 'lastStartNs', point.startNs)
    columns.set(slot, 'lastCpuNs', point.cpuNs)
    columns.set(slot, 'lastMemoryBytes', point.memoryBytes)
    columns.set(slot, 'lastSwapBytes', point.swapBytes ?? Number.NaN)
    const hasPrevious = !Number.isNaN(columns.get(slot, 'previousMs'))
    if (hasPrevious !== hadPrevious) this.#servable[counted] += hasPrevious ? 1 : -1
    const usage = isNews ? this.#usageOf(slot) : undefined
    if (usage !== undefined && usage !== 'fell') columns.noteRate(slot, usage.cpuNanocores, usage.memoryBytes)
  }

  #previousIsStart(slot: number, point: Point): void {
    const { ms, restNs } = splitNanos(point.startNs)
    this.#columns.set(slot, 'previousMs', ms)
    this.#columns.set(slot, 'previousRestNs', restNs)
    this.#columns.set(slot, 'previousStartNs', point.startNs)
    this.#columns.set(slot, 'previousCpuNs', 0)
  }

  #previousTime(slot: number): { readonly ms: number; readonly restNs: number } {
    return { ms: this.#columns.get(slot, 'previousMs'), restNs: this.#columns.get(slot, 'previousRestNs') }
  }

  /** `fell`: CPU or start went back without a restart that is seen. */
  #usageOf(slot: number): Usage | 'fell' | undefined {
    const columns = this.#columns
    if (Number.isNaN(columns.get(slot, 'previousMs'))) return undefined
    const cpuNs = columns.get(slot, 'lastCpuNs') - columns.get(slot, 'previousCpuNs')
    if (cpuNs < 0 || columns.get(slot, 'lastStartNs') < columns.get(slot, 'previousStartNs')) return 'fell'
    const timeMs = columns.get(slot, 'lastMs')
    const windowNs = nanosBetween(this.#previousTime(slot), timeMs)
    const swapBytes = columns.get(slot, 'lastSwapBytes')
    return {
      cpuNanocores: nanocores(cpuNs, windowNs),
      memoryBytes: columns.get(slot, 'lastMemoryBytes'),
      swapBytes: Number.isNaN(swapBytes) ? undefined : swapBytes,
      timeMs,
      windowNs,
    }
  }

  #dropPod(key: string, pod: PodPoints): void {
    this.#giveAll(pod)
    if (this.#pods.get(key) === pod) this.#pods.delete(key)
  }

  #giveAll(pod: PodPoints): void {
    for (const slot of pod.containers.values()) {
      if (slot === undefined) this.#incomplete--
      else {
        this.#measured--
        this.#give(slot, 'containers')
      }
    }
  }

  #give(slot: number, counted: 'nodes' | 'containers'): void {
    if (!Number.isNaN(this.#columns.get(slot, 'previousMs'))) this.#servable[counted]--
    this.#columns.give(slot)
  }
}

/** Whether the clock of the node whose answer is being stored was set. */
interface NodeClock {
  stepped: boolean
  readonly wallMs: number
}

interface Point {
  readonly timeMs: number
  readonly cpuNs: number
  readonly memoryBytes: number
  readonly swapBytes: number | undefined
  /** 0: not known, long ago. */
  readonly startNs: number
  /** It has used nothing since its start. */
  readonly isZero?: boolean
}

function podKey(namespace: string, name: string): string {
  return `${namespace}\0${name}`
}

/** The point of a reading; undefined where CPU or memory is missing or zero. The time is the CPU's. */
function completeOf({ cpuNs, cpuMs, memoryBytes, swapBytes, startNs = 0 }: Reading): Point | undefined {
  return cpuNs && memoryBytes ? { timeMs: cpuMs, cpuNs, memoryBytes, swapBytes, startNs } : undefined
}

/** A container that runs and has used nothing that could be measured: nothing since its start. */
function zeroFromStart(reading: ContainerReading, receivedMs: number): Point | undefined {
  const { cpuNs, cpuMs, memoryBytes, memoryMs, swapBytes, startNs, isDoubted } = reading
  // What was said and rejected is unknown, which is not zero.
  if (startNs === undefined || (isDoubted && (cpuNs === undefined || memoryBytes === undefined))) return undefined
  const timeMs = cpuNs !== undefined ? cpuMs : memoryBytes !== undefined ? memoryMs : receivedMs
  if (startNs / 1e6 >= timeMs) return undefined
  return { timeMs, cpuNs: cpuNs ?? 0, memoryBytes: memoryBytes ?? 0, swapBytes, startNs, isZero: !cpuNs }
}

/** A container so young that its start serves as its first point, and old enough that the rate means something. */
function isFresh({ startNs, timeMs }: Point, resolutionMs: number): boolean {
  if (startNs === 0) return false
  const ageNs = nanosBetween(splitNanos(startNs), timeMs)
  return ageNs > 0 && ageNs < resolutionMs * 1e6 && ageNs >= freshFromMs * 1e6
}
