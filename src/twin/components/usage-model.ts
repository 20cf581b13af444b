// What pods and nodes use. A pod that a snapshot has metrics for keeps their values; when it goes, they pass to the pod that takes
// its place, so that usage moves with the workload. Others use 0.3 of their requests. Values stand still: no noise is added.
import type { KubeObject, Pod } from '#kube/objects.ts'
import { milliValue, parseQuantity } from '#kube/quantity.ts'
import type { ClusterAccess } from '../access.ts'
import { controllerOf, isFinished, isTerminating, keyOf } from './pod-state.ts'
import type { ClusterView } from './view.ts'

interface Usage {
  /** Billionths of a core. */
  readonly cpuNanocores: number
  readonly memoryBytes: number
}

interface ContainerUsage extends Usage {
  readonly name: string
}

const shareOfRequest = 0.3
const cpuWithoutRequest = 20_000_000
const memoryWithoutRequest = 64 * 1024 * 1024

type Means = ReadonlyMap<string, Usage>

export class UsageModel {
  readonly #access: ClusterAccess
  readonly #view: ClusterView
  /** Per pod uid the values it keeps. */
  readonly #means = new Map<string, Means>()
  /** Per workload the values of pods that went, for those that follow. */
  readonly #free = new Map<string, Means[]>()
  /** Per workload the pods that came when no values were free. */
  readonly #lacking = new Map<string, Set<string>>()
  /** Per node what it uses beyond its pods. */
  readonly #system = new Map<string, Usage>()

  /** Reads the PodMetrics and NodeMetrics that the store was loaded with. */
  constructor(access: ClusterAccess, view: ClusterView) {
    this.#access = access
    this.#view = view
    this.readMetrics()
    view.on('pods', ({ type, object, previous }) => {
      if (type === 'ADDED') this.#inherit(object)
      else if (type === 'DELETED') this.#release(object, true)
      else if (isTerminating(object) && previous !== undefined && !isTerminating(previous)) this.#release(object, false)
    })
  }

  /** Takes the values of the metrics that the store holds for pods and nodes not read before. */
  readMetrics(): void {
    for (const metrics of this.#access.list('pods.metrics.k8s.io')) this.#takePodMetrics(metrics)
    for (const metrics of this.#access.list('nodes.metrics.k8s.io')) this.#takeNodeMetrics(metrics)
  }

  /** Of each container that runs; empty for a pod that does not. */
  pod(pod: Pod): readonly ContainerUsage[] {
    if (isFinished(pod) || pod.status?.phase !== 'Running') return []
    const means = this.#means.get(pod.metadata.uid ?? '')
    return pod.spec.containers.map(container => ({
      name: container.name,
      ...(means?.get(container.name) ?? byRequest(container.resources?.requests)),
    }))
  }

  /** Of all pods on the node and its system; `undefined` for a node that is not there. */
  node(name: string): Usage | undefined {
    if (this.#view.get('nodes', undefined, name) === undefined) return undefined
    return plus(this.#podsOn(name), this.#system.get(name) ?? { cpuNanocores: 0, memoryBytes: 0 })
  }

  #podsOn(node: string): Usage {
    const containers = this.#view.podsOn(node).flatMap(pod => this.pod(pod))
    return containers.reduce<Usage>(plus, { cpuNanocores: 0, memoryBytes: 0 })
  }

  #takePodMetrics(metrics: KubeObject): void {
    const pod = this.#view.get('pods', metrics.metadata.namespace, metrics.metadata.name)
    const containers = metrics['containers']
    if (pod?.metadata.uid === undefined || this.#means.has(pod.metadata.uid) || !Array.isArray(containers)) return
    const means = new Map<string, Usage>()
    for (const container of containers as readonly { readonly name?: unknown; readonly usage?: unknown }[]) {
      const usage = usageOf(container.usage)
      if (typeof container.name === 'string' && usage !== undefined) means.set(container.name, usage)
    }
    this.#means.set(pod.metadata.uid, means)
  }

  /** What a node has beyond its pods is its system's, and stays with it. */
  #takeNodeMetrics(metrics: KubeObject): void {
    const usage = usageOf(metrics['usage'])
    if (usage === undefined || this.#system.has(metrics.metadata.name)) return
    const pods = this.#podsOn(metrics.metadata.name)
    this.#system.set(metrics.metadata.name, {
      cpuNanocores: usage.cpuNanocores - pods.cpuNanocores,
      memoryBytes: usage.memoryBytes - pods.memoryBytes,
    })
  }

  #inherit(pod: Pod): void {
    const workload = this.#workloadOf(pod)
    const uid = pod.metadata.uid
    if (workload === undefined || uid === undefined) return
    const means = this.#free.get(workload)?.shift()
    if (means !== undefined) {
      this.#means.set(uid, means)
      return
    }
    const lacking = this.#lacking.get(workload) ?? new Set()
    lacking.add(uid)
    this.#lacking.set(workload, lacking)
  }

