// The statuses a kubelet writes for a pod, from admission to its end. Pure: containers' runtime facts in, status out.
import type { Condition, Container, ContainerStatus, Pod, PodStatus } from '#kube/objects/objects.ts'
import type { Random } from '#kube/random.ts'
import { conditionOf, timeText, withCondition } from '../workloads/pod-state.ts'

/** What a simulated runtime knows of a container. */
export type ContainerState =
  | { readonly kind: 'waiting'; readonly reason: string; readonly message?: string }
  | { readonly kind: 'running'; readonly startedMs: number; readonly isReady: boolean }
  | {
      readonly kind: 'terminated'
      readonly startedMs: number
      readonly finishedMs: number
      readonly exitCode: number
      readonly reason: string
    }

export interface ContainerFacts {
  readonly state: ContainerState
  readonly lastState?: ContainerState
  readonly restarts: number
  /** Empty until the container was created. */
  readonly containerId: string
}

export interface PodFacts {
  readonly containers: ReadonlyMap<string, ContainerFacts>
  readonly hasSandbox: boolean
  readonly podIp: string | undefined
  readonly hostIp: string | undefined
  readonly startedMs: number
  /** The kubelet put an end to the pod, whatever its containers would have done: eviction, shutdown of the node. */
  readonly ended?: { readonly reason: string; readonly message: string }
}

/** The whole status; what others wrote into it (PodScheduled, DisruptionTarget, qosClass, readiness gates) stays. */
export function podStatus(pod: Pod, facts: PodFacts, nowMs: number): PodStatus {
  const nowText = timeText(nowMs)
  const containers = pod.spec.containers.map(container =>
    containerStatus(container, facts, statusIn(pod.status?.containerStatuses, container)),
  )
  const inits = (pod.spec.initContainers ?? []).map(container =>
    containerStatus(container, facts, statusIn(pod.status?.initContainerStatuses, container), isSidecar(container)),
  )
  const phase = facts.ended === undefined ? phaseOf(pod, facts) : 'Failed'
  const status: PodStatus = {
    ...pod.status,
    phase,
    ...facts.ended,
    startTime: pod.status?.startTime ?? timeText(facts.startedMs),
    ...(facts.hostIp === undefined ? {} : { hostIP: facts.hostIp, hostIPs: [{ ip: facts.hostIp }] }),
    ...(facts.podIp === undefined ? {} : { podIP: facts.podIp, podIPs: [{ ip: facts.podIp }] }),
    containerStatuses: containers,
    ...(inits.length === 0 ? {} : { initContainerStatuses: inits }),
  }
  return { ...status, conditions: conditionsFor(pod, facts, phase, nowText) }
}

function conditionsFor(pod: Pod, facts: PodFacts, phase: string, nowText: string): readonly Condition[] {
  const isFinished = phase === 'Succeeded' || phase === 'Failed'
  let conditions = pod.status?.conditions ?? []
  const put = (condition: Condition) => {
    conditions = withCondition(conditions, { ...condition, ...observed(pod) }, nowText)
  }
  put({ type: 'PodReadyToStartContainers', status: facts.hasSandbox ? 'True' : 'False' })
  put(initialized(pod, facts, isFinished))
  const unready = unreadyContainers(pod, facts)
  const outcome: Condition = isFinished
    ? { type: 'ContainersReady', status: 'False', reason: phase === 'Succeeded' ? 'PodCompleted' : 'PodFailed' }
    : unready.length === 0
      ? { type: 'ContainersReady', status: 'True' }
      : {
          type: 'ContainersReady',
          status: 'False',
          reason: 'ContainersNotReady',
          message: `containers with unready status: [${unready.join(' ')}]`,
        }
  put(readyCondition(pod, outcome))
  put(outcome)
  if (facts.ended !== undefined)
    put({ type: 'DisruptionTarget', status: 'True', reason: 'TerminationByKubelet', message: facts.ended.message })
  if (conditionOf(conditions, 'PodScheduled') === undefined) put({ type: 'PodScheduled', status: 'True' })
  return conditions
}

/** From 1.34 on, conditions say which generation of the pod they are of; kept only where the pod has one. */
function observed(pod: Pod): { readonly observedGeneration?: number } {
  return pod.metadata.generation === undefined ? {} : { observedGeneration: pod.metadata.generation }
}

