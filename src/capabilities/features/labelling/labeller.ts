// The loop of the master: looks at each node that something changed for, decides purely, writes what differs. All that it knows of a node
// is asked of the server or stands on the node itself, so that whoever leads next goes on from any point.

import { isDeepStrictEqual } from 'node:util'
import { Bell } from '#coordination/arbiter/bell.ts'
import type { ControllerContext, Leading, Running } from '#coordination/capability.ts'
import { standardAgentNamespace } from '#coordination/capability.ts'
import { type ReconcileResult, reconciled, runWorkers } from '#kube/controllers/controller.ts'
import { backgroundPriority, WorkQueue } from '#kube/controllers/queue.ts'
import type { Informer } from '#kube/informers/informer-view.ts'
import { messageOf } from '#kube/log.ts'
import type { KubeObject, Node } from '#kube/objects/objects.ts'
import { builtIn } from '#kube/objects/resource.ts'
import { isNotFound } from '#kube/objects/status.ts'
import { isOutside } from '#kube/outside-error.ts'
import { problemSentence } from '#kube/problem.ts'
import { checkedSelector } from '#kube/schema/label-selector.ts'
import { durationMs } from '#kube/time/duration.ts'
import { type FeaturesConfig, outcomeSettings } from '../config.ts'
import { capabilityName, nodeFeatureGroups, nodeFeatureRules, nodeFeatures, nodeResourceTopologies } from '../names.ts'
import { clusterFeatures } from '../rules/cluster-features.ts'
import { decideNode, type NodeFeatureSource, type NodeOutcome, type RuleObject } from '../rules/node-outcome.ts'
import { featuresOfNode } from '../rules/node-own.ts'
import { namedReferences, type References, referencesOf } from '../rules/references.ts'
import { collect } from './collector.ts'
import { GroupMembers, membershipOf, readGroups } from './groups.ts'
import { isNews, LiveFeatures, nodeOf, tellingAnnotations } from './live-features.ts'
import { type LabellingMetrics, labellingMetrics } from './metrics.ts'
import { isNothing, lacksOwn, nodeChanges, nothingWanted } from './node-changes.ts'
import { withdrawUnfinished, writeNode } from './node-writes.ts'
import { RuleReports } from './rule-reports.ts'
import { RuleStatuses } from './rule-statuses.ts'
import { TellingWorkers } from './telling-workers.ts'

const times = {
  /** Changes of so long are looked at together. */
  gatherMs: 1_000,
  /** A taint that was refused is asked for again. */
  refusedMs: 5_000,
  /** After the last look at a node statuses are written. */
  statusMs: 2_000,
  /** Objects of nodes that are gone are looked for so often, besides when a node goes. */
  collectMs: 3_600_000,
  retryMs: 10_000,
} as const

/** From how many failures on one counts as a node that could not be written. */
const manyFailures = 15

/** What the loop does besides labels, as the role of its process lets it. */
export interface Duties {
  /** Deletes what describes nodes that are gone. */
  readonly collects: boolean
  /** Writes statuses of rules. */
  readonly tellsRules: boolean
  /** Tells workers what rules look at, where they publish no more than that. */
  readonly tellsWorkers: boolean
  /** Nodes are listed now and then and not watched: one that is not known yet is asked for. */
  readonly asksForNodes: boolean
}

const allDuties: Duties = { collects: true, tellsRules: true, tellsWorkers: true, asksForNodes: false }

/** Starts the loop where we lead. Ending it leaves everything where it is. */
export async function startLabelling(
  context: ControllerContext,
  config: FeaturesConfig,
  outer: AbortSignal,
  duties: Duties = allDuties,
): Promise<Running<FeaturesConfig>> {
  const { leading, informers } = context
  if (leading === undefined) throw new Error('nodes are labelled only where we lead')
  const stop = new AbortController()
  const signal = AbortSignal.any([outer, stop.signal])
  const work = new Labelling(context, leading, { config, duties })
  await informers.allSynced(signal)
  if (config.master.enableTaints) await withdrawUnfinished(leading, signal)
  const running = work.run(signal)
  return {
    health: () => [{ name: 'features-labels', ok: true, message: work.state }],
    reconfigure: async next => {
      if (next.master.nfdApiParallelism !== config.master.nfdApiParallelism) return 'restart-part'
      if (next.master.nodeFeatureGroups !== config.master.nodeFeatureGroups) return 'restart-part'
      if (next.master.enableTaints !== config.master.enableTaints) return 'restart-part'
      if (next.worker.core.publish !== config.worker.core.publish) return 'restart-part'
      if (!isDeepStrictEqual(selectorOf(next), selectorOf(config))) return 'restart-part'
      work.reconfigure(next)
      return 'applied'
    },
    switchedOff: until => work.endTelling(until),
    [Symbol.asyncDispose]: async () => {
      stop.abort(new DOMException('labelling is stopped', 'AbortError'))
      await running
      work[Symbol.dispose]()
    },
  }
}

