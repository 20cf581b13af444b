// What pods and nodes use at present. Each container's cpu and memory come from the first that says: an annotation of its pod, the most
// specific TwinUsage, the snapshot's metrics, 0.3 of its request. Its limit caps its cpu, and a node gives no more than it has.
import type { Clock } from '#kube/clock.ts'
import type { Container, Node, Pod } from '#kube/objects/objects.ts'
import { InputError } from '#kube/problem.ts'
import { parseUnits } from '#kube/values/quantity.ts'
import type { ClusterAccess } from '../../access.ts'
import type { UsageSpec } from '../../own-kinds/usage-spec.ts'
import type { ClusterView } from '../view.ts'
import { controllerOf, isFinished } from '../workloads/pod-state.ts'
import { sharedCpu } from './cpu-share.ts'
import { SnapshotUsage, type Usage, workloadOf } from './snapshot-usage.ts'
import type { AmountAt, UsageSubject } from './usage-amount.ts'
import { textSeed } from './usage-noise.ts'
import { inOrder, isMeant, type RuleSubject, readRule, type UsageRule } from './usage-rules.ts'

interface ContainerUsage extends Usage {
  readonly name: string
  /** What it would use of cpu without limit and neighbours, billionths of a core. */
  readonly wantedNanocores: number
  /** On the node's disk: writable layer and logs. */
  readonly storageBytes: number
}

const shareOfRequest = 0.3
const coresWithoutRequest = 0.02
const bytesWithoutRequest = 64 * 1024 * 1024
const diskWithoutRequest = 16 * 1024 * 1024
/** The kernel's least share against the 1024 of a core. */
const leastWeight = 2 / 1024

const annotations = {
  cpu: ['ballast.dev/twin-usage-cpu', 'kwok.x-k8s.io/usage-cpu'],
  memory: ['ballast.dev/twin-usage-memory', 'kwok.x-k8s.io/usage-memory'],
} as const
const storageAnnotation = 'ballast.dev/twin-usage-ephemeral-storage'

interface UsageModelOptions {
  readonly clock: Clock
  /** Seed of the noise. */
  readonly seed: number
}

export class UsageModel {
  readonly #access: ClusterAccess
  readonly #view: ClusterView
  readonly #options: UsageModelOptions
  readonly #snapshot: SnapshotUsage
  readonly #rules = new Map<string, UsageRule>()
  #ordered: readonly UsageRule[] = []
  /** Pods whose annotations say what they use of memory. */
  readonly #told = new Set<string>()
  #shared: { readonly key: string; readonly nodes: Map<string, Map<string, readonly ContainerUsage[]>> } | undefined
  /** Per node the most cores that its pods can ever want. */
  readonly #ceilings = new Map<string, number>()
  readonly #facts = new WeakMap<Pod, readonly ContainerFacts[]>()
  #movesSeen = 0
  #set = 0

  /** Reads the PodMetrics and NodeMetrics that the store was loaded with. */
  constructor(access: ClusterAccess, view: ClusterView, options: UsageModelOptions) {
    this.#access = access
    this.#view = view
    this.#options = options
    this.#snapshot = new SnapshotUsage(access, view, node => sum(view.podsOn(node).flatMap(pod => this.#wanted(pod))))
    this.readMetrics()
    view.each('pods', pod => this.#note(pod))
    view.on('pods', ({ type, object, previous }) => {
      for (const { spec } of [object, previous ?? object]) this.#ceilings.delete(spec.nodeName ?? '')
      if (type === 'DELETED') this.#told.delete(object.metadata.uid ?? '')
      else this.#note(object)
    })
  }

  /** Something but a snapshot says what is used of memory: it may change by itself, and exceed limits. */
  get isMemoryLively(): boolean {
    return this.#told.size > 0 || this.#ordered.some(({ memory }) => memory !== undefined)
  }

  /** Some rule computes its cpu: whether that fails is known when it is tried. */
  get mayFail(): boolean {
    return this.#ordered.some(({ mayFail }) => mayFail)
  }

  /** Takes the values of the metrics that the store holds for pods and nodes not read before. */
  readMetrics(): void {
    this.#snapshot.readMetrics()
  }

  /** Has containers use what the spec of a TwinUsage says, until the result is disposed. @throws InputError */
  set(spec: UsageSpec, options: { readonly name?: string; readonly onProblem?: UsageRule['onProblem'] } = {}): Disposable {
    const name = options.name ?? `usage-${++this.#set}`
    const rule = readRule(name, spec, options.onProblem ?? (() => undefined))
    this.#rules.set(name, rule)
    this.#rulesChanged()
    return {
      [Symbol.dispose]: () => {
        if (this.#rules.get(name) === rule) this.#rules.delete(name)
        this.#rulesChanged()
      },
    }
  }

  #rulesChanged(): void {
    this.#ordered = inOrder(this.#rules.values())
    this.#shared = undefined
    this.#ceilings.clear()
  }

  /** Usage of each container that runs; empty for a pod that does not. */
  pod(pod: Pod): readonly ContainerUsage[] {
    if (!isRunning(pod)) return []
    const node = pod.spec.nodeName ?? ''
    if (!this.#mayBeShort(node)) return this.#wanted(pod)
    return this.#sharedOn(node).get(pod.metadata.uid ?? '') ?? this.#wanted(pod)
  }

  /** What each container that runs uses of memory, bytes; it is not shared as processors are. */
  memory(pod: Pod): readonly { readonly name: string; readonly memoryBytes: number }[] {
    if (!isRunning(pod)) return []
    const node = this.#view.get('nodes', undefined, pod.spec.nodeName ?? '')
    return this.#started(pod).map(facts => ({
      name: facts.name,
      memoryBytes: Math.round(this.#amount(pod, facts, 'memory', node)),
    }))
  }

