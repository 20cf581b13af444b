// The words `kubectl get pods` shows for a pod: readiness, status, restarts.
import type { KubeObject } from '#kube/objects/objects.ts'
import { type Draft, fieldsAt, itemsAt, numberAt, textAt } from '../../json-value.ts'
import { ageOf } from './ages.ts'

interface PodWords {
  readonly ready: string
  readonly status: string
  readonly restarts: string
}

/** Ready, Status and Restarts of a pod. */
export function podWords(pod: KubeObject, nowMs: number): PodWords {
  const sidecars = new Set(
    itemsAt(pod, 'spec', 'initContainers')
      .filter(container => container['restartPolicy'] === 'Always')
      .map(container => container['name']),
  )
  const initStatuses = itemsAt(pod, 'status', 'initContainerStatuses')
  const statuses = itemsAt(pod, 'status', 'containerStatuses')
  const counted = [...statuses, ...initStatuses.filter(status => sidecars.has(status['name']))]
  const total = itemsAt(pod, 'spec', 'containers').length + sidecars.size
  const ready = counted.filter(
    status =>
      status['ready'] === true && (fieldsAt(status, 'state', 'running') !== undefined || fieldsAt(status, 'state') === undefined),
  ).length
  const initWord = initStatus(pod, sidecars)
  const word = initWord ?? containerStatus(pod, statuses)
  const relevant = initWord === undefined ? counted : initStatuses
  return { ready: `${ready}/${total}`, status: terminatingWord(pod, word), restarts: restartsText(relevant, nowMs) }
}

function terminatingWord(pod: KubeObject, word: string): string {
  if (pod.metadata.deletionTimestamp === undefined) return word
  if (textAt(pod, 'status', 'reason') === 'NodeLost') return 'Unknown'
  const phase = textAt(pod, 'status', 'phase')
  return phase === 'Succeeded' || phase === 'Failed' ? word : 'Terminating'
}

function baseWord(pod: KubeObject): string {
  const scheduled = itemsAt(pod, 'status', 'conditions').find(condition => condition['type'] === 'PodScheduled')
  const isGated = scheduled?.['reason'] === 'SchedulingGated'
  return isGated ? 'SchedulingGated' : (textAt(pod, 'status', 'reason') ?? textAt(pod, 'status', 'phase') ?? 'Unknown')
}

/** `Init:1/2` and the like while init containers run; undefined when they are done. */
function initStatus(pod: KubeObject, sidecars: ReadonlySet<unknown>): string | undefined {
  const total = itemsAt(pod, 'spec', 'initContainers').length
  for (const [index, status] of itemsAt(pod, 'status', 'initContainerStatuses').entries()) {
    const terminated = fieldsAt(status, 'state', 'terminated')
    if (terminated !== undefined && numberAt(terminated, 'exitCode') === 0) continue
    if (sidecars.has(status['name']) && status['started'] === true) continue
    if (terminated !== undefined) return `Init:${endWord(terminated)}`
    const waiting = textAt(status, 'state', 'waiting', 'reason') ?? ''
    return waiting !== '' && waiting !== 'PodInitializing' ? `Init:${waiting}` : `Init:${index}/${total}`
  }
  return undefined
}

function endWord(terminated: Draft): string {
  const reason = textAt(terminated, 'reason') ?? ''
  if (reason !== '') return reason
  const signal = numberAt(terminated, 'signal') ?? 0
  return signal !== 0 ? `Signal:${signal}` : `ExitCode:${numberAt(terminated, 'exitCode') ?? 0}`
}

function containerStatus(pod: KubeObject, statuses: readonly Draft[]): string {
  let word = baseWord(pod)
  let hasRunning = false
  for (const status of statuses.toReversed()) {
    const waiting = textAt(status, 'state', 'waiting', 'reason') ?? ''
    const terminated = fieldsAt(status, 'state', 'terminated')
    if (waiting !== '') word = waiting
    else if (terminated !== undefined) word = endWord(terminated)
    else if (status['ready'] === true && fieldsAt(status, 'state', 'running') !== undefined) hasRunning = true
  }
  if (word !== 'Completed' || !hasRunning) return word
  const isReady = itemsAt(pod, 'status', 'conditions').some(
    condition => condition['type'] === 'Ready' && condition['status'] === 'True',
  )
  return isReady ? 'Running' : 'NotReady'
}

function restartsText(statuses: readonly Draft[], nowMs: number): string {
  const restarts = statuses.reduce((sum, status) => sum + (numberAt(status, 'restartCount') ?? 0), 0)
  const ends = statuses.map(status => textAt(status, 'lastState', 'terminated', 'finishedAt')).filter(time => time !== undefined)
  const last = ends.toSorted().at(-1)
  return restarts === 0 || last === undefined ? String(restarts) : `${restarts} (${ageOf(last, nowMs)} ago)`
}
