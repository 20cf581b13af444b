// One reconcile per workload: what all of its sources say, made into one plan, one question to the arbiter and one write. Workloads that
// are due at the same moment ask together. What goes wrong with one of them is its own affair.

import type { Reply } from '#coordination/arbiter/hearing.ts'
import type { Leading } from '#coordination/capability.ts'
import { prepareStart } from '#coordination/effects/prepare-start.ts'
import type { Intent } from '#coordination/intent.ts'
import type { Permit } from '#coordination/permits/permit.ts'
import type { Clock } from '#kube/clock.ts'
import { breather } from '#kube/controllers/breather.ts'
import { WorkQueue } from '#kube/controllers/queue.ts'
import { type Log, messageOf } from '#kube/log.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { isOutside } from '#kube/outside-error.ts'
import type { WorkloadBaseline } from '../baseline/baseline.ts'
import type { BaselineStore } from '../baseline/baseline-store.ts'
import {
  capabilityName,
  carryOut,
  type DeedContext,
  type DeedWay,
  intentOf,
  marksIn,
  type PlannedAct,
  wayOf,
} from '../rollouts/deed.ts'
import { EffectTurns } from '../rollouts/effect-turns.ts'
import { basisOf } from '../rollouts/restart-basis.ts'
import type { RolloutFollower } from '../rollouts/rollout-follower.ts'
import type { ReloadSettings } from '../settings.ts'
import type { SourceIndex } from '../sources/source-index.ts'
import { referenceOf, type SourceReference, type SourceState, sourceKey } from '../sources/source-state.ts'
import type { ReloadTelling } from '../telling/telling.ts'
import { type Failure, KeptTimes } from './kept-times.ts'
import { fullBucket, takeToken } from './rate-guard.ts'
import { keyOfPermit, type WorkloadFacts, workloadKey } from './workload-facts.ts'
import { isSaidByTemplate, planWorkload, type WorkloadPlan } from './workload-plan.ts'
import type { WorkloadWatch } from './workload-watch.ts'

const mostTogether = 500
/** A window opens by the time of day, which may be set meanwhile: it is looked at so often. */
const windowLookMs = 60_000
/** Workloads that are due within so long ask together. */
const gatherMs = 5
const firstRetryMs = 1_000
const longestRetryMs = 300_000
const shortestDeferMs = 250
const longestDeferMs = 30_000
const afterStaleMs = 1_000
/** Until the watch has told what another wrote. */
const afterOvertakenMs = 250

interface WorkloadLoopOptions {
  readonly leading: Leading
  readonly clock: Clock
  readonly log: Log
  readonly telling: ReloadTelling
  readonly settings: ReloadSettings
  readonly bucket: { readonly perSecond: number; readonly burst: number }
  readonly workloads: WorkloadWatch
  readonly index: SourceIndex
  /** A source as it is to be decided on for workloads of a kind. */
  readonly stateOf: (reference: SourceReference, kind: string) => SourceState
  /** Sources that changed under a workload of which nobody knew yet. */
  readonly overtaken: (workload: WorkloadFacts, known: WorkloadBaseline | undefined) => ReadonlyMap<string, 'create' | 'update'>
  /** Names of the keys of a source that changed since then. */
  readonly changedKeys: (reference: SourceReference, sinceMs: number) => readonly string[]
  readonly baseline: BaselineStore
  readonly follower: RolloutFollower
  readonly deeds: DeedContext
}

/** A workload that is to be reloaded now. */
interface Due {
  readonly key: string
  readonly facts: WorkloadFacts
  readonly act: PlannedAct
  /** When the first of its changes came, in milliseconds since 1970. */
  readonly changedAtMs: number
}

export class WorkloadLoop {
  readonly #options: WorkloadLoopOptions
  readonly #queue: WorkQueue<string>
  readonly #turns: EffectTurns
  readonly #times: KeptTimes
  readonly #failures = new Map<string, Failure>()
  /** Asked and told to wait: they ask again when the arbiter gives something back. */
  readonly #deferred = new Set<string>()
  /** What an earlier leader began and we end. */
  readonly #takenUp = new Set<string>()
  /** Not planned yet since the start. */
  readonly #first = new Set<string>()
  readonly #background = new Set<Promise<void>>()
  readonly #fault = Promise.withResolvers<never>()
  #bucket