  /** What a node's system uses of memory beyond its pods. */
  systemMemoryBytes(node: string): number {
    return this.#snapshot.system(node).memoryBytes
  }

  /** Usage of all pods on the node and its system; `undefined` for a node that is not there. */
  node(name: string): Usage | undefined {
    if (this.#view.get('nodes', undefined, name) === undefined) return undefined
    const pods = sum([...this.#sharedOn(name).values()].flat())
    return sum([pods, this.#snapshot.system(name)])
  }

  #note(pod: Pod): void {
    const uid = pod.metadata.uid ?? ''
    if (annotations.memory.some(name => pod.metadata.annotations?.[name] !== undefined)) this.#told.add(uid)
    else this.#told.delete(uid)
  }

  /** Whether the pods of a node may want more processors than it has. Where they never can, nobody needs to look at all of them. */
  #mayBeShort(name: string): boolean {
    const status = this.#view.get('nodes', undefined, name)?.status
    const cores = quantityOf(status?.allocatable?.['cpu'] ?? status?.capacity?.['cpu'])
    if (cores === undefined) return false
    if (this.#movesSeen !== this.#snapshot.moves) {
      this.#movesSeen = this.#snapshot.moves
      this.#ceilings.clear()
    }
    let most = this.#ceilings.get(name)
    if (most === undefined) {
      most = 0
      for (const pod of this.#view.podsOn(name))
        for (const container of pod.spec.containers) most += this.#mostCores(pod, container)
      this.#ceilings.set(name, most)
    }
    return most > cores
  }

  /** No source of a container's amount says more. */
  #mostCores(pod: Pod, container: Container): number {
    const request = requestOf(container, 'cpu')
    const limit = quantityOf(container.resources?.limits?.['cpu']) ?? Number.POSITIVE_INFINITY
    let most = request === undefined ? coresWithoutRequest : request * shareOfRequest
    for (const name of annotations.cpu) most = Math.max(most, quantityOf(pod.metadata.annotations?.[name]) ?? 0)
    for (const rule of this.#ordered) most = Math.max(most, rule.mostCpu(request ?? 0))
    return Math.min(limit, Math.max(most, (this.#snapshot.container(pod, container.name)?.cpuNanocores ?? 0) / 1e9))
  }

  /** By uid of the pods on a node, after the node's own limit; kept for as long as nothing changes. */
  #sharedOn(name: string): ReadonlyMap<string, readonly ContainerUsage[]> {
    const key = `${this.#access.revision} ${this.#options.clock.now()}`
    if (this.#shared?.key !== key) this.#shared = { key, nodes: new Map() }
    let found = this.#shared.nodes.get(name)
    if (found === undefined) {
      found = this.#share(name)
      this.#shared.nodes.set(name, found)
    }
    return found
  }

  #share(name: string): Map<string, readonly ContainerUsage[]> {
    const node = this.#view.get('nodes', undefined, name)
    const pods = this.#view.podsOn(name).filter(isRunning)
    const wanted = pods.map(pod => this.#wanted(pod))
    const { allocatable, capacity } = node?.status ?? {}
    const cores = quantityOf(allocatable?.['cpu'] ?? capacity?.['cpu'])
    if (cores === undefined) return new Map(pods.map((pod, index) => [pod.metadata.uid ?? '', wanted[index] ?? []]))
    const wants = pods.flatMap((pod, index) =>
      (wanted[index] ?? []).map(({ name: container, cpuNanocores }) => ({
        wanted: cpuNanocores,
        weight: Math.max(leastWeight, requestOf(containerOf(pod, container), 'cpu') ?? 0),
      })),
    )
    const given = sharedCpu(wants, cores * 1e9)
    let at = 0
    return new Map(
      pods.map((pod, index) => [
        pod.metadata.uid ?? '',
        (wanted[index] ?? []).map(usage => ({ ...usage, cpuNanocores: Math.round(given[at++] ?? 0) })),
      ]),
    )
  }

  /** What the containers of a pod want, their own limits considered. */
  #wanted(pod: Pod): readonly ContainerUsage[] {
    if (!isRunning(pod)) return []
    const node = this.#view.get('nodes', undefined, pod.spec.nodeName ?? '')
    return this.#started(pod).map(facts => {
      const { name, cpuLimit, storageBytes } = facts
      const wantedNanocores = Math.round(this.#amount(pod, facts, 'cpu', node) * 1e9)
      const cpuNanocores = cpuLimit === undefined ? wantedNanocores : Math.min(wantedNanocores, Math.round(cpuLimit * 1e9))
      const memoryBytes = Math.round(this.#amount(pod, facts, 'memory', node))
      return { name, cpuNanocores, wantedNanocores, memoryBytes, storageBytes }
    })
  }

  /** What is known of the containers of a pod that run; read once of each version of it. */
  #started(pod: Pod): readonly ContainerFacts[] {
    let known = this.#facts.get(pod)
    if (known === undefined) {
      known = pod.spec.containers.filter(isStarted(pod)).map(container => factsOf(pod, container, this.#options.seed))
      this.#facts.set(pod, known)
    }
    return known
  }

  #amount(pod: Pod, facts: ContainerFacts, resource: 'cpu' | 'memory', node: Node | undefined): number {
    const { told, request } = facts[resource]
    if (told !== undefined) return told
    const ruled = this.#ordered.length === 0 ? undefined : this.#ruled(pod, facts, resource, node)
    if (ruled !== undefined) return ruled
    const measured = this.#snapshot.container(pod, facts.name)
    if (measured !== undefined) return resource === 'cpu' ? measured.cpuNanocores / 1e9 : measured.memoryBytes
    if (request !== undefined) return request * shareOfRequest
    return resource === 'cpu' ? coresWithoutRequest : bytesWithoutRequest
  }

  #ruled(pod: Pod, facts: ContainerFacts, resource: 'cpu' | 'memory', node: Node | undefined): number | undefined {
    const subject: RuleSubject = { pod, container: facts.name, workload: () => workloadOf(this.#view, pod) }
    for (const rule of this.#ordered) {
      const amount = rule[resource]
      if (amount === undefined || !isMeant(rule, subject)) continue
      const value = attempt(amount, rule, {
        pod,
        node,
        replicas: () => {
          const controller = controllerOf(pod)
          return controller === undefined ? 1 : this.#view.countOf(controller.uid)
        },
        request: facts[resource].request,
        seed: facts[resource].seed,
        nowMs: this.#options.clock.now(),
      })
      if (value !== undefined) return value
    }
    return undefined
  }
}

/** What a pod itself says of what one of its containers uses. */
interface ContainerFacts {
  readonly name: string
  readonly cpu: AmountFacts
  readonly memory: AmountFacts
  readonly cpuLimit: number | undefined
  readonly storageBytes: number
}

interface AmountFacts {
  /** By an annotation. */
  readonly told: number | undefined
  readonly request: number | undefined
  /** Tells containers' noise apart. */
  readonly seed: number
}

function factsOf(pod: Pod, container: Container, seed: number): ContainerFacts {
  const { namespace, name, annotations: said } = pod.metadata
  const amountFacts = (resource: 'cpu' | 'memory'): AmountFacts => ({
    told: annotations[resource].map(annotation => quantityOf(said?.[annotation])).find(value => value !== undefined),
    request: requestOf(container, resource),
    seed: textSeed(`${resource} ${namespace}/${name}/${container.name}`, seed),
  })
  return {
    name: container.name,
    cpu: amountFacts('cpu'),
    memory: amountFacts('memory'),
    cpuLimit: quantityOf(container.resources?.limits?.['cpu']),
    storageBytes: storageOf(pod, container),
  }
}

function attempt(amount: AmountAt, rule: UsageRule, subject: UsageSubject): number | undefined {
  try {
    return amount(subject)
  } catch (error) {
    if (!(error instanceof InputError)) throw error
    rule.onProblem(error.problems)
    return undefined
  }
}

function isRunning(pod: Pod): boolean {
  return !isFinished(pod) && pod.status?.phase === 'Running'
}

/** A container that waits or has ended uses nothing; one that nobody reported on runs with its pod. */
function isStarted(pod: Pod): (container: Container) => boolean {
  const statuses = pod.status?.containerStatuses ?? []
  return ({ name }) => {
    const state = statuses.find(status => status.name === name)?.state
    return state?.waiting === undefined && state?.terminated === undefined
  }
}

function containerOf(pod: Pod, name: string): Container | undefined {
  return pod.spec.containers.find(container => container.name === name)
}

/** What a container keeps on disk stands still. */
function storageOf(pod: Pod, container: Container): number {
  const told = quantityOf(pod.metadata.annotations?.[storageAnnotation])
  const request = quantityOf(container.resources?.requests?.['ephemeral-storage'])
  return Math.round(told ?? (request === undefined ? diskWithoutRequest : request * shareOfRequest))
}

/** Cores or bytes. */
function requestOf(container: Container | undefined, resource: 'cpu' | 'memory'): number | undefined {
  return quantityOf(container?.resources?.requests?.[resource])
}

function quantityOf(value: string | number | undefined): number | undefined {
  if (value === undefined) return undefined
  const units = parseUnits(value)
  return units === undefined ? undefined : Math.max(0, units)
}

function sum(usages: readonly Usage[]): Usage {
  let cpuNanocores = 0
  let memoryBytes = 0
  for (const usage of usages) {
    cpuNanocores += usage.cpuNanocores
    memoryBytes += usage.memoryBytes
  }
  return { cpuNanocores, memoryBytes }
}
