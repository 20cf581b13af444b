// What a StatefulSet does next to its pods. Pure: one list of actions, then the set waits for what they change.

/** One existing pod of the set. */
export interface OrdinalPod {
  readonly name: string
  readonly ordinal: number
  readonly revision: string
  readonly isFinished: boolean
  readonly isTerminating: boolean
  /** Phase Running and Ready, and for `minReadySeconds` so. */
  readonly isReady: boolean
  readonly isAvailable: boolean
}

export interface StatefulShape {
  readonly start: number
  readonly replicas: number
  readonly isOrdered: boolean
  readonly isOnDelete: boolean
  readonly partition: number
  readonly updateRevision: string
}

export type StatefulAction =
  | { readonly kind: 'create'; readonly ordinal: number; readonly revision: 'current' | 'update' }
  | { readonly kind: 'delete'; readonly name: string; readonly why: 'finished' | 'scaled-down' | 'updated' }

/** Empty when the set is as it should be or has to wait. */
export function statefulSetActions(shape: StatefulShape, pods: readonly OrdinalPod[]): readonly StatefulAction[] {
  const end = shape.start + shape.replicas
  const byOrdinal = new Map(pods.map(pod => [pod.ordinal, pod]))
  const condemned = pods.filter(pod => pod.ordinal < shape.start || pod.ordinal >= end).toSorted((a, b) => b.ordinal - a.ordinal)
  const actions: StatefulAction[] = []
  for (let ordinal = shape.start; ordinal < end; ordinal++) {
    const pod = byOrdinal.get(ordinal)
    const action = replicaAction(shape, ordinal, pod)
    if (action !== undefined) actions.push(action)
    const mustWait = action !== undefined || pod === undefined || pod.isTerminating || !pod.isReady || !pod.isAvailable
    if (shape.isOrdered && mustWait) return actions
  }
  if (condemned.length > 0) return [...actions, ...scaleDown(shape, condemned, byOrdinal)]
  if (actions.length > 0 || shape.isOnDelete) return actions
  return rollingUpdate(shape, byOrdinal)
}

function replicaAction(shape: StatefulShape, ordinal: number, pod: OrdinalPod | undefined): StatefulAction | undefined {
  if (pod === undefined)
    return { kind: 'create', ordinal, revision: ordinal < shape.start + shape.partition ? 'current' : 'update' }
  if (pod.isFinished && !pod.isTerminating) return { kind: 'delete', name: pod.name, why: 'finished' }
  return undefined
}

/** Highest first; in order one at a time, each gone before the next, and only while the others are well (the unhealthiest excepted). */
function scaleDown(
  shape: StatefulShape,
  condemned: readonly OrdinalPod[],
  byOrdinal: ReadonlyMap<number, OrdinalPod>,
): readonly StatefulAction[] {
  const actions: StatefulAction[] = []
  const ordinals = [...byOrdinal.keys()].sort((a, b) => a - b)
  const firstUnhealthy = ordinals.map(ordinal => byOrdinal.get(ordinal)).find(pod => pod !== undefined && !isHealthy(pod))
  for (const pod of condemned) {
    if (pod.isTerminating) {
      if (shape.isOrdered) return actions
      continue
    }
    if (shape.isOrdered && !pod.isAvailable && pod !== firstUnhealthy) return actions
    actions.push({ kind: 'delete', name: pod.name, why: 'scaled-down' })
    if (shape.isOrdered) return actions
  }
  return actions
}

/**
 * From the highest ordinal down to the partition, one at a time; what is not well above waits for nothing below. A broken pod of
 * the new revision holds the update up, also one back to the old revision: upstream's forced-rollback trap.
 */
function rollingUpdate(shape: StatefulShape, byOrdinal: ReadonlyMap<number, OrdinalPod>): readonly StatefulAction[] {
  const end = shape.start + shape.replicas
  for (let ordinal = end - 1; ordinal >= shape.start + shape.partition; ordinal--) {
    const pod = byOrdinal.get(ordinal)
    if (pod !== undefined && pod.revision !== shape.updateRevision && !pod.isTerminating)
      return [{ kind: 'delete', name: pod.name, why: 'updated' }]
    if (pod === undefined || !isHealthy(pod)) return []
  }
  return []
}

function isHealthy(pod: OrdinalPod): boolean {
  return pod.isReady && !pod.isTerminating
}
