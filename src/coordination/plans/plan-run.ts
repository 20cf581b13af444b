// An approved plan, carried out: wave by wave, move by move, until it is done, has to wait, or has to be made anew.
// Nothing is remembered here: plan status, permits and the cluster say where it stands, so that any leader can go on.
import type { SchedulerSettings } from '#cluster/scheduler-settings.ts'
import type { EventRecorder } from '#kube/events/events.ts'
import type { Informer } from '#kube/informers/informer-view.ts'
import type { Log } from '#kube/log.ts'
import type { Node } from '#kube/objects/objects.ts'
import { isNotFound } from '#kube/objects/status.ts'
import { formatTime } from '#kube/time/time.ts'
import { type PlanPolicy, workloadKey } from '#planning/goals/policy.ts'
import type { PlanMove, PlanStep, RebalancePlan, RebalancePlanStatus, RebalancePolicy } from '../api.ts'
import type { Arbiter } from '../arbiter/arbiter.ts'
import type { WebhookEndpoint } from '../capability.ts'
import type { EffectContext } from '../effects/effect-context.ts'
import type { ClusterView } from '../facts/cluster-view.ts'
import { isUnheld } from './landing/landing-decision.ts'
import { releaseHold } from './landing/landing-gate.ts'
import { landingResult } from './landing/landing-rate.ts'
import { roomFor } from './landing/landing-room.ts'
import { endSteering, nodesToTaint, steerWave } from './landing/landing-taint.ts'
import { WaveGate } from './landing/wave-gate.ts'
import { whyUsedUp } from './left-of-limits.ts'
import type { MoveContext, MoveEnd } from './move-context.ts'
import { requirementsOf } from './move-intent.ts'
import { carryOut, moveKey } from './move-run.ts'
import { askingOf, eventReasons, isOfOthers } from './names.ts'
import { staleMs } from './patience.ts'
import type { PlanMetrics } from './plan-metrics.ts'
import { policyHash } from './plan-policy.ts'
import { inPhase, isBeyondStop, isFinal, isUnderWay, type Phase, standingMoves, stepOf, withStep } from './plan-progress.ts'
import type { Plans } from './plan-store.ts'
import { type Ending, planEnd } from './progress/plan-end.ts'
import { whyClosed, whyPaused } from './run-pauses.ts'
import { foretoldRefusal } from './timetable/foretold-refusal.ts'
import type { SignalReader } from './trial/signal-reader.ts'
import { Trial } from './trial/trial.ts'
import type { UsageMeter } from './usage/usage-meter.ts'
import { servesUsage, unmeasuredNode } from './usage/usage-moves.ts'

export interface RunContext {
  readonly arbiter: Arbiter
  readonly effects: EffectContext
  readonly view: ClusterView
  readonly nodes: Informer<Node>
  readonly events: EventRecorder
  readonly log: Log
  readonly plans: Plans
  readonly settings: SchedulerSettings
  readonly webhooks: WebhookEndpoint | undefined
  /** The policy as it is known now. */
  readonly policy: () => RebalancePolicy | undefined
  readonly planPolicy: PlanPolicy
  /** Measures what goals of usage are about; `undefined`: they stand still. */
  readonly usage: UsageMeter | undefined
  readonly metrics: PlanMetrics | undefined
  /** Asks for signals; `undefined`: all of them are unknown. */
  readonly signals: SignalReader | undefined
  /** Why no step may begin just now beside what the plan and its policy say; `undefined`: it may. */
  readonly holdsBack: (plan: RebalancePlan) => string | undefined
  /** The controller is to stop: what is under way is followed up, nothing new begins. */
  readonly isStopping: () => boolean
}

type RunEnd =
  | { readonly kind: 'over' }
  /** Waits for a window, a thaw, an approval; for the landing webhook, it is tried again after `retryMs`. */
  | { readonly kind: 'paused'; readonly retryMs?: number }
  | ReplanEnd

export interface ReplanEnd {
  readonly kind: 'replan'
  readonly message: string
  /**
   * `broken`: a certificate; `elsewhere`: the model foretold another landing; `unheld`: a replacement was made without its gate; `policy`:
   * what the policy asks for was changed; `refused`: the arbiter would not let all of it go.
   */
  readonly cause: 'broken' | 'elsewhere' | 'unheld' | 'policy' | 'refused'
}

