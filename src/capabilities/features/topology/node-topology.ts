// The NodeResourceTopology of a node, as it is applied: zones, the policies of its kubelet, kinds of processors, the pods it was made from.

import type { KubeObject, OwnerReference } from '#kube/objects/objects.ts'
import { topologyGroup, topologyVersion } from '../names.ts'
import { podsFingerprint } from './fingerprint.ts'
import type { TopologyPolicy } from './kubelet-policy.ts'
import { oldPolicyName } from './kubelet-policy.ts'
import type { HeldByPod } from './pod-resources-api.ts'
import type { zonesOf } from './zones.ts'

interface Parts {
  readonly node: string
  readonly zones: ReturnType<typeof zonesOf>['zones']
  readonly policy: TopologyPolicy
  readonly kindsOfCores: readonly (readonly [string, string])[]
  /** All pods that the kubelet told of; undefined: no fingerprint is wanted. */
  readonly pods: readonly HeldByPod[] | undefined
  readonly owners: readonly OwnerReference[]
}

/** The object as a whole. */
export function nodeTopology({ node, zones, policy, kindsOfCores, pods, owners }: Parts): KubeObject {
  const attributes: (readonly [string, string])[] = [
    ['topologyManagerPolicy', policy.policy],
    ['topologyManagerScope', policy.scope],
    ...kindsOfCores,
  ]
  if (pods !== undefined && pods.length > 0) attributes.push(['nodeTopologyPodsFingerprint', podsFingerprint(pods)])
  return {
    apiVersion: `${topologyGroup}/${topologyVersion}`,
    kind: 'NodeResourceTopology',
    metadata: { name: node, ...(owners.length === 0 ? {} : { ownerReferences: [...owners] }) },
    // Old schedulers read it.
    topologyPolicies: [oldPolicyName(policy)],
    attributes: attributes.map(([name, value]) => ({ name, value })),
    zones,
  }
}
