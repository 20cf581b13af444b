// All simulated kubelets: they admit, start, probe and stop the pods of nodes that are alive. A node that is not alive does
// nothing at all: its pods keep their last status until it is back.

import { allocatableOf } from '#cluster/cluster-state.ts'
import { podRequests, type Requests } from '#cluster/requests.ts'
import { requiredNodes } from '#cluster/scheduling/node-selector.ts'
import type { Node, Pod, PodStatus } from '#kube/objects/objects.ts'
import { isConflict, isNotFound } from '#kube/objects/status.ts'
import { secondsMs } from '#kube/time/duration.ts'
import { type ComponentContext, kubeletWriter } from '../component.ts'
import type { EventText } from '../event-recorder.ts'
import type { WorkQueue } from '../loop.ts'
import { isSameContent } from '../same-content.ts'
import {
  conditionOf,
  isCritical,
  isFinished,
  isStatic,
  isTerminating,
  keyOf,
  splitKey,
  timeText,
  withCondition,
} from '../workloads/pod-state.ts'
import { type ImageMirror, mirrorOf, mirrorsImage, type OtherNode, type PullSource, pullSource } from './image-mirrors.ts'
import { ImagePulls } from './image-pulls.ts'
import { NodeTrouble, type PullError } from './node-trouble.ts'
import { PodAddresses } from './pod-addresses.ts'
import { type NextStep, PodRun, type PodRunEffects } from './pod-run.ts'
import { factsOf, isSidecar, type PodFacts, podStatus, readyCondition } from './pod-status.ts'

interface Entry {
  readonly uid: string
  readonly node: string
  readonly run: PodRun
  /** When it is due by the loop's clock; `undefined`: nothing happens by itself. */
  dueMs: number | undefined
  isTransient: boolean
}

export interface NodePower {
  /** Stops the node's kubelet and everything on it. */
  kill(node: string): void
  /** Starts it again; its pods go on where they were. */
  revive(node: string): void
  isAlive(node: string): boolean
}

export class Kubelets implements NodePower {
  readonly #context: ComponentContext
  readonly #queue: WorkQueue
  readonly #entries = new Map<string, Entry>()
  readonly #dead = new Set<string>()
  readonly #addresses = new PodAddresses()
  readonly pulls = new ImagePulls()
  readonly trouble = new NodeTrouble()

  constructor(context: ComponentContext) {
    this.#context = context
    const { view, loop } = context
    this.#queue = loop.queue('kubelet', key => this.#sync(key))
    view.each('nodes', node => {
      if (!isNodeReady(node) && hasStatus(node)) this.#dead.add(node.metadata.name)
    })
    view.each('pods', pod => {
      if (pod.status?.podIP !== undefined && pod.spec.hostNetwork !== true)
        this.#addresses.take(pod.status.podIP, pod.metadata.uid ?? '')
      if (pod.spec.nodeName) this.#queue.add(keyOf(pod))
    })
    view.on('pods', ({ type, object, previous }) => {
      if (type === 'DELETED') this.#forget(object)
      else if (object.spec.nodeName && (previous === undefined || isOfInterest(object, previous))) this.#queue.add(keyOf(object))
    })
    view.on('nodes', ({ type, object }) => {
      if (type === 'ADDED') this.#wake(object.metadata.name)
    })
  }

  isAlive(node: string): boolean {
    return !this.#dead.has(node) && this.#context.view.get('nodes', undefined, node) !== undefined
  }

  kill(node: string): void {
    this.#dead.add(node)
  }

  revive(node: string): void {
    this.#dead.delete(node)
    this.#wake(node)
  }

