// Cycles of a policy on a copy of a cluster: the policy read as the process reads it, the same cycle driven by the same driver, evictions
// answered by whoever keeps the copy.
import type { ClusterState } from '#cluster/cluster-state.ts'
import type { Clock } from '#kube/clock.ts'
import type { Problem } from '#kube/problem.ts'
import type { CycleSaid, CycleWorld, DeschedulerRun } from '#planning/simulation/descheduler-run.ts'
import type { EvictionOutcome } from '../eviction.ts'
import { refusedEviction } from '../eviction.ts'
import type { DeschedulerPolicy } from '../policy/args.ts'
import type { PriorityOf } from '../policy/evictor-args.ts'
import { readPolicy } from '../policy/read-policy.ts'
import { driveCycle } from '../run/cycle-driver.ts'
import { strategyMaker } from '../strategies/strategies.ts'
import { CarriedUsage } from './carried-usage.ts'
import { CycleNotes, noteLevel } from './cycle-notes.ts'

interface RehearsalOptions {
  /** What problems call the text. */
  readonly file: string
  /** The cluster before the first cycle. */
  readonly state: ClusterState
  /** The host's clock, which tells how long the event loop was not given a turn. */
  readonly clock: Clock
  readonly signal: AbortSignal
}

type Opened =
  | { readonly ok: true; readonly descheduler: DeschedulerRun }
  | { readonly ok: false; readonly problems: readonly Problem[] }

/** Reads the policy that `text` (YAML or JSON) says; nothing runs yet. */
export function openRehearsal(text: string, options: RehearsalOptions): Opened {
  const { file, state } = options
  const reading = readPolicy(text, { file, priorityOf: prioritiesOf(state) })
  if (!reading.ok) return reading
  const notes = [...reading.unknownFields.map(path => `${file}: ${path} has no effect`), ...reading.notes]
  return { ok: true, descheduler: new Rehearsal(reading.policy, notes, options) }
}

/** What the system's own classes are worth: every cluster has them, and no export of one needs to. */
const systemPriorities: Readonly<Record<string, number>> = {
  'system-node-critical': 2_000_001_000,
  'system-cluster-critical': 2_000_000_000,
}

function prioritiesOf(state: ClusterState): PriorityOf {
  return name => {
    const value = state.object('PriorityClass', undefined, name)?.['value']
    if (typeof value === 'number') return value
    return Object.hasOwn(systemPriorities, name) ? systemPriorities[name] : undefined
  }
}

class Rehearsal implements DeschedulerRun {
  readonly policy: string
  readonly notes: readonly string[]
  readonly #policy: DeschedulerPolicy
  readonly #usage: CarriedUsage
  readonly #clock: Clock
  readonly #signal: AbortSignal

  constructor(policy: DeschedulerPolicy, notes: readonly string[], { file, state, clock, signal }: RehearsalOptions) {
    this.policy = file
    this.notes = notes
    this.#policy = policy
    this.#usage = new CarriedUsage(state)
    this.#clock = clock
    this.#signal = signal
  }

  async cycle({ state, nowMs, evict }: CycleWorld): Promise<CycleSaid> {
    const notes = new CycleNotes()
    const report = await driveCycle(
      {
        policy: this.#policy,
        state,
        strategies: strategyMaker(this.#usage.figures(state, this.#policy)),
        nowMs,
        isDryRun: false,
        verbosity: noteLevel,
        tell: (_level, message, fields) => notes.told(message, fields),
      },
      {
        clock: this.#clock,
        listener: { step: step => notes.step(step), answered: () => undefined },
        evict: async ({ pod, profile, strategy, reason }): Promise<EvictionOutcome> => {
          const refusal = evict({ pod, profile, strategy, reason })
          return refusal === undefined ? { kind: 'evicted' } : refusedEviction(pod, refusal)
        },
      },
      this.#signal,
    )
    return { ...(report.skipped === undefined ? {} : { skipped: report.skipped }), ...notes.said }
  }

  replaced(previous: string, next: string): void {
    this.#usage.replaced(previous, next)
  }
}
