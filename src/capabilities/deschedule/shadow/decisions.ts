// What ours would do to a cluster, and why it leaves what it leaves: one cycle of the drop-in that changes nothing.
import type { ClusterState, PodState } from '#cluster/cluster-state.ts'
import { runCycle } from '../compat/cycle.ts'
import type { EvictionOutcome } from '../compat/eviction.ts'
import type { DeschedulerPolicy } from '../compat/policy/args.ts'
import type { MeasuredFigures } from '../compat/strategies/low-node-utilization.ts'
import { strategyMaker } from '../compat/strategies/strategies.ts'
import { ServedBudgets } from './served-budgets.ts'

export interface OurDecision {
  /** `namespace/name`. */
  readonly pod: string
  readonly uid: string
  readonly node: string
  readonly profile: string
  readonly strategy: string
  /** Why the server would refuse it. */
  readonly refusal?: string
}

export interface Decisions {
  /** Why nothing was decided. */
  readonly skipped?: string
  /** By pod: the first wish for it that no limit stopped. */
  readonly wished: ReadonlyMap<string, OurDecision>
  /** By pod, of those that were asked about: why it stays, each reason once. */
  readonly stays: ReadonlyMap<string, readonly string[]>
  /** By strategy: why it failed, or ended without a look at pods. */
  readonly endings: ReadonlyMap<string, string>
}

interface DecisionInput {
  readonly policy: DeschedulerPolicy
  readonly state: ClusterState
  /** Milliseconds since 1970. */
  readonly nowMs: number
  /** The other one runs dry: no budget refuses anything, and what is evicted is gone at once. */
  readonly isDryRun: boolean
  /** Pods whose eviction the other one saw fail, with the server's words: ours would have seen the same. */
  readonly failures: ReadonlyMap<string, string>
  /** The pods of which reasons are kept. */
  readonly about: ReadonlySet<string>
  readonly measured?: MeasuredFigures
}

/** klog's level at which every reason is told. */
const everyReason = 4

/** What ours decides in one cycle of `input.policy`. */
export function decide(input: DecisionInput): Decisions {
  const reasons = new ReasonsKept(input.about)
  const budgets = new ServedBudgets(input.state)
  const wished = new Map<string, OurDecision>()
  const cycle = runCycle({
    policy: input.policy,
    state: input.state,
    strategies: strategyMaker(input.measured ?? {}),
    nowMs: input.nowMs,
    isDryRun: input.isDryRun,
    verbosity: everyReason,
    tell: (level, message, fields) => reasons.told(level, message, fields),
  })
  let step = cycle.next()
  while (step.done !== true) {
    if (step.value.kind === 'limit') {
      const { wish, refusal } = step.value
      reasons.stays(wish.pod.key, `${wish.strategy}: ${refusal.result}`)
    } else if (step.value.kind === 'end' && step.value.error !== undefined) {
      reasons.ended(step.value.plugin.strategy, step.value.error)
    }
    if (step.value.kind !== 'evict') {
      step = cycle.next()
      continue
    }
    const { pod, profile, strategy } = step.value.wish
    const outcome = answerTo(pod, input, budgets)
    const refusal = outcome.kind === 'failed' ? outcome.message : undefined
    const decision = { pod: pod.key, uid: pod.uid, node: pod.nodeName ?? '', profile, strategy }
    // A later plugin may have what an earlier one was refused.
    const earlier = wished.get(pod.key)
    if (earlier === undefined || (earlier.refusal !== undefined && refusal === undefined))
      wished.set(pod.key, { ...decision, ...(refusal !== undefined && { refusal }) })
    step = cycle.next(outcome)
  }
  const { skipped } = step.value
  return { ...(skipped !== undefined && { skipped }), wished, stays: reasons.byPod, endings: reasons.byStrategy }
}

function answerTo(pod: PodState, { isDryRun, failures }: DecisionInput, budgets: ServedBudgets): EvictionOutcome {
  const failure = failures.get(pod.key)
  if (failure !== undefined) return { kind: 'failed', why: 'refused', message: failure }
  if (isDryRun) return { kind: 'evicted' }
  const answer = budgets.evict(pod)
  return answer.kind === 'allowed' ? { kind: 'evicted' } : { kind: 'failed', why: 'refused', message: answer.message }
}

class ReasonsKept {
  readonly byPod = new Map<string, readonly string[]>()
  readonly byStrategy = new Map<string, string>()
  readonly #about: ReadonlySet<string>

  constructor(about: ReadonlySet<string>) {
    this.#about = about
  }

  told(level: number, message: string, fields: Readonly<Record<string, string | number>>): void {
    const { pod, strategy, checks, reason } = fields
    if (pod !== undefined && checks !== undefined) this.stays(String(pod), String(checks))
    else if (pod !== undefined && reason !== undefined) this.stays(String(pod), `${strategy}: ${reason}`)
    // A strategy that ends at once says so at level 1, with its name alone.
    else if (level === 1 && strategy !== undefined && Object.keys(fields).length === 1) this.ended(String(strategy), message)
  }

  stays(pod: string, reason: string): void {
    if (!this.#about.has(pod)) return
    const known = this.byPod.get(pod) ?? []
    if (!known.includes(reason)) this.byPod.set(pod, [...known, reason])
  }

  /** The last word of a strategy that several profiles run. */
  ended(strategy: string, text: string): void {
    this.byStrategy.set(strategy, text)
  }
}
