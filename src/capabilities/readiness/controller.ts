// The loop: look at every node, decide purely, write what is to be written, say so. What it does rests on what is there alone, so that whoever
// leads next goes on from any point: no taint is forgotten.
import { Bell } from '#coordination/arbiter/bell.ts'
import type { ControllerContext, Leading, Running } from '#coordination/capability.ts'
import { nodeFilesPort } from '#coordination/ports/node-files.ts'
import type { Informer } from '#kube/informers/informer-view.ts'
import { messageOf } from '#kube/log.ts'
import type { DaemonSet, KubeObject, Node, Pod } from '#kube/objects/objects.ts'
import { builtIn } from '#kube/objects/resource.ts'
import { isOutside } from '#kube/outside-error.ts'
import { durationMs } from '#kube/time/duration.ts'
import { ConditionWrites } from './condition-writes.ts'
import { agentConditions, type ReadinessConfig } from './config.ts'
import { type Heartbeats, hear, silentAfterMs } from './heartbeats.ts'
import { readinessMetrics } from './metrics.ts'
import { capabilityName } from './names.ts'
import { decideNode, isNothing, type NodeDecision, type World } from './node-decision.ts'
import { isTelling, type NodeFacts, nodeFacts } from './node-facts.ts'
import { NodeConfigurer } from './node-files/node-configurer.ts'
import { NodeWrites } from './node-writes.ts'
import { PassFigures } from './pass-figures.ts'
import { isRule, type NodeReadinessRule, nodeReadinessRules } from './rules/node-readiness-rule.ts'
import { memoryKey } from './rules/own-decision.ts'
import { type DaemonSets, type OwnRule, ownRules } from './rules/own-rules.ts'
import { RuleAges } from './rules/rule-ages.ts'
import { decideRule } from './rules/rule-decision.ts'
import { RuleKeeper } from './rules/rule-keeper.ts'
import { ReadinessTelling } from './telling.ts'
import { WebhookKeeper } from './webhooks/webhook-keeper.ts'

const times = {
  /** Changes of so long are looked at together. */
  gatherMs: 100,
  longestWaitMs: 60_000,
  /** What could not be written is tried again. */
  retryMs: 5_000,
  firstErrorMs: 1_000,
  longestErrorMs: 60_000,
  overdueMs: 10 * 60_000,
  missingMs: 60_000,
} as const

/** Starts the loop where we lead. Ending it leaves every taint where it is: whoever leads next takes over. */
export async function startReadiness(
  context: ControllerContext,
  config: ReadinessConfig,
  outer: AbortSignal,
): Promise<Running<ReadinessConfig>> {
  const { leading } = context
  if (leading === undefined) throw new Error('readiness acts only where it leads')
  const stop = new AbortController()
  const signal = AbortSignal.any([outer, stop.signal])
  const work = new Readying(context, leading, config)
  await context.informers.allSynced(signal)
  const running = work.run(signal)
  return {
    health: () => [
      {
        name: 'readiness-loop',
        ok: work.failure === undefined,
        ...(work.failure === undefined ? {} : { message: work.failure }),
        ...(work.webhookProblem === undefined ? {} : { state: 'running without its webhooks' }),
      },
    ],
    reconfigure: async next => {
      work.reconfigure(next)
      return 'applied'
    },
    [Symbol.asyncDispose]: async () => {
      stop.abort(new DOMException('readiness is stopped', 'AbortError'))
      await running
      work[Symbol.dispose]()
    },
  }
}

class Readying implements Disposable {
  /** Why the last look failed. */
  failure: string | undefined
  /** Why API servers may not ask us as they should: nodes are looked at all the same. */
  webhookProblem: string | undefined
  readonly #context: ControllerContext
  readonly #leading: Leading
  #config: ReadinessConfig
  #rules: readonly OwnRule[]
  readonly #nodes: Informer<Node>
  readonly #upstream: Informer<NodeReadinessRule>
  readonly #bell: Bell
  readonly #telling: ReadinessTelling
  readonly #ages: RuleAges
  readonly #keeper: RuleKeeper
  readonly #webhooks: WebhookKeeper
  readonly #writes: NodeWrites
  readonly #conditions: ConditionWrites
  readonly #configurer: NodeConfigurer
  readonly #figures: PassFigures
  readonly #unsubscribe: readonly (() => void)[]
  #isDirty = true
  #unmetSinceMs: ReadonlyMap<string, number> = new Map()
  #heard: Heartbeats['heard'] = new Map()
  /** When it was last said that a rule holds on over its time, and since when a DaemonSet is missing. */
  readonly #toldMs = new Map<string, number>()
  readonly #missingMs = new Map<string, number>()
  /** Rules and nodes whose taint was said to be adopted; statuses tell the rest. */
  readonly #adopted = new Set<string>()

