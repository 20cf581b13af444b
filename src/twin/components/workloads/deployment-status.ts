// What a Deployment says of itself: counts, Available, Progressing with its deadline. Pure.
import type { Condition, Deployment } from '#kube/objects/objects.ts'
import { conditionOf, timeText } from './pod-state.ts'

export interface DeploymentCondition extends Condition {
  readonly lastUpdateTime?: string
}

/** What the ReplicaSets of a Deployment say, summed up. */
export interface SetCounts {
  /** What the sets' specs ask for. */
  readonly desired: number
  readonly replicas: number
  readonly ready: number
  readonly available: number
  readonly terminating: number
}

export interface StatusInput {
  readonly deployment: Deployment
  readonly all: SetCounts
  /** Counts of the set with the current template; `undefined` before there is one. */
  readonly current: (SetCounts & { readonly name: string }) | undefined
  readonly unavailable: number
  /** The ReplicaFailure condition of a set, the current one first. */
  readonly failure: Condition | undefined
  readonly collisionCount: number | undefined
  readonly minorVersion: number
  readonly nowMs: number
}

interface DeploymentStatus {
  readonly observedGeneration: number
  readonly replicas: number
  readonly updatedReplicas: number
  readonly readyReplicas: number
  readonly availableReplicas: number
  readonly unavailableReplicas: number
  readonly terminatingReplicas?: number
  readonly collisionCount?: number
  readonly conditions: readonly DeploymentCondition[]
}

const defaultDeadlineSeconds = 600
/** Upstream's way to say that there is no deadline. */
const noDeadline = 2_147_483_647

/** The next status. `conditions` keep their order; times move only with what they stand for. */
export function deploymentStatus(input: StatusInput): DeploymentStatus {
  const { deployment, all, current, nowMs } = input
  const desired = deployment.spec.replicas ?? 1
  const counts = {
    replicas: all.replicas,
    updatedReplicas: current?.replicas ?? 0,
    readyReplicas: all.ready,
    availableReplicas: all.available,
    unavailableReplicas: Math.max(0, all.desired - all.available),
  }
  const nowText = timeText(nowMs)
  let conditions = setCondition(conditionsOf(deployment), availability(all.available >= desired - input.unavailable), nowText)
  conditions = progress(input, counts, conditions, nowText)
  if (input.failure !== undefined) conditions = setCondition(conditions, { ...input.failure, type: 'ReplicaFailure' }, nowText)
  else conditions = conditions.filter(condition => condition.type !== 'ReplicaFailure')
  return {
    observedGeneration: deployment.metadata.generation ?? 0,
    ...counts,
    ...(input.minorVersion >= 35 ? { terminatingReplicas: all.terminating } : {}),
    ...(input.collisionCount === undefined ? {} : { collisionCount: input.collisionCount }),
    conditions,
  }
}

/** Milliseconds until the rollout is late; `undefined` when it is finished, late already or has no deadline. */
export function untilDeadlineMs(deployment: Deployment, nowMs: number): number | undefined {
  const deadline = deployment.spec.progressDeadlineSeconds ?? defaultDeadlineSeconds
  const progressing = conditionOf(conditionsOf(deployment), 'Progressing')
  if (deadline === noDeadline || deployment.spec.paused === true || progressing === undefined) return undefined
  if (progressing.reason === 'NewReplicaSetAvailable' || progressing.reason === 'ProgressDeadlineExceeded') return undefined
  return Math.max(0, lastUpdateMs(progressing) + deadline * 1000 - nowMs)
}

export function conditionsOf(deployment: Deployment): readonly DeploymentCondition[] {
  return deployment.status?.conditions ?? []
}

/** With one condition set, which goes to the end: `lastUpdateTime` follows each change of reason or text, `lastTransitionTime` the status alone. */
export function setCondition(
  conditions: readonly DeploymentCondition[],
  next: Condition,
  nowText: string,
  isProgress = false,
): readonly DeploymentCondition[] {
  const before = conditions.find(condition => condition.type === next.type)
  if (before !== undefined && !isProgress && before.status === next.status && before.reason === next.reason) return conditions
  const lastTransitionTime = before?.status === next.status ? (before.lastTransitionTime ?? nowText) : nowText
  const replaced: DeploymentCondition = { ...next, lastUpdateTime: nowText, lastTransitionTime }
  return [...conditions.filter(condition => condition !== before), replaced]
}

function availability(isMet: boolean): Condition {
  if (isMet)
    return {
      type: 'Available',
      status: 'True',
      reason: 'MinimumReplicasAvailable',
      message: 'Deployment has minimum availability.',
    }
  return {
    type: 'Available',
    status: 'False',
    reason: 'MinimumReplicasUnavailable',
    message: 'Deployment does not have minimum availability.',
  }
}

type Counts = Pick<DeploymentStatus, 'replicas' | 'updatedReplicas' | 'readyReplicas' | 'availableReplicas'>

function progress(
  input: StatusInput,
  counts: Counts,
  conditions: readonly DeploymentCondition[],
  nowText: string,
): readonly DeploymentCondition[] {
  const { deployment, current } = input
  const deadline = deployment.spec.progressDeadlineSeconds ?? defaultDeadlineSeconds
  if (deadline === noDeadline) return conditions.filter(condition => condition.type !== 'Progressing')
  const before = conditionOf(conditions, 'Progressing')
  const isOver = before?.reason === 'NewReplicaSetAvailable' && counts.replicas === counts.updatedReplicas
  if (isOver || deployment.spec.paused === true) return conditions
  const subject = current === undefined ? `Deployment "${deployment.metadata.name}"` : `ReplicaSet "${current.name}"`
  const desired = deployment.spec.replicas ?? 1
  if (counts.updatedReplicas === desired && counts.replicas === desired && counts.availableReplicas === desired) {
    return setCondition(
      conditions,
      progressing('True', 'NewReplicaSetAvailable', `${subject} has successfully progressed.`),
      nowText,
    )
  }
  if (hasProgressed(deployment, counts)) {
    return setCondition(conditions, progressing('True', 'ReplicaSetUpdated', `${subject} is progressing.`), nowText, true)
  }
  const isLate =
    before !== undefined && before.reason !== 'NewReplicaSetAvailable' && lastUpdateMs(before) + deadline * 1000 <= input.nowMs
  if (isLate)
    return setCondition(
      conditions,
      progressing('False', 'ProgressDeadlineExceeded', `${subject} has timed out progressing.`),
      nowText,
    )
  return conditions
}

function progressing(status: 'True' | 'False', reason: string, message: string): Condition {
  return { type: 'Progressing', status, reason, message }
}

/** More updated, ready or available pods, or fewer old ones, than the status last said. */
function hasProgressed(deployment: Deployment, counts: Counts): boolean {
  const number = (field: string) => {
    const value = deployment.status?.[field]
    return typeof value === 'number' ? value : 0
  }
  return (
    counts.updatedReplicas > number('updatedReplicas') ||
    counts.replicas - counts.updatedReplicas < number('replicas') - number('updatedReplicas') ||
    counts.readyReplicas > number('readyReplicas') ||
    counts.availableReplicas > number('availableReplicas')
  )
}

function lastUpdateMs(condition: DeploymentCondition): number {
  return Date.parse(condition.lastUpdateTime ?? condition.lastTransitionTime ?? '') || 0
}
