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
  /** Whether upstream's rules of pods and containers hold for now, though its others do not. */
  readonly arePodsStrict?: () => boolean
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
export const freshFromMs = 10_000
/** A clock that goes back by more was set. */
const clockBackMs = 600_000

interface ContainerPoints {
  readonly name: string
  /** `unmeasured` for what cannot be measured. */
  slot: number
  /** The node's answer that last had it. */
  seenIn: number
}

const unmeasured = -1
/** Containers of a pod that are looked through one by one. */
const fewContainers = 16

interface PodPoints {
  readonly namespace: string
  readonly name: string
  readonly node: NodePoints
  /** In the order in which the kubelet first said them. */
  containers: ContainerPoints[]
  /** The same, where they are so many that looking through them would take long. */
  byName: Map<string, ContainerPoints> | undefined
  seenIn: number
}

interface NodePoints {
  readonly name: string
  slot: number | undefined
  pods: PodPoints[]
  /** How many answers were stored. */
  answers: number
  receivedMs: number
}

export class Points {
  readonly #rules: PointRules
  readonly #columns = new PointColumns()
  readonly #nodes = new Map<string, NodePoints>()
  /** By namespace, then by name: no key is made of the two. */
  readonly #pods = new Map<string, Map<string, PodPoints>>()
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
    const node = this.#nodes.get(name) ?? { name, slot: undefined, pods: [], answers: 0, receivedMs: 0 }
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
    for (const pod of node.pods) this.#dropPod(pod)
  }

  nodeUsage(name: string, nowElapsedMs: number): Usage | undefined {
    const node = this.#nodes.get(name)
    if (node?.slot === undefined || this.#isStale(node, nowElapsedMs)) return undefined
    const usage = this.#usageOf(node.slot)
    return usage === 'fell' ? undefined : usage
  }

  /** Containers of a pod, whole or not at all; `finished` names those that ended, which count no more. */
  podUsage(
    { namespace = '', name }: { readonly namespace?: string; readonly name: string },
    finished: ReadonlySet<string>,
    nowElapsedMs: number,
  ): readonly ContainerUsage[] | PodAbsence {
    const pod = this.#podOf(namespace, name)
    if (pod === undefined) return { kind: 'unknown' }
    if (this.#isStale(pod.node, nowElapsedMs)) return { kind: 'stale', node: pod.node.name }
    const isStrict = this.#arePodsStrict
    let found: ContainerUsage[] | undefined
    let fell: string | undefined
    for (const { name: container, slot } of pod.containers) {
      if (!isStrict && finished.has(container)) continue
      if (slot === unmeasured) return { kind: 'incomplete', container }
      const usage = this.#usageOf(slot)
      if (usage === undefined) return { kind: 'waiting', container }
      if (usage === 'fell') fell = container
      else if (found === undefined) found = [{ name: container, usage }]
      else found.push({ name: container, usage })
    }
    // A part of the pod would pass for the whole.
    if (fell !== undefined && !(isStrict && found !== undefined)) return { kind: 'fell', container: fell }
    return found ?? { kind: 'unknown' }
  }

  /** The last rates of a container, the oldest first; empty where it is not known. */
  containerRates(namespace: string, pod: string, container: string): ReturnType<PointColumns['rates']> {
    const known = this.#podOf(namespace, pod)
    const { slot = unmeasured } = (known === undefined ? undefined : containerOf(known, container)) ?? {}
    return slot === unmeasured ? [] : this.#columns.rates(slot)
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

  get #arePodsStrict(): boolean {
    return this.#rules.isStrict || this.#rules.arePodsStrict?.() === true
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
    const duplicates: string[] = []
    node.answers++
    let pod: PodPoints | undefined
    for (const reading of readings) {
      if (pod?.name !== reading.pod || pod.namespace !== reading.namespace) pod = this.#podOf(reading.namespace, reading.pod)
      if (pod !== undefined && pod.node !== node) {
        // Who said it first has it, until it no longer answers or no longer says it.
        if (node.receivedMs - pod.node.receivedMs <= this.#rules.resolutionMs * 1.5) {
          const key = `${reading.namespace}/${reading.pod}`
          if (duplicates.at(-1) !== key) duplicates.push(key)
          continue
        }
        const { pods } = pod.node
        pods.splice(pods.indexOf(pod), 1)
        this.#dropPod(pod)
        pod = undefined
      }
      pod ??= this.#newPod(node, reading)
      pod.seenIn = node.answers
      this.#storeContainer(pod, reading, clock)
    }
    this.#dropUnsaid(node)
    return duplicates
  }

  #podOf(namespace: string, name: string): PodPoints | undefined {
    return this.#pods.get(namespace)?.get(name)
  }

  #newPod(node: NodePoints, { namespace, pod: name }: ContainerReading): PodPoints {
    const pod: PodPoints = { namespace, name, node, containers: [], byName: undefined, seenIn: node.answers }
    let named = this.#pods.get(namespace)
    if (named === undefined) {
      named = new Map()
      this.#pods.set(namespace, named)
    }
    named.set(name, pod)
    node.pods.push(pod)
    return pod
  }

  #storeContainer(pod: PodPoints, reading: ContainerReading, clock: NodeClock): void {
    const point = completeOf(reading) ?? (this.#arePodsStrict ? undefined : zeroFromStart(reading, clock.wallMs))
    const container = containerOf(pod, reading.container) ?? this.#newContainer(pod, reading.container)
    container.seenIn = pod.seenIn
    if (point === undefined) {
      if (container.slot !== unmeasured) {
        this.#giveContainer(container)
        this.#incomplete++
      }
      return
    }
    const isNew = container.slot === unmeasured
    if (isNew) {
      container.slot = this.#columns.take()
      this.#incomplete--
      this.#measured++
    }
    this.#write(container.slot, point, { isNew, counted: 'containers', mayBeFresh: true, clock })
  }

  /** Until it has a slot it counts as what cannot be measured. */
  #newContainer(pod: PodPoints, name: string): ContainerPoints {
    const container = { name, slot: unmeasured, seenIn: pod.seenIn }
    // Most pods have one or two: a list of just that length takes half of what a grown one does.
    if (pod.containers.length < fewContainers) pod.containers = [...pod.containers, container]
    else pod.containers.push(container)
    pod.byName?.set(name, container)
    if (pod.byName === undefined && pod.containers.length > fewContainers) pod.byName = byNameOf(pod.containers)
    this.#incomplete++
    return container
  }

  /** Pods and containers that the last answer did not have. */
  #dropUnsaid(node: NodePoints): void {
    let isPodGone = false
    for (const pod of node.pods) {
      if (pod.seenIn !== node.answers) {
        isPodGone = true
        this.#dropPod(pod)
        continue
      }
      if (pod.containers.every(({ seenIn }) => seenIn === node.answers)) continue
      for (const one of pod.containers) if (one.seenIn !== node.answers) this.#giveContainer(one)
      pod.containers = pod.containers.filter(({ seenIn }) => seenIn === node.answers)
      if (pod.byName !== undefined) pod.byName = byNameOf(pod.containers)
    }
    if (isPodGone) node.pods = node.pods.filter(({ seenIn }) => seenIn === node.answers)
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
    columns.set(slot, 'lastStorageBytes', point.storageBytes ?? Number.NaN)
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
    const storageBytes = columns.get(slot, 'lastStorageBytes')
    return {
      cpuNanocores: nanocores(cpuNs, windowNs),
      memoryBytes: columns.get(slot, 'lastMemoryBytes'),
      swapBytes: Number.isNaN(swapBytes) ? undefined : swapBytes,
      storageBytes: Number.isNaN(storageBytes) ? undefined : storageBytes,
      timeMs,
      windowNs,
    }
  }

  #dropPod(pod: PodPoints): void {
    for (const one of pod.containers) this.#giveContainer(one)
    const named = this.#pods.get(pod.namespace)
    if (named?.get(pod.name) !== pod) return
    named.delete(pod.name)
    if (named.size === 0) this.#pods.delete(pod.namespace)
  }

  /** Counts it no more. */
  #giveContainer(one: ContainerPoints): void {
    if (one.slot === unmeasured) this.#incomplete--
    else {
      this.#measured--
      this.#give(one.slot, 'containers')
      one.slot = unmeasured
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
  readonly storageBytes: number | undefined
  /** 0: not known, long ago. */
  readonly startNs: number
  /** It has used nothing since its start. */
  readonly isZero?: boolean
}

