// Evictions that somebody else carries out later (feature gate EvictionsInBackground): which pods have one under way, and what became of
// it. A state machine: pod changes, answers and the clock come in, results for the metric go out.
//
// A pod annotated `request-evict-only` whose eviction is answered 429 `Eviction triggered evacuation` is *assumed*: it counts against all
// limits, and evicting it again is a no-op. A pod that shows `eviction-in-progress` by itself is *seen*: it counts too, and its end
// is no result of ours.
import type { PodState } from '#cluster/cluster-state.ts'

/** The pod asks to be evicted by request alone. */
const requestAnnotation = 'descheduler.alpha.kubernetes.io/request-evict-only'
/** Somebody works on it. */
const progressAnnotation = 'descheduler.alpha.kubernetes.io/eviction-in-progress'
const evacuationText = 'Eviction triggered evacuation'

/** An assumed eviction that nobody confirmed for longer than this is given up; looked at every so often. Milliseconds. */
export const assumedForMs = 600_000

interface Request {
  readonly pod: PodState
  /** Whose eviction was assumed; absent: seen in the cluster. */
  readonly assumed?: { readonly strategy: string; readonly profile: string; readonly atMs: number }
}

/** How an assumed eviction ended, for the counter of evicted pods. */
export interface BackgroundEnd {
  readonly result: 'success' | 'error'
  readonly pod: PodState
  readonly strategy: string
  readonly profile: string
}

export class BackgroundEvictions {
  readonly #requests = new Map<string, Request>()
  readonly #perNode = new Map<string, number>()
  readonly #perNamespace = new Map<string, number>()

  get total(): number {
    return this.#requests.size
  }

  onNode(node: string): number {
    return this.#perNode.get(node) ?? 0
  }

  inNamespace(namespace: string): number {
    return this.#perNamespace.get(namespace) ?? 0
  }

  /** Whether evicting the pod again would be a no-op. */
  isUnderWay(pod: PodState): boolean {
    return has(pod, requestAnnotation) && this.#requests.has(pod.uid)
  }

  /** The answer to an eviction says that another one carries it out. The first who asked counts. `nowMs`: milliseconds. */
  assume(pod: PodState, by: { readonly strategy: string; readonly profile: string; readonly nowMs: number }): void {
    const known = this.#requests.get(pod.uid)
    if (known?.assumed !== undefined) return
    const { strategy, profile, nowMs } = by
    this.#set({ pod: known?.pod ?? pod, assumed: { strategy, profile, atMs: nowMs } })
  }

  /** A pod that the watch shows for the first time: at the start, all of them. */
  podAppeared(pod: PodState): void {
    if (has(pod, requestAnnotation) && has(pod, progressAnnotation) && !pod.isFinished) this.#add(pod)
  }

  /** A pod changed. */
  podChanged(previous: PodState, pod: PodState): readonly BackgroundEnd[] {
    if (!has(pod, requestAnnotation)) {
      this.#delete(pod.uid)
      return []
    }
    if (pod.isFinished) return this.#end(pod, pod.object.status?.phase === 'Failed' ? 'error' : 'success')
    if (has(pod, progressAnnotation)) this.#add(pod)
    // Gone, it says nothing about whether the eviction was broken off or begins anew: it may be asked for again.
    else if (has(previous, progressAnnotation)) this.#delete(pod.uid)
    return []
  }

  /** A pod is gone. */
  podDeleted(pod: PodState): readonly BackgroundEnd[] {
    return this.#end(pod, 'success')
  }

  /** Gives up what was assumed too long ago. To be called every `assumedForMs`. */
  giveUp(nowMs: number): readonly BackgroundEnd[] {
    const late = Array.from(this.#requests.values()).filter(
      ({ assumed }) => assumed !== undefined && Math.floor((nowMs - assumed.atMs) / 1_000) > assumedForMs / 1_000,
    )
    return late.flatMap(({ pod }) => this.#end(pod, 'error'))
  }

  #end({ uid }: PodState, result: BackgroundEnd['result']): readonly BackgroundEnd[] {
    const request = this.#requests.get(uid)
    this.#delete(uid)
    if (request?.assumed === undefined) return []
    const { pod, assumed } = request
    return [{ result, pod, strategy: assumed.strategy, profile: assumed.profile }]
  }

  #add(pod: PodState): void {
    if (!this.#requests.has(pod.uid)) this.#set({ pod })
  }

  #set(request: Request): void {
    const { uid, nodeName = '', namespace } = request.pod
    const isNew = !this.#requests.has(uid)
    this.#requests.set(uid, request)
    if (!isNew) return
    count(this.#perNode, nodeName, 1)
    count(this.#perNamespace, namespace, 1)
  }

  #delete(uid: string): void {
    const request = this.#requests.get(uid)
    if (request === undefined) return
    this.#requests.delete(uid)
    count(this.#perNode, request.pod.nodeName ?? '', -1)
    count(this.#perNamespace, request.pod.namespace, -1)
  }
}

/** Whether a 429 with this message means that somebody else evicts the pod. */
export function isEvacuation(pod: PodState, message: string): boolean {
  return has(pod, requestAnnotation) && message.includes(evacuationText)
}

function has(pod: PodState, annotation: string): boolean {
  const { annotations } = pod.object.metadata
  return annotations !== undefined && Object.hasOwn(annotations, annotation)
}

function count(counts: Map<string, number>, key: string, change: 1 | -1): void {
  const sum = (counts.get(key) ?? 0) + change
  if (sum === 0) counts.delete(key)
  else counts.set(key, sum)
}
