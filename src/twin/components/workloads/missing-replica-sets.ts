// ReplicaSets that a dump left out (`kubectl get all` in a hurry, a listing that was refused): rebuilt from their pods and the
// Deployment they must have been of, so that nothing rolls out when the dump is loaded. Pure.
import type { Deployment, KubeObject, OwnerReference, Pod, ReplicaSet } from '#kube/objects/objects.ts'
import { selectorFor } from '../selectors.ts'
import { annotatedSet, revisionAnnotation } from './deployment-sets.ts'
import { controllerOf, isActive } from './pod-state.ts'
import { controllerReference, templateHashLabel } from './pod-template.ts'

/** One set for each absent ReplicaSet whose pods carry its hash and match a Deployment of their namespace; it has the uid that they name. */
export function missingReplicaSets(objects: readonly KubeObject[]): readonly ReplicaSet[] {
  const present = new Set(objects.map(object => object.metadata.uid))
  const deployments = objects.filter(isDeployment)
  const groups = new Map<string, { readonly owner: OwnerReference; readonly pods: Pod[] }>()
  for (const pod of objects.filter(isPod)) {
    const owner = controllerOf(pod)
    if (owner?.kind !== 'ReplicaSet' || present.has(owner.uid) || pod.metadata.labels?.[templateHashLabel] === undefined) continue
    const group = groups.get(owner.uid) ?? { owner, pods: [] }
    group.pods.push(pod)
    groups.set(owner.uid, group)
  }
  return [...groups.values()].flatMap(({ owner, pods }) => {
    const first = pods[0]
    const deployment = first === undefined ? undefined : deployments.find(candidate => isOf(candidate, owner, first))
    return first === undefined || deployment === undefined ? [] : [rebuilt(deployment, owner, pods)]
  })
}

function isDeployment(object: KubeObject): object is Deployment {
  return object.kind === 'Deployment' && object.apiVersion === 'apps/v1'
}

function isPod(object: KubeObject): object is Pod {
  return object.kind === 'Pod' && object.apiVersion === 'v1'
}

function isOf(deployment: Deployment, owner: OwnerReference, pod: Pod): boolean {
  if (deployment.metadata.namespace !== pod.metadata.namespace) return false
  return (
    owner.name.startsWith(`${deployment.metadata.name}-`) && selectorFor(deployment.spec.selector).matches(pod.metadata.labels)
  )
}

/** The template is the Deployment's: a set amid a rollout cannot be told from the one before it. */
function rebuilt(deployment: Deployment, owner: OwnerReference, pods: readonly Pod[]): ReplicaSet {
  const hash = pods[0]?.metadata.labels?.[templateHashLabel] ?? ''
  const { template, selector } = deployment.spec
  const labels = { ...template.metadata?.labels, [templateHashLabel]: hash }
  const revision = deployment.metadata.annotations?.[revisionAnnotation] ?? '1'
  const set: ReplicaSet = {
    apiVersion: 'apps/v1',
    kind: 'ReplicaSet',
    metadata: {
      name: owner.name,
      namespace: deployment.metadata.namespace ?? '',
      uid: owner.uid,
      creationTimestamp: oldest(pods),
      generation: 1,
      labels,
      annotations: { [revisionAnnotation]: revision },
      ownerReferences: [controllerReference(deployment)],
    },
    spec: {
      replicas: pods.filter(isActive).length,
      selector: { ...selector, matchLabels: { ...selector.matchLabels, [templateHashLabel]: hash } },
      template: { ...template, metadata: { ...template.metadata, labels } },
    },
    status: { replicas: 0 },
  }
  return annotatedSet(deployment, set, 0)
}

function oldest(pods: readonly Pod[]): string {
  return (
    pods
      .map(pod => pod.metadata.creationTimestamp ?? '')
      .filter(text => text !== '')
      .toSorted()[0] ?? '2000-01-01T00:00:00Z'
  )
}