  constructor(options: WorkloadLoopOptions) {
    this.#options = options
    this.#queue = new WorkQueue<string>({ clock: options.clock, observer: options.telling.queue })
    this.#turns = new EffectTurns(options.clock)
    this.#times = new KeptTimes(options.clock)
    this.#bucket = fullBucket(options.bucket, options.clock.elapsed())
    // The racing caller gets the failure; without one it must not count as unhandled.
    this.#fault.promise.catch(() => undefined)
  }

  /** How many wait for the arbiter, and how many are looked at or done. */
  get counts(): { readonly deferred: number; readonly failing: number; readonly busy: number } {
    return { deferred: this.#deferred.size, failing: this.#failures.size, busy: this.#queue.depth + this.#queue.processing }
  }

  /** Something changed that the workload is to be looked at for. */
  add(key: string): void {
    this.#queue.add(key)
  }

  /** The same at the start: what comes before the first look is part of the first list. */
  addFirst(key: string): void {
    this.#first.add(key)
    this.#queue.add(key)
  }

  /** Every workload of the first lists was planned, and nothing of it waits. */
  get isLookedThrough(): boolean {
    return this.#first.size === 0
  }

  /** Remembers what earlier leaders did and may not have come to write down. */
  recall(): void {
    const { leading, baseline } = this.#options
    const done = leading.arbiter.records().filter(({ grant, ending }) => grant !== undefined && ending === 'done')
    for (const record of done.toSorted((a, b) => (a.grant?.atMs ?? 0) - (b.grant?.atMs ?? 0)))
      for (const wish of [record, ...record.joined]) {
        const acted = wish.requester === capabilityName ? marksIn(wish.reasons) : undefined
        const key = keyOfPermit(record.workload)
        if (acted !== undefined && key !== undefined && !baseline.isUnread(key))
          baseline.recall(key, acted, record.grant?.atMs ?? 0)
      }
  }

  /** Ends what was begun, then looks at workloads until `signal` is aborted. @throws what nobody foresaw */
  async run(signal: AbortSignal): Promise<void> {
    for (const record of this.#options.leading.arbiter.unfinished(capabilityName)) {
      const [target] = record.targets
      const permit = this.#options.leading.arbiter.adopt(record)
      if (target !== undefined) this.#inBackground(this.#takeUp(permit, wayOf(record), signal), signal)
    }
    try {
      await Promise.race([this.#work(signal), this.#hearArbiter(signal), this.#fault.promise])
    } catch (error) {
      if (!signal.aborted) throw error
    } finally {
      this.#queue[Symbol.dispose]()
    }
    await Promise.all(this.#background)
    this.#turns.tellAll()
  }

  tidy(): void {
    this.#times.tidy()
  }

  async #work(signal: AbortSignal): Promise<void> {
    const breathe = breather(this.#options.clock)
    for (;;) {
      const due: Due[] = []
      for (const key of await this.#batch(signal)) {
        const one = this.#plan(key)
        if (one === undefined) this.#queue.done(key)
        else due.push(one)
        await breathe()
      }
      if (due.length > 0) this.#inBackground(this.#askTogether(due, signal), signal)
    }
  }

  async #batch(signal: AbortSignal): Promise<readonly string[]> {
    const first = await this.#queue.take(signal)
    const keys = first === undefined ? [] : [first]
    await this.#options.clock.after(gatherMs, signal)
    while (keys.length < mostTogether && this.#queue.depth > 0) {
      const key = await this.#queue.take(signal)
      if (key !== undefined) keys.push(key)
    }
    return keys
  }

  /** What becomes of a workload now; where it is to be reloaded at once, that. */
  #plan(key: string): Due | undefined {
    const { workloads, baseline, clock, settings, telling } = this.#options
    this.#deferred.delete(key)
    const facts = workloads.get(key)
    if (facts === undefined) {
      this.#forget(key)
      return undefined
    }
    // What was done of it is known when its part of the baseline is read.
    if (this.#takenUp.has(key) || baseline.isUnread(key)) return undefined
    const known = baseline.get(key)
    const sources = this.#sourcesOf(key).map(reference => this.#options.stateOf(reference, facts.kind))
    if (sources.length === 0 && known === undefined && facts.problems.length === 0) return undefined
    const nowMs = clock.now()
    const templateChangedAtMs = workloads.templateChangedAtMs(facts)
    const pendingSinceMs = this.#times.pendingSinceMs(key)
    const plan = planWorkload({
      workload: facts,
      sources,
      baseline: known,
      guard: this.#times.guardOf(key),
      settings,
      nowMs,
      ...(templateChangedAtMs === undefined ? {} : { templateChangedAtMs }),
      ...(pendingSinceMs === undefined ? {} : { pendingSinceMs }),
      isFirstList: this.#first.has(key),
      overtaken: this.#options.overtaken(facts, known),
    })
    const isSettled = plan.action.kind === 'none' || plan.action.kind === 'record-only'
    if (isSettled && !sources.some(({ content }) => content === 'unread')) this.#first.delete(key)
    for (const problem of plan.problems) telling.annotationInvalid(facts, problem.key, problem.value, problem.why)
    if (plan.baseline !== known) baseline.set(key, plan.baseline)
    this.#times.setPending(key, plan.pendingSinceMs)
    this.#count(plan)
    return this.#due(key, { facts, plan, sources, nowMs })
  }

  #due(
    key: string,
    at: {
      readonly facts: WorkloadFacts
      readonly plan: WorkloadPlan
      readonly sources: readonly SourceState[]
      readonly nowMs: number
    },
  ): Due | undefined {
    const { telling, bucket, clock } = this.#options
    const { facts, plan, sources, nowMs } = at
    const { action } = plan
    if (action.kind === 'wait') {
      if (action.why === 'rate-guard') telling.throttled(facts, action.untilMs, action.sources)
      const waitMs = Math.min(action.untilMs - nowMs, action.why === 'window' ? windowLookMs : Number.POSITIVE_INFINITY)
      this.#queue.addAfter(key, waitMs)
    }
    if (action.kind !== 'act') {
      if (action.kind !== 'wait') this.#failures.delete(key)
      return undefined
    }
    const failure = this.#failures.get(key)
    const elapsedMs = clock.elapsed()
    if (failure?.wish === action.wish && failure.retryMs > elapsedMs) {
      this.#queue.addAfter(key, failure.retryMs - elapsedMs)
      return undefined
    }
    const taken = takeToken(this.#bucket, elapsedMs, bucket)
    this.#bucket = taken.bucket
    if (taken.waitMs > 0) {
      this.#queue.addAfter(key, taken.waitMs)
      return undefined
    }
    const keys = new Set(action.sources.map(sourceKey))
    const changedAtMs = Math.min(...sources.filter(({ reference }) => keys.has(sourceKey(reference))).map(one => one.changedAtMs))
    return { key, facts, act: action, changedAtMs }
  }

  #count({ sources, action }: WorkloadPlan): void {
    const { telling } = this.#options
    if (action.kind !== 'record-only') return
    for (const { code } of sources) if (code === 'already-written' || code === 'not-used') telling.skipped('strategy_not_updated')
  }

  /** What it refers to or names, and what it did when it was last looked at. */
  #sourcesOf(key: string): readonly SourceReference[] {
    const { index, baseline } = this.#options
    const found = index.sourcesOf(key)
    const marks = baseline.get(key)?.marks
    if (marks === undefined || marks.size === 0) return found
    const all = new Map(found.map(reference => [sourceKey(reference), reference]))
    for (const mark of marks.keys()) {
      const reference = all.has(mark) ? undefined : referenceOf(mark)
      if (reference !== undefined) all.set(mark, reference)
    }
    return [...all.values()]
  }

  #forget(key: string): void {
    this.#options.baseline.delete(key)
    this.#times.forget(key)
    this.#failures.delete(key)
    this.#first.delete(key)
  }

