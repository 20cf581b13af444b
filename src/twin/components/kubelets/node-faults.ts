// Faults of nodes and images: what a TwinFault's `node` and `image` do, when they begin, and how they end.
import type { Node } from '#kube/objects/objects.ts'
import { randomUuid } from '#kube/random.ts'
import type { ImageFault, NodeFault } from '../../faults/fault.ts'
import type { FaultListener, SetFault } from '../../faults/faults.ts'
import { type ComponentContext, kubeletWriter } from '../component.ts'
import type { WorkQueue } from '../loop.ts'
import { isFinished, isStatic } from '../workloads/pod-state.ts'
import type { Kubelets } from './kubelet.ts'
import { reportNow } from './node-heartbeat.ts'
import type { NodeCondition } from './node-trouble.ts'

const defaultRebootMs = 60_000
/** From the end of its pods until a node is down. */
const shutdownMs = 1_000
const shutdown = { reason: 'Terminated', message: 'Pod was terminated in response to imminent node shutdown.' }

const conditions: Partial<Record<NodeFault['action'], NodeCondition>> = {
  notReady: { type: 'Ready', status: 'False', reason: 'KubeletNotReady', message: 'container runtime is down' },
  diskPressure: { type: 'DiskPressure', status: 'True', reason: 'KubeletHasDiskPressure', message: 'kubelet has disk pressure' },
  memoryPressure: {
    type: 'MemoryPressure',
    status: 'True',
    reason: 'KubeletHasInsufficientMemory',
    message: 'kubelet has insufficient memory available',
  },
  pidPressure: {
    type: 'PIDPressure',
    status: 'True',
    reason: 'KubeletHasInsufficientPID',
    message: 'kubelet has insufficient PID available',
  },
}
const shuttingDown: NodeCondition = {
  type: 'Ready',
  status: 'False',
  reason: 'KubeletNotReady',
  message: 'node is shutting down',
}

interface Active {
  readonly fault: SetFault
  readonly effect: NodeFault | ImageFault
  /** Nodes that suffer. */
  readonly nodes: Set<string>
}

/** Begins and ends node and image faults on the components' loop. */
export class NodeFaults implements FaultListener {
  readonly #context: ComponentContext
  readonly #kubelets: Kubelets
  readonly #active = new Map<string, Active>()
  readonly #queue: WorkQueue
  readonly #reboots: WorkQueue

  constructor(context: ComponentContext, kubelets: Kubelets) {
    this.#context = context
    this.#kubelets = kubelets
    this.#queue = context.loop.queue('node-faults', key => this.#sync(key))
    this.#reboots = context.loop.queue('node-shutdown', node => this.#kubelets.kill(node))
  }

  added(fault: SetFault): void {
    const { effect, fromMs } = fault.fault
    if (effect.kind !== 'node' && effect.kind !== 'image') return
    this.#active.set(fault.name, { fault, effect, nodes: new Set() })
    // What is to come some day is nothing that anybody waits for.
    this.#queue.addPeriodic(`begin ${fault.name}`, fromMs - this.#context.clock.now())
  }

  removed(fault: SetFault): void {
    this.#queue.remove(`begin ${fault.name}`)
    this.#queue.remove(`end ${fault.name}`)
    this.#end(fault.name)
    this.#active.delete(fault.name)
  }

  #sync(key: string): void {
    const [what, ...rest] = key.split(' ')
    const name = rest.join(' ')
    if (what === 'end') this.#end(name)
    else this.#begin(name)
  }

  #begin(name: string): void {
    const active = this.#active.get(name)
    if (active === undefined) return
    const { fault, effect } = active
    if (effect.kind === 'image') {
      this.#kubelets.trouble.failPulls(active, effect.pattern, effect.error)
      fault.fire()
    } else {
      for (const node of this.#chosen(fault, effect)) {
        active.nodes.add(node)
        this.#strike(active, effect, node)
        fault.fire()
      }
    }
    const now = this.#context.clock.now()
    const forMs = effect.forMs ?? (effect.kind === 'node' && effect.action === 'reboot' ? defaultRebootMs : undefined)
    const untilMs = Math.min(fault.fault.untilMs, forMs === undefined ? Number.POSITIVE_INFINITY : now + forMs)
    if (Number.isFinite(untilMs)) this.#queue.addPeriodic(`end ${name}`, untilMs - now)
  }

  /** The nodes that are meant, chance and counts considered, in order of name. */
  #chosen({ fault, random }: SetFault, effect: NodeFault): readonly string[] {
    const meant = this.#context.view.list('nodes').filter(node => isMeant(node, effect))
    return meant
      .slice(fault.skipFirst)
      .filter(() => fault.probability >= 1 || random() < fault.probability)
      .slice(0, fault.count)
      .map(node => node.metadata.name)
  }

  #strike(active: Active, { action }: NodeFault, node: string): void {
    const { trouble } = this.#kubelets
    const condition = conditions[action]
    if (condition !== undefined) this.#report(active, node, condition)
    else if (action === 'slowPull') trouble.slowPulls(node, active, true)
    else if (action === 'reboot') this.#shutDown(active, node)
    else this.#kubelets.kill(node)
  }

  #report(active: Active, node: string, condition: NodeCondition): void {
    this.#kubelets.trouble.report(node, active, condition)
    reportNow(this.#context, this.#kubelets, node)
  }

  /** In order: the node says so, its pods end, and with them it goes down. */
  #shutDown(active: Active, node: string): void {
    this.#report(active, node, shuttingDown)
    for (const pod of this.#context.view.podsOn(node)) if (!isFinished(pod) && !isStatic(pod)) this.#kubelets.evict(pod, shutdown)
    this.#reboots.addAfter(node, shutdownMs)
  }

  #end(name: string): void {
    const active = this.#active.get(name)
    if (active === undefined) return
    const { effect } = active
    if (effect.kind === 'image') this.#kubelets.trouble.allowPulls(active)
    else for (const node of active.nodes) this.#relieve(active, effect, node)
    active.nodes.clear()
  }

  #relieve(active: Active, { action }: NodeFault, node: string): void {
    this.#reboots.remove(node)
    this.#kubelets.trouble.slowPulls(node, active, false)
    this.#kubelets.trouble.takeBack(node, active)
    if (action === 'partition') this.#kubelets.revive(node)
    if (action === 'crash' || action === 'reboot') this.#boot(node)
    reportNow(this.#context, this.#kubelets, node)
  }

  /** Up again, under another boot ID, without the containers it had. */
  #boot(name: string): void {
    const { access, events, random, view } = this.#context
    this.#kubelets.restart(name)
    const node = view.get('nodes', undefined, name)
    if (node === undefined) return
    const bootID = randomUuid(random)
    const status = { ...node.status, nodeInfo: { ...node.status?.nodeInfo, bootID } }
    access.update('nodes', { ...node, status }, kubeletWriter(name), { subresource: 'status' })
    const text = { type: 'Warning', reason: 'Rebooted', message: `Node ${name} has been rebooted, boot id: ${bootID}` } as const
    events.record(node, { component: 'kubelet', host: name, writer: kubeletWriter(name) }, text)
  }
}

function isMeant(node: Node, { names, selector }: NodeFault): boolean {
  if (names !== undefined && !names.includes(node.metadata.name)) return false
  return Object.entries(selector ?? {}).every(([key, value]) => node.metadata.labels?.[key] === value)
}
