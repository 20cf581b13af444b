// One cycle: for every profile its deschedule plugins, then for every profile its balance plugins. A generator: it says what is to be done
// and is told how it ended, so that it needs no clock, no network and no promises.
import type { ClusterState, NodeState, PodState } from '#cluster/cluster-state.ts'
import { messageOf } from '#kube/log.ts'
import type {
  EvictionAnswer,
  EvictionWish,
  Evictor,
  ExtensionPoint,
  StrategyMaker,
  StrategyRun,
  StrategyView,
} from './contract.ts'
import { CyclePods, departureOf } from './cycle-pods.ts'
import type { EvictionOutcome } from './eviction.ts'
import type { BackgroundEvictions } from './eviction-in-background.ts'
import { allOf, defaultEvictor } from './evictor/default-evictor.ts'
import { CompatNodeFit } from './evictor/node-fit.ts'
import { readyNodes } from './evictor/ready-nodes.ts'
import { tellingEvictor } from './evictor/telling-evictor.ts'
import { CycleLimits, type LimitRefusal } from './limits.ts'
import { type Breath, Pace } from './pace.ts'
import type { PodShapes } from './pod-shapes.ts'
import type { DeschedulerPolicy, PolicyProfile, StrategyArgs } from './policy/args.ts'

export interface CycleInput {
  readonly policy: DeschedulerPolicy
  readonly state: ClusterState
  readonly strategies: StrategyMaker
  /** Milliseconds since 1970. */
  readonly nowMs: number
  /** Evicted pods are gone at once, as from upstream's copied cluster. */
  readonly isDryRun: boolean
  /** With the gate EvictionsInBackground. */
  readonly background?: BackgroundEvictions
  /** What must let a pod pass beside DefaultEvictor: coordination. */
  readonly furtherEvictors?: readonly Evictor[]
  /** Kept from cycle to cycle: what of the pods is as it was need not be looked at again. */
  readonly shapes?: PodShapes
  /** klog's level; messages above it are not made. */
  readonly verbosity: number
  readonly tell: StrategyView['tell']
}

/** One plugin of one profile. */
interface PluginPlace {
  readonly point: ExtensionPoint
  readonly profile: string
  readonly strategy: string
}

/**
 * What the cycle says to the one who runs it. Only `evict` waits for an answer; a breath is a moment for other things; the others are for
 * metrics, Events and traces.
 */
export type CycleStep =
  | Breath
  | { readonly kind: 'begin'; readonly plugin: PluginPlace }
  | { readonly kind: 'evict'; readonly wish: EvictionWish }
  /** A limit of the cycle refuses a wish. */
  | { readonly kind: 'limit'; readonly wish: EvictionWish; readonly refusal: LimitRefusal }
  | {
      readonly kind: 'end'
      readonly plugin: PluginPlace
      readonly evicted: number
      /** Evictions in background that it began. */
      readonly requests: number
      readonly error?: string
    }

/** A wish and how it ended. */
interface CycleEntry {
  readonly wish: EvictionWish
  /** As the counter of evicted pods has it; `requested` and `ignored` are not counted there. */
  readonly result: string
  /** Upstream's text, where it failed. */
  readonly message?: string
}

export interface CycleReport {
  /** Why nothing was done; absent: the plugins ran. */
  readonly skipped?: string
  readonly nodes: number
  /** In the order in which they were wished. */
  readonly entries: readonly CycleEntry[]
  /** How many entries by result. */
  readonly totals: ReadonlyMap<string, number>
  readonly evicted: number
  /** Evictions in background that are under way at the end. */
  readonly evictionRequests: number
  /** Plugins that failed, in their order, with upstream's text. */
  readonly errors: readonly (PluginPlace & { readonly error: string })[]
}

type Cycle = Generator<CycleStep, CycleReport, EvictionOutcome | undefined>

