// The definition of NodeResourceTopology, as schedulers that look at zones expect it: both versions, of which the later is stored. It has no spec, so that
// `crd.ts` does not make it.

import type { KubeObject } from '#kube/objects/objects.ts'
import { nodeResourceTopologies, topologyGroup, topologyVersion } from '../names.ts'

const text = { type: 'string' }
const listOf = (items: object) => ({ type: 'array', items })

const shape = (properties: object, ...required: readonly string[]) => ({
  type: 'object',
  properties,
  ...(required.length === 0 ? {} : { required }),
})

const amount = (description: string) => ({
  description,
  anyOf: [{ type: 'integer' }, { type: 'string' }],
  pattern: String.raw`^(\+|-)?(([0-9]+(\.[0-9]*)?)|(\.[0-9]+))(([KMGTPE]i)|[numkMGTPE]|([eE](\+|-)?(([0-9]+(\.[0-9]*)?)|(\.[0-9]+))))?$`,
  'x-kubernetes-int-or-string': true,
})

const attributes = listOf(shape({ name: text, value: text }, 'name', 'value'))
const costs = {
  ...listOf(shape({ name: text, value: { type: 'integer', format: 'int64' } }, 'name', 'value')),
  description: 'the distance to each zone',
}
const resources = listOf(
  shape(
    {
      name: text,
      capacity: amount('what there is'),
      allocatable: amount('what pods may have of it'),
      available: amount('what of that no pod has'),
    },
    'allocatable',
    'available',
    'capacity',
    'name',
  ),
)
const zones = listOf(shape({ name: text, type: text, parent: text, costs, attributes, resources }, 'name', 'type'))

const common = { apiVersion: text, kind: text, metadata: { type: 'object' }, topologyPolicies: listOf(text), zones }
const version = (name: string, schema: object) => ({
  name,
  served: true,
  storage: name === topologyVersion,
  schema: { openAPIV3Schema: schema },
})

export const topologyDefinition: KubeObject = {
  apiVersion: 'apiextensions.k8s.io/v1',
  kind: 'CustomResourceDefinition',
  metadata: {
    name: `${nodeResourceTopologies.resource}.${topologyGroup}`,
    // API servers take groups of Kubernetes only with the word of those who keep them.
    annotations: { 'api-approved.kubernetes.io': 'https://github.com/kubernetes/enhancements/pull/1870' },
  },
  spec: {
    group: topologyGroup,
    scope: 'Cluster',
    names: {
      kind: 'NodeResourceTopology',
      listKind: 'NodeResourceTopologyList',
      plural: nodeResourceTopologies.resource,
      singular: 'noderesourcetopology',
      shortNames: ['node-res-topo'],
    },
    versions: [
      version('v1alpha1', shape(common, 'topologyPolicies', 'zones')),
      version(topologyVersion, shape({ ...common, attributes }, 'zones')),
    ],
  },
}
