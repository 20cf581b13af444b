// The page of the cluster as a part of `ballast apiserver`: what it reads, what tells viewers apart, and, only where it writes in the name of
// others, what its actions write. Rights are made from it as from the parts of capabilities; its life is the term's.

import type * as z from 'zod'
import type { Part } from '#coordination/capability.ts'
import { clusterNeeds } from '#coordination/facts/cluster-view.ts'
import type { Permission } from '#coordination/needs.ts'
import { nfsInventoryName } from '#coordination/shown-notes.ts'
import { writeRights } from '#dashboard/actions/needed-rights.ts'
import { dashboardSchema } from '#dashboard/configuration.ts'
import { pageNeeds } from '#dashboard/source/needs.ts'
import { dashboardSlice } from './apiserver-endpoint.ts'

export const pageSchema = dashboardSchema
type PageConfig = z.output<typeof pageSchema>

const usage: Permission = {
  groups: ['metrics.k8s.io'],
  resources: ['nodes', 'pods'],
  verbs: ['get', 'list'],
  because: 'shows usage, which cannot be watched',
}
const notes: Permission = {
  groups: [''],
  resources: ['configmaps'],
  names: [nfsInventoryName],
  verbs: ['get', 'list', 'watch'],
  because: 'shows what lies on shares of NFS and belongs to nobody',
}
const tokens: Permission = {
  groups: ['authentication.k8s.io'],
  resources: ['tokenreviews'],
  verbs: ['create'],
  because: 'asks who a viewer is',
}
const reviews: Permission = {
  groups: ['authorization.k8s.io'],
  resources: ['subjectaccessreviews'],
  verbs: ['create'],
  because: 'shows a viewer what that viewer may see',
}
const endpoint: readonly Permission[] = [
  {
    groups: ['discovery.k8s.io'],
    resources: ['endpointslices'],
    verbs: ['create'],
    scope: 'own-namespace',
    because: 'leads the Service of the page to whoever leads',
  },
  {
    groups: ['discovery.k8s.io'],
    resources: ['endpointslices'],
    names: [dashboardSlice],
    verbs: ['get', 'update', 'delete'],
    scope: 'own-namespace',
    because: 'leads the Service of the page to whoever leads',
  },
]

/** Actions of viewers whom a proxy names are written with the process's own rights. */
function writes(): readonly Permission[] {
  return [
    ...writeRights().map(
      ({ group, resource, verb }): Permission => ({
        groups: [group],
        resources: [resource],
        verbs: [verb],
        because: 'does what a viewer asks for by a button',
      }),
    ),
    { groups: ['events.k8s.io'], resources: ['events'], verbs: ['create'], because: 'tells what a viewer did' },
  ]
}

export const pagePart: Pick<Part<PageConfig>, 'needs' | 'permissions'> = {
  needs: [...clusterNeeds, ...pageNeeds],
  permissions: ({ auth: { mode }, actions }) => [
    usage,
    notes,
    ...(mode === 'loopback' ? [] : [reviews, ...endpoint]),
    ...(mode === 'token' ? [tokens] : []),
    ...(mode === 'proxy' && actions === true ? writes() : []),
  ],
}
