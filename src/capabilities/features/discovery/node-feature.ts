// The NodeFeature that a worker publishes of its node.

import type { KubeObject } from '#kube/objects/objects.ts'
import type { FeatureSet } from '../matching/feature-set.ts'
import { nfdGroup, nfdVersion, nodeNameLabel } from '../names.ts'
import type { Discovery } from './discover.ts'

/** Without the fields of the API server, of owners and of versions, which whoever publishes adds. */
export function nodeFeature(node: string, { features, labels }: Discovery): KubeObject {
  return {
    apiVersion: `${nfdGroup}/${nfdVersion}`,
    kind: 'NodeFeature',
    metadata: { name: node, labels: { [nodeNameLabel]: node } },
    spec: { features: served(features), labels: sortedFields(labels, value => value) },
  }
}

function served({ flags, attributes, instances }: FeatureSet): object {
  return {
    flags: sortedFields(flags, names => ({ elements: Object.fromEntries([...names].sort().map(name => [name, {}])) })),
    attributes: sortedFields(attributes, elements => ({ elements: sortedFields(elements, value => value) })),
    instances: sortedFields(instances, elements => ({
      elements: elements.map(attributesOf => ({ attributes: sortedFields(attributesOf, value => value) })),
    })),
  }
}

function sortedFields<From, To>(from: ReadonlyMap<string, From>, to: (value: From) => To): Readonly<Record<string, To>> {
  return Object.fromEntries([...from].sort(([left], [right]) => (left < right ? -1 : 1)).map(([key, value]) => [key, to(value)]))
}
