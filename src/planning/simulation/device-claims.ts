// Claims of devices as their controller keeps them: made for pods that come, given back by those that go.

import type { ClusterState } from '#cluster/cluster-state.ts'
import { claimsToCome } from '#cluster/devices/claims-to-come.ts'
import type { ResourceClaim } from '#cluster/devices/device-shapes.ts'
import { withoutConsumer } from '#cluster/devices/pod-devices.ts'
import type { KubeObject, Pod } from '#kube/objects/objects.ts'

/** The claims of a world lie here. */
interface ClaimsOfWorld {
  readonly state: ClusterState
  put(object: KubeObject): void
  drop(object: KubeObject): void
}

/** The pod with the claims that are made for it from its templates; they are put into the world. */
export function withClaims(world: ClaimsOfWorld, pod: Pod): Pod {
  if ((pod.spec.resourceClaims ?? []).length === 0) return pod
  const { statuses, claims } = claimsToCome(world.state, pod)
  for (const [, claim] of claims) world.put(claim)
  return { ...pod, status: { ...pod.status, resourceClaimStatuses: statuses } }
}

/** Takes the claims of a pod that is gone away with it, and itself out of those that it shared. */
export function dropClaims(world: ClaimsOfWorld, { metadata, spec, status }: Pod): void {
  const claimNamed = (name: string): KubeObject | undefined => world.state.object('ResourceClaim', metadata.namespace, name)
  for (const { resourceClaimName = '' } of status?.resourceClaimStatuses ?? []) {
    const claim = claimNamed(resourceClaimName)
    if (claim !== undefined) world.drop(claim)
  }
  for (const { resourceClaimName } of spec.resourceClaims ?? []) {
    const claim = resourceClaimName === undefined ? undefined : claimNamed(resourceClaimName)
    // The cast names the kind that was looked up.
    if (claim !== undefined) world.put(withoutConsumer(claim as ResourceClaim, metadata.uid ?? ''))
  }
}