/** Ready: its containers are, and every readiness gate is True. */
export function readyCondition(pod: Pod, containersReady: Condition): Condition {
  if (containersReady.status !== 'True') return { ...containersReady, type: 'Ready' }
  const gates = Array.isArray(pod.spec['readinessGates'])
    ? (pod.spec['readinessGates'] as readonly { readonly conditionType?: string }[])
    : []
  const missing = gates
    .map(gate => gate.conditionType ?? '')
    .filter(type => conditionOf(pod.status?.conditions, type)?.status !== 'True')
  if (missing.length === 0) return { type: 'Ready', status: 'True' }
  const message = missing.map(type => `corresponding condition of pod readiness gate "${type}" does not exist.`).join(', ')
  return { type: 'Ready', status: 'False', reason: 'ReadinessGatesNotReady', message }
}

function initialized(pod: Pod, facts: PodFacts, isFinished: boolean): Condition {
  const waiting = (pod.spec.initContainers ?? [])
    .filter(container => !isInitDone(container, facts))
    .map(container => container.name)
  if (waiting.length === 0) return { type: 'Initialized', status: 'True', ...(isFinished ? { reason: 'PodCompleted' } : {}) }
  return {
    type: 'Initialized',
    status: 'False',
    reason: 'ContainersNotInitialized',
    message: `containers with incomplete status: [${waiting.join(' ')}]`,
  }
}

function isInitDone(container: Container, facts: PodFacts): boolean {
  const state = facts.containers.get(container.name)?.state
  return isSidecar(container) ? state?.kind === 'running' : state?.kind === 'terminated' && state.exitCode === 0
}

function unreadyContainers(pod: Pod, facts: PodFacts): readonly string[] {
  const serving = [...(pod.spec.initContainers ?? []).filter(isSidecar), ...pod.spec.containers]
  return serving
    .map(container => container.name)
    .filter(name => {
      const state = facts.containers.get(name)?.state
      return state?.kind !== 'running' || !state.isReady
    })
}

export function isSidecar(container: Container): boolean {
  return container.restartPolicy === 'Always'
}

function phaseOf(pod: Pod, facts: PodFacts): string {
  const states = pod.spec.containers.map(container => facts.containers.get(container.name))
  const restartPolicy = pod.spec.restartPolicy ?? 'Always'
  const isOver = (one: ContainerFacts | undefined) => {
    if (one?.state.kind !== 'terminated') return false
    return (
      pod.metadata.deletionTimestamp !== undefined ||
      restartPolicy === 'Never' ||
      (restartPolicy === 'OnFailure' && one.state.exitCode === 0)
    )
  }
  const failedInit = (pod.spec.initContainers ?? []).map(container => facts.containers.get(container.name)?.state)
  if (restartPolicy === 'Never' && failedInit.some(state => state?.kind === 'terminated' && state.exitCode !== 0)) return 'Failed'
  if (states.every(isOver))
    return states.every(one => one?.state.kind === 'terminated' && one.state.exitCode === 0) ? 'Succeeded' : 'Failed'
  if (
    states.some(
      one => one?.state.kind === 'running' || one?.state.kind === 'terminated' || (one !== undefined && one.restarts > 0),
    )
  )
    return 'Running'
  return 'Pending'
}

/** With what the shared type leaves out. */
interface FullContainerStatus extends ContainerStatus {
  readonly lastState?: ContainerStateText
}

type ContainerStateText = NonNullable<ContainerStatus['state']>
type TerminatedText = NonNullable<ContainerStateText['terminated']> & { readonly containerID: string }

function containerStatus(
  container: Container,
  facts: PodFacts,
  before: FullContainerStatus | undefined,
  isStartedWhenRunning = true,
): FullContainerStatus {
  const known = facts.containers.get(container.name)
  const state: ContainerState = known?.state ?? { kind: 'waiting', reason: 'ContainerCreating' }
  const image = container.image ?? ''
  const wasCreated = known !== undefined && known.containerId !== ''
  return {
    name: container.name,
    image,
    imageID: wasCreated ? imageIdOf(image) : '',
    ...(wasCreated ? { containerID: known.containerId } : {}),
    ready:
      (state.kind === 'running' && state.isReady) ||
      (!isStartedWhenRunning && state.kind === 'terminated' && state.exitCode === 0),
    started: state.kind === 'running' && isStartedWhenRunning,
    restartCount: known?.restarts ?? 0,
    state: stateText(state, known?.containerId ?? ''),
    ...resourcesOf(container, state, before),
    lastState: known?.lastState === undefined ? {} : stateText(known.lastState, known.containerId),
  }
}

