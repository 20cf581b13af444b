// Learns when targets are wanted and how long they boot, and says at each look whether one is to be awake before anybody comes. What is decided
// is decided in `prewarm/`; what was learned outlives the process in a ConfigMap.
import { messageOf } from '#kube/log.ts'
import { secondsMs } from '#kube/time/duration.ts'
import type { TimeZone } from '#kube/time/time-zone.ts'
import type { ScaleDecision, TriggerState } from '../decisions/scale-decision.ts'
import { wishesOf } from '../decisions/wishes.ts'
import { defaultCooldownSeconds, type ScaledObject } from '../kinds/scaled-object.ts'
import type { ScalerCondition } from '../kinds/triggers.ts'
import { preWarmCondition } from '../names.ts'
import { expectedInWeek, withLook } from '../prewarm/arrivals.ts'
import {
  counted,
  type Learned,
  learnedText,
  longestBootMs,
  longestEntry,
  nothingLearned,
  readLearned,
  withBoot,
} from '../prewarm/learned.ts'
import { nextLookMs, planWords, type WarmPlan, warmPlan } from '../prewarm/plan.ts'
import { zoneNamed } from '../prewarm/wish.ts'
import type { WorkContext } from './held-object.ts'
import { LearnedStore } from './learned-store.ts'
import { keyOf } from './object-queue.ts'
import { conditionOf } from './status-writes.ts'
import { readySince, type TargetKind, targetOf } from './target.ts'

/** Targets of which is learned. */
const mostTargets = 500
/** How often is written what was learned. */
const writeEveryMs = 900_000
/** The last write, when another takes over, has so long. */
const lastWriteMs = 2_000
/** Characters of a key of a ConfigMap. */
const longestKey = 253

/** What is known of one target in this process. */
interface Warmed {
  learned: Learned
  /** It is awake for nobody: since the last look that time is spent. */
  isIdling: boolean
  /** Since when it boots, and how many pods are to be ready. */
  boot: { readonly sinceMs: number; readonly replicas: number } | undefined
  plan: WarmPlan | undefined
  /** How many arrivals a week has, as of a quarter-hour. */
  expected: { readonly quarter: number; readonly arrivals: number } | undefined
  /** How the plan is told. */
  words: string
  /** When another look is due for it. */
  changesAtMs: number
}

/** What a look asks. */
interface Looked {
  readonly state: TriggerState
  readonly replicas: number
  readonly lastActiveMs: number | undefined
  readonly kind: TargetKind
}

type PreWarmContext = Pick<WorkContext, 'api' | 'clock' | 'log' | 'objects' | 'watches' | 'ownNamespace'>

export class PreWarming {
  readonly #context: PreWarmContext
  readonly #store: LearnedStore | undefined
  readonly #warmed = new Map<string, Warmed>()
  /** As they were read, of targets that nobody looked at yet; undefined: they could not be read yet. */
  #read: Map<string, string> | undefined
  #reading: Promise<void> | undefined
  #isFullTold = false

  constructor(context: PreWarmContext) {
    this.#context = context
    const { api, log, ownNamespace: namespace } = context
    this.#store = namespace === undefined ? undefined : new LearnedStore({ api, log, namespace })
  }

  /** Writes what was learned now and then, until `signal` is aborted. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock } = this.#context
    try {
      for (;;) {
        await clock.after(writeEveryMs, signal)
        await this.#write(signal)
      }
    } catch (error) {
      if (!signal.aborted) throw error
      const late = new AbortController()
      const cancel = clock.schedule(lastWriteMs, () => late.abort(new DOMException('no answer in time', 'TimeoutError')))
      await this.#write(late.signal).catch((why: unknown) =>
        this.#context.log.debug({ why: messageOf(why) }, 'the last arrivals are not written'),
      )
      cancel()
    }
  }

  /**
   * Learns of a look. Undefined: the object does not ask for it, or nothing can be said yet.
   * @throws `signal.reason`
   */
  async looked(object: ScaledObject, looked: Looked, signal: AbortSignal): Promise<WarmPlan | undefined> {
    const { preWarm: wish } = wishesOf(object)
    const key = keyOf(object)
    const zone = wish === undefined ? undefined : zoneNamed(wish.zone)
    if (wish === undefined || zone === undefined) {
      this.#warmed.delete(key)
      return undefined
    }
    const warmed = await this.#of(object, { key, zone }, signal)
    if (warmed === undefined) return undefined
    const nowMs = this.#context.clock.now()
    const { state, replicas } = looked
    const idleMs = warmed.isIdling && replicas > 0 ? nowMs - warmed.learned.countedMs : 0
    const isWanted = state.isActive || (state.isError ? undefined : false)
    const { arrivals } = warmed.learned
    warmed.learned = counted(
      { ...warmed.learned, arrivals: withLook(arrivals, { isWanted, nowMs, zone }) },
      { idleMs, nowMs, zone },
    )
    await this.#learnBoot(object, warmed, { replicas, kind: looked.kind, nowMs }, signal)
    const { spec } = object
    const cooldownMs = secondsMs(spec.cooldownPeriod ?? defaultCooldownSeconds)
    const restsAtMs = replicas === 0 ? undefined : (looked.lastActiveMs ?? nowMs) + cooldownMs
    const plan = warmPlan({ learned: warmed.learned, wish, zone, cooldownMs, restsAtMs, isWanted: isWanted === true, nowMs })
    warmed.plan = plan
    const { arrivals: now } = warmed.learned
    if (warmed.expected?.quarter !== now.quarter) warmed.expected = { quarter: now.quarter, arrivals: expectedInWeek(now, zone) }
    warmed.words = planWords(plan, { wish, nowMs, expected: warmed.expected.arrivals })
    warmed.changesAtMs = nextLookMs(plan, { isIdling: warmed.isIdling, restsAtMs, nowMs })
    return plan
  }

