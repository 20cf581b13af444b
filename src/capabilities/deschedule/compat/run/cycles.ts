// The cycles of a process: each takes the policy in force, waits for a picture of the cluster that holds, and has its wishes carried out. A
// fault in one ends that one.
import type { ClusterState } from '#cluster/cluster-state.ts'
import type { OwnerLabel } from '#cluster/ownership.ts'
import type { SchedulerSettings } from '#cluster/scheduler-settings.ts'
import { OwnerWarnings } from '#coordination/account/owner-warnings.ts'
import type { ArbiterPolicy } from '#coordination/policy/arbiter-policy.ts'
import { windowOpensMs } from '#coordination/policy/pauses/window.ts'
import type { Clock } from '#kube/clock.ts'
import type { EventRecorder } from '#kube/events/events.ts'
import { messageOf } from '#kube/log.ts'
import { formatTime } from '#kube/time/time.ts'
import type { EvictionWish, Evictor } from '../contract.ts'
import type { CycleReport } from '../cycle.ts'
import type { EvictionOutcome } from '../eviction.ts'
import type { BackgroundEvictions } from '../eviction-in-background.ts'
import type { CycleListener } from '../instruments/cycle-listener.ts'
import { PodShapes } from '../pod-shapes.ts'
import type { DeschedulerPolicy } from '../policy/args.ts'
import { strategyMaker } from '../strategies/strategies.ts'
import type { UsageProviders } from '../usage/usage-providers.ts'
import { type Book, isBookLost } from './book.ts'
import { coordinationEvictor } from './coordination.ts'
import type { Coordination } from './coordination-settings.ts'
import { driveCycle } from './cycle-driver.ts'
import type { DeschedulerLog } from './descheduler-log.ts'
import { DryRun } from './dry-run.ts'
import { requester } from './eviction-intent.ts'
import { SetAsideObjects } from './set-aside-objects.ts'
import { tellAsUpstream } from './upstream-lines.ts'
import type { WatchedCluster } from './watched-cluster.ts'

/** Why a cycle was not begun: no fault, and nothing was decided. */
class CycleSkipped extends Error {
  override readonly name = 'CycleSkipped'
}

interface CyclesOptions {
  readonly policy: () => DeschedulerPolicy
  /** What is watched for that policy, synced. @throws `signal.reason` */
  readonly cluster: (signal: AbortSignal) => Promise<WatchedCluster>
  readonly providers: UsageProviders
  readonly listener: CycleListener
  readonly log: DeschedulerLog
  readonly clock: Clock
  readonly events: EventRecorder
  /** By which evictions are done; absent: a dry run. Opened anew where it was lost. */
  readonly book: (() => Promise<Book>) | undefined
  /** The book can be written no more: the next cycle opens it anew. */
  readonly bookLost: () => Promise<void>
  /** How the cluster's scheduler decides: a dry run asks. */
  readonly scheduler: SchedulerSettings
  readonly background: BackgroundEvictions | undefined
  readonly coordination: Coordination
  readonly arbiterPolicy: ArbiterPolicy
  readonly ownerLabel: OwnerLabel
}

export class Cycles {
  readonly #options: CyclesOptions
  readonly #warnings: OwnerWarnings
  readonly #aside: SetAsideObjects
  #count = 0
  /** Shapes of the last cycle; pods that did not change need not be looked at again. */
  #shapes: PodShapes | undefined

  constructor(options: CyclesOptions) {
    this.#options = options
    this.#aside = new SetAsideObjects(options.log)
    this.#warnings = new OwnerWarnings(options.events, options.ownerLabel)
  }