  async #askTogether(due: readonly Due[], signal: AbortSignal): Promise<void> {
    const { leading, clock, changedKeys } = this.#options
    const undisturbing = due.filter(isUndisturbing).map(one => this.#prepare(one, signal))
    const nowMs = clock.now()
    const asked: Due[] = []
    const intents: Intent[] = []
    for (const one of due) {
      if (isUndisturbing(one)) continue
      const { key, facts, act, changedAtMs } = one
      const sinceMs = Math.min(changedAtMs, this.#times.pendingSinceMs(key) ?? changedAtMs)
      const keysOf = (source: SourceReference) => changedKeys(source, sinceMs)
      const intent = intentOf(facts, act, { pods: leading.view.podsUnder(facts), nowMs, changedKeys: keysOf })
      if (intent.targets.length === 0) {
        // Nothing of it runs that could be evicted: what starts reads what is there.
        this.#done(one, 'soon')
        this.#queue.done(key)
        continue
      }
      asked.push(one)
      intents.push(intent)
    }
    let replies: readonly Reply[] = []
    try {
      if (intents.length > 0) replies = await leading.arbiter.requestTogether(intents, signal)
    } catch (error) {
      signal.throwIfAborted()
      for (const one of asked) this.#failed(one, messageOf(error))
      for (const { key } of asked) this.#queue.done(key)
      await Promise.all(undisturbing)
      return
    }
    await Promise.all([...undisturbing, ...asked.map((one, place) => this.#answered(one, replies[place], signal))])
  }

  async #answered(due: Due, reply: Reply | undefined, signal: AbortSignal): Promise<void> {
    const { key } = due
    if (reply === undefined) throw new Error(`the arbiter did not answer for ${key}`)
    if (reply.kind === 'granted') {
      await this.#act(due, reply.permit, signal)
      return
    }
    const { verdict } = reply
    const nowMs = this.#options.clock.now()
    if (verdict.kind === 'no-op' && verdict.objection.rule === 'nothing-runs') {
      await this.#prepare(due, signal)
      return
    }
    if (verdict.kind === 'no-op') this.#options.baseline.set(key, due.act.baseline)
    else if (verdict.kind === 'deny') {
      if (verdict.objection.rule === 'stale') this.#queue.addAfter(key, afterStaleMs)
      else this.#failed(due, reply.sentence)
    } else {
      this.#deferred.add(key)
      const waitMs = verdict.kind === 'defer' ? verdict.untilMs - nowMs : longestDeferMs
      this.#queue.addAfter(key, Math.min(longestDeferMs, Math.max(shortestDeferMs, waitMs)))
    }
    this.#queue.done(key)
  }

  async #act(due: Due, permit: Permit, signal: AbortSignal): Promise<void> {
    const { follower, deeds, settings } = this.#options
    const { key, act } = due
    try {
      // A Job that waits for its successor holds nobody up.
      using _ = act.way === 'replace-job' || act.way === 'evict' ? undefined : await this.#turns.take(signal)
      const outcome = await carryOut(deeds, { permit, way: act.way, basis: basisOf(due.facts, act.way, settings) }, signal)
      if (outcome.kind === 'failed') {
        void follower.release(permit, { ending: 'failed', reason: outcome.message.slice(0, 1024) })
        if (outcome.overtaken === true) this.#queue.addAfter(key, afterOvertakenMs)
        else this.#failed(due, outcome.message)
        return
      }
      this.#observe(outcome)
      this.#done(due, isSaidByTemplate(act.way) ? 'with-permit' : 'soon')
      follower.follow(key, permit, outcome.generation)
    } catch (error) {
      signal.throwIfAborted()
      if (!isOutside(error)) throw error
      void follower.release(permit, { ending: 'failed', reason: messageOf(error).slice(0, 1024) })
      this.#failed(due, messageOf(error))
    } finally {
      this.#queue.done(key)
    }
  }

  /** Nothing runs of it: the template says at once what its next start is to read. */
  async #prepare(due: Due, signal: AbortSignal): Promise<void> {
    const { leading } = this.#options
    const { key, facts, act } = due
    const { apiVersion, kind, namespace, name, uid, resourceVersion } = facts
    try {
      const change = { ...act.changes, ...(act.removals.length === 0 ? {} : { removeEnv: act.removals }) }
      const workload = { apiVersion, kind, namespace, name, uid }
      const preparation = { workload, resourceVersion, change, requester: capabilityName, fieldManager: 'Reloader' }
      const outcome = await prepareStart(leading.effects, preparation, signal)
      if (outcome.kind === 'prepared') {
        this.#observe(outcome)
        this.#done(due, 'soon')
      }
      // It has changed since: looked at again, it may run.
      else if (outcome.kind === 'refused') this.#failed(due, outcome.message)
    } catch (error) {
      signal.throwIfAborted()
      this.#failed(due, messageOf(error))
    } finally {
      this.#queue.done(key)
    }
  }

  /** What we wrote is known before the workload is planned again, however late its watch is. */
  #observe({ object }: { readonly object?: KubeObject }): void {
    if (object !== undefined) this.#options.workloads.observe(object)
  }