export const policyChanged = 'its policy was changed'
const noWebhook = 'this controller serves no landing webhook'
/** A plan that waits for the landing webhook asks it again after so long. */
const retryGateMs = 60_000

/** Carries out `plan` as far as it goes. @throws on abort, a lost Lease, a broken connection: then the next call goes on. */
export async function runPlan(context: RunContext, plan: RebalancePlan, signal: AbortSignal): Promise<RunEnd> {
  const run = new PlanRun(context, plan)
  return run.go(signal)
}

interface Wave {
  readonly number: number
  readonly moves: readonly PlanMove[]
}

class PlanRun {
  readonly #context: RunContext
  #plan: RebalancePlan
  /** Workloads of which a move was left out: their other moves are left out too. */
  readonly #leftOut = new Set<string>()
  readonly #waitingMoves = new Set<string>()
  /** Under `hold`, where this process serves webhooks at all. */
  readonly #gate: WaveGate | undefined
  readonly #trial: Trial
  /** How the running wave is steered. */
  #steering: RebalancePlan['spec']['landing']
  #isSilenceTold = false
  #isDeleted = false

  constructor(context: RunContext, plan: RebalancePlan) {
    const { view, effects, webhooks } = context
    this.#context = context
    this.#plan = plan
    this.#steering = plan.spec.landing
    if (plan.spec.landing === 'hold' && webhooks !== undefined) this.#gate = new WaveGate({ view, effects, webhooks }, plan)
    this.#trial = new Trial({
      reader: context.signals,
      view,
      policy: context.policy,
      plan: () => this.#known,
      plans: () => context.plans.list(),
      write: (change, signal) => this.#write(change, signal),
      now: () => effects.clock.now(),
    })
  }

  async go(signal: AbortSignal): Promise<RunEnd> {
    const { clock } = this.#context.effects
    const steps = this.#known.status?.steps ?? []
    const failed = steps.find(step => step.state === 'Failed')
    // An earlier leader recorded it and had no time to draw the conclusion.
    if (failed !== undefined) return this.#finish(failed.message ?? 'a move failed', signal)
    if (steps.some(step => step.state === 'Mismatch')) return this.#misled(signal)
    const held = this.#isDone() || this.#pause() === undefined ? await this.#held(signal) : undefined
    if (held !== undefined) return held
    const refusal = steps.length === 0 ? this.#foretoldRefusal() : undefined
    if (refusal !== undefined) {
      await this.#endSteering(refusal, signal)
      return { kind: 'replan', cause: 'refused', message: refusal }
    }
    await this.#write(
      status =>
        status.phase === 'Running'
          ? status
          : {
              ...inPhase(status, 'Running', { message: 'running', nowMs: clock.now() }),
              progressAt: formatTime(clock.now()),
            },
      signal,
    )
    for (;;) {
      const wave = this.#nextWave()
      if (wave === undefined) return this.#finish(undefined, signal)
      const end = (await this.#wave(wave, signal)) ?? (await this.#held(signal))
      if (end !== undefined) return end
    }
  }

  get #known(): RebalancePlan {
    return this.#context.plans.get(this.#plan.metadata.name) ?? this.#plan
  }

  /** Which move of a plan that was not begun the arbiter would refuse by now, and why; `undefined`: the whole of it can be carried out. */
  #foretoldRefusal(): string | undefined {
    const { arbiter, view, planPolicy, plans, effects } = this.#context
    const policy = this.#context.policy()
    if (policy === undefined || this.#isUnderWay()) return undefined
    const nowMs = effects.clock.now()
    return foretoldRefusal(this.#plan, { arbiter, plans: plans.list(), policy, planPolicy, state: view.state(), nowMs })
  }

  /** What holds the next moves back, beside what `#pause` says: a limit that is used up, a canary, a signal. `undefined`: nothing. */
  async #held(signal: AbortSignal): Promise<RunEnd | undefined> {
    // What is under way is followed up first.
    if (this.#isUnderWay()) return undefined
    const used = this.#isDone() ? undefined : this.#usedUp()
    if (used !== undefined) return this.#pauseRun(used, signal)
    const gate = await this.#trial.gate(signal)
    if (gate === undefined) return undefined
    if (gate.kind === 'stop') return this.#finish(gate.message, signal, { stopped: gate.stopped })
    if (gate.kind === 'unsure') return this.#finish(undefined, signal, { doubt: gate.message })
    return this.#pauseRun(gate.message, signal, gate.retryMs)
  }

  #isDone(): boolean {
    return this.#plan.spec.moves.every(({ id }) => isFinal(stepOf(this.#known, id)))
  }

  #isUnderWay(): boolean {
    return this.#plan.spec.moves.some(move => this.#hasPermit(move))
  }

  /** Whether another plan of the policy has taken what its limits leave within this hour, or this day. */
  #usedUp(): string | undefined {
    const policy = this.#context.policy()
    // A plan that undoes moves needs as many again, whatever the limits have left.
    if (policy === undefined || this.#plan.spec.purpose !== 'move' || this.#plan.spec.rollsBack !== undefined) return undefined
    return whyUsedUp(policy, this.#context.plans.list(), this.#context.effects.clock.now())
  }

  /** The first wave with moves that may go now, and these; where a canary ends within a wave it goes in parts. `undefined`: all are over. */
  #nextWave(): Wave | undefined {
    const first = this.#trial.first()
    const open = standingMoves(this.#known).filter(move =>
      this.#hasPermit(move) ? true : !isFinal(stepOf(this.#known, move.id)) && first?.has(move.id) !== false,
    )
    const number = open.reduce((least, { wave }) => Math.min(least, wave), Number.POSITIVE_INFINITY)
    return open.length === 0 ? undefined : { number, moves: open.filter(({ wave }) => wave === number) }
  }

  /** One wave; `undefined`: go on with the next. */
  async #wave(wave: Wave, signal: AbortSignal): Promise<RunEnd | undefined> {
    const { number, moves } = wave
    const paused = this.#pause()
    if (paused !== undefined) return this.#pauseRun(paused, signal)
    if (this.#isOutdated()) return this.#outdated(signal)
    const unsteered = await this.#steer(number, moves, signal)
    if (unsteered !== undefined) return this.#pauseRun(unsteered, signal)
    const steering = this.#steering
    const ends = await this.#carryOutAll(moves, signal)
    const kinds = ['failed', 'mismatch', 'broken', 'frozen', 'unsteered'] as const
    const [stop] = kinds.flatMap(kind => ends.filter(end => end.kind === kind))
    // The webhook went silent while the wave ran: the rest of it once more, by what is left to steer with.
    if (stop?.kind === 'unsteered' && steering === 'hold') return this.#wave(wave, signal)
    switch (stop?.kind) {
      case 'failed':
        return this.#finish(stop.message, signal)
      case 'mismatch':
        return this.#misled(signal)
      case 'broken':
        await this.#endSteering('the plan does not hold any more', signal)
        return { kind: 'replan', cause: 'broken', message: stop.message }
      case 'unsteered':
        return this.#pauseRun(`waits for the landing webhook: ${stop.message}`, signal, retryGateMs)
      case 'frozen':
        return this.#pauseRun(stop.message, signal)
      default: {
        if (moves.every(move => isFinal(stepOf(this.#known, move.id)))) return undefined
        const why = this.#pause() ?? this.#usedUp()
        if (why !== undefined) return this.#pauseRun(why, signal)
        return this.#isOutdated() ? this.#outdated(signal) : { kind: 'paused' }
      }
    }
  }

  /** A replacement is not where it was meant to be: the rest of the plan stands on sand. */
  async #misled(signal: AbortSignal): Promise<RunEnd> {
    const strays = (this.#known.status?.steps ?? []).filter(step => step.state === 'Mismatch')
    const cause = strays.every(isUnheld) ? 'unheld' : 'elsewhere'
    const why = cause === 'unheld' ? ': it was made while the landing webhook did not answer' : ''
    const message = `a replacement landed elsewhere${why}`
    await this.#endSteering(message, signal)
    return { kind: 'replan', cause, message }
  }

  /** The wave's moves, as many at once as the policy allows. After the first that stops the plan no further one begins. */
  async #carryOutAll(moves: readonly PlanMove[], signal: AbortSignal): Promise<readonly MoveEnd[]> {
    const queue = [...moves]
    const ends: MoveEnd[] = []
    const isStopped = () => ends.some(end => end.kind !== 'landed' && end.kind !== 'skipped')
    const worker = async () => {
      for (let move = queue.shift(); move !== undefined; move = queue.shift()) {
        if (
          !this.#hasPermit(move) &&
          (isStopped() ||
            this.#pause() !== undefined ||
            this.#usedUp() !== undefined ||
            this.#isOutdated() ||
            isBeyondStop(this.#known, move))
        )
          return
        ends.push(await this.#move(move, signal))
      }
    }
    const atOnce = Math.min(this.#context.planPolicy.limits.concurrent, queue.length)
    const results = await Promise.allSettled(Array.from({ length: atOnce }, worker))
    for (const result of results) if (result.status === 'rejected') throw result.reason
    return ends
  }

  async #move(move: PlanMove, signal: AbortSignal): Promise<MoveEnd> {
    const key = workloadKey(move.workload)
    if (this.#leftOut.has(key) && !this.#hasPermit(move)) {
      await this.#record(
        { id: move.id, state: 'Skipped', reason: 'WorkloadLeftOut', message: 'an earlier move of this workload was left out' },
        signal,
      )
      return { kind: 'skipped' }
    }
    const end = await carryOut(this.#moveContext(move, signal), move, signal)
    if (end.kind === 'skipped') this.#leftOut.add(key)
    return end
  }

  #moveContext(move: PlanMove, signal: AbortSignal): MoveContext {
    const { arbiter, effects, view, events, log, settings, planPolicy, usage } = this.#context
    return {
      arbiter,
      effects,
      view,
      events,
      log,
      settings,
      plan: () => this.#known,
      record: step => this.#record(step, signal),
      waiting: (isWaiting, message) => this.#wait({ id: move.id, isWaiting, message }, signal),
      landing: this.#steering,
      roomFor: own => {
        const over = new Set((this.#known.status?.steps ?? []).filter(isFinal).map(({ id }) => id))
        const awaited = this.#plan.spec.moves.filter(({ id }) => id !== own.id && !over.has(id))
        return roomFor({ state: view.state(), planPolicy, awaited }, own)
      },
      gateSilence: async () => (this.#steering === 'hold' ? this.#gate?.silence(signal) : undefined),
      paused: () => this.#pause() ?? unmeasuredNode(move, planPolicy, usage?.measurements()),
      isForUsage: servesUsage(move, planPolicy),
      requirements: requirementsOf(planPolicy),
      deadlineMs: () => Date.parse(this.#known.status?.progressAt ?? '') + staleMs,
    }
  }

  #hasPermit(move: PlanMove): boolean {
    const key = moveKey(this.#plan, move)
    return this.#context.arbiter.unfinished(askingOf(this.#plan).requester).some(record => record.idempotencyKey === key)
  }

  /** What the plan rests on is not what its policy says now. A plan of before that was noted is taken as it is. */
  #isOutdated(): boolean {
    // What is undone does not follow from what the policy says.
    if (this.#plan.spec.rollsBack !== undefined) return false
    const policy = this.#context.policy()
    const made = this.#known.status?.policyHash
    return policy !== undefined && made !== undefined && policyHash(policy, this.#plan.spec.purpose) !== made
  }

  async #outdated(signal: AbortSignal): Promise<RunEnd> {
    await this.#endSteering(policyChanged, signal)
    return { kind: 'replan', cause: 'policy', message: policyChanged }
  }

  #pause(): string | undefined {
    if (this.#context.isStopping()) return 'the controller stops'
    if (this.#isDeleted || this.#context.plans.get(this.#plan.metadata.name) === undefined) return 'it was deleted'
    const paused = whyPaused(this.#known, this.#context.policy(), this.#context.effects.clock.now())
    return (
      paused ??
      whyClosed(this.#known, this.#context.arbiter, this.#context.effects.clock.now()) ??
      this.#context.view.staleness() ??
      this.#context.holdsBack(this.#known)
    )
  }

  /** Sees to it that replacements of `moves` land where they are meant to. @returns why that cannot be now */
  async #steer(number: number, moves: readonly PlanMove[], signal: AbortSignal): Promise<string | undefined> {
    const { view, effects } = this.#context
    this.#steering = this.#plan.spec.landing
    if (this.#steering === 'hold') {
      const silence = this.#gate === undefined ? noWebhook : await this.#gate.raise(moves, signal)
      if (silence === undefined) return undefined
      await this.#tellSilence(silence)
      this.#steering = 'prefer'
    }
    if (this.#steering === 'observe') return undefined
    const nodes = nodesToTaint(view.state().nodes.keys(), moves, this.#plan.spec)
    return steerWave(
      this.#context,
      { plan: this.#plan, number, nodes, deadlineMs: effects.clock.now() + staleMs * (moves.length + 1) },
      signal,
    )
  }

  /** Says, once a run, that the wave goes on without the gate. */
  async #tellSilence(silence: string): Promise<void> {
    if (this.#isSilenceTold) return
    this.#isSilenceTold = true
    const note = `${silence}: landings are steered by the taint of prefer, and what would land elsewhere waits`
    this.#context.log.warn({ plan: this.#plan.metadata.name, why: silence }, 'landing webhook is away')
    this.#emit('Warning', eventReasons.unheld, note)
  }

  async #endSteering(reason: string, signal: AbortSignal): Promise<void> {
    const { effects, plans } = this.#context
    const { requester } = askingOf(this.#plan)
    if (this.#plan.spec.landing === 'hold') await releaseHold(effects, requester, signal)
    await endSteering(this.#context, { requester, reason, isOthers: plan => isOfOthers(plans.get(plan), requester) }, signal)
  }

  async #pauseRun(why: string, signal: AbortSignal, retryMs?: number): Promise<RunEnd> {
    await this.#endSteering('the plan pauses', signal)
    await this.#setPhase(isUnderWay(this.#known) ? 'Paused' : 'Approved', why, signal)
    return { kind: 'paused', ...(retryMs === undefined ? {} : { retryMs }) }
  }

  /** A replacement that gets no node pauses the plan; one that got it lets it go on. */
  async #wait(
    wait: { readonly id: string; readonly isWaiting: boolean; readonly message: string },
    signal: AbortSignal,
  ): Promise<void> {
    if (wait.isWaiting) this.#waitingMoves.add(wait.id)
    else this.#waitingMoves.delete(wait.id)
    const phase = this.#waitingMoves.size > 0 ? 'Paused' : 'Running'
    if (this.#known.status?.phase !== phase) await this.#setPhase(phase, wait.message, signal)
  }

  async #setPhase(phase: Phase, message: string, signal: AbortSignal): Promise<void> {
    const nowMs = this.#context.effects.clock.now()
    const before = this.#known.status
    if (before?.phase === phase && before.message === message) return
    await this.#write(status => inPhase(status, phase, { message, nowMs }), signal)
    if (phase !== 'Running') this.#emit('Warning', eventReasons.paused, message)
  }

  async #record(step: PlanStep, signal: AbortSignal): Promise<void> {
    const nowMs = this.#context.effects.clock.now()
    const isNews = isFinal(step) && !isFinal(stepOf(this.#known, step.id))
    await this.#write(status => withStep(status, step, nowMs), signal)
    if (isNews) this.#context.metrics?.moved(this.#plan.spec.policyRef.name, step.state)
    const result = landingResult(
      step,
      this.#plan.spec.moves.find(({ id }) => id === step.id),
    )
    if (result !== undefined) this.#context.metrics?.landed(result)
  }

  async #write(change: (status: RebalancePlanStatus) => RebalancePlanStatus, signal: AbortSignal): Promise<void> {
    try {
      this.#plan = await this.#context.plans.setStatus(this.#plan, change, signal)
    } catch (error) {
      if (!isNotFound(error)) throw error
      // Who deletes a plan ends it. What is under way still lands and gives its permit back; there is nowhere to write it to.
      this.#isDeleted = true
    }
  }

  /** Takes the steering away, then says how it ended: after, goals, phase, in one write. */
  async #finish(failure: string | undefined, signal: AbortSignal, ending: Ending = {}): Promise<RunEnd> {
    await this.#endSteering('the plan is over', signal)
    const { change, result } = await planEnd(this.#context, this.#known, { ...ending, failure }, signal)
    await this.#write(change, signal)
    this.#context.log.info({ plan: this.#plan.metadata.name, ...result }, 'plan is over')
    return { kind: 'over' }
  }

  #emit(type: 'Normal' | 'Warning', reason: string, note: string): void {
    const { apiVersion, kind, metadata } = this.#plan
    this.#context.events.emit({
      type,
      reason,
      action: 'Rebalance',
      regarding: { apiVersion, kind, name: metadata.name, ...(metadata.uid === undefined ? {} : { uid: metadata.uid }) },
      note,
      controller: `ballast.dev/${askingOf(this.#plan).requester}`,
    })
  }
}