  /** Notes what became of the look. `from`: how many replicas there were; `set`: whether what was decided is set. */
  acted(
    object: ScaledObject,
    { outcome, replicas }: ScaleDecision,
    { from, set }: { readonly from: number; readonly set: 'yes' | 'no' | 'unknown' },
  ): void {
    const warmed = this.#warmed.get(keyOf(object))
    if (warmed === undefined) return
    const sinceMs = this.#context.clock.now()
    const now = set === 'yes' ? (replicas ?? from) : from
    if (set === 'yes' && from === 0 && now > 0) warmed.boot = { sinceMs, replicas: now }
    if (outcome === 'warm' || (outcome === 'pre-warm' && set !== 'no')) warmed.isIdling = true
    else if (now === 0) warmed.isIdling = false
    else if (wantedOutcomes.has(outcome)) warmed.isIdling = false
  }

  /** How the plan stands; undefined: there is none to tell. */
  condition(object: ScaledObject): ScalerCondition | undefined {
    const warmed = this.#warmed.get(keyOf(object))
    if (warmed?.plan === undefined) return undefined
    const reason = warmed.isIdling ? 'PreWarmed' : reasons[warmed.plan.kind]
    return { type: preWarmCondition, status: warmed.isIdling ? 'True' : 'False', reason, message: warmed.words }
  }

