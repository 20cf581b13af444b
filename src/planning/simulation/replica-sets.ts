// The ReplicaSets of Deployments: which one holds the pods of the present template, and a new one for a new template.

import type { KubeObject, PodTemplateSpec } from '#kube/objects/objects.ts'
import { replicaSetsOf } from './controllers.ts'
import { ownerReferenceTo, workloadSpec } from './pod-making.ts'
import type { World } from './world.ts'

export const hashLabel = 'pod-template-hash'

/** The object with fields of its spec changed. */
export function withSpec(object: KubeObject, change: Readonly<Record<string, unknown>>): KubeObject {
  return { ...object, spec: { ...workloadSpec(object), ...change } }
}

/** The ReplicaSet whose pods are of the Deployment's template: the one with pods, the newest where several have some; made where there is none. */
export function currentSet(world: World, deployment: KubeObject): KubeObject | undefined {
  const { template, replicas = 1 } = workloadSpec(deployment)
  if (template === undefined) return undefined
  const sets = replicaSetsOf(world, deployment)
  const hash = templateHash(template)
  const exact = sets.find(set => set.metadata.labels?.[hashLabel] === hash || isSameTemplate(set, template))
  return exact ?? sets.toSorted((a, b) => revisionOf(b) - revisionOf(a))[0] ?? madeSet(world, deployment, { template, replicas })
}

function revisionOf({ metadata }: KubeObject): number {
  return Number(metadata.annotations?.['deployment.kubernetes.io/revision'] ?? 0) || 0
}

function isSameTemplate(set: KubeObject, template: PodTemplateSpec): boolean {
  const own = workloadSpec(set).template
  if (own === undefined) return false
  const { [hashLabel]: _hash, ...labels } = own.metadata?.labels ?? {}
  return (
    stableText({ ...own.metadata, labels }) === stableText({ ...template.metadata, labels: template.metadata?.labels ?? {} }) &&
    stableText(own.spec) === stableText(template.spec)
  )
}

/** A new ReplicaSet for a template. */
export function madeSet(
  world: World,
  deployment: KubeObject,
  { template, replicas }: { readonly template: PodTemplateSpec; readonly replicas: number },
): KubeObject {
  const hash = templateHash(template)
  const labels = { ...template.metadata?.labels, [hashLabel]: hash }
  const revision = 1 + Math.max(0, ...replicaSetsOf(world, deployment).map(revisionOf))
  const { namespace = 'default', name } = deployment.metadata
  const set: KubeObject = {
    apiVersion: 'apps/v1',
    kind: 'ReplicaSet',
    metadata: {
      name: `${name}-${hash}`,
      namespace,
      uid: world.uid(),
      labels,
      annotations: { 'deployment.kubernetes.io/revision': String(revision) },
      ownerReferences: [ownerReferenceTo(deployment)],
    },
    spec: {
      replicas,
      selector: { matchLabels: { ...workloadSpec(deployment).selector?.matchLabels, [hashLabel]: hash } },
      template: { ...template, metadata: { ...template.metadata, labels } },
    },
  }
  world.put(set)
  return set
}

/** Five letters for a template, always the same (FNV-1a over its text with sorted keys). */
export function templateHash(template: PodTemplateSpec): string {
  let hash = 0x811c9dc5
  for (const character of stableText(template)) hash = Math.imul(hash ^ (character.codePointAt(0) ?? 0), 0x01000193) >>> 0
  return hash.toString(36).padStart(7, '0')
}

function stableText(value: unknown): string {
  return JSON.stringify(value, (_key, inner: unknown) =>
    typeof inner === 'object' && inner !== null && !Array.isArray(inner)
      ? Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : 1)))
      : inner,
  )
}
