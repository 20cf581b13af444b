// The CustomResourceDefinitions of our kinds, made from the schemas that also validate the objects.
import { crd } from '#kube/schema/crd.ts'
import {
  ballastGroup,
  ballastVersion,
  planKind,
  rebalancePlanSpec,
  rebalancePlanStatus,
  rebalancePolicySpec,
  rebalancePolicyStatus,
} from './api.ts'
import type { ServedKind } from './capability.ts'
import { disruptionPermitSpec, disruptionPermitStatus } from './permits/permit-schema.ts'

const common = { group: ballastGroup, categories: ['ballast'] } as const
const version = { name: ballastVersion, served: true, storage: true, readyColumn: false } as const

const policyDefinition = crd({
  ...common,
  kind: 'RebalancePolicy',
  plural: 'rebalancepolicies',
  scope: 'Cluster',
  shortNames: ['rbpol'],
  versions: [
    {
      ...version,
      spec: rebalancePolicySpec,
      status: rebalancePolicyStatus,
      printerColumns: [
        { name: 'Mode', type: 'string', jsonPath: '.spec.mode' },
        { name: 'Schedule', type: 'string', jsonPath: '.spec.schedule' },
        { name: 'Valid', type: 'string', jsonPath: '.status.conditions[?(@.type=="Valid")].status' },
        { name: 'Last Plan', type: 'string', jsonPath: '.status.lastPlan' },
        { name: 'Isolation', type: 'string', jsonPath: '.status.isolation.phase' },
      ],
    },
  ],
})

const planDefinition = crd({
  ...common,
  kind: planKind,
  plural: 'rebalanceplans',
  scope: 'Cluster',
  shortNames: ['rbplan'],
  versions: [
    {
      ...version,
      spec: rebalancePlanSpec,
      status: rebalancePlanStatus,
      printerColumns: [
        { name: 'Policy', type: 'string', jsonPath: '.spec.policyRef.name' },
        { name: 'Phase', type: 'string', jsonPath: '.status.phase' },
        { name: 'Moves', type: 'integer', jsonPath: '.status.objective.moves' },
        { name: 'At Least', type: 'integer', jsonPath: '.status.objective.atLeast' },
        { name: 'Goals Met', type: 'string', jsonPath: '.status.conditions[?(@.type=="GoalsMet")].status' },
      ],
    },
  ],
})

/** The rules of the status see what is changed in it; this one sees it taken away as a whole. */
const releaseStays = {
  rule: '!has(oldSelf.status) || !has(oldSelf.status.releasedAt) || has(self.status)',
  message: 'the status of a permit that was released cannot be taken away',
}

const permitDefinition = crd({
  ...common,
  kind: 'DisruptionPermit',
  plural: 'disruptionpermits',
  scope: 'Namespaced',
  shortNames: ['permit'],
  versions: [
    {
      ...version,
      spec: disruptionPermitSpec,
      status: disruptionPermitStatus,
      cel: [releaseStays],
      printerColumns: [
        { name: 'Requester', type: 'string', jsonPath: '.spec.requester' },
        { name: 'Verb', type: 'string', jsonPath: '.spec.verb' },
        { name: 'Target', type: 'string', jsonPath: '.spec.targets[0].name' },
        { name: 'Token', type: 'integer', jsonPath: '.spec.grant.token' },
        { name: 'Ending', type: 'string', jsonPath: '.status.ending' },
      ],
    },
  ],
})

const ours = { group: ballastGroup, version: ballastVersion, owner: 'ours' } as const

/** RebalancePolicy, RebalancePlan and DisruptionPermit, with their definitions. */
export const ballastKinds: readonly ServedKind[] = [
  { ...ours, kind: 'RebalancePolicy', plural: 'rebalancepolicies', scope: 'Cluster', definition: { ...policyDefinition } },
  { ...ours, kind: planKind, plural: 'rebalanceplans', scope: 'Cluster', definition: { ...planDefinition } },
  { ...ours, kind: 'DisruptionPermit', plural: 'disruptionpermits', scope: 'Namespaced', definition: { ...permitDefinition } },
]