interface ReadObjects {
  readonly rules: readonly RuleObject[]
  readonly groups: ReturnType<typeof readGroups>
  readonly references: References
  readonly named: ReturnType<typeof namedReferences>
}

class Labelling implements Disposable {
  readonly #context: ControllerContext
  readonly #leading: Leading
  #config: FeaturesConfig
  readonly #duties: Duties
  readonly #nodes: Informer<Node>
  readonly #features: Informer<KubeObject>
  readonly #topologies: Informer<KubeObject>
  readonly #rules: Informer<KubeObject>
  readonly #groups: Informer<KubeObject> | undefined
  /** Where features of some namespaces only count. */
  readonly #namespaces: Informer<KubeObject> | undefined
  readonly #live: LiveFeatures
  readonly #queue: WorkQueue<string>
  readonly #bell: Bell
  readonly #telling: TellingWorkers
  readonly #reports = new RuleReports()
  readonly #members = new GroupMembers()
  readonly #statuses: RuleStatuses
  readonly #metrics: LabellingMetrics | undefined
  readonly #unsubscribe: readonly (() => void)[]
  /** Nodes of which features were seen in this life, or were seen to go: of the others nothing is taken away. */
  readonly #seen = new Set<string>()
  /** Nodes that nobody describes any more, since when by the clock's `elapsed()`. */
  readonly #withoutSince = new Map<string, number>()
  /** What was told of objects that cannot be read. */
  readonly #told = new Set<string>()
  #lastRead: ReadObjects | undefined
  #wantsCollecting = true
  #wantsStatuses = false