/** Runs the plugins of `policy`. Fewer than two ready nodes: nothing is done, which is no error. */
export function* runCycle(input: CycleInput): Cycle {
  const nodes = readyNodes(input.state, input.policy.nodeSelector)
  if (nodes.length >= 2) return yield* runPlugins(input, nodes)
  input.tell(0, 'Skipping descheduling cycle: requires >=2 nodes', { found: nodes.length })
  return new RunningCycle(input, nodes).report('requires >=2 nodes')
}

/** The plugins of the policy on `nodes`, however few. */
export function* runPlugins(input: CycleInput, nodes: readonly NodeState[]): Cycle {
  const { policy } = input
  const running = new RunningCycle(input, nodes)
  for (const point of ['deschedule', 'balance'] as const) {
    for (const profile of policy.profiles) {
      for (const args of profile[point]) yield* running.plugin(profile, { args, point })
    }
  }
  const report = running.report()
  input.tell(1, 'Number of evictions/requests', { totalEvicted: report.evicted, evictionRequests: report.evictionRequests })
  return report
}

class RunningCycle {
  readonly #input: CycleInput
  readonly #nodes: readonly NodeState[]
  readonly #pods: CyclePods
  readonly #fit: CompatNodeFit
  readonly #limits: CycleLimits
  readonly #pace = new Pace()
  readonly #evictors = new Map<PolicyProfile, Evictor>()
  readonly #entries: CycleEntry[] = []
  readonly #errors: (PluginPlace & { readonly error: string })[] = []

  constructor(input: CycleInput, nodes: readonly NodeState[]) {
    this.#input = input
    this.#nodes = nodes
    this.#pods = new CyclePods(input.state, input.shapes)
    this.#fit = new CompatNodeFit(this.#pods, this.#pace)
    this.#limits = new CycleLimits(input.policy.limits, input.background)
  }

