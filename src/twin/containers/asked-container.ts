// Which container of a pod a request is about, and what a kubelet knows of it.
import type { KubeObject } from '#kube/objects/objects.ts'
import { badRequest } from '#kube/objects/status.ts'
import { fieldsAt, itemsAt, numberAt, textAt } from '../json-value.ts'
import type { ContainerRun } from './log-lines.ts'

const lists = ['containers', 'initContainers', 'ephemeralContainers'] as const

/** The container named, else the only one. @throws StatusError 400 where several could be meant, or none is */
export function askedContainer(pod: KubeObject, wanted: string): string {
  const [own, inits, ephemeral] = lists.map(list => itemsAt(pod, 'spec', list).map(one => textAt(one, 'name') ?? ''))
  if (wanted !== '') {
    if (![own, inits, ephemeral].some(names => names?.includes(wanted)))
      throw badRequest(`container ${wanted} is not valid for pod ${pod.metadata.name}`)
    return wanted
  }
  const [only, ...others] = own ?? []
  if (only !== undefined && others.length === 0) return only
  const names = [
    `, choose one of: [${(own ?? []).join(' ')}]`,
    ...((inits ?? []).length === 0 ? [] : [` or one of the init containers: [${(inits ?? []).join(' ')}]`]),
    ...((ephemeral ?? []).length === 0 ? [] : [` or one of the ephemeral containers: [${(ephemeral ?? []).join(' ')}]`]),
  ]
  throw badRequest(`a container name must be specified for pod ${pod.metadata.name}${only === undefined ? '' : names.join('')}`)
}

/** The container as the pod's spec has it, whichever list it is in. */
export function specOf(pod: KubeObject, name: string) {
  return lists.flatMap(list => itemsAt(pod, 'spec', list)).find(one => one['name'] === name)
}

/** The container as the pod's status has it; undefined before its kubelet has said anything. */
export function statusOf(pod: KubeObject, name: string) {
  return ['containerStatuses', 'initContainerStatuses', 'ephemeralContainerStatuses']
    .flatMap(list => itemsAt(pod, 'status', list))
    .find(one => one['name'] === name)
}

/** The run whose log is meant. @throws StatusError 400 in the kubelet's words where there is none */
export function loggedRun(pod: KubeObject, name: string, isPrevious: boolean): ContainerRun {
  const status = statusOf(pod, name)
  const which = `container ${JSON.stringify(name)} in pod ${JSON.stringify(pod.metadata.name)}`
  if (status === undefined) throw badRequest(`${which} is not available`)
  const last = endedRun(status, 'lastState')
  if (isPrevious) {
    if (last === undefined) throw badRequest(`previous terminated ${which} not found`)
    return last
  }
  const startedMs = Date.parse(textAt(status, 'state', 'running', 'startedAt') ?? '')
  if (!Number.isNaN(startedMs)) return { startedMs }
  const ended = endedRun(status, 'state') ?? last
  if (ended !== undefined) return ended
  const reason = textAt(status, 'state', 'waiting', 'reason')
  if (reason === undefined) throw badRequest(`${which} is waiting to start - no logs yet`)
  throw badRequest(`${which} is waiting to start: ${waitingWords[reason] ?? reason}`)
}

const waitingWords: Readonly<Record<string, string>> = {
  ErrImagePull: "image can't be pulled",
  ImagePullBackOff: 'trying and failing to pull image',
}

function endedRun(status: Readonly<Record<string, unknown>>, field: 'state' | 'lastState'): ContainerRun | undefined {
  const ended = fieldsAt(status, field, 'terminated')
  const startedMs = Date.parse(textAt(ended, 'startedAt') ?? '')
  // It was never created: a pull that failed for good, say.
  if (ended === undefined || textAt(ended, 'containerID') === undefined || Number.isNaN(startedMs)) return undefined
  const atMs = Date.parse(textAt(ended, 'finishedAt') ?? '')
  const exitCode = numberAt(ended, 'exitCode') ?? 0
  return { startedMs, ended: { atMs: Number.isNaN(atMs) ? startedMs : atMs, exitCode, reason: textAt(ended, 'reason') ?? '' } }
}