  #done({ key, facts, act, changedAtMs }: Due, keeping: 'soon' | 'with-permit'): void {
    const { baseline, telling, clock, settings } = this.#options
    const nowMs = clock.now()
    baseline.set(key, act.baseline, keeping)
    this.#first.delete(key)
    this.#failures.delete(key)
    this.#times.setPending(key, undefined)
    if (!facts.isPaused) this.#times.rolledOut(key, settings.guard)
    const seconds = Math.max(0, nowMs - changedAtMs) / 1_000
    telling.matched(facts.kind, 1)
    this.#turns.tellLater(() => telling.acted({ workload: facts, sources: act.sources, result: 'success', seconds }))
    telling.reconciled('success', seconds)
  }

  #failed({ key, facts, act, changedAtMs }: Due, message: string): void {
    const { telling, clock } = this.#options
    const nowMs = clock.now()
    const known = this.#failures.get(key)
    const count = known?.wish === act.wish ? known.count + 1 : 0
    const retryMs = Math.min(longestRetryMs, firstRetryMs * 2 ** Math.min(count, 10))
    this.#failures.set(key, { wish: act.wish, count, retryMs: clock.elapsed() + retryMs })
    this.#queue.addAfter(key, retryMs)
    const seconds = Math.max(0, nowMs - changedAtMs) / 1_000
    telling.retried()
    telling.acted({ workload: facts, sources: act.sources, result: 'error', seconds, message })
    telling.reconciled('error', seconds)
  }

  async #takeUp(permit: Permit, way: DeedWay, signal: AbortSignal): Promise<void> {
    const { follower, deeds, baseline } = this.#options
    const { workload, targets } = permit.record
    const [target] = targets
    if (target === undefined) return
    const key = keyOfPermit(workload) ?? workloadKey({ kind: target.kind, namespace: target.namespace ?? '', name: target.name })
    this.#takenUp.add(key)
    try {
      const outcome = await carryOut(deeds, { permit, way }, signal)
      if (outcome.kind === 'done') this.#observe(outcome)
      const acted = outcome.kind === 'done' ? marksIn(permit.record.reasons) : undefined
      if (acted !== undefined) baseline.recall(key, acted, permit.record.grant.atMs)
      if (outcome.kind === 'done' && way === 'patch') follower.follow(key, permit, outcome.generation)
      // What is planned next is to see it ended.
      else if (outcome.kind === 'done')
        await follower.release(permit, { ending: 'done', reason: 'a later leader did what was left of it' })
      else await follower.release(permit, { ending: 'failed', reason: outcome.message.slice(0, 1024) })
    } finally {
      this.#takenUp.delete(key)
      this.#queue.add(key)
    }
  }

  /** What waits for the arbiter asks again when something was given back. */
  async #hearArbiter(signal: AbortSignal): Promise<void> {
    for (;;) {
      await this.#options.leading.arbiter.untilChange({ leastMs: shortestDeferMs, limitMs: longestDeferMs }, signal)
      for (const key of this.#deferred) this.#queue.add(key)
      this.#deferred.clear()
    }
  }

  #inBackground(work: Promise<void>, signal: AbortSignal): void {
    const done = work
      .catch((error: unknown) => {
        if (!signal.aborted) this.#fault.reject(error)
      })
      .finally(() => this.#background.delete(done))
    this.#background.add(done)
  }
}

/** A CronJob's own template: nothing runs of it. */
function isUndisturbing({ facts, act }: Due): boolean {
  return facts.kind === 'CronJob' && act.way === 'patch'
}