  constructor(context: ControllerContext, leading: Leading, config: ReadinessConfig) {
    const { informers, clock, events, metrics, identity, webhooks, log } = context
    const { effects } = leading
    this.#context = context
    this.#leading = leading
    this.#config = config
    this.#rules = ownRules(config)
    this.#nodes = informers.of<Node>(builtIn.nodes)
    this.#upstream = informers.of<NodeReadinessRule>(nodeReadinessRules, { optional: true })
    this.#bell = new Bell(clock)
    const figures = metrics === undefined ? undefined : readinessMetrics(metrics)
    this.#telling = new ReadinessTelling(events, figures)
    this.#figures = new PassFigures(figures)
    const assertLeading = () => effects.leadership.assert()
    this.#ages = new RuleAges({ api: effects.api, clock, namespace: identity.namespace, assertLeading })
    this.#keeper = new RuleKeeper({ effects, rules: this.#upstream })
    this.#webhooks = new WebhookKeeper(effects, webhooks)
    this.#writes = new NodeWrites({ leading, nodes: this.#nodes, telling: this.#telling, log })
    this.#conditions = new ConditionWrites({ leading, nodes: this.#nodes, telling: this.#telling, log })
    this.#configurer = new NodeConfigurer({ leading, context, nodes: this.#nodes, metrics: figures })
    const wake = () => this.#wake()
    const ofSet = ({ metadata }: KubeObject) => metadata.ownerReferences?.some(({ kind }) => kind === 'DaemonSet') === true
    this.#unsubscribe = [
      this.#nodes.onChange(({ type, object, previous }) => {
        if (type === 'DELETED' || isTelling(previous, object)) wake()
      }),
      this.#upstream.onChange(wake),
      informers.of<DaemonSet>(builtIn.daemonsets).onChange(({ type, previous }) => {
        if (type === 'DELETED' || previous === undefined) wake()
      }),
      informers.of<Pod>(builtIn.pods).onChange(({ object }) => {
        if (ofSet(object) || NodeConfigurer.owns(object)) wake()
      }),
    ]
  }

  reconfigure(config: ReadinessConfig): void {
    this.#config = config
    this.#rules = ownRules(config)
    this.#wake()
  }

  /** Until `signal` is aborted; never rejects but for what nobody foresaw. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock, log } = this.#context
    for (let failures = 0; !signal.aborted; ) {
      try {
        this.#isDirty = false
        const waitMs = await this.#pass(signal)
        this.failure = undefined
        failures = 0
        await this.#bell.until(() => (this.#isDirty ? true : undefined), { limitMs: waitMs, signal })
        await clock.after(times.gatherMs, signal)
      } catch (error) {
        if (signal.aborted) return
        this.failure = messageOf(error)
        const delayMs = Math.min(times.longestErrorMs, times.firstErrorMs * 2 ** failures++)
        log.error({ capability: capabilityName, delayMs, why: this.failure }, 'pass failed, tried again')
        await clock.after(delayMs, signal).catch((reason: unknown) => {
          if (!signal.aborted) throw reason
        })
      }
    }
  }

  [Symbol.dispose](): void {
    for (const unsubscribe of this.#unsubscribe) unsubscribe()
  }

  #wake(): void {
    this.#isDirty = true
    this.#bell.ring()
  }

  /** @returns after how many milliseconds to look again though nothing changes */
  async #pass(signal: AbortSignal): Promise<number> {
    const { clock, ports } = this.#context
    await this.#writes.finish(signal)
    const files = this.#config.configureNodes ? ports.take(nodeFilesPort) : undefined
    const isConfiguring = await this.#configurer.look(this.#config, files, signal)
    const rules = await this.#keeper.secure(this.#upstreamRules(), signal)
    const isAsked = await this.#keepWebhooks(signal)
    const sinceMs = await this.#ages.of(
      this.#rules.map(({ name }) => name),
      signal,
    )
    const facts = [...this.#nodes.store.list()].map(nodeFacts)
    const heartbeats = this.#heartbeats(facts)
    const world = this.#world(
      { rules, heartbeats },
      sinceMs,
      files === undefined ? undefined : node => this.#configurer.stateOf(node),
    )
    const startMs = clock.elapsed()
    const nowMs = clock.now()
    const decisions = facts.map(node => decideNode(node, world, nowMs))
    this.#remember(decisions)
    this.#tell(decisions, rules, nowMs)
    const failures = await this.#writes.write(
      decisions.filter(({ marks }) => !isNothing(marks)),
      { world, rules },
      signal,
    )
    const isTold = await this.#conditions.write(decisions, world, signal)
    const seconds = (clock.elapsed() - startMs) / 1_000
    const evaluatedBy = this.#evaluations(rules, failures)
    await this.#keeper.report(rules, evaluatedBy, signal)
    this.#figures.tell({
      decisions,
      rules,
      evaluatedBy,
      own: this.#rules,
      agentConditions: heartbeats.types,
      seconds,
      atMs: nowMs,
    })
    return this.#waitMs(decisions, { isConfiguring, hasFailed: failures.size > 0 || !isAsked || !isTold, nowMs })
  }

  /** Whether API servers ask us as the configuration says; what keeps them from it holds up no node. */
  async #keepWebhooks(signal: AbortSignal): Promise<boolean> {
    const { admission } = this.#config
    // Rules that could not be listed may be there all the same.
    const rules = this.#upstream.isSynced ? admission : admission ? undefined : false
    const wanted = { nodes: admission && this.#rules.length > 0, rules }
    try {
      await this.#webhooks.keep(wanted, signal)
      this.webhookProblem = undefined
    } catch (error) {
      signal.throwIfAborted()
      if (!isOutside(error)) throw error
      const why = messageOf(error)
      if (why !== this.webhookProblem)
        this.#context.log.warn({ capability: capabilityName, why }, 'configurations of webhooks could not be kept, tried again')
      this.webhookProblem = why
    }
    return this.webhookProblem === undefined
  }

  #waitMs(
    decisions: readonly NodeDecision[],
    {
      isConfiguring,
      hasFailed,
      nowMs,
    }: { readonly isConfiguring: number | undefined; readonly hasFailed: boolean; readonly nowMs: number },
  ): number {
    const due = decisions.flatMap(({ own }) => (own.nextMs === undefined ? [] : [Math.max(0, own.nextMs - nowMs)]))
    return Math.min(times.longestWaitMs, isConfiguring ?? times.longestWaitMs, ...(hasFailed ? [times.retryMs] : []), ...due)
  }

  #upstreamRules(): readonly NodeReadinessRule[] {
    const all = [...this.#upstream.store.list()]
    for (const rule of all)
      if (!isRule(rule))
        this.#context.log.warn({ rule: (rule as KubeObject).metadata.name }, 'no NodeReadinessRule that can be read: left alone')
    return all.filter(isRule)
  }

  /** What is heard of the agents by now. */
  #heartbeats(nodes: readonly NodeFacts[]): Heartbeats {
    const types = agentConditions(this.#config)
    const { heartbeat, interval } = this.#config.agent
    const silentMs = silentAfterMs({ heartbeatMs: durationMs(heartbeat), intervalMs: durationMs(interval) })
    const elapsedMs = this.#context.clock.elapsed()
    this.#heard = hear(this.#heard, nodes, { types, elapsedMs })
    return { types, silentMs, heard: this.#heard, elapsedMs }
  }

  #world(
    { rules, heartbeats }: Pick<World, 'rules' | 'heartbeats'>,
    rulesSinceMs: ReadonlyMap<string, number>,
    configuration: World['own']['configuration'],
  ): World {
    const { taintKey, nidhogg } = this.#config
    return {
      own: {
        rules: this.#rules,
        daemonSets: this.#daemonSets(),
        taintKey,
        rulesSinceMs,
        unmetSinceMs: this.#unmetSinceMs,
        ...(configuration === undefined ? {} : { configuration }),
      },
      heartbeats,
      rules,
      nidhogg,
      hasSeen: (rule, node) =>
        this.#adopted.has(`${rule.metadata.uid} ${node.uid}`) ||
        rule.status?.nodeEvaluations?.some(({ nodeName }) => nodeName === node.name) === true,
    }
  }

  /** Looked up once a pass each. */
  #daemonSets(): DaemonSets {
    const { view } = this.#leading
    const known = new Map<string, ReturnType<DaemonSets['get']>>()
    return {
      get: (namespace, name) => {
        const key = `${namespace}/${name}`
        if (known.has(key)) return known.get(key)
        const set = view.object({ apiVersion: 'apps/v1', kind: 'DaemonSet', namespace, name })
        const found = set?.metadata.uid === undefined ? undefined : nodesOf(view.podsUnder({ uid: set.metadata.uid }))
        known.set(key, found)
        return found
      },
    }
  }

  #remember(decisions: readonly NodeDecision[]): void {
    const unmet = decisions.flatMap(({ node, own }) =>
      own.verdicts.flatMap(({ rule, unmetSinceMs }): [string, number][] =>
        unmetSinceMs === undefined ? [] : [[memoryKey(node, rule), unmetSinceMs]],
      ),
    )
    this.#unmetSinceMs = new Map(unmet)
  }

  #tell(decisions: readonly NodeDecision[], rules: readonly NodeReadinessRule[], nowMs: number): void {
    const overdue = new Set<string>()
    for (const decision of decisions) {
      this.#telling.adopted(decision, rules)
      for (const { rule: name, action } of decision.rules) {
        const rule = rules.find(({ metadata }) => metadata.name === name)
        if (action === 'adopt' && rule !== undefined) this.#adopted.add(`${rule.metadata.uid} ${decision.node.uid}`)
      }
      for (const verdict of decision.own.verdicts.filter(({ isOverdue }) => isOverdue)) {
        const key = memoryKey(decision.node, verdict.rule)
        overdue.add(key)
        const toldMs = this.#toldMs.get(key)
        if (toldMs !== undefined && nowMs - toldMs < times.overdueMs) continue
        this.#toldMs.set(key, nowMs)
        this.#telling.overdue(decision.node, verdict, toldMs === undefined)
      }
    }
    for (const key of this.#toldMs.keys()) if (!overdue.has(key)) this.#toldMs.delete(key)
    this.#tellMissing(nowMs)
  }

  #tellMissing(nowMs: number): void {
    const { view } = this.#leading
    const missing = new Set<string>()
    for (const { name: rule, requirements } of this.#rules)
      for (const one of requirements) {
        if (one.kind !== 'daemon-set') continue
        const { namespace, name } = one
        if (view.object({ apiVersion: 'apps/v1', kind: 'DaemonSet', namespace, name }) !== undefined) continue
        const key = `${rule} ${namespace}/${name}`
        missing.add(key)
        const sinceMs = this.#missingMs.get(key) ?? nowMs
        // Said once, when a minute has passed: then it counts from the end of time.
        if (nowMs - sinceMs >= times.missingMs) this.#telling.missing({ namespace, name, rule })
        this.#missingMs.set(key, nowMs - sinceMs >= times.missingMs ? Number.POSITIVE_INFINITY : sinceMs)
      }
    for (const key of this.#missingMs.keys()) if (!missing.has(key)) this.#missingMs.delete(key)
  }

  /** Each rule's nodes as they are after the writes. */
  #evaluations(rules: readonly NodeReadinessRule[], failures: ReadonlyMap<string, string>) {
    const facts = [...this.#nodes.store.list()].map(nodeFacts)
    return (rule: NodeReadinessRule) =>
      facts.map(node => {
        const decision = decideRule(rule, node, { first: false, others: rules })
        const message = failures.get(node.name)
        const isOurs = message !== undefined && decision.action !== 'none'
        return { node, decision, ...(isOurs ? { failure: { reason: 'EvaluationError', message } } : {}) }
      })
  }
}

function nodesOf(pods: readonly Pod[]): { readonly ready: ReadonlySet<string>; readonly present: ReadonlySet<string> } {
  const ready = new Set<string>()
  const present = new Set<string>()
  for (const { metadata, spec, status } of pods) {
    const isLeaving = metadata.deletionTimestamp !== undefined && metadata.deletionTimestamp !== null
    if (spec.nodeName === undefined || isLeaving) continue
    present.add(spec.nodeName)
    if (status?.conditions?.some(({ type, status: is }) => type === 'Ready' && is === 'True') === true) ready.add(spec.nodeName)
  }
  return { ready, present }
}
