// The kinds of node-feature-discovery, as its own definitions serve them; rules have a status besides, where ours are applied.

import * as z from 'zod'
import type { ServedKind } from '#coordination/capability.ts'
import { crd } from '#kube/schema/crd.ts'
import { nfdGroup, nfdVersion, nodeFeatureGroups, nodeFeatureRules, nodeFeatures, nodeResourceTopologies } from './names.ts'
import { nodeFeatureGroupSpec, nodeFeatureRuleSpec, nodeFeatureSpec } from './rules/rule-schema.ts'
import { topologyDefinition } from './topology/topology-schema.ts'

const condition = z.object({
  type: z.string(),
  status: z.enum(['True', 'False', 'Unknown']),
  reason: z.string(),
  message: z.string().optional(),
  lastTransitionTime: z.iso.datetime(),
  observedGeneration: z.int().optional(),
})

const ruleStatus = z.object({
  observedGeneration: z.int().optional(),
  matchedNodes: z.int().optional().describe('nodes that one of its rules matches'),
  evaluatedNodes: z.int().optional(),
  failedNodes: z.int().optional().describe('nodes on which one of its rules fails'),
  unknownFeatures: z.array(z.string()).optional().describe('features that its rules name and that no node has'),
  conditions: z
    .array(condition)
    .meta({ listType: 'map', keys: ['type'] })
    .optional(),
})

const groupStatus = z.object({
  nodes: z
    .array(z.object({ name: z.string() }))
    .meta({ listType: 'map', keys: ['name'] })
    .optional(),
})

export type RuleStatus = z.output<typeof ruleStatus>

const common = { group: nfdGroup, isBounded: false } as const
const version = { name: nfdVersion, readyColumn: false } as const

const definitions = [
  crd({ ...common, kind: 'NodeFeature', scope: 'Namespaced', versions: [{ ...version, spec: nodeFeatureSpec }] }),
  crd({
    ...common,
    kind: 'NodeFeatureRule',
    scope: 'Cluster',
    shortNames: ['nfr'],
    versions: [
      {
        ...version,
        spec: nodeFeatureRuleSpec,
        status: ruleStatus,
        printerColumns: [
          { name: 'Matched', type: 'integer', jsonPath: '.status.matchedNodes' },
          { name: 'Valid', type: 'string', jsonPath: '.status.conditions[?(@.type=="Valid")].status' },
        ],
      },
    ],
  }),
  crd({
    ...common,
    kind: 'NodeFeatureGroup',
    scope: 'Namespaced',
    shortNames: ['nfg'],
    versions: [{ ...version, spec: nodeFeatureGroupSpec, status: groupStatus }],
  }),
]

/** Adopted where upstream's definitions are there already; never deleted. */
export const featureKinds: readonly ServedKind[] = [
  ...[nodeFeatures, nodeFeatureRules, nodeFeatureGroups].map(({ resource }, at): ServedKind => {
    const definition = definitions[at]
    if (definition?.spec.names.plural !== resource) throw new Error(`no definition of ${resource}`)
    const { names, scope } = definition.spec
    return {
      group: nfdGroup,
      version: nfdVersion,
      kind: names.kind,
      plural: resource,
      scope,
      owner: 'upstream',
      definition: { ...definition },
    }
  }),
  {
    group: nodeResourceTopologies.group,
    version: nodeResourceTopologies.version,
    kind: 'NodeResourceTopology',
    plural: nodeResourceTopologies.resource,
    scope: 'Cluster',
    owner: 'upstream',
    definition: topologyDefinition,
  },
]
