// What a dry run says beyond upstream's: whether a budget would refuse the eviction, and where the replacement would land. On a copy of the
// cluster that keeps what the run moved; what the strategies see stays upstream's.
import type { ClusterState, PodState } from '#cluster/cluster-state.ts'
import { Placement } from '#cluster/placement.ts'
import type { SchedulerSettings } from '#cluster/scheduler-settings.ts'
import { PretendedEvictions } from '#planning/simulation/pretended-evictions.ts'
import type { EvictionWish } from '../contract.ts'

interface DryRunOptions {
  readonly state: ClusterState
  /** How the cluster's scheduler decides. */
  readonly settings: SchedulerSettings
  /** Milliseconds since 1970. */
  readonly nowMs: number
}

/** What would become of one eviction. */
interface Foreseen {
  /** What the API server would answer; absent: it would evict. */
  readonly refusal?: string
  /** Nodes that share the best score; empty: the replacement would stay pending. Absent where a pod has no replacement, or after many. */
  readonly landing?: readonly string[]
}

/** Landings are looked for so often in a cycle: each costs a look at every node. */
const mostLandings = 500

export class DryRun {
  readonly #options: DryRunOptions
  readonly #evictions: PretendedEvictions
  #placement: Placement | undefined
  #landings = 0

  constructor(options: DryRunOptions) {
    this.#options = options
    this.#evictions = new PretendedEvictions(options.state, options.nowMs)
  }

  /** What the eviction of `wish` would bring; from then on the pod counts as evicted, where no budget refuses it. */
  foresee({ pod }: EvictionWish): Foreseen {
    const answer = this.#evictions.evict(pod, evicted => this.#landing(evicted))
    return answer.kind === 'refused' ? { refusal: answer.refusal.message } : answer.went
  }

  #landing(pod: PodState): Foreseen {
    const hasReplacement = pod.workload !== undefined && pod.workload.kind !== 'DaemonSet'
    if (!hasReplacement || this.#landings++ >= mostLandings) return {}
    const { state, settings } = this.#options
    this.#placement ??= new Placement(state, settings)
    const placement = this.#placement
    if (placement.nodeOf(pod.key) !== undefined) placement.remove(pod.key)
    const pending = placement.asPending(pod)
    const { landing } = placement.evaluate(pending)
    const [first] = landing
    if (first !== undefined && placement.nodeOf(pending.key) === undefined) placement.bind(pending, first)
    return { landing }
  }
}
