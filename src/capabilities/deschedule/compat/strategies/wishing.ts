// What all strategies do alike: they ask the evictors, say why a pod stays, and wish for evictions one at a time.
import type { NodeState, PodState } from '#cluster/cluster-state.ts'
import type { EvictionAnswer, EvictionWish, StrategyView } from '../contract.ts'
import { type Breath, breath, picked } from '../pace.ts'

/** How wishing for one pod ended; `asked`: this run had wished for it before, so nothing was asked. */
type Ending = EvictionAnswer['kind'] | 'asked'

/** What a strategy looks at on a node, and what of it goes. */
interface Look {
  readonly pods: readonly PodState[]
  isPicked(pod: PodState): boolean
  /** Order of the picked pods; absent: they stay as they are. */
  readonly order?: (a: PodState, b: PodState) => number
}

/** Names the nodes that it looks at to everybody who listens at all, as upstream has it. */
const loud = 'RemovePodsViolatingNodeTaints'

/** The log level at which a policy's author is told why a pod stays. */
const verboseLevel = 4

export class Wishing {
  readonly #view: StrategyView
  readonly #strategy: string
  readonly #asked = new Set<string>()

  constructor(view: StrategyView, strategy: string) {
    this.#view = view
    this.#strategy = strategy
  }

  /** Says why a pod stays: a text, or what makes one if anybody listens. Always false, so that a filter can end with it. */
  stays(pod: PodState, why: string | (() => string)): false {
    if (this.#view.isTold(verboseLevel)) {
      const reason = typeof why === 'string' ? why : why()
      this.#view.tell(verboseLevel, 'pod stays', { pod: pod.key, strategy: this.#strategy, reason })
    }
    return false
  }

  /** Whether the evictors' Filter lets the pod go; they say themselves why not. */
  passesFilter(pod: PodState): boolean {
    return this.#view.evictor.filter(pod).length === 0
  }

  /** Whether the evictors' PreEvictionFilter lets the pod go; they say themselves why not. */
  passesPreEviction(pod: PodState): boolean {
    return this.#view.evictor.preEvictionFilter(pod).length === 0
  }

  passesBoth(pod: PodState): boolean {
    return this.passesFilter(pod) && this.passesPreEviction(pod)
  }

  /** Wishes for one pod. Within a run no pod is wished for twice. */
  *wish(pod: PodState): Generator<EvictionWish, Ending, EvictionAnswer> {
    if (this.#asked.has(pod.key)) return 'asked'
    this.#asked.add(pod.key)
    const answer = yield { pod, strategy: this.#strategy, profile: this.#view.profile, reason: '' }
    if (answer.kind === 'failed')
      this.#view.tell(0, 'eviction failed', { pod: pod.key, strategy: this.#strategy, error: answer.message })
    return answer.kind
  }

  /** Wishes for the pods in turn until one of these limits is met. A full namespace or a refused eviction costs that pod alone. */
  *wishEach(pods: readonly PodState[]): Generator<EvictionWish, 'done' | 'node-limit' | 'total-limit', EvictionAnswer> {
    for (const pod of pods) {
      const ending = yield* this.wish(pod)
      if (ending === 'node-limit' || ending === 'total-limit') return ending
    }
    return 'done'
  }

  /** Those of `pods` that `test` picks. */
  picked(pods: Iterable<PodState>, test: (pod: PodState) => boolean): Generator<Breath, PodState[], unknown> {
    return picked(pods, test, this.#view.pace)
  }

  /** Node by node: what `look` picks is wished for. A node's pods are picked when those of the nodes before it have gone. */
  *nodeByNode(look: (node: NodeState) => Look): Generator<EvictionWish | Breath, 'done' | 'total-limit', EvictionAnswer> {
    const { pace } = this.#view
    for (const node of this.#view.nodes) {
      this.#view.tell(this.#strategy === loud ? 1 : 2, 'processing node', { node: node.name, strategy: this.#strategy })
      const { pods, isPicked, order } = look(node)
      const found = yield* this.picked(pods, isPicked)
      if (order !== undefined) found.sort(order)
      if ((yield* this.wishEach(found)) === 'total-limit') return 'total-limit'
      if (pace.isDue()) yield breath
    }
    return 'done'
  }
}
