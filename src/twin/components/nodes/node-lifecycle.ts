// The node lifecycle controller: watches for signs of life, marks silent nodes and what runs on them, and taints them.
// A sign of life is a commit of the node's Lease or of its kubelet's status, seen by this controller; clocks are not compared.
import type { Node, Taint } from '#kube/objects/objects.ts'
import { isConflict, isNotFound } from '#kube/objects/status.ts'
import { type ComponentContext, controllerWriter } from '../component.ts'
import type { EventSource } from '../event-recorder.ts'
import { isSameContent } from '../same-content.ts'
import { conditionOf, isReady, timeText, withCondition } from '../workloads/pod-state.ts'
import { gracePeriodMs, silentConditions, withConditionTaints, withExecuteTaint, zoneOf, zoneRates } from './node-health.ts'

const writer = controllerWriter('node-controller')
const source: EventSource = { component: 'node-controller', writer }
const monitorMs = 5_000
const leaseNamespace = 'kube-node-lease'

/** `isAlive` answers for nodes whose kubelet is simulated; `undefined` where only signs of life count. */
export function startNodeLifecycle(context: ComponentContext, isAlive: ((node: string) => boolean) | undefined): void {
  new NodeLifecycle(context, isAlive).start()
}

class NodeLifecycle {
  readonly #context: ComponentContext
  readonly #isAlive: ((node: string) => boolean) | undefined
  readonly #seenMs = new Map<string, number>()
  /** Per zone when the next node may get its NoExecute taint. */
  readonly #nextTaintMs = new Map<string, number>()

  constructor(context: ComponentContext, isAlive: ((node: string) => boolean) | undefined) {
    this.#context = context
    this.#isAlive = isAlive
  }

  start(): void {
    const { view, loop, clock } = this.#context
    const taints = loop.queue('node-taints', name => this.#syncTaints(name))
    const monitor = loop.queue('node-monitor', () => {
      monitor.addPeriodic('all', monitorMs)
      this.#monitor()
    })
    const sawLife = (name: string) => this.#seenMs.set(name, clock.elapsed())
    for (const node of view.list('nodes')) {
      sawLife(node.metadata.name)
      taints.add(node.metadata.name)
    }
    view.on('nodes', ({ type, object, previous }) => {
      const name = object.metadata.name
      if (type === 'DELETED') this.#seenMs.delete(name)
      else {
        if (previous === undefined || heartbeatOf(object) !== heartbeatOf(previous)) sawLife(name)
        taints.add(name)
      }
    })
    view.on('leases.coordination.k8s.io', ({ type, object }) => {
      if (type !== 'DELETED' && object.metadata.namespace === leaseNamespace) sawLife(object.metadata.name)
    })
    monitor.addPeriodic('all', monitorMs)
  }

  #monitor(): void {
    const { view, loop, clock, minorVersion } = this.#context
    const nodes = view.list('nodes')
    const now = clock.elapsed()
    for (const node of nodes) {
      const name = node.metadata.name
      const silentMs = this.#isAlive?.(name) === true ? 0 : now - (this.#seenMs.get(name) ?? now)
      if (silentMs > gracePeriodMs(minorVersion)) loop.alone('node-monitor', name, () => this.#markSilent(node))
    }
    this.#taintForEviction(view.list('nodes'))
  }

  #markSilent(node: Node): void {
    const { access, clock } = this.#context
    if (conditionOf(node.status?.conditions, 'Ready')?.status === 'Unknown') return
    const conditions = silentConditions(node, timeText(clock.now()))
    this.#attempt(() =>
      access.update('nodes', { ...node, status: { ...node.status, conditions } }, writer, { subresource: 'status' }),
    )
    this.#context.events.record(node, source, {
      type: 'Normal',
      reason: 'NodeNotReady',
      message: `Node ${node.metadata.name} status is now: NodeNotReady`,
    })
    this.#syncTaints(node.metadata.name)
    this.#markPods(node.metadata.name)
  }

  /** Pods of a node that is not ready are not ready either. */
  #markPods(node: string): void {
    const { access, view, clock } = this.#context
    for (const pod of view.podsOn(node)) {
      if (!isReady(pod)) continue
      const conditions = withCondition(pod.status?.conditions, { type: 'Ready', status: 'False' }, timeText(clock.now()))
      this.#attempt(() =>
        access.update('pods', { ...pod, status: { ...pod.status, conditions } }, writer, { subresource: 'status' }),
      )
    }
  }

  #syncTaints(name: string): void {
    const { view, clock } = this.#context
    const node = view.get('nodes', undefined, name)
    if (node === undefined) return
    const nowText = timeText(clock.now())
    const marked = withConditionTaints(node, nowText)
    this.#writeTaints(node, withExecuteTaint({ ...node, spec: { ...node.spec, taints: marked } }, nowText, false))
    if (conditionOf(node.status?.conditions, 'Ready')?.status === 'False') this.#markPods(name)
  }

  #taintForEviction(nodes: readonly Node[]): void {
    const { clock } = this.#context
    const rates = zoneRates(nodes.map(node => ({ zone: zoneOf(node), isReady: isNodeReady(node) })))
    const now = clock.elapsed()
    for (const node of nodes) {
      if (isNodeReady(node)) continue
      const zone = zoneOf(node)
      const rate = rates.get(zone) ?? 0
      if (rate === 0 || (this.#nextTaintMs.get(zone) ?? 0) > now) continue
      if (this.#writeTaints(node, withExecuteTaint(node, timeText(clock.now()), true)))
        this.#nextTaintMs.set(zone, now + 1000 / rate)
    }
  }

  #writeTaints(node: Node, taints: readonly Taint[]): boolean {
    if (isSameContent(taints, node.spec?.taints ?? [])) return false
    const { taints: _, ...spec } = node.spec ?? {}
    const written = { ...node, spec: { ...spec, ...(taints.length === 0 ? {} : { taints }) } }
    this.#attempt(() => this.#context.access.update('nodes', written, writer))
    return true
  }

  #attempt(write: () => void): void {
    try {
      write()
    } catch (error) {
      if (!isConflict(error) && !isNotFound(error)) throw error
    }
  }
}

function isNodeReady(node: Node): boolean {
  return conditionOf(node.status?.conditions, 'Ready')?.status === 'True'
}

/** What a kubelet moves with each report. */
function heartbeatOf(node: Node): string {
  return (node.status?.conditions ?? [])
    .map(condition => ('lastHeartbeatTime' in condition ? String(condition.lastHeartbeatTime) : ''))
    .join()
}
