// When a pod of a side counts as there: it is Ready. Of some upstreams no pod is Ready alone, so the first that comes back only has to run.

import { listAt, textAt } from '#kube/objects/object-fields.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { valueAt } from '#upstreams/values-tree.ts'

/** Whether its condition `Ready` holds: of nodes and pods. */
export const hasReady = (object: KubeObject): boolean =>
  listAt(object, 'status', 'conditions').some(one => textAt(one, 'type') === 'Ready' && textAt(one, 'status') === 'True')

/** Whether a pod is there; `all` are the pods of its side in the cluster, this one included. */
export function isUp(pod: KubeObject, all: readonly KubeObject[], isUnreadyAlone: boolean): boolean {
  if (pod.metadata.deletionTimestamp !== undefined) return false
  if (hasReady(pod)) return true
  const others = all.filter(({ metadata }) => metadata.uid !== pod.metadata.uid)
  return isUnreadyAlone && others.length === 0 && isRunning(pod)
}

/** Whether all its containers run. */
function isRunning(pod: KubeObject): boolean {
  const statuses = listAt(pod, 'status', 'containerStatuses')
  return statuses.length > 0 && statuses.every(one => valueAt(one, ['state', 'running']) !== undefined)
}