function containerOf({ containers, byName }: PodPoints, name: string): ContainerPoints | undefined {
  if (byName !== undefined) return byName.get(name)
  for (const one of containers) if (one.name === name) return one
  return undefined
}

function byNameOf(containers: readonly ContainerPoints[]): Map<string, ContainerPoints> {
  return new Map(containers.map(one => [one.name, one]))
}

/** The point of a reading; undefined where CPU or memory is missing or zero. The time is the CPU's. */
function completeOf({ cpuNs, cpuMs, memoryBytes, swapBytes, storageBytes, startNs = 0 }: Reading): Point | undefined {
  return cpuNs && memoryBytes ? { timeMs: cpuMs, cpuNs, memoryBytes, swapBytes, storageBytes, startNs } : undefined
}

/** A container that runs and has used nothing that could be measured: nothing since its start. */
function zeroFromStart(reading: ContainerReading, receivedMs: number): Point | undefined {
  const { cpuNs, cpuMs, memoryBytes, memoryMs, swapBytes, storageBytes, startNs, isDoubted } = reading
  // What was said and rejected is unknown, which is not zero.
  if (startNs === undefined || (isDoubted && (cpuNs === undefined || memoryBytes === undefined))) return undefined
  const timeMs = cpuNs !== undefined ? cpuMs : memoryBytes !== undefined ? memoryMs : receivedMs
  if (startNs / 1e6 >= timeMs) return undefined
  return { timeMs, cpuNs: cpuNs ?? 0, memoryBytes: memoryBytes ?? 0, swapBytes, storageBytes, startNs, isZero: !cpuNs }
}

/** A container so young that its start serves as its first point, and old enough that the rate means something. */
function isFresh({ startNs, timeMs }: Point, resolutionMs: number): boolean {
  if (startNs === 0) return false
  const ageNs = nanosBetween(splitNanos(startNs), timeMs)
  return ageNs > 0 && ageNs < resolutionMs * 1e6 && ageNs >= freshFromMs * 1e6
}
