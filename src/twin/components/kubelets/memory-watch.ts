// What kubelets and kernels do about memory: a container above its limit is killed, a node that runs short evicts a pod at a time.
import type { Node, Pod } from '#kube/objects/objects.ts'
import { parseUnits } from '#kube/values/quantity.ts'
import { type ComponentContext, kubeletWriter } from '../component.ts'
import { isCritical, isFinished, isTerminating } from '../workloads/pod-state.ts'
import type { Kubelets } from './kubelet.ts'
import { reportNow } from './node-heartbeat.ts'
import type { NodeCondition } from './node-trouble.ts'
import type { UsageModel } from './usage-model.ts'

/** kubelet's housekeeping interval. */
const watchMs = 10_000
/** kubelet's default hard threshold: memory.available below this. */
const leastAvailableBytes = 100 * 1024 * 1024
/** How long a node goes on reporting pressure after it ended. */
const transitionMs = 300_000

const pressure: NodeCondition = {
  type: 'MemoryPressure',
  status: 'True',
  reason: 'KubeletHasInsufficientMemory',
  message: 'kubelet has insufficient memory available',
}

/** What a pod uses of memory against what it requests, bytes. */
interface MemoryUse {
  readonly pod: Pod
  readonly usedBytes: number
  readonly requestedBytes: number
}

/** The pods in the order in which a node evicts them: above their request first, then the lower priority, then the more above. */
export function evictionOrder(pods: readonly MemoryUse[]): readonly MemoryUse[] {
  const exceeds = (one: MemoryUse) => (one.usedBytes > one.requestedBytes ? 0 : 1)
  return pods.toSorted(
    (a, b) =>
      exceeds(a) - exceeds(b) ||
      (a.pod.spec.priority ?? 0) - (b.pod.spec.priority ?? 0) ||
      b.usedBytes - b.requestedBytes - (a.usedBytes - a.requestedBytes),
  )
}

/** Looks at each living node every ten seconds, while anything but a snapshot says what is used of memory. */
export function startMemoryWatch(context: ComponentContext, kubelets: Kubelets, usage: UsageModel): void {
  const { view, loop, clock } = context
  const source = {}
  const underPressureAt = new Map<string, number>()
  const queue = loop.queue('node-memory', () => {
    queue.addPeriodic('all', watchMs)
    if (!usage.isMemoryLively && !usage.mayFail && underPressureAt.size === 0) return
    for (const node of view.list('nodes')) {
      const { name } = node.metadata
      if (kubelets.isAlive(name)) loop.alone('node-memory', name, () => look(node))
    }
  })
  queue.addPeriodic('all', watchMs)

  const look = (node: Node) => {
    const name = node.metadata.name
    // An expression that fails is told within ten seconds, whoever asks what is used.
    if (usage.mayFail) usage.node(name)
    for (const pod of view.podsOn(name)) if (!isFinished(pod)) killAboveLimit(kubelets, usage, pod)
    const allocatable = bytesOf(node.status?.allocatable?.['memory'] ?? node.status?.capacity?.['memory'])
    if (allocatable === undefined) return
    // Who was killed above uses nothing any more.
    const used = view.podsOn(name).reduce((sum, pod) => sum + totalOf(usage, pod), usage.systemMemoryBytes(name))
    const availableBytes = allocatable - used
    if (availableBytes < leastAvailableBytes) {
      const isNew = !underPressureAt.has(name)
      underPressureAt.set(name, clock.elapsed())
      kubelets.trouble.report(name, source, pressure)
      if (isNew) reportNow(context, kubelets, name)
      evictOne(context, kubelets, usage, { node: name, availableBytes })
    } else if (clock.elapsed() - (underPressureAt.get(name) ?? clock.elapsed()) >= transitionMs) {
      underPressureAt.delete(name)
      kubelets.trouble.takeBack(name, source)
      reportNow(context, kubelets, name)
    }
  }
}

function killAboveLimit(kubelets: Kubelets, usage: UsageModel, pod: Pod): void {
  for (const { name, memoryBytes } of usage.memory(pod)) {
    const limit = bytesOf(pod.spec.containers.find(container => container.name === name)?.resources?.limits?.['memory'])
    if (limit !== undefined && memoryBytes > limit) kubelets.killForMemory(pod, name)
  }
}

function evictOne(
  { view, events }: ComponentContext,
  kubelets: Kubelets,
  usage: UsageModel,
  { node, availableBytes }: { readonly node: string; readonly availableBytes: number },
): void {
  const candidates = view
    .podsOn(node)
    .filter(pod => !isFinished(pod) && !isTerminating(pod) && !isCritical(pod))
    .map(pod => ({ pod, usedBytes: totalOf(usage, pod), requestedBytes: requestedBytes(pod) }))
  const [victim] = evictionOrder(candidates.filter(candidate => candidate.usedBytes > 0))
  if (victim === undefined) return
  const message = [
    'The node was low on resource: memory. ',
    `Threshold quantity: ${binary(leastAvailableBytes)}, available: ${binary(Math.max(0, availableBytes))}. `,
    ...excesses(usage, victim.pod),
  ].join('')
  const reporter = { component: 'kubelet', host: node, writer: kubeletWriter(node) }
  events.record(victim.pod, reporter, { type: 'Warning', reason: 'Evicted', message })
  kubelets.evict(victim.pod, { reason: 'Evicted', message })
}

/** The containers that use more than they request, in kubelet's words. */
function excesses(usage: UsageModel, pod: Pod): readonly string[] {
  return usage.memory(pod).flatMap(({ name, memoryBytes }) => {
    const container = pod.spec.containers.find(one => one.name === name)
    const requested = container?.resources?.requests?.['memory']
    if (memoryBytes <= (bytesOf(requested) ?? 0)) return []
    return [
      `Container ${name} was using ${binary(memoryBytes)}, request is ${requested ?? 0}, has larger consumption of memory. `,
    ]
  })
}

function totalOf(usage: UsageModel, pod: Pod): number {
  return usage.memory(pod).reduce((sum, one) => sum + one.memoryBytes, 0)
}

function requestedBytes(pod: Pod): number {
  return pod.spec.containers.reduce((sum, one) => sum + (bytesOf(one.resources?.requests?.['memory']) ?? 0), 0)
}

function bytesOf(value: string | number | undefined): number | undefined {
  return value === undefined ? undefined : parseUnits(value)
}

/** As kubelet prints bytes: the largest binary unit that divides them. */
function binary(bytes: number): string {
  const whole = Math.round(bytes)
  for (const [unit, size] of [
    ['Gi', 2 ** 30],
    ['Mi', 2 ** 20],
    ['Ki', 2 ** 10],
  ] as const)
    if (whole > 0 && whole % size === 0) return `${whole / size}${unit}`
  return String(whole)
}