  constructor(
    context: ControllerContext,
    leading: Leading,
    { config, duties }: { readonly config: FeaturesConfig; readonly duties: Duties },
  ) {
    const { informers, clock, events, metrics, api, identity } = context
    this.#context = context
    this.#leading = leading
    this.#config = config
    this.#duties = duties
    this.#nodes = informers.of<Node>(builtIn.nodes)
    this.#features = informers.of<KubeObject>(nodeFeatures, {
      metadataOnly: true,
      annotations: tellingAnnotations,
      optional: true,
    })
    this.#topologies = informers.of<KubeObject>(nodeResourceTopologies, { metadataOnly: true, optional: true })
    this.#rules = informers.of<KubeObject>(nodeFeatureRules, { optional: true })
    this.#groups = config.master.nodeFeatureGroups
      ? informers.of<KubeObject>(nodeFeatureGroups, { namespace: agentNamespaceOf(identity), optional: true })
      : undefined
    this.#namespaces = selectorOf(config) === undefined ? undefined : informers.of<KubeObject>(builtIn.namespaces)
    this.#live = new LiveFeatures(api, this.#features, namespace => this.#counts(namespace))
    this.#queue = new WorkQueue<string>({ clock })
    this.#bell = new Bell(clock)
    this.#telling = new TellingWorkers({
      effects: leading.effects,
      namespace: agentNamespaceOf(identity),
      log: context.log,
      references: () => this.#read().references,
      nodes: () => this.#nodes.store.size,
      lookAgain: node => this.#queue.add(node),
    })
    this.#statuses = new RuleStatuses({ effects: leading.effects, events, rules: this.#rules, log: context.log })
    this.#metrics = metrics === undefined ? undefined : labellingMetrics(metrics)
    this.#unsubscribe = [
      this.#features.onChange(({ type, object, previous }) => this.#featuresChanged(type, object, previous)),
      this.#rules.onChange(({ type, object, previous }) => {
        if (type !== 'DELETED' && previous?.metadata.generation === object.metadata.generation) return
        this.#rulesChanged()
      }),
      this.#nodes.onChange(({ type, object, previous }) => this.#nodeChanged(type, object, previous)),
      ...(this.#namespaces === undefined
        ? []
        : [
            this.#namespaces.onChange(({ object, previous }) => {
              if (!isDeepStrictEqual(object.metadata.labels, previous?.metadata.labels)) this.#lookAtAll()
            }),
          ]),
      ...(this.#groups === undefined
        ? []
        : [
            this.#groups.onChange(({ type, object, previous }) => {
              if (type === 'DELETED' || previous?.metadata.generation !== object.metadata.generation) this.#rulesChanged()
            }),
          ]),
    ]
  }

  get state(): string {
    const { waiting } = this.#telling
    const late = waiting === 0 ? '' : `, ${waiting} wait for what rules look at`
    return `${this.#seen.size} nodes have features, ${this.#queue.depth + this.#queue.delayed} are to be looked at${late}`
  }

  reconfigure(config: FeaturesConfig): void {
    this.#config = config
    this.#lookAtAll()
  }

  /** Until `signal` is aborted; never rejects but for what nobody foresaw. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock, log } = this.#context
    const { nfdApiParallelism: concurrency } = this.#config.master
    const name = capabilityName
    const workers = runWorkers(
      {
        name,
        queue: this.#queue,
        concurrency,
        clock,
        log,
        reconcile: (node, limit) => this.#reconcile(node, limit),
        onResult: (node, result) => {
          if (result === 'error' && this.#queue.failuresOf(node) >= manyFailures) this.#metrics?.failures.inc()
        },
      },
      signal,
    )
    await Promise.all([
      workers,
      this.#every(
        () => durationMs(this.#config.master.resyncPeriod),
        () => this.#lookAtAll(),
        signal,
      ),
      this.#keepHouse(signal),
      ...(this.#tellsWorkers ? [this.#telling.run(signal)] : []),
    ])
  }

  /** Nobody keeps the list from now on: workers publish everything. */
  async endTelling(signal: AbortSignal): Promise<void> {
    if (this.#tellsWorkers) await this.#telling.end(signal)
  }

  [Symbol.dispose](): void {
    for (const unsubscribe of this.#unsubscribe) unsubscribe()
    this.#queue[Symbol.dispose]()
  }

  #featuresChanged(type: 'ADDED' | 'MODIFIED' | 'DELETED', object: KubeObject, previous: KubeObject | undefined): void {
    const node = nodeOf(object)
    const before = previous === undefined ? node : nodeOf(previous)
    if (type === 'DELETED') this.#seen.add(node)
    else if (before === node && !isNews(previous, object)) return
    if (before !== node) {
      this.#seen.add(before)
      this.#lookAt(before)
    }
    if (node === '') this.#want({ collecting: true })
    else this.#lookAt(node)
  }

  #nodeChanged(type: 'ADDED' | 'MODIFIED' | 'DELETED', node: Node, previous: Node | undefined): void {
    const { name, uid } = node.metadata
    if (type === 'DELETED') {
      this.#forget(name)
      this.#want({ statuses: true, collecting: true })
      return
    }
    // A kubelet that starts anew forgets resources that it does not know; people take labels away.
    if (previous?.metadata.uid !== uid || lacksOwn(node, this.#config.master.instance)) this.#lookAt(name)
    else if (previous !== undefined && this.#saysOther(previous, node)) this.#lookAt(name)
  }

  /** Whether something of the Node changed that rules look at. */
  #saysOther(previous: Node, node: Node): boolean {
    const { named } = this.#read()
    return !isDeepStrictEqual(featuresOfNode(previous, named), featuresOfNode(node, named))
  }

  #counts(namespace: string): boolean {
    const selector = selectorOf(this.#config)
    if (selector === undefined) return true
    const object = this.#namespaces?.store.get(undefined, namespace)
    return object !== undefined && checkedSelector(selector).matches(object.metadata.labels)
  }

  #rulesChanged(): void {
    this.#lastRead = undefined
    this.#telling.rulesChanged()
    this.#want({ statuses: true })
    this.#lookAtAll()
  }

  #lookAt(node: string): void {
    this.#queue.addAfter(node, times.gatherMs)
  }

  #lookAtAll(): void {
    for (const { metadata } of this.#nodes.store.list()) this.#queue.addAfter(metadata.name, times.gatherMs, backgroundPriority)
  }

  async #reconcile(name: string, signal: AbortSignal): Promise<ReconcileResult> {
    const node = this.#nodes.store.get(undefined, name) ?? (await this.#askedFor(name, signal))
    if (node === undefined) return reconciled
    this.#metrics?.requests.inc()
    const { sources, problems, isWhole } = await this.#live.of(name, this.#read().references, signal)
    for (const problem of problems) this.#tellOnce(problemSentence(problem))
    // The server has not what a watch has still: one of them is late.
    if (!isWhole) return { kind: 'again' }
    if (sources.length === 0) {
      // What was never seen may be on its way: its labels stay until it is seen to go.
      if (!this.#seen.has(name)) return reconciled
      if (problems.length > 0 || !(await this.#live.isNone(name, signal))) return { kind: 'again' }
      const graceMs = this.#graceLeftMs(name)
      if (graceMs > 0) return { kind: 'after', delayMs: graceMs }
      this.#forget(name)
      this.#want({ statuses: true })
      return await this.#write(node, nothingWanted, signal)
    }
    this.#seen.add(name)
    this.#withoutSince.delete(name)
    if (!this.#telling.isEnough(name, sources)) return reconciled
    const outcome = this.#decide(node, sources)
    return await this.#write(node, outcome, signal)
  }

  /** How long the node keeps what it has, though nobody describes it any more. */
  #graceLeftMs(node: string): number {
    const nowMs = this.#context.clock.elapsed()
    const sinceMs = this.#withoutSince.get(node) ?? nowMs
    this.#withoutSince.set(node, sinceMs)
    return sinceMs + durationMs(this.#config.master.removalGrace) - nowMs
  }

  async #askedFor(name: string, signal: AbortSignal): Promise<Node | undefined> {
    if (!this.#duties.asksForNodes) return undefined
    try {
      return await this.#context.api.resource<Node>(builtIn.nodes).get(name, { signal })
    } catch (error) {
      if (isNotFound(error)) return undefined
      throw error
    }
  }

  #decide(present: Node, sources: readonly NodeFeatureSource[]): NodeOutcome {
    const { master } = this.#config
    const { rules, groups, named } = this.#read()
    const node = present.metadata.name
    const around = { ownNamespace: agentNamespaceOf(this.#context.identity), ofNode: featuresOfNode(present, named) }
    const onRule = (object: string, seconds: number) => this.#metrics?.ruleSeconds.observe({ name: object, node }, seconds)
    const outcome = decideNode(sources, rules, outcomeSettings(master), {
      ...around,
      node,
      onRule,
      elapsedMs: () => this.#context.clock.elapsed(),
    })
    this.#reports.keep(node, outcome.reports)
    if (this.#groups !== undefined) this.#members.keep(node, membershipOf(node, sources, groups, around))
    this.#want({ statuses: true })
    for (const { outcome: how } of outcome.reports) if (how === 'failed') this.#metrics?.ruleErrors.inc()
    for (const { what } of outcome.leftOut) if (what !== 'annotation') this.#metrics?.leftOut[what].inc()
    return outcome
  }

  async #write(node: Node, wanted: Parameters<typeof nodeChanges>[1], signal: AbortSignal): Promise<ReconcileResult> {
    const { master } = this.#config
    const settings = { instance: master.instance, allowOverwrite: master.restrictions.allowOverwrite }
    const decide = (now: Node) => nodeChanges(now, wanted, settings)
    if (master.noPublish || isNothing(decide(node))) return reconciled
    const written = await writeNode(node, decide, { leading: this.#leading, nodes: this.#nodes }, signal)
    if (written.isWritten) this.#metrics?.updates.inc()
    if (written.refused === undefined) return reconciled
    this.#context.log.warn({ node: node.metadata.name, why: written.refused }, 'taints are not granted, asked for again')
    return { kind: 'after', delayMs: times.refusedMs }
  }

  #forget(node: string): void {
    this.#telling.forget(node)
    this.#withoutSince.delete(node)
    this.#reports.forget(node)
    this.#members.forget(node)
    this.#live.forget(node)
  }

  /** Rules and groups as they are evaluated, read again only when one changed. */
  #read(): ReadObjects {
    if (this.#lastRead !== undefined) return this.#lastRead
    const { rules, problems } = clusterFeatures(this.#rules.store.list())
    for (const problem of problems) this.#tellOnce(problemSentence(problem))
    const groups = this.#groups === undefined ? [] : readGroups(this.#groups.store.list(), why => this.#tellOnce(why))
    const all = [...rules.flatMap(object => object.rules), ...groups.flatMap(group => group.rules)]
    this.#lastRead = { rules, groups, references: referencesOf(all), named: namedReferences(all) }
    return this.#lastRead
  }

  /** Objects of nodes that are gone, and statuses: what may wait until the nodes have their labels. */
  async #keepHouse(signal: AbortSignal): Promise<void> {
    const { clock, log } = this.#context
    const isWanted = () => (this.#wantsStatuses || this.#wantsCollecting ? true : undefined)
    for (let delayMs: number = times.statusMs; !signal.aborted; ) {
      try {
        const isAsked = await this.#bell.until(isWanted, { limitMs: times.collectMs, signal })
        await clock.after(delayMs, signal)
        delayMs = times.statusMs
        if (this.#queue.depth + this.#queue.processing > 0) continue
        if (this.#wantsStatuses && !(await this.#writeStatuses(signal))) delayMs = times.retryMs
        if (this.#wantsCollecting || isAsked === undefined) await this.#collect(signal)
      } catch (error) {
        if (signal.aborted) return
        if (!isOutside(error)) throw error
        this.#want({ statuses: true, collecting: true })
        delayMs = times.retryMs
        log.warn(
          { capability: capabilityName, why: messageOf(error) },
          'what is behind the labels is not looked after, tried again',
        )
      }
    }
  }

  get #tellsWorkers(): boolean {
    return this.#duties.tellsWorkers && this.#config.worker.core.publish === 'referenced'
  }

  /** @returns whether all of them are written */
  async #writeStatuses(signal: AbortSignal): Promise<boolean> {
    this.#wantsStatuses = false
    const areRulesTold = !this.#duties.tellsRules || (await this.#statuses.write(this.#reports, signal))
    this.#metrics?.groupRequests.inc(this.#groups?.store.size ?? 0)
    const around = { effects: this.#leading.effects, log: this.#context.log }
    const areGroupsTold = this.#groups === undefined || (await this.#members.write(this.#groups, around, signal))
    if (areRulesTold && areGroupsTold) return true
    this.#wantsStatuses = true
    return false
  }

  async #collect(signal: AbortSignal): Promise<void> {
    this.#wantsCollecting = false
    if (!this.#duties.collects) return
    const { effects } = this.#leading
    const read = { features: this.#features, topologies: this.#topologies, nodes: this.#nodes }
    await collect({ effects, ...read, log: this.#context.log, metrics: this.#metrics }, signal)
  }

  #want({ statuses = false, collecting = false }: { readonly statuses?: boolean; readonly collecting?: boolean }): void {
    this.#wantsStatuses ||= statuses
    this.#wantsCollecting ||= collecting
    this.#bell.ring()
  }

  async #every(periodMs: () => number, act: () => void, signal: AbortSignal): Promise<void> {
    const { clock } = this.#context
    while (!signal.aborted) {
      await clock.after(periodMs(), signal).catch((reason: unknown) => {
        if (!signal.aborted) throw reason
      })
      if (!signal.aborted) act()
    }
  }

  #tellOnce(why: string): void {
    if (this.#told.has(why)) return
    if (this.#told.size >= mostTold) this.#told.clear()
    this.#told.add(why)
    this.#context.log.warn({ capability: capabilityName, why }, 'an object is set aside')
  }
}

function selectorOf({ master }: FeaturesConfig) {
  return master.restrictions.nodeFeatureNamespaceSelector
}

/** Sentences that are not told twice. */
const mostTold = 1_000

function agentNamespaceOf({ agentNamespace }: ControllerContext['identity']): string {
  return agentNamespace ?? standardAgentNamespace
}
