// The ReplicaSets of a Deployment: which is the current one, what their annotations say, how a new one is made.
import type { Deployment, ReplicaSet } from '#kube/objects/objects.ts'
import { isSameContent } from '../same-content.ts'
import type { SetState } from './deployment-step.ts'
import { controllerReference, templateHash, templateHashLabel, templateText } from './pod-template.ts'

export const revisionAnnotation = 'deployment.kubernetes.io/revision'
const revisionHistoryAnnotation = 'deployment.kubernetes.io/revision-history'
const desiredAnnotation = 'deployment.kubernetes.io/desired-replicas'
const maxAnnotation = 'deployment.kubernetes.io/max-replicas'

/** Annotations of a Deployment that are its own and not copied to its sets. */
const notCopied = new Set([
  'kubectl.kubernetes.io/last-applied-configuration',
  'deprecated.deployment.rollback.to',
  revisionAnnotation,
  revisionHistoryAnnotation,
  desiredAnnotation,
  maxAnnotation,
])

/** The oldest set whose template is the Deployment's, the hash label left out. */
export function currentSet(deployment: Deployment, sets: readonly ReplicaSet[]): ReplicaSet | undefined {
  const wanted = templateText(deployment.spec.template)
  return sets.toSorted(byAge).find(set => templateText(set.spec.template) === wanted)
}

/**
 * For a Deployment that comes from a dump and has no set of equal template: the set it must have meant, by the revision both
 * carry, else its only set with pods. Servers of other versions default templates differently.
 */
export function meantSet(deployment: Deployment, sets: readonly ReplicaSet[]): ReplicaSet | undefined {
  const revision = deployment.metadata.annotations?.[revisionAnnotation]
  const sameRevision =
    revision === undefined ? undefined : sets.find(set => set.metadata.annotations?.[revisionAnnotation] === revision)
  if (sameRevision !== undefined) return sameRevision
  const withPods = sets.filter(set => (set.spec.replicas ?? 1) > 0)
  return withPods.length === 1 ? withPods[0] : undefined
}

/** 0 where the set has none. */
export function revisionOf(set: ReplicaSet): number {
  const text = set.metadata.annotations?.[revisionAnnotation]
  return text !== undefined && /^[0-9]{1,15}$/.test(text) ? Number(text) : 0
}

export function setState(set: ReplicaSet): SetState {
  const count = (name: string) => {
    const text = set.metadata.annotations?.[name]
    return text !== undefined && /^[0-9]{1,9}$/.test(text) ? Number(text) : undefined
  }
  return {
    name: set.metadata.name,
    replicas: set.spec.replicas ?? 1,
    // A set that was just told to shrink still counts pods that are about to go.
    available: Math.min(statusCount(set, 'availableReplicas'), set.spec.replicas ?? 1),
    desiredReplicas: count(desiredAnnotation),
    maxReplicas: count(maxAnnotation),
    createdMs: Date.parse(set.metadata.creationTimestamp ?? '') || 0,
  }
}

export function statusCount(set: ReplicaSet, field: string): number {
  const value = set.status?.[field]
  return typeof value === 'number' ? value : 0
}

/** The set with its annotations of sizing, and with another size where one is given. The same object when nothing differs. */
export function resized(
  set: ReplicaSet,
  sizes: { readonly to: number; readonly desired: number; readonly max: number },
): ReplicaSet {
  const annotations = {
    ...set.metadata.annotations,
    [desiredAnnotation]: String(sizes.desired),
    [maxAnnotation]: String(sizes.max),
  }
  const isSame = isSameContent(annotations, set.metadata.annotations ?? {}) && (set.spec.replicas ?? 1) === sizes.to
  return isSame ? set : { ...set, metadata: { ...set.metadata, annotations }, spec: { ...set.spec, replicas: sizes.to } }
}

/** The current set as the Deployment wants it annotated: its annotations copied, its revision after all old ones. */
export function annotatedSet(deployment: Deployment, set: ReplicaSet, oldRevision: number): ReplicaSet {
  const annotations: Record<string, string> = { ...set.metadata.annotations }
  for (const [name, value] of Object.entries(deployment.metadata.annotations ?? {}))
    if (!notCopied.has(name)) annotations[name] = value
  const before = revisionOf(set)
  if (before < oldRevision + 1) {
    annotations[revisionAnnotation] = String(oldRevision + 1)
    const history = annotations[revisionHistoryAnnotation]
    if (before > 0) annotations[revisionHistoryAnnotation] = history === undefined ? String(before) : `${history},${before}`
  }
  const minReadySeconds = deployment.spec.minReadySeconds ?? 0
  const isSame = isSameContent(annotations, set.metadata.annotations ?? {}) && (set.spec.minReadySeconds ?? 0) === minReadySeconds
  return isSame ? set : { ...set, metadata: { ...set.metadata, annotations }, spec: { ...set.spec, minReadySeconds } }
}

interface NewSet {
  readonly oldRevision: number
  /** The name changes with it. */
  readonly collisions: number
  readonly sizes: { readonly to: number; readonly desired: number; readonly max: number }
}

/** A set for the Deployment's template, at once of its first size. */
export function newSet(deployment: Deployment, { oldRevision, collisions, sizes }: NewSet): ReplicaSet {
  const template = deployment.spec.template
  const hash = templateHash(templateText(template), collisions)
  const labels = { ...template.metadata?.labels, [templateHashLabel]: hash }
  const set: ReplicaSet = {
    apiVersion: 'apps/v1',
    kind: 'ReplicaSet',
    metadata: {
      name: `${deployment.metadata.name}-${hash}`,
      namespace: deployment.metadata.namespace ?? '',
      labels,
      ownerReferences: [controllerReference(deployment)],
    },
    spec: {
      replicas: sizes.to,
      minReadySeconds: deployment.spec.minReadySeconds ?? 0,
      selector: {
        ...deployment.spec.selector,
        matchLabels: { ...deployment.spec.selector.matchLabels, [templateHashLabel]: hash },
      },
      template: { ...template, metadata: { ...template.metadata, labels } },
    },
  }
  return resized(annotatedSet(deployment, set, oldRevision), sizes)
}

export function byAge(a: ReplicaSet, b: ReplicaSet): number {
  const [left, right] = [a.metadata.creationTimestamp ?? '', b.metadata.creationTimestamp ?? '']
  if (left !== right) return left < right ? -1 : 1
  return a.metadata.name < b.metadata.name ? -1 : 1
}
