// What people are told: events on nodes in the words of whose rule it is, and figures.
import type { EventRecorder } from '#kube/events/events.ts'
import type { Node, ObjectReference, Taint } from '#kube/objects/objects.ts'
import type { ReadinessMetrics } from './metrics.ts'
import { firstTimeReadyAnnotation } from './names.ts'
import type { NodeDecision } from './node-decision.ts'
import { carries, isSameTaint, type NodeFacts } from './node-facts.ts'
import type { NodeReadinessRule } from './rules/node-readiness-rule.ts'

/** What upstream's controller calls itself in events: users' alerts match on it. */
const upstreamController = 'node-readiness-controller'
const nidhoggComponent = 'nidhogg'

export function nodeReference({ name, uid }: Pick<NodeFacts, 'name' | 'uid'>): ObjectReference {
  return { apiVersion: 'v1', kind: 'Node', name, ...(uid === '' ? {} : { uid }) }
}

const named = ({ key, effect }: Pick<Taint, 'key' | 'effect'>) => `'${key}:${effect}'`

export class ReadinessTelling {
  readonly #events: EventRecorder
  readonly #metrics: ReadinessMetrics | undefined

  constructor(events: EventRecorder, metrics: ReadinessMetrics | undefined) {
    this.#events = events
    this.#metrics = metrics
  }

  get metrics(): ReadinessMetrics | undefined {
    return this.#metrics
  }

