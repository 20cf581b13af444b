// Ephemeral containers on the kubelet's side: each is pulled and started once its pod has a sandbox, beside what the pod does otherwise.
import type { Container, ContainerStatus, Pod } from '#kube/objects/objects.ts'
import { type ComponentContext, kubeletWriter } from '../component.ts'
import { isFinished, isTerminating, keyOf, splitKey, timeText } from '../workloads/pod-state.ts'
import { startMs } from './kubelet-profile.ts'
import type { PodRunEffects } from './pod-run.ts'
import { containerIdOf, imageIdOf } from './pod-status.ts'

interface Kubelet {
  isAlive(node: string): boolean
  /** What the pod's node can do. */
  effectsOn(pod: Pod): PodRunEffects
}

/** Ends one whose program has ended. */
interface EphemeralContainers {
  end(pod: Pod, name: string, exitCode: number): void
}

/** From an image that is not there until it is looked for again. */
const pullAgainMs = 10_000

/** Follows pods that get ephemeral containers. */
export function startEphemeralContainers(context: ComponentContext, kubelet: Kubelet): EphemeralContainers {
  const { view, loop, clock } = context
  /** When the container that is worked on is there, by the key of its pod. */
  const started = new Map<string, { readonly id: string; readonly atMs: number }>()
  const queue = loop.queue('kubelet ephemeral', key => {
    const { namespace, name } = splitKey(key)
    const pod = view.get('pods', namespace, name)
    if (pod === undefined || !hasWork(pod) || !kubelet.isAlive(pod.spec.nodeName ?? '')) return
    if (isFinished(pod))
      return write(
        context,
        pod,
        statusesOf(pod).map(status => ended(status, 137, 'Error', clock.now())),
      )
    const next = ephemeralOf(pod).find(one => isNew(pod, one.name))
    if (next === undefined) return
    const effects = kubelet.effectsOn(pod)
    const image = next.image ?? ''
    const id = `${pod.metadata.uid} ${next.name}`
    const error = effects.pullError(image)
    if (error !== undefined) {
      const reason = statusOf(pod, next.name)?.state?.waiting?.reason === 'ErrImagePull' ? 'ImagePullBackOff' : error
      if (reason !== 'ImagePullBackOff')
        effects.event({ type: 'Warning', reason: 'Failed', message: `Failed to pull image "${image}": not found` })
      put(context, pod, {
        ...waiting(next),
        state: { waiting: { reason, message: `failed to pull image "${image}": not found` } },
      })
      queue.addPeriodic(key, pullAgainMs)
      return
    }
    const work = started.get(key)
    if (work?.id !== id) {
      const isThere = next['imagePullPolicy'] !== 'Always' && effects.hasImage(image)
      if (!isThere) effects.event({ type: 'Normal', reason: 'Pulling', message: `Pulling image "${image}"` })
      const pull = isThere ? undefined : effects.pull(image)
      if (pull !== undefined) effects.pulled(image, pull.bytes)
      const delayMs = (pull?.totalMs ?? 0) + startMs(effects.random)
      started.set(key, { id, atMs: clock.elapsed() + delayMs })
      put(context, pod, waiting(next))
      queue.addAfter(key, delayMs)
      return
    }
    if (work.atMs > clock.elapsed() + 0.5) {
      queue.addAfter(key, work.atMs - clock.elapsed())
      return
    }
    started.delete(key)
    effects.event({ type: 'Normal', reason: 'Created', message: `Created container: ${next.name}` })
    effects.event({ type: 'Normal', reason: 'Started', message: `Started container ${next.name}` })
    put(context, pod, {
      ...waiting(next),
      imageID: imageIdOf(image),
      containerID: containerIdOf(effects.random),
      state: { running: { startedAt: timeText(clock.now()) } },
    })
    queue.add(key)
  })
  view.on('pods', ({ type, object }) => {
    if (type !== 'DELETED') {
      if (hasWork(object)) queue.add(keyOf(object))
      return
    }
    started.delete(keyOf(object))
    queue.remove(keyOf(object))
  })
  view.each('pods', pod => {
    if (hasWork(pod)) queue.add(keyOf(pod))
  })
  return {
    end: (pod, name, exitCode) => {
      const status = statusOf(pod, name)
      if (status?.state?.running === undefined) return
      put(context, pod, ended(status, exitCode, exitCode === 0 ? 'Completed' : 'Error', clock.now()))
    },
  }
}

/** One waits to be started, or runs on in a pod that is done. */
function hasWork(pod: Pod): boolean {
  const all = ephemeralOf(pod)
  if (all.length === 0 || !pod.spec.nodeName) return false
  if (isFinished(pod)) return statusesOf(pod).some(({ state }) => state?.running !== undefined)
  return !isTerminating(pod) && hasSandbox(pod) && all.some(one => isNew(pod, one.name))
}

function hasSandbox(pod: Pod): boolean {
  return (
    (pod.status?.containerStatuses ?? []).some(({ state }) => state?.running !== undefined) || pod.status?.podIP !== undefined
  )
}

function ephemeralOf(pod: Pod): readonly Container[] {
  return (pod.spec['ephemeralContainers'] as readonly Container[] | undefined) ?? []
}

function statusesOf(pod: Pod): readonly ContainerStatus[] {
  return (pod.status?.['ephemeralContainerStatuses'] as readonly ContainerStatus[] | undefined) ?? []
}

function statusOf(pod: Pod, name: string): ContainerStatus | undefined {
  return statusesOf(pod).find(status => status.name === name)
}

function isNew(pod: Pod, name: string): boolean {
  const state = statusOf(pod, name)?.state
  return state?.running === undefined && state?.terminated === undefined
}

function waiting({ name, image = '' }: Container): ContainerStatus & { readonly lastState: object } {
  const state = { waiting: { reason: 'ContainerCreating' } }
  return { name, image, imageID: '', ready: false, resources: {}, restartCount: 0, state, lastState: {} }
}

/** They are not started again. */
function ended(status: ContainerStatus, exitCode: number, reason: string, nowMs: number): ContainerStatus {
  const { running } = status.state ?? {}
  if (running === undefined) return status
  const { containerID } = status
  const terminated = {
    exitCode,
    reason,
    ...running,
    finishedAt: timeText(nowMs),
    ...(containerID === undefined ? {} : { containerID }),
  }
  return { ...status, state: { terminated } }
}

function put(context: ComponentContext, pod: Pod, status: ContainerStatus): void {
  const others = statusesOf(pod).filter(({ name }) => name !== status.name)
  const order = ephemeralOf(pod).map(({ name }) => name)
  write(
    context,
    pod,
    [...others, status].sort((one, other) => order.indexOf(one.name) - order.indexOf(other.name)),
  )
}

function write({ access }: ComponentContext, pod: Pod, statuses: readonly ContainerStatus[]): void {
  const status = { ...pod.status, ephemeralContainerStatuses: statuses }
  access.update('pods', { ...pod, status }, kubeletWriter(pod.spec.nodeName ?? ''), { subresource: 'status' })
}