  /** Whether a span began or ended since the last look; told once. */
  takeDue(key: string): boolean {
    const warmed = this.#warmed.get(key)
    if (warmed === undefined || warmed.changesAtMs > this.#context.clock.now()) return false
    warmed.changesAtMs = Number.POSITIVE_INFINITY
    return true
  }

  /** Until a span begins or ends; milliseconds. */
  changesInMs(key: string): number {
    return (this.#warmed.get(key)?.changesAtMs ?? Number.POSITIVE_INFINITY) - this.#context.clock.now()
  }

  /** The object is gone. */
  forget(key: string): void {
    this.#warmed.delete(key)
  }

  async #of(
    object: ScaledObject,
    { key, zone }: { readonly key: string; readonly zone: TimeZone },
    signal: AbortSignal,
  ): Promise<Warmed | undefined> {
    const known = this.#warmed.get(key)
    const { log, clock } = this.#context
    const nowMs = clock.now()
    if (known !== undefined && known.learned.zone === zone.name) return known
    const { namespace, name } = object.metadata
    if (known !== undefined) {
      log.info({ namespace, scaledObject: name, zone: zone.name }, 'arrivals are learned anew: the time zone is another')
      known.learned = { ...nothingLearned(zone.name, nowMs), bootsMs: known.learned.bootsMs }
      return known
    }
    if (!(await this.#areRead(signal))) return undefined
    if (this.#warmed.size >= mostTargets) {
      if (!this.#isFullTold)
        log.warn({ most: mostTargets }, 'more ScaledObjects ask to be awake before arrivals than are learned of')
      this.#isFullTold = true
      return undefined
    }
    const text = this.#read?.get(entryName(key))
    const isIdling = conditionOf(object, preWarmCondition)?.status === 'True'
    const learned = this.#learnedBefore(object, text, { zone, isIdling, nowMs })
    const warmed: Warmed = {
      learned,
      isIdling,
      boot: undefined,
      plan: undefined,
      expected: undefined,
      words: '',
      changesAtMs: Number.POSITIVE_INFINITY,
    }
    this.#warmed.set(key, warmed)
    return warmed
  }

  #learnedBefore(
    { metadata }: ScaledObject,
    text: string | undefined,
    { zone, isIdling, nowMs }: { readonly zone: TimeZone; readonly isIdling: boolean; readonly nowMs: number },
  ): Learned {
    const fresh = nothingLearned(zone.name, nowMs)
    if (text === undefined) return fresh
    const read = readLearned(text)
    const of = { namespace: metadata.namespace, scaledObject: metadata.name }
    if ('problem' in read) {
      this.#context.log.warn({ ...of, why: read.problem }, 'what was learned of its arrivals cannot be read: it is learned anew')
      return fresh
    }
    if (read.learned.zone !== zone.name) {
      this.#context.log.info({ ...of, zone: zone.name }, 'arrivals are learned anew: the time zone is another')
      return { ...fresh, bootsMs: read.learned.bootsMs }
    }
    // Between the last write and the end of the process before, it may have been awake for nobody.
    const unknownMs = Math.max(0, nowMs - read.learned.countedMs)
    return counted(read.learned, { idleMs: isIdling ? unknownMs : Math.min(unknownMs, writeEveryMs), nowMs, zone })
  }

  /** Whether what was learned before could be read: until then nothing is learned. */
  async #areRead(signal: AbortSignal): Promise<boolean> {
    if (this.#store === undefined) return true
    if (this.#read !== undefined) return true
    this.#reading ??= this.#store
      .read(signal)
      .then(texts => {
        this.#read = new Map(Object.entries(texts))
      })
      .finally(() => {
        this.#reading = undefined
      })
    try {
      await this.#reading
    } catch (error) {
      signal.throwIfAborted()
      this.#context.log.warn({ why: messageOf(error) }, 'what was learned of arrivals cannot be read yet')
    }
    return this.#read !== undefined
  }

  async #learnBoot(
    object: ScaledObject,
    warmed: Warmed,
    { replicas, kind, nowMs }: { readonly replicas: number; readonly kind: TargetKind; readonly nowMs: number },
    signal: AbortSignal,
  ): Promise<void> {
    const { boot } = warmed
    if (boot === undefined) return
    if (replicas === 0 || nowMs - boot.sinceMs > longestBootMs) {
      warmed.boot = undefined
      return
    }
    let since: readonly number[]
    try {
      since = await readySince(targetOf(object, kind), this.#context.watches, { api: this.#context.api, signal })
    } catch (error) {
      signal.throwIfAborted()
      // One boot more or less: what it scales comes first.
      warmed.boot = undefined
      const { namespace, name } = object.metadata
      this.#context.log.info(
        { namespace, scaledObject: name, why: messageOf(error) },
        'how long it boots cannot be seen this time',
      )
      return
    }
    // Pods of before may still be ending; their times are of whole seconds.
    const readyMs = since.filter(ms => ms >= boot.sinceMs - 1_000).toSorted((a, b) => a - b)[boot.replicas - 1]
    if (readyMs === undefined) return
    warmed.boot = undefined
    warmed.learned = withBoot(warmed.learned, readyMs - boot.sinceMs)
  }

  async #write(signal: AbortSignal): Promise<void> {
    const store = this.#store
    const { objects } = this.#context
    // Where the objects are not known, none is known to be gone.
    if (store === undefined || this.#read === undefined || !objects.isSynced) return
    const entries = new Map<string, string>()
    for (const object of objects.store.list()) {
      const key = keyOf(object)
      if (entries.size >= mostTargets || wishesOf(object).preWarm === undefined || entryName(key).length > longestKey) continue
      const warmed = this.#warmed.get(key)
      const text = warmed === undefined ? this.#read.get(entryName(key)) : learnedText(warmed.learned)
      if (text !== undefined && text.length <= longestEntry) entries.set(entryName(key), text)
    }
    const isSame = entries.size === this.#read.size && [...entries].every(([name, text]) => this.#read?.get(name) === text)
    if (!isSame && (await store.write(Object.fromEntries(entries), signal))) this.#read = entries
  }
}

/** What asks for it by itself: then its time is nobody's guess. */
const wantedOutcomes: ReadonlySet<ScaleDecision['outcome']> = new Set([
  'activate',
  'active',
  'partly-failing',
  'scale-out-paused',
])

const reasons = {
  learning: 'PreWarmLearning',
  'not-worth': 'PreWarmNotWorthIt',
  'budget-spent': 'PreWarmBudgetSpent',
  planned: 'PreWarmPlanned',
  warm: 'PreWarmPlanned',
} as const satisfies Readonly<Record<WarmPlan['kind'], string>>

/** A namespace has no dot. */
function entryName(key: string): string {
  return key.replace('/', '.')
}
