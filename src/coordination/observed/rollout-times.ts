// When a rollout that began before we watched replaced its last pod, and when it was done. Pure over the workload and its pods.
import type { KubeObject } from '#kube/objects/objects.ts'
import { fieldsOf, recordOf, revisionLabels, timeMs } from './object-fields.ts'
import { wantedRevision } from './template-changes.ts'
import type { Frame } from './workload-frame.ts'

/** How long a rollout is thought to take where nothing tells when it was done. */
const rolloutMs = 1_800_000

/**
 * When the rollout replaced its last pod, or the last one so far: where it is done, and says so, then; else when the youngest pod of the
 * present revision was made.
 */
export function lastReplacedMs(workload: KubeObject, { pods, beganMs }: Frame & { readonly beganMs: number }): number {
  const doneMs = completedMs(workload)
  if (doneMs !== undefined && doneMs >= beganMs) return doneMs
  const to = workload.kind === 'Deployment' ? undefined : wantedRevision(workload)
  const made = pods.flatMap(pod => {
    const isNew = to === undefined || revisionLabels.some(label => pod.metadata.labels?.[label] === to)
    const createdMs = isNew ? timeMs(pod.metadata.creationTimestamp) : undefined
    return createdMs !== undefined && createdMs <= beganMs + rolloutMs ? [createdMs] : []
  })
  return Math.max(beganMs, ...made)
}

/** When the present revision stood: the Deployment says so; of others it is thought to be half an hour after their template or themselves. */
export function rolledOutMs(
  workload: KubeObject,
  { current, rolledMs }: Frame & { readonly rolledMs: number | undefined },
): number | undefined {
  const createdMs = timeMs(current.metadata.creationTimestamp)
  const doneMs = completedMs(workload)
  if (doneMs !== undefined) return Math.max(doneMs, rolledMs ?? 0)
  const beganMs = Math.max(createdMs ?? 0, rolledMs ?? 0)
  return createdMs === undefined ? undefined : beganMs + rolloutMs
}

/** When a Deployment's last rollout was done, where its status says that it is. */
function completedMs(workload: KubeObject): number | undefined {
  const { conditions } = fieldsOf(workload, 'status')
  const progress = (Array.isArray(conditions) ? conditions : []).map(recordOf).find(({ type }) => type === 'Progressing')
  return progress?.['reason'] === 'NewReplicaSetAvailable' ? timeMs(progress['lastUpdateTime']) : undefined
}
