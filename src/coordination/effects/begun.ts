// What the cluster shows of an effect that an earlier leader may have begun.
import type { ClusterState } from '#cluster/cluster-state.ts'
import { kindKey } from '#cluster/ownership.ts'
import type { Api, ResourceApi } from '#kube/client/api.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { builtIn, type GroupVersionResource, parseApiVersion } from '#kube/objects/resource.ts'
import { isNotFound } from '#kube/objects/status.ts'
import { type Target, targetKey } from '../intent.ts'
import type { PermitRecord } from '../permits/permit-record.ts'
import { combinedChange } from '../policy/rollouts/combined-change.ts'
import { triggeredJobName } from './job-manifest.ts'
import { argoGroup, resourceOfRollout, restartMark } from './restart.ts'
import { restartAtOf } from './restart-at.ts'
import { carries, isMarked, restartedAtAnnotation, type Template } from './template-patch.ts'

/** The object of a target's name as it is now; `undefined` where there is none. */
export type Look = (target: Target) => KubeObject | undefined

/** What our watches show. */
export function lookIn(state: ClusterState): Look {
  return ({ apiVersion, kind, namespace, name }) => state.object(kindKey(apiVersion, kind), namespace, name)
}

const resourceOfKind: Readonly<Record<string, GroupVersionResource>> = {
  Pod: builtIn.pods,
  Deployment: builtIn.deployments,
  StatefulSet: builtIn.statefulsets,
  DaemonSet: builtIn.daemonsets,
  ReplicaSet: builtIn.replicasets,
  CronJob: builtIn.cronjobs,
  Job: builtIn.jobs,
}

function resourceOf(target: Target): GroupVersionResource | undefined {
  if (target.kind !== 'Rollout') return resourceOfKind[target.kind]
  return parseApiVersion(target.apiVersion).group === argoGroup ? resourceOfRollout(target) : undefined
}

/** What shows an effect: its targets, and the Job that it makes of a CronJob. */
function evidenceOf(record: PermitRecord): readonly Target[] {
  return record.targets.flatMap(target => (target.kind === 'CronJob' ? [target, triggeredJob(record, target)] : [target]))
}

function triggeredJob(record: PermitRecord, { apiVersion, namespace, name }: Target): Target {
  return { apiVersion, kind: 'Job', ...(namespace === undefined ? {} : { namespace }), name: triggeredJobName(name, record) }
}

/** What the server itself says, not a cache. `undefined` where a target is of a kind that is not read here. @throws what the server answers. */
export async function lookAtServer(api: Api, record: PermitRecord, signal: AbortSignal): Promise<Look | undefined> {
  const found = new Map<string, KubeObject | undefined>()
  for (const target of evidenceOf(record)) {
    const resource = resourceOf(target)
    if (resource === undefined) return undefined
    found.set(keyOf(target), await readOrNone(api.resource<KubeObject>(resource), target, signal))
  }
  return target => found.get(keyOf(target))
}

async function readOrNone(
  objects: ResourceApi<KubeObject>,
  { name, namespace }: Target,
  signal: AbortSignal,
): Promise<KubeObject | undefined> {
  try {
    return await objects.get(name, { namespace, signal, priority: 'effect' })
  } catch (error) {
    if (isNotFound(error)) return undefined
    throw error
  }
}

function keyOf(target: Target): string {
  return `${target.kind} ${targetKey(target)}`
}

/**
 * Whether the effect of a permit can be seen. The server ends each effect within 4 s, and the Lease outlives that: what cannot be seen by
 * a new leader, asking the server itself, did not happen.
 */
export function hasBegun(record: PermitRecord, look: Look): boolean {
  switch (record.verb) {
    case 'evict':
    case 'drain':
      return record.targets.some(target => target.kind === 'Pod' && isLeaving(look(target), target))
    case 'restart':
    case 'resize':
      // A resize without a rollout leaves no mark: its requester knows what it looks like half done.
      return record.targets.some(target => target.kind === 'Pod' || hasRestarted(record, target, look))
    case 'scale':
      return record.replicas === undefined || record.targets.some(target => replicasOf(look(target)) === record.replicas)
    case 'taint':
    case 'launch':
    case 'terminate':
      // Their requesters know what they look like half done.
      return true
  }
}

function hasRestarted(record: PermitRecord, target: Target, look: Look): boolean {
  const object = look(target)
  switch (target.kind) {
    case 'CronJob':
      return look(triggeredJob(record, target)) !== undefined
    case 'Job':
      return object === undefined || object.metadata.uid !== target.uid
    default:
      return hasBrought(record, object) || (object !== undefined && specOf(object).restartAt === restartAtOf(record))
  }
}

/**
 * Whether the template of `workload` says what the rollout of `record` writes. A rollout that neither marks nor changes the template (one
 * that is resumed) has left nothing to see, and may have been done.
 */
export function hasBrought(record: PermitRecord, workload: KubeObject | undefined): boolean {
  if (workload === undefined) return false
  const { template } = specOf(workload)
  if (isMarked(record)) return template?.metadata?.annotations?.[restartedAtAnnotation] === restartMark(record)
  const { change } = combinedChange(record)
  return change === undefined || carries(template, change)
}

function isLeaving(pod: KubeObject | undefined, target: Target): boolean {
  return pod === undefined || pod.metadata.uid !== target.uid || pod.metadata.deletionTimestamp !== undefined
}

interface WorkloadSpec {
  readonly replicas?: unknown
  readonly template?: Template
  readonly restartAt?: unknown
}

function specOf(object: KubeObject | undefined): WorkloadSpec {
  return typeof object?.['spec'] === 'object' && object['spec'] !== null ? object['spec'] : {}
}

function replicasOf(object: KubeObject | undefined): unknown {
  return specOf(object).replicas
}