  /** Starts a node again whose containers did not survive: they come back as their pods' policies have it. */
  restart(node: string): void {
    this.#dead.delete(node)
    for (const pod of this.#context.view.podsOn(node)) this.#die(pod, namesOf(pod), { exitCode: 255, reason: 'Unknown' })
    this.#wake(node)
  }

  /** Ends running containers that are to have other resources, and starts them again at once. */
  restartResized(pod: Pod, containers: readonly string[]): void {
    this.#disturb(pod, run => {
      const running = containers.filter(name => run.facts.containers.get(name)?.state.kind === 'running')
      if (running.length === 0 || run.isStopping) return 'undisturbed'
      return run.restart(running, name => `Container ${name} resize requires restart`)
    })
  }

  /** What the pod's node can do for a container of it. */
  effectsOn(pod: Pod): PodRunEffects {
    return this.#effectsFor(keyOf(pod), pod.metadata.uid ?? '', pod.spec.nodeName ?? '')
  }

  /** The program of a container has ended by itself. */
  end(pod: Pod, container: string, exitCode: number): void {
    this.#die(pod, [container], { exitCode, reason: exitCode === 0 ? 'Completed' : 'Error' })
  }

  /** The kernel killed a container that used more memory than it may. */
  killForMemory(pod: Pod, container: string): void {
    this.#die(pod, [container], { exitCode: 137, reason: 'OOMKilled' })
  }

  /** Puts an end to a pod; its object stays, Failed. */
  evict(pod: Pod, ended: { readonly reason: string; readonly message: string }): void {
    const node = this.#context.view.get('nodes', undefined, pod.spec.nodeName ?? '')
    const key = keyOf(pod)
    const entry = node === undefined || isFinished(pod) ? undefined : this.#entryOf(key, pod, node)
    if (entry === undefined) return
    entry.run.observe(pod)
    entry.run.evict(ended)
    this.#plan(entry, undefined)
    this.#queue.add(key)
  }

  #die(pod: Pod, names: readonly string[], outcome: { readonly exitCode: number; readonly reason: string }): void {
    this.#disturb(pod, run => run.die(names, outcome))
  }

  /** Does something to the pod's run from outside, and plans what follows from it. */
  #disturb(pod: Pod, act: (run: PodRun) => NextStep | undefined | 'undisturbed'): void {
    const node = this.#context.view.get('nodes', undefined, pod.spec.nodeName ?? '')
    const key = keyOf(pod)
    if (node === undefined || !isHere(pod)) return
    const entry = this.#entryOf(key, pod, node)
    if (entry === undefined) return
    entry.run.observe(pod)
    const next = act(entry.run)
    if (next === 'undisturbed') return
    this.#plan(entry, next)
    this.#schedule(key, entry)
  }

  #wake(node: string): void {
    for (const pod of this.#context.view.podsOn(node)) this.#queue.add(keyOf(pod))
  }

  /** A pod that is gone: its node forgets it, and brings a static one back. */
  #forget(pod: Pod): void {
    const key = keyOf(pod)
    this.#addresses.release(pod.status?.podIP, pod.metadata.uid ?? '')
    this.#entries.delete(key)
    this.#queue.remove(key)
    const node = pod.spec.nodeName
    if (node && isStatic(pod) && this.isAlive(node)) this.#mirrors.set(key, pod)
    if (this.#mirrors.has(key)) this.#queue.add(key)
  }

  readonly #mirrors = new Map<string, Pod>()

  #sync(key: string): void {
    const { namespace, name } = splitKey(key)
    const pod = this.#context.view.get('pods', namespace, name)
    if (pod === undefined) {
      this.#bringBack(key)
      return
    }
    this.#mirrors.delete(key)
    const node = pod.spec.nodeName ? this.#context.view.get('nodes', undefined, pod.spec.nodeName) : undefined
    if (node === undefined || !this.isAlive(node.metadata.name)) return
    const entry = this.#entryOf(key, pod, node)
    if (entry === undefined) return
    entry.run.observe(pod)
    if (isTerminating(pod) && !entry.run.isStopping) this.#stop(entry, pod)
    const now = this.#context.clock.elapsed()
    if (entry.dueMs !== undefined && entry.dueMs <= now + 0.5) this.#plan(entry, entry.run.step())
    if (entry.run.isStopped) {
      this.#finish(pod)
      return
    }
    if (!entry.run.isStopping) this.#correctReady(key)
    this.#schedule(key, entry)
  }

  #schedule(key: string, entry: Entry): void {
    if (entry.dueMs === undefined) return
    const delayMs = entry.dueMs - this.#context.clock.elapsed()
    if (entry.isTransient) this.#queue.addAfter(key, delayMs)
    else this.#queue.addPeriodic(key, delayMs)
  }

  #plan(entry: Entry, next: NextStep | undefined): void {
    entry.dueMs = next === undefined ? undefined : this.#context.clock.elapsed() + next.delayMs
    entry.isTransient = next?.isTransient ?? false
  }

  /** The pod's run on this node, begun where there is none; `undefined` where there is nothing to run. */
  #entryOf(key: string, pod: Pod, node: Node): Entry | undefined {
    const known = this.#entries.get(key)
    const uid = pod.metadata.uid ?? ''
    if (known?.uid === uid) return known
    if (isFinished(pod) && !isTerminating(pod)) return undefined
    const hasRun = (pod.status?.containerStatuses ?? []).length > 0 && pod.status?.phase !== 'Pending'
    if (!hasRun && !isTerminating(pod)) {
      const refusal = admissionRefusal(this.#context, pod, node)
      if (refusal !== undefined) {
        this.#refuse(pod, node, refusal)
        return undefined
      }
    }
    const effects = this.#effectsFor(key, uid, node.metadata.name)
    const run =
      hasRun || isTerminating(pod)
        ? PodRun.running(pod, factsOf(pod, effects.now()), effects)
        : PodRun.admitted(pod, hostIpOf(node), effects)
    const entry: Entry = { uid, node: node.metadata.name, run, dueMs: undefined, isTransient: false }
    this.#plan(entry, run.begin())
    this.#entries.set(key, entry)
    return entry
  }

  #stop(entry: Entry, pod: Pod): void {
    const grace = isStatic(pod) ? 0 : (pod.metadata.deletionGracePeriodSeconds ?? pod.spec.terminationGracePeriodSeconds ?? 30)
    this.#plan(entry, entry.run.stop(secondsMs(grace) / 1000))
  }

  /** The last word on a stopped pod: its object goes. */
  #finish(pod: Pod): void {
    const { uid, namespace, name } = pod.metadata
    const writer = kubeletWriter(pod.spec.nodeName ?? '')
    try {
      this.#context.access.remove('pods', namespace, name, writer, {
        gracePeriodSeconds: 0,
        ...(uid === undefined ? {} : { preconditions: { uid } }),
      })
    } catch (error) {
      if (!isNotFound(error) && !isConflict(error)) throw error
    }
  }

  /** After an outage the node lifecycle left Ready at False; readiness gates come and go by other hands. */
  #correctReady(key: string): void {
    const { namespace, name } = splitKey(key)
    const pod = this.#context.view.get('pods', namespace, name)
    const containersReady = pod?.status?.conditions?.find(condition => condition.type === 'ContainersReady')
    if (pod === undefined || containersReady === undefined) return
    const { lastTransitionTime: _, ...outcome } = containersReady
    const conditions = withCondition(pod.status?.conditions, readyCondition(pod, outcome), timeText(this.#context.clock.now()))
    if (conditions !== pod.status?.conditions) this.#write(pod, { ...pod.status, conditions })
  }

  #effectsFor(key: string, uid: string, nodeName: string): PodRunEffects {
    const { view, clock, random, events } = this.#context
    const { namespace, name } = splitKey(key)
    const current = () => {
      const pod = view.get('pods', namespace, name)
      return pod?.metadata.uid === uid ? pod : undefined
    }
    const node = () => view.get('nodes', undefined, nodeName)
    return {
      random,
      now: () => clock.now(),
      event: text => {
        const pod = current()
        if (pod !== undefined) events.record(pod, { component: 'kubelet', host: nodeName, writer: kubeletWriter(nodeName) }, text)
      },
      write: facts => this.#writeFacts(current(), facts),
      hasImage: image => {
        const found = node()
        return found !== undefined && (this.pulls.isPresent(found, image) || this.#runsImage(nodeName, image, uid))
      },
      pull: image => {
        const found = node()
        if (found === undefined) throw new Error(`node ${nodeName} is gone while it pulls ${image}`)
        const factor = this.trouble.pullFactor(nodeName)
        const source = this.#pullSource(nodeName, image)
        const isMirrored = mirrorsImage(this.#mirrorOn(nodeName), image)
        return this.pulls.begin(found, image, view.list('nodes'), { nowMs: clock.now(), factor, source, isMirrored })
      },
      pullError: image => this.#pullError(nodeName, image),
      pulled: (image, bytes) => this.pulls.add(nodeName, image, bytes),
      address: () => this.#address(current(), node(), uid),
    }
  }

  /** A registry that fails harms nobody who gets the image from another node. */
  #pullError(node: string, image: string): PullError | undefined {
    const error = this.trouble.pullError(image)
    return error === 'ErrImagePull' && this.#pullSource(node, image) === 'peer' ? undefined : error
  }

  #pullSource(node: string, image: string): PullSource {
    return pullSource(image, this.#mirrorOn(node), this.#othersThan(node, image))
  }

  #mirrorOn(node: string): ImageMirror | undefined {
    if (!this.isAlive(node)) return undefined
    for (const pod of this.#context.view.podsOn(node)) {
      const mirror = mirrorOf(pod)
      if (mirror !== undefined) return mirror
    }
    return undefined
  }

  *#othersThan(asking: string, image: string): Iterable<OtherNode> {
    const { view, clock } = this.#context
    for (const node of view.list('nodes')) {
      const { name } = node.metadata
      if (name === asking) continue
      const hasImage = this.pulls.isPresent(node, image) || this.#runsImage(name, image, '')
      const isPulling = this.pulls.isPulling(name, image, clock.now())
      // Whether it has a mirror matters only where it has something to give.
      if (hasImage || isPulling) yield { mirror: this.#mirrorOn(name), hasImage, isPulling }
    }
  }

  #runsImage(node: string, image: string, exceptUid: string): boolean {
    return this.#context.view
      .podsOn(node)
      .some(
        pod =>
          pod.metadata.uid !== exceptUid &&
          pod.status?.containerStatuses?.some(status => status.image === image && status.imageID),
      )
  }

  #address(pod: Pod | undefined, node: Node | undefined, uid: string): string | undefined {
    if (pod === undefined || node === undefined) return undefined
    if (pod.spec.hostNetwork === true) return hostIpOf(node)
    const number = this.#context.view.list('nodes').findIndex(other => other.metadata.name === node.metadata.name)
    return this.#addresses.give(node, Math.max(0, number), uid)
  }

  #writeFacts(pod: Pod | undefined, facts: PodFacts): void {
    if (pod === undefined) return
    this.#write(pod, podStatus(pod, facts, this.#context.clock.now()))
  }

  #write(pod: Pod, status: PodStatus): void {
    if (isSameContent(status, pod.status)) return
    this.#context.access.update('pods', { ...pod, status }, kubeletWriter(pod.spec.nodeName ?? ''), { subresource: 'status' })
  }

  #refuse(pod: Pod, node: Node, { reason, message }: Refusal): void {
    const text: EventText = { type: 'Warning', reason, message }
    this.#context.events.record(
      pod,
      { component: 'kubelet', host: node.metadata.name, writer: kubeletWriter(node.metadata.name) },
      text,
    )
    this.#write(pod, {
      ...pod.status,
      phase: 'Failed',
      reason,
      message: `Pod was rejected: ${message}`,
      startTime: timeText(this.#context.clock.now()),
    })
  }

  /** Static pods live in files of the node: their mirror comes back as it was. */
  #bringBack(key: string): void {
    const lost = this.#mirrors.get(key)
    this.#mirrors.delete(key)
    const node = lost?.spec.nodeName
    if (lost === undefined || !node || !this.isAlive(node)) return
    const {
      uid: _,
      resourceVersion: __,
      deletionTimestamp: ___,
      deletionGracePeriodSeconds: ____,
      managedFields: _____,
      ...metadata
    } = lost.metadata
    const { status: ______, ...rest } = lost
    this.#context.access.create('pods', { ...rest, metadata }, kubeletWriter(node))
  }
}

