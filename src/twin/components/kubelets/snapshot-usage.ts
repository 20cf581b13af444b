// What pods and nodes used when a snapshot was taken. A pod with metrics keeps their values; when it goes, they pass to the pod that
// takes its place, so that usage moves with the workload. Values stand still: no noise is added.
import type { KubeObject, Pod } from '#kube/objects/objects.ts'
import { milliValue, parseQuantity } from '#kube/values/quantity.ts'
import type { ClusterAccess } from '../../access.ts'
import type { ClusterView } from '../view.ts'
import { controllerOf, isTerminating, keyOf } from '../workloads/pod-state.ts'

export interface Usage {
  /** Billionths of a core. */
  readonly cpuNanocores: number
  readonly memoryBytes: number
}

const nothing: Usage = { cpuNanocores: 0, memoryBytes: 0 }

type Means = ReadonlyMap<string, Usage>

export class SnapshotUsage {
  readonly #access: ClusterAccess
  readonly #view: ClusterView
  readonly #podsOn: (node: string) => Usage
  /** Per pod uid the values it keeps. */
  readonly #means = new Map<string, Means>()
  /** Per workload the values of pods that went, for those that follow. */
  readonly #free = new Map<string, Means[]>()
  /** Per workload the pods that came when no values were free. */
  readonly #lacking = new Map<string, Set<string>>()
  /** Per node what it uses beyond its pods. */
  readonly #system = new Map<string, Usage>()
  #moves = 0

  /** `podsOn`: what all pods of a node use by what is known of them; the rest of its metrics is its system's. */
  constructor(access: ClusterAccess, view: ClusterView, podsOn: (node: string) => Usage) {
    this.#access = access
    this.#view = view
    this.#podsOn = podsOn
    view.on('pods', ({ type, object, previous }) => {
      if (type === 'ADDED') this.#inherit(object)
      else if (type === 'DELETED') this.#release(object, true)
      else if (isTerminating(object) && previous !== undefined && !isTerminating(previous)) this.#release(object, false)
    })
  }

  /** How often values came to pods that were there before. */
  get moves(): number {
    return this.#moves
  }

  /** Takes the values of the metrics that the store holds for pods and nodes not read before. */
  readMetrics(): void {
    for (const metrics of this.#access.list('pods.metrics.k8s.io')) this.#takePodMetrics(metrics)
    for (const metrics of this.#access.list('nodes.metrics.k8s.io')) this.#takeNodeMetrics(metrics)
  }

  /** Usage of a container, where it was measured or took the place of one that was. */
  container(pod: Pod, name: string): Usage | undefined {
    return this.#means.get(pod.metadata.uid ?? '')?.get(name)
  }

  /** What a node uses beyond its pods. */
  system(node: string): Usage {
    return this.#system.get(node) ?? nothing
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
    this.#moves++
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
      this.#moves++
      return
    }
    const free = this.#free.get(workload) ?? []
    free.push(means)
    this.#free.set(workload, free)
  }

  /** A StatefulSet's pods are each their own; those of others stand for each other. */
  #workloadOf(pod: Pod): string | undefined {
    const top = workloadOf(this.#view, pod)
    if (top === undefined) return undefined
    return top.kind === 'StatefulSet' ? `StatefulSet ${keyOf(pod)}` : `${top.kind} ${pod.metadata.namespace}/${top.name}`
  }
}

/** What a pod belongs to: its controller, or that one's. Pods of one Deployment are one workload, whichever ReplicaSet they are of. */
export function workloadOf(view: ClusterView, pod: Pod): { readonly kind: string; readonly name: string } | undefined {
  const owner = controllerOf(pod)
  if (owner?.kind !== 'ReplicaSet') return owner
  const set = view.get('replicasets.apps', pod.metadata.namespace, owner.name)
  return (set === undefined ? undefined : controllerOf(set)) ?? owner
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
