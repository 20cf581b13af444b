// The memory of a workload's last move, on the workload itself: planning reads it, so that nothing is moved back and forth.

import type { KubeObject } from '#kube/objects/objects.ts'
import { builtIn, type GroupVersionResource } from '#kube/objects/resource.ts'
import { isConflict, isInvalid, isNotFound } from '#kube/objects/status.ts'
import type { PlanMove } from '../api.ts'
import type { EffectContext } from '../effects/effect-context.ts'
import { lastMoveAnnotation } from './names.ts'

/** Kinds whose objects we annotate. What another controller owns is left as it is. */
const annotated: Readonly<Record<string, GroupVersionResource>> = {
  Deployment: builtIn.deployments,
  StatefulSet: builtIn.statefulsets,
  ReplicaSet: builtIn.replicasets,
}

/** `<from>→<to>@<RFC 3339>`. */
function lastMoveText(from: string, to: string, atMs: number): string {
  return `${from}→${to}@${new Date(atMs).toISOString().slice(0, 19)}Z`
}

/** Notes the move on its workload: metadata only, the template is not touched. Safe to repeat. */
export async function rememberMove(
  effects: EffectContext,
  done: { readonly move: PlanMove; readonly landedOn: string; readonly atMs: number; readonly requester: string },
  signal: AbortSignal,
): Promise<void> {
  const { workload, from } = done.move
  const resource = workload.apiVersion === 'apps/v1' ? annotated[workload.kind] : undefined
  if (resource === undefined) return
  effects.leadership.assert()
  const body = {
    metadata: { uid: workload.uid, annotations: { [lastMoveAnnotation]: lastMoveText(from, done.landedOn, done.atMs) } },
  }
  try {
    await effects.api
      .resource<KubeObject>(resource)
      .patch(
        workload.name,
        { type: 'merge', body },
        { namespace: workload.namespace, signal, fieldManager: `ballast-${done.requester}` },
      )
  } catch (error) {
    // Gone, or another object of its name: there is nothing to note it on.
    if (!isNotFound(error) && !isInvalid(error) && !isConflict(error)) throw error
  }
}