/** What stored pods request. */
const knownRequests = new WeakMap<Pod, Requests>()

function requestsOf(pod: Pod): Requests {
  const known = knownRequests.get(pod)
  if (known !== undefined) return known
  const requests = podRequests(pod)
  knownRequests.set(pod, requests)
  return requests
}

interface Refusal {
  readonly reason: string
  readonly message: string
}

/** Why a kubelet does not take a pod that was bound to it: resources or node affinity. */
function admissionRefusal({ view }: ComponentContext, pod: Pod, node: Node): Refusal | undefined {
  const pressure = pressureRefusal(pod, node)
  if (pressure !== undefined) return pressure
  if (!requiredNodes(pod)(node))
    return { reason: 'NodeAffinity', message: "Predicate NodeAffinity failed: node(s) didn't match Pod's node affinity/selector" }
  const allocatable = allocatableOf(node)
  const others = view.podsOn(node.metadata.name).filter(other => !isFinished(other) && other.metadata.uid !== pod.metadata.uid)
  const podLimit = allocatable['pods']
  if (podLimit !== undefined && others.length + 1 > podLimit) return shortage('pods', 1, others.length, podLimit)
  const used = new Map<string, number>()
  for (const other of others)
    for (const [name, amount] of Object.entries(requestsOf(other))) used.set(name, (used.get(name) ?? 0) + amount)
  for (const [name, amount] of Object.entries(requestsOf(pod))) {
    const inUse = used.get(name) ?? 0
    const capacity = allocatable[name] ?? 0
    if (amount > 0 && inUse + amount > capacity) return shortage(name, amount, inUse, capacity)
  }
  return undefined
}

