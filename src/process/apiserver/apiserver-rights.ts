// The rights of the ServiceAccount `ballast-apiserver`: what the page reads, what tells viewers apart, and, only where it writes in the name
// of others, what its actions write.
import { clusterNeeds } from '#coordination/facts/cluster-view.ts'
import type { Right } from '#coordination/rbac.ts'
import { writeRights } from '#dashboard/actions/needed-rights.ts'
import { shownNeeds } from '#dashboard/source/needs.ts'
import { dashboardSlice } from './apiserver-endpoint.ts'

/** For whom a right is: everybody, who has viewers sign in, who writes for them, who is reached from outside of the pod. */
export type ApiserverNeed = 'always' | 'reviews' | 'tokens' | 'writes' | 'endpoint'

interface Grant {
  /** Default: `cluster`; `''` is our own namespace. */
  readonly place?: string
  readonly group: string
  readonly resource: string
  readonly verbs: readonly string[]
  readonly names?: readonly string[]
}

const own = ''
const read = ['get', 'list', 'watch'] as const

const grants: Readonly<Record<ApiserverNeed, readonly Grant[]>> = {
  always: [
    ...clusterNeeds.map(({ group, resource }) => ({ group, resource, verbs: read })),
    ...shownNeeds(own).flatMap(({ group, resource, namespaces = ['cluster'] }) =>
      namespaces.map(place => ({ place, group, resource, verbs: read })),
    ),
    // Usage cannot be watched.
    { group: 'metrics.k8s.io', resource: 'nodes', verbs: ['get', 'list'] },
    { group: 'metrics.k8s.io', resource: 'pods', verbs: ['get', 'list'] },
    { place: own, group: 'coordination.k8s.io', resource: 'leases', verbs: ['create', 'update'] },
    // Who leads is told beside the Lease.
    { place: own, group: 'events.k8s.io', resource: 'events', verbs: ['create', 'patch'] },
  ],
  tokens: [{ group: 'authentication.k8s.io', resource: 'tokenreviews', verbs: ['create'] }],
  reviews: [{ group: 'authorization.k8s.io', resource: 'subjectaccessreviews', verbs: ['create'] }],
  writes: [
    ...writeRights().map(({ group, resource, verb }) => ({ group, resource, verbs: [verb] })),
    { group: 'events.k8s.io', resource: 'events', verbs: ['create'] },
  ],
  endpoint: [
    { place: own, group: 'discovery.k8s.io', resource: 'endpointslices', verbs: ['create'] },
    {
      place: own,
      group: 'discovery.k8s.io',
      resource: 'endpointslices',
      names: [dashboardSlice],
      verbs: ['delete', 'get', 'update'],
    },
  ],
}

/** Every right, with when it is needed. In order, each once for each need. */
export function apiserverRights(): readonly { readonly need: ApiserverNeed; readonly right: Right }[] {
  const needs = Object.keys(grants) as readonly ApiserverNeed[]
  return needs.flatMap(need => {
    const rights = new Map<string, Right>()
    for (const { place = 'cluster', group, resource, verbs, names = [] } of grants[need])
      for (const verb of verbs) {
        const right: Right = { place, group, resource, names: [...names], verb }
        rights.set(JSON.stringify(right), right)
      }
    return [...rights.values()].map(right => ({ need, right }))
  })
}