function statusIn(statuses: readonly ContainerStatus[] | undefined, { name }: Container): FullContainerStatus | undefined {
  return statuses?.find(status => status.name === name)
}

/** What a running container has been given; a resize changes it afterwards. */
function resourcesOf(
  container: Container,
  state: ContainerState,
  before: FullContainerStatus | undefined,
): Partial<FullContainerStatus> {
  if (state.kind !== 'running') return {}
  if (before?.resources !== undefined) {
    const { resources, allocatedResources } = before
    return { resources, ...(allocatedResources === undefined ? {} : { allocatedResources }) }
  }
  const requests = container.resources?.requests
  return { resources: container.resources ?? {}, ...(requests === undefined ? {} : { allocatedResources: requests }) }
}

function stateText(state: ContainerState, containerId: string): ContainerStateText {
  switch (state.kind) {
    case 'waiting':
      return { waiting: { reason: state.reason, ...(state.message === undefined ? {} : { message: state.message }) } }
    case 'running':
      return { running: { startedAt: timeText(state.startedMs) } }
    case 'terminated': {
      const terminated: TerminatedText = {
        exitCode: state.exitCode,
        reason: state.reason,
        startedAt: timeText(state.startedMs),
        finishedAt: timeText(state.finishedMs),
        containerID: containerId,
      }
      return { terminated }
    }
  }
}

/** What a runtime calls a container that it has just made. */
export function containerIdOf(random: Random): string {
  return `containerd://${Array.from({ length: 64 }, () => Math.floor(random() * 16).toString(16)).join('')}`
}

/** A digest that depends on the image's name alone: equal images have equal IDs on all nodes. */
export function imageIdOf(image: string): string {
  if (image.includes('@sha256:')) return image
  const slash = image.lastIndexOf('/')
  const colon = image.indexOf(':', slash + 1)
  const repository = colon < 0 ? image : image.slice(0, colon)
  let text = ''
  for (let part = 0; part < 8; part++) {
    let hash = 0x811c9dc5 ^ part
    for (const byte of new TextEncoder().encode(image)) hash = Math.imul(hash ^ byte, 0x01000193) >>> 0
    text += hash.toString(16).padStart(8, '0')
  }
  return `${repository}@sha256:${text}`
}

/** What a stored status says of the pod's containers, so that a kubelet can go on from it. */
export function factsOf(pod: Pod, nowMs: number): PodFacts {
  const containers = new Map<string, ContainerFacts>()
  for (const status of [...(pod.status?.initContainerStatuses ?? []), ...(pod.status?.containerStatuses ?? [])]) {
    containers.set(status.name, {
      state: stateOf(status, nowMs),
      restarts: status.restartCount ?? 0,
      containerId: status.containerID ?? '',
    })
  }
  const started = Date.parse(pod.status?.startTime ?? '')
  return {
    containers,
    hasSandbox: true,
    podIp: pod.status?.podIP,
    hostIp: pod.status?.hostIP,
    startedMs: Number.isNaN(started) ? nowMs : started,
  }
}

function stateOf(status: ContainerStatus, nowMs: number): ContainerState {
  const time = (text: string | undefined) => (text === undefined || Number.isNaN(Date.parse(text)) ? nowMs : Date.parse(text))
  const { running, terminated, waiting } = status.state ?? {}
  if (running !== undefined) return { kind: 'running', startedMs: time(running.startedAt), isReady: status.ready === true }
  if (terminated !== undefined) {
    return {
      kind: 'terminated',
      startedMs: time(terminated.startedAt),
      finishedMs: time(terminated.finishedAt),
      exitCode: terminated.exitCode ?? 0,
      reason: terminated.reason ?? 'Completed',
    }
  }
  return { kind: 'waiting', reason: waiting?.reason ?? 'ContainerCreating' }
}