/** Under pressure a node takes critical pods alone; of memory, pods with requests too, and those that tolerate it. */
function pressureRefusal(pod: Pod, node: Node): Refusal | undefined {
  if (isCritical(pod)) return undefined
  const has = (type: string) => conditionOf(node.status?.conditions, type)?.status === 'True'
  const toleratesMemory =
    pod.status?.['qosClass'] !== 'BestEffort' ||
    pod.spec.tolerations?.some(toleration => toleration.key === 'node.kubernetes.io/memory-pressure') === true
  const conditions = [
    ...(has('MemoryPressure') && !toleratesMemory ? ['MemoryPressure'] : []),
    ...['DiskPressure', 'PIDPressure'].filter(has),
  ]
  return conditions.length === 0
    ? undefined
    : { reason: 'Evicted', message: `The node had condition: [${conditions.join(' ')}]. ` }
}

function namesOf(pod: Pod): readonly string[] {
  const sidecars = (pod.spec.initContainers ?? []).filter(isSidecar)
  return [...sidecars, ...pod.spec.containers].map(container => container.name)
}

/** Its containers were started and have not all ended for good. */
function isHere(pod: Pod): boolean {
  return !isFinished(pod) && (pod.status?.containerStatuses ?? []).length > 0
}

function shortage(resource: string, requested: number, used: number, capacity: number): Refusal {
  const message = `Node didn't have enough resource: ${resource}, requested: ${requested}, used: ${used}, capacity: ${capacity}`
  return { reason: `OutOf${resource}`, message }
}

/** A status that only its own kubelet changed is none of its business again. */
function isOfInterest(pod: Pod, previous: Pod): boolean {
  return (
    previous.spec.nodeName !== pod.spec.nodeName ||
    previous.metadata.deletionTimestamp !== pod.metadata.deletionTimestamp ||
    pod.spec['readinessGates'] !== undefined ||
    previous.metadata.annotations !== pod.metadata.annotations
  )
}

function hostIpOf(node: Node): string | undefined {
  return node.status?.addresses?.find(address => address.type === 'InternalIP')?.address
}

function isNodeReady(node: Node): boolean {
  return node.status?.conditions?.some(condition => condition.type === 'Ready' && condition.status === 'True') === true
}

/** A node that was ever reported on; one made by hand has no conditions and is taken over by a simulated kubelet. */
function hasStatus(node: Node): boolean {
  return node.status?.conditions?.some(condition => condition.type === 'Ready') === true
}
