// What somebody else has begun on a workload and not finished: a rollout of it, or a drain of a node that takes its pods. Pure over
// what was observed, the workload, its pods and the nodes.
import type { PodState } from '#cluster/cluster-state.ts'
import type { KubeObject, Node } from '#kube/objects/objects.ts'
import { cordonOf } from './cordon.ts'
import { fieldsOf, recordOf, replicasOf, timeMs } from './object-fields.ts'
import type { Observation } from './observation.ts'

export interface UnderWay {
  readonly kind: 'rollout' | 'drain'
  readonly by: string
  readonly sinceMs: number
}

/** Without a new pod for so long it is stuck, where the workload names no other time, in milliseconds: as the API server defaults it. */
const stuckAfterMs = 600_000
/** However it goes on, it counts for no longer, in milliseconds. */
const countsForMs = 3_600_000

interface Context {
  /** Observations of the workload, oldest first. */
  readonly observed: readonly Observation[]
  readonly workload: KubeObject | undefined
  /** All of the workload. */
  readonly pods: readonly PodState[]
  readonly node: (name: string) => Node | undefined
  readonly nowMs: number
}

/** `undefined`: others have nothing under way, or what they have is stuck, and a change may be what it needs. */
export function underWay({ observed, workload, pods, node, nowMs }: Context): UnderWay | undefined {
  if (workload === undefined) return undefined
  const rollout = observed.findLast(({ kind }) => kind === 'rollout')
  if (rollout !== undefined && isRollingOut(workload) && isMoving(rollout, { workload, pods, nowMs })) {
    return { kind: 'rollout', by: rollout.by, sinceMs: rollout.atMs }
  }
  const drain = observed.findLast(one => one.kind === 'drain' || (one.kind === 'pod-lost' && one.nodes.some(isCordoned)))
  if (drain === undefined || !isMoving(drain, { workload, pods, nowMs })) return undefined
  const isToGo = pods.some(pod => pod.nodeName !== undefined && drain.nodes.includes(pod.nodeName) && isCordoned(pod.nodeName))
  return isToGo || lacksPods(workload, pods) ? { kind: 'drain', by: drain.by, sinceMs: drain.atMs } : undefined

  function isCordoned(name: string): boolean {
    const found = node(name)
    return found !== undefined && cordonOf(found) !== undefined
  }
}

function isMoving(
  { atMs }: Observation,
  { workload, pods, nowMs }: Pick<Context, 'pods' | 'nowMs'> & { workload: KubeObject },
): boolean {
  const { progressDeadlineSeconds } = fieldsOf(workload, 'spec')
  const limitMs = typeof progressDeadlineSeconds === 'number' ? progressDeadlineSeconds * 1000 : stuckAfterMs
  const newestMs = pods.reduce((latest, { object }) => Math.max(latest, timeMs(object.metadata.creationTimestamp) ?? 0), atMs)
  return nowMs < Math.min(newestMs + limitMs, atMs + countsForMs)
}

/** As `kubectl rollout status` asks it; a paused one goes on when somebody says so, and one past its deadline has failed. */
function isRollingOut(workload: KubeObject): boolean {
  const spec = fieldsOf(workload, 'spec')
  const status = fieldsOf(workload, 'status')
  const count = (name: string) => (typeof status[name] === 'number' ? status[name] : 0)
  if (count('observedGeneration') < (workload.metadata.generation ?? 0)) return true
  const wanted = replicasOf(workload)
  switch (workload.kind) {
    case 'Deployment': {
      if (spec['paused'] === true || hasFailed(status)) return false
      const updated = count('updatedReplicas')
      return updated < wanted || count('replicas') > updated || count('availableReplicas') < updated
    }
    case 'StatefulSet': {
      const { partition } = recordOf(recordOf(spec['updateStrategy'])['rollingUpdate'])
      const toUpdate = wanted - (typeof partition === 'number' ? partition : 0)
      const isUpdated = status['updateRevision'] === status['currentRevision'] || count('updatedReplicas') >= toUpdate
      return !isUpdated || count('readyReplicas') < wanted
    }
    case 'DaemonSet': {
      const desired = count('desiredNumberScheduled')
      return count('updatedNumberScheduled') < desired || count('numberAvailable') < desired
    }
    default:
      return false
  }
}

function hasFailed({ conditions }: Readonly<Record<string, unknown>>): boolean {
  const all = Array.isArray(conditions) ? conditions.map(recordOf) : []
  return all.some(({ type, reason }) => type === 'Progressing' && reason === 'ProgressDeadlineExceeded')
}

/** Whether a pod is on its way out, or fewer are Ready than are wanted. */
function lacksPods(workload: KubeObject, pods: readonly PodState[]): boolean {
  if (pods.some(pod => pod.isTerminating)) return true
  return pods.filter(pod => pod.isReady).length < replicasOf(workload)
}