  /** One plugin, whatever it throws: that ends it alone. */
  *plugin(
    profile: PolicyProfile,
    given: { readonly args: StrategyArgs; readonly point: ExtensionPoint },
  ): Generator<CycleStep, void, EvictionOutcome | undefined> {
    const plugin = { point: given.point, profile: profile.name, strategy: given.args.plugin }
    yield { kind: 'begin', plugin }
    const { background } = this.#input
    const [before, requestsBefore] = [this.#limits.total, background?.total ?? 0]
    let run: StrategyRun | undefined
    let error: string | undefined
    try {
      if (asksForFit(profile, given.args)) yield* this.#fit.prepared()
      run = this.#input.strategies(given.args, this.#view(profile))
      yield* this.#wishes(run)
    } catch (thrown) {
      error = `plugin "${plugin.strategy}" finished with error: ${messageOf(thrown)}`
      this.#errors.push({ ...plugin, error })
    }
    const [evicted, requests] = [this.#limits.total - before, (background?.total ?? 0) - requestsBefore]
    yield { kind: 'end', plugin, evicted, requests, ...(error !== undefined && { error }) }
  }

  report(skipped?: string): CycleReport {
    const totals = new Map<string, number>()
    for (const { result } of this.#entries) totals.set(result, (totals.get(result) ?? 0) + 1)
    return {
      ...(skipped !== undefined && { skipped }),
      nodes: this.#nodes.length,
      entries: this.#entries,
      totals,
      evicted: this.#limits.total,
      evictionRequests: this.#input.background?.total ?? 0,
      errors: this.#errors,
    }
  }

  *#wishes(run: StrategyRun): Generator<CycleStep, void, EvictionOutcome | undefined> {
    let next = run.next()
    while (next.done !== true) {
      const { value } = next
      if ('kind' in value) {
        yield value
        next = run.next(unasked)
      } else next = run.next(yield* this.#answer(value))
    }
  }

  *#answer(wish: EvictionWish): Generator<CycleStep, EvictionAnswer, EvictionOutcome | undefined> {
    const { pod } = wish
    if (pod.uid === '') return this.#note(wish, { result: 'ignored', message: `pod ${pod.key} is missing UID` })
    if (this.#input.background?.isUnderWay(pod) === true) return this.#note(wish, { result: 'requested' })
    const refusal = this.#limits.refusal(pod)
    if (refusal !== undefined) {
      this.#entries.push({ wish, result: refusal.result })
      yield { kind: 'limit', wish, refusal }
      return { kind: refusal.kind }
    }
    const outcome = (yield { kind: 'evict', wish }) ?? unanswered
    switch (outcome.kind) {
      case 'evicted':
        this.#limits.count(pod)
        this.#leave(pod)
        return this.#note(wish, { result: 'success' })
      case 'background': {
        const { strategy, profile } = wish
        this.#input.background?.assume(pod, { strategy, profile, nowMs: this.#input.nowMs })
        return this.#note(wish, { result: 'background' })
      }
      case 'ignored':
        return this.#note(wish, { result: 'requested' })
      case 'failed':
      case 'unknown':
        return this.#note(wish, { result: 'error', message: outcome.message })
    }
  }

  #note(wish: EvictionWish, ended: { readonly result: string; readonly message?: string }): EvictionAnswer {
    this.#entries.push({ wish, ...ended })
    return ended.message === undefined ? { kind: 'evicted' } : { kind: 'failed', message: ended.message }
  }

  #leave(pod: PodState): void {
    const { policy, isDryRun, nowMs } = this.#input
    const { gracePeriodSeconds } = policy
    const departure = departureOf(pod, { isDryRun, ...(gracePeriodSeconds !== undefined && { gracePeriodSeconds }) })
    this.#pods.leave(pod, departure, nowMs)
  }

  #view(profile: PolicyProfile): StrategyView {
    const pods = this.#pods
    const { verbosity } = this.#input
    return {
      profile: profile.name,
      state: this.#input.state,
      nodes: this.#nodes,
      nowMs: this.#input.nowMs,
      evictor: this.#evictorOf(profile),
      fit: this.#fit,
      activePods: node => pods.activePods(node),
      allPods: node => pods.allPods(node),
      requests: pod => pods.requests(pod),
      requestsOn: node => pods.use(node).requests,
      byShape: make => pods.shapes.memo(make),
      grouped: list => pods.shapes.groupedByAndBy(list, this.#pace),
      isTold: level => level <= verbosity,
      pace: this.#pace,
      tell: this.#tell,
    }
  }

  /** Lines are written one by one, which is work too. */
  readonly #tell: StrategyView['tell'] = (level, message, fields) => {
    if (level > this.#input.verbosity) return
    this.#pace.spend(unitsOfLine)
    this.#input.tell(level, message, fields)
  }

  #evictorOf(profile: PolicyProfile): Evictor {
    const known = this.#evictors.get(profile)
    if (known !== undefined) return known
    const { nowMs, furtherEvictors = [], verbosity } = this.#input
    const own = defaultEvictor(profile.evictor, { pods: this.#pods, fit: this.#fit, nowMs })
    const evictor = tellingEvictor(allOf([own, ...furtherEvictors]), { profile: profile.name, verbosity, tell: this.#tell })
    this.#evictors.set(profile, evictor)
    return evictor
  }
}

/** Whether a plugin asks which pods fit where. */
function asksForFit({ evictor }: PolicyProfile, { plugin }: StrategyArgs): boolean {
  return (
    evictor.nodeFit || plugin === 'RemovePodsViolatingNodeAffinity' || plugin === 'RemovePodsViolatingTopologySpreadConstraint'
  )
}

/** What a breath is answered. */
const unasked: EvictionAnswer = { kind: 'evicted' }

/** A line of the log costs as much as so many looks at a pod. */
const unitsOfLine = 16

/** The caller that runs the cycle answers each eviction; an eviction without an answer was not done. */
const unanswered: EvictionOutcome = { kind: 'failed', why: 'refused', message: 'the eviction was not answered' }
