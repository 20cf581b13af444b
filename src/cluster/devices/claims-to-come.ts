// The claims that a controller will make for a pod that comes in another's place.

import type { Pod } from '#kube/objects/objects.ts'
import type { ClusterState } from '../state-shapes.ts'
import type { ResourceClaim, ResourceClaimTemplate } from './device-shapes.ts'
import { servedClaim } from './older-versions.ts'

interface ToCome {
  readonly statuses: readonly { readonly name: string; readonly resourceClaimName: string }[]
  /** By `namespace/name`. */
  readonly claims: readonly (readonly [string, ResourceClaim])[]
}

/** Stands for the end of a name that is not known yet. A template that is not there leaves its claim out: such a pod would wait. */
export function claimsToCome(state: ClusterState, pod: Pod): ToCome {
  const { namespace = 'default', name, uid = '' } = pod.metadata
  const owner = { apiVersion: 'v1', kind: 'Pod', name, uid, controller: true }
  const statuses: { name: string; resourceClaimName: string }[] = []
  const claims: (readonly [string, ResourceClaim])[] = []
  for (const { name: claim, resourceClaimTemplateName } of pod.spec.resourceClaims ?? []) {
    if (resourceClaimTemplateName === undefined) continue
    // The cast names the kind that was looked up.
    const template = state.object('ResourceClaimTemplate', namespace, resourceClaimTemplateName) as
      | ResourceClaimTemplate
      | undefined
    if (template === undefined) continue
    const made = `${name}-${claim}-to-come`
    statuses.push({ name: claim, resourceClaimName: made })
    claims.push([
      `${namespace}/${made}`,
      servedClaim({
        apiVersion: 'resource.k8s.io/v1',
        kind: 'ResourceClaim',
        metadata: { ...template.spec.metadata, name: made, namespace, uid: `${uid}-${claim}`, ownerReferences: [owner] },
        spec: template.spec.spec,
      }),
    ])
  }
  return { statuses, claims }
}