  #release(pod: Pod, isGone: boolean): void {
    const uid = pod.metadata.uid ?? ''
    const means = this.#means.get(uid)
    const workload = this.#workloadOf(pod)
    if (workload !== undefined) this.#lacking.get(workload)?.delete(uid)
    if (means === undefined) return
    if (isGone) this.#means.delete(uid)
    // A pod that ended by degrees gave its values up when it began to.
    if (workload === undefined || (isGone && isTerminating(pod))) return
    const heir = this.#lacking.get(workload)?.values().next().value
    if (heir !== undefined) {
      this.#lacking.get(workload)?.delete(heir)
      this.#means.set(heir, means)
      return
    }
    const free = this.#free.get(workload) ?? []
    free.push(means)
    this.#free.set(workload, free)
  }

  /** Pods of one Deployment are one workload, whichever ReplicaSet they are of; a StatefulSet's pods are each their own. */
  #workloadOf(pod: Pod): string | undefined {
    const owner = controllerOf(pod)
    if (owner === undefined) return undefined
    if (owner.kind === 'StatefulSet') return `StatefulSet ${keyOf(pod)}`
    const set = owner.kind === 'ReplicaSet' ? this.#view.get('replicasets.apps', pod.metadata.namespace, owner.name) : undefined
    const above = set === undefined ? undefined : controllerOf(set)
    const top = above ?? owner
    return `${top.kind} ${pod.metadata.namespace}/${top.name}`
  }
}

function plus(a: Usage, b: Usage): Usage {
  return { cpuNanocores: a.cpuNanocores + b.cpuNanocores, memoryBytes: a.memoryBytes + b.memoryBytes }
}

function byRequest(requests: Readonly<Record<string, string | number>> | undefined): Usage {
  const cpu = milli(requests?.['cpu'])
  const memory = milli(requests?.['memory'])
  return {
    cpuNanocores: cpu === undefined ? cpuWithoutRequest : Math.round(cpu * 1_000_000 * shareOfRequest),
    memoryBytes: memory === undefined ? memoryWithoutRequest : Math.round((memory / 1000) * shareOfRequest),
  }
}

function usageOf(value: unknown): Usage | undefined {
  if (typeof value !== 'object' || value === null) return undefined
  const { cpu, memory } = value as { readonly cpu?: unknown; readonly memory?: unknown }
  const cpuNanocores = nano(cpu)
  const memoryBytes = milli(memory)
  return cpuNanocores === undefined || memoryBytes === undefined
    ? undefined
    : { cpuNanocores, memoryBytes: Math.round(memoryBytes / 1000) }
}

function milli(value: unknown): number | undefined {
  if (typeof value !== 'string' && typeof value !== 'number') return undefined
  const parsed = parseQuantity(value)
  return parsed.ok ? Number(milliValue(parsed.value)) : undefined
}

function nano(value: unknown): number | undefined {
  if (typeof value !== 'string' && typeof value !== 'number') return undefined
  const parsed = parseQuantity(value)
  return parsed.ok ? Number(parsed.value.nanos) : undefined
}
