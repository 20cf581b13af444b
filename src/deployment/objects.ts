// The installation as one list of objects with holes, and filled in: `manifests`, chart, Kustomize, doctor and uninstall all read this.
import type { Capability } from '#coordination/capability.ts'
import { assertHosted } from '#coordination/part-hosts.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { installedBy } from './capability-objects.ts'
import { evaluate, extraObjects } from './evaluate.ts'
import type { Release, Values } from './names.ts'
import { agentNamespaceObjects, agentObjects } from './objects/agent-objects.ts'
import { apiserverObjects } from './objects/apiserver-objects.ts'
import { controllerObjects } from './objects/controller-objects.ts'
import { gatewayObjects } from './objects/gateway-objects.ts'
import { monitoringObjects } from './objects/monitoring-objects.ts'
import { configurationObject, definitionObjects, namespaceObjects } from './objects/namespace-objects.ts'
import { ownNodePolicy } from './objects/own-node-policy.ts'
import { apiServiceObjects } from './objects/part-listeners.ts'
import { rightsObjects } from './objects/rights-objects.ts'
import type { ObjectTree } from './tree.ts'
import { jsonSchemaOf } from './values/values-schema.ts'

/** Everything that an installation may consist of, for every choice among `capabilities`. @throws PartRefusedError for parts that nobody would run */
export function installationTrees(capabilities: readonly Capability[]): readonly ObjectTree[] {
  assertHosted(capabilities)
  return [
    ...namespaceObjects(),
    ...definitionObjects(capabilities),
    ...rightsObjects(capabilities),
    ...ownNodePolicy(capabilities),
    configurationObject(jsonSchemaOf(capabilities)),
    ...agentNamespaceObjects(capabilities, jsonSchemaOf(capabilities)),
    ...controllerObjects(capabilities),
    ...apiserverObjects(capabilities),
    ...apiServiceObjects(capabilities),
    ...gatewayObjects(capabilities),
    ...agentObjects(capabilities),
    ...installedBy(capabilities).flatMap(one => one.objects(capabilities)),
    ...monitoringObjects(capabilities),
  ]
}

const treesOf = new WeakMap<readonly Capability[], readonly ObjectTree[]>()

/** What is to be applied, in the order in which it is applied: what others need comes first. Same input, same objects. */
export function objects(
  values: Values,
  options: { readonly capabilities: readonly Capability[]; readonly release: Release },
): readonly KubeObject[] {
  const { capabilities, release } = options
  const trees = treesOf.get(capabilities) ?? installationTrees(capabilities)
  treesOf.set(capabilities, trees)
  const filling = { values, release }
  const made = [...trees.flatMap(tree => evaluate(tree, filling)), ...extraObjects(filling)]
  return (made as readonly KubeObject[]).toSorted((a, b) => compare(a, b))
}

const applyOrder = [
  'Namespace',
  'PriorityClass',
  'ResourceQuota',
  'CustomResourceDefinition',
  'ServiceAccount',
  'ClusterRole',
  'ClusterRoleBinding',
  'Role',
  'RoleBinding',
  'ConfigMap',
  'Secret',
  'Service',
  'NetworkPolicy',
  'PodDisruptionBudget',
  // Without it a kubelet takes a driver for one of other ways.
  'CSIDriver',
  'DaemonSet',
  'Deployment',
  'APIService',
]

function compare(a: KubeObject, b: KubeObject): number {
  const keys = (object: KubeObject) => {
    const at = applyOrder.indexOf(object.kind)
    const { namespace = '', name } = object.metadata
    return [String(at < 0 ? applyOrder.length : at).padStart(3, '0'), at < 0 ? object.kind : '', namespace, name]
  }
  const left = keys(a)
  const right = keys(b)
  const differs = left.findIndex((part, at) => part !== right[at])
  return differs < 0 ? 0 : (left[differs] ?? '') < (right[differs] ?? '') ? -1 : 1
}