  /**
   * One cycle. @throws CycleSkipped where the cluster is not known well enough or no window is open; `signal.reason`; LeaseLostError where
   * another one may lead by now; what goes wrong otherwise. All but the abort were told.
   */
  async run(signal: AbortSignal): Promise<CycleReport> {
    const { listener, log } = this.#options
    listener.cycleBegan()
    try {
      const report = await this.#cycle(signal)
      listener.cycleEnded()
      return report
    } catch (error) {
      const why = messageOf(error)
      listener.cycleEnded(why)
      if (error instanceof CycleSkipped) log.told(0, 'Skipping descheduling cycle', { why })
      else if (!signal.aborted) log.failed('Descheduling cycle failed', why, {})
      if (isBookLost(error)) await this.#options.bookLost()
      throw error
    }
  }

  async #cycle(signal: AbortSignal): Promise<CycleReport> {
    const { clock, log, providers, listener, background, book } = this.#options
    this.#checkWindow()
    const policy = this.#options.policy()
    const cluster = await this.#options.cluster(signal)
    const stale = await cluster.staleness(signal)
    if (stale !== undefined) throw new CycleSkipped(stale)
    const measured = await providers.figures(signal)
    const opened = await book?.()
    const { state, problems } = await cluster.reading(signal)
    this.#aside.tell(problems)
    const nowMs = clock.now()
    const batch = `cycle-${nowMs}-${++this.#count}`
    this.#shapes ??= new PodShapes(state)
    const report = await driveCycle(
      {
        policy,
        state,
        strategies: strategyMaker(measured),
        shapes: this.#shapes,
        nowMs,
        isDryRun: book === undefined,
        ...(background !== undefined && { background }),
        furtherEvictors: this.#furtherEvictors(state, nowMs),
        verbosity: log.verbosity,
        tell: (level, message, fields) => tellAsUpstream(log, { level, message, fields }),
      },
      { clock, listener, evict: opened === undefined ? this.#pretended(state, nowMs) : this.#evicting(opened, policy, batch) },
      signal,
    )
    // What nobody released in its time is ended, and what is old enough forgotten.
    await opened?.arbiter.settle(signal)
    return report
  }

  /** @throws CycleSkipped */
  #checkWindow(): void {
    const { coordination, arbiterPolicy, clock } = this.#options
    if (!coordination.enforce) return
    const nowMs = clock.now()
    const opensMs = windowOpensMs(arbiterPolicy, requester, nowMs)
    if (opensMs <= nowMs) return
    throw new CycleSkipped(
      Number.isFinite(opensMs) ? `no window is open before ${formatTime(opensMs)}` : 'no window opens any more',
    )
  }

  #furtherEvictors(state: ClusterState, nowMs: number): readonly Evictor[] {
    const { coordination, ownerLabel } = this.#options
    if (!coordination.enforce) return []
    const by = { reason: 'RebalanceSkipped', action: 'Deschedule', controller: `ballast.dev/${requester}`, code: 'KedaManaged' }
    return [
      coordinationEvictor({
        state,
        coordination,
        ownerLabel,
        nowMs,
        contradicted: contradiction => this.#warnings.tell(contradiction, by),
      }),
    ]
  }

  #evicting(book: Book, policy: DeschedulerPolicy, batch: string): (wish: EvictionWish) => Promise<EvictionOutcome> {
    const { gracePeriodSeconds } = policy
    const terms = { batch, ...(gracePeriodSeconds !== undefined && { gracePeriodSeconds }) }
    return wish => book.evictor.evict(wish, terms)
  }

  /** Upstream's dry run evicts whatever it wishes; what ours foresees is told beside it. */
  #pretended(state: ClusterState, nowMs: number): (wish: EvictionWish) => Promise<EvictionOutcome> {
    const { scheduler, log } = this.#options
    const dryRun = new DryRun({ state, settings: scheduler, nowMs })
    return async wish => {
      const { refusal, landing } = dryRun.foresee(wish)
      const pod = wish.pod.key
      if (refusal !== undefined) log.told(1, 'The eviction would be refused', { pod, why: refusal })
      else if (landing?.length === 0) log.told(1, 'No node would take the replacement', { pod })
      else if (landing !== undefined) log.told(1, 'The replacement would land', { pod, nodes: landing.join(', ') })
      return { kind: 'evicted' }
    }
  }
}