  /** What was decided was written: `after` is the node as the server answered. */
  written(decision: NodeDecision, after: Node, rules: readonly NodeReadinessRule[], nowMs: number): void {
    const taints = after.spec?.taints ?? []
    const has = (taint: Pick<Taint, 'key' | 'effect'>) => taints.some(one => isSameTaint(one, taint))
    const { node, own } = decision
    for (const taint of own.marks.add) {
      if (carries(node, taint) || !has(taint)) continue
      const why = own.verdicts.find(({ rule }) => rule === taint.value)?.why ?? ''
      this.#tell(node, 'TaintAdded', 'AddTaint', `Taint ${named(taint)} added by rule '${taint.value}': ${why}`)
    }
    // One that took the place of an earlier key of ours is no news.
    const gone = own.marks.add.length > 0 ? [] : own.marks.remove.filter(taint => !has(taint))
    for (const taint of gone) {
      const names = own.verdicts.map(({ rule }) => `'${rule}'`).join(', ')
      const by = own.verdicts.length === 0 ? 'no rule speaks of the node' : `rules ${names} are done`
      this.#tell(node, 'TaintRemoved', 'RemoveTaint', `Taint ${named(taint)} removed: ${by}`)
    }
    for (const rule of own.gaveUp) {
      this.#metrics?.timedOut(rule, 'released')
      const why = own.verdicts.find(one => one.rule === rule)?.why ?? ''
      this.#events.emit({
        type: 'Warning',
        reason: 'ReadinessTimeout',
        action: 'RemoveTaint',
        regarding: nodeReference(node),
        note: `rule '${rule}' lets the node go, its time is over: ${why}`,
        distinction: `released ${rule}`,
      })
    }
    this.#rulesWritten(decision, has, rules, nowMs)
    this.#nidhoggWritten(decision, after)
  }

  /** A taint that was there before a rule first looked at the node. */
  adopted(decision: NodeDecision, rules: readonly NodeReadinessRule[]): void {
    for (const one of decision.rules) {
      const rule = rules.find(({ metadata }) => metadata.name === one.rule)
      if (one.action !== 'adopt' || rule === undefined) continue
      const note = `Taint ${named(rule.spec.taint)} is now managed by rule '${one.rule}'`
      this.#tell(decision.node, 'TaintAdopted', 'AdoptTaint', note, upstreamController)
    }
  }

  /** Conditions were written: of agents that are silent it is said so. */
  conditionsWritten({ node, conditions }: Pick<NodeDecision, 'node' | 'conditions'>): void {
    for (const { type, reason, message = '' } of conditions) {
      if (reason !== 'AgentVanished') continue
      this.#events.emit({
        type: 'Warning',
        reason,
        action: 'Evaluate',
        regarding: nodeReference(node),
        note: `condition ${type} is Unknown: ${message}`,
        distinction: `vanished ${type}`,
      })
    }
  }

  /** Rules that hold on though their time is over. */
  overdue(node: NodeFacts, verdict: { readonly rule: string; readonly why: string }, isFirst: boolean): void {
    if (isFirst) this.#metrics?.timedOut(verdict.rule, 'held')
    this.#events.emit({
      type: 'Warning',
      reason: 'ReadinessTimeout',
      action: 'Hold',
      regarding: nodeReference(node),
      note: `rule '${verdict.rule}' holds the node though its time is over: ${verdict.why}`,
      distinction: `held ${verdict.rule}`,
    })
  }

  /** A rule of ours asks for a DaemonSet that is not there. */
  missing(of: { readonly namespace: string; readonly name: string; readonly rule: string }): void {
    const { namespace, name, rule } = of
    this.#events.emit({
      type: 'Warning',
      reason: 'DaemonSetMissing',
      action: 'Evaluate',
      regarding: { apiVersion: 'apps/v1', kind: 'DaemonSet', namespace, name },
      note: `rule '${rule}' waits for it on each of its nodes, and there is no such DaemonSet`,
    })
  }

  /** What was decided could not be written. */
  failed(decision: NodeDecision): void {
    for (const { rule, action } of decision.rules) {
      if (action === 'add') this.#metrics?.failed(rule, 'AddTaintError')
      if (action === 'remove') this.#metrics?.failed(rule, 'RemoveTaintError')
    }
    if (decision.nidhogg !== undefined && decision.nidhogg.added.length + decision.nidhogg.removed.length > 0)
      this.#metrics?.nidhoggFailed()
  }

  #rulesWritten(
    decision: NodeDecision,
    has: (taint: Pick<Taint, 'key' | 'effect'>) => boolean,
    rules: readonly NodeReadinessRule[],
    nowMs: number,
  ): void {
    const { node } = decision
    for (const { rule: name, action } of decision.rules) {
      const rule = rules.find(({ metadata }) => metadata.name === name)
      if (rule === undefined || action === 'none' || action === 'adopt') continue
      const { taint, conditions, enforcementMode } = rule.spec
      const times = conditions.flatMap(({ type }) => node.changedMs.get(type) ?? [])
      const changedMs = times.length === 0 ? undefined : Math.max(...times)
      if (action === 'add' && has(taint)) {
        this.#tell(node, 'TaintAdded', 'AddTaint', `Taint ${named(taint)} added by rule '${name}'`, upstreamController)
        this.#metrics?.tainted(name, 'add', changedMs === undefined ? undefined : nowMs - changedMs)
      }
      if (action === 'remove' && !has(taint)) {
        this.#tell(node, 'TaintRemoved', 'RemoveTaint', `Taint ${named(taint)} removed by rule '${name}'`, upstreamController)
        this.#metrics?.tainted(name, 'remove', changedMs === undefined ? undefined : nowMs - changedMs)
      }
      if (enforcementMode !== 'bootstrap-only' || action === 'add') continue
      const isYounger = node.createdMs >= Date.parse(rule.metadata.creationTimestamp ?? '')
      const isTimed = action === 'remove' && isYounger && changedMs !== undefined
      this.#metrics?.completed(name, isTimed ? changedMs - node.createdMs : undefined)
    }
  }

  #nidhoggWritten({ node, nidhogg }: NodeDecision, after: Node): void {
    if (nidhogg === undefined) return
    const { added, removed, isTaintless } = nidhogg
    const isMarked = Object.keys(nidhogg.marks.annotations).length > 0
    if (added.length === 0 && removed.length === 0 && !isMarked) return
    for (const taint of added) this.#metrics?.nidhogg('added', taint)
    for (const taint of removed) this.#metrics?.nidhogg('removed', taint)
    const first = after.metadata.annotations?.[firstTimeReadyAnnotation] ?? ''
    const note = `Taints added: [${added.join(' ')}], Taints removed: [${removed.join(' ')}], TaintLess: ${isTaintless}, FirstTimeReady: "${first}"`
    this.#events.emit({
      type: 'Normal',
      reason: 'TaintsChanged',
      action: 'TaintsChanged',
      // Nidhogg names the node as its UID, so that `kubectl describe node` finds the event.
      regarding: { apiVersion: 'v1', kind: 'Node', name: node.name, uid: node.name },
      note,
      distinction: note,
      component: nidhoggComponent,
    })
  }

  #tell(node: NodeFacts, reason: string, action: string, note: string, controller?: string): void {
    this.#events.emit({
      type: 'Normal',
      reason,
      action,
      regarding: nodeReference(node),
      note,
      distinction: note,
      ...(controller === undefined ? {} : { controller }),
    })
  }
}
