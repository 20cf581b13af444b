// The volume claims of a StatefulSet: made once for each ordinal, and owned by set or pod where they are to go with it.
import type { KubeObject, OwnerReference, PersistentVolumeClaim, Pod, StatefulSet } from '#kube/objects/objects.ts'
import { isAlreadyExists } from '#kube/objects/status.ts'
import type { Writer } from '../../access.ts'
import type { ComponentContext } from '../component.ts'
import { isSameContent } from '../same-content.ts'
import { controllerReference } from './pod-template.ts'

interface NamedClaim {
  readonly volume: { readonly name: string; readonly persistentVolumeClaim: { readonly claimName: string } }
  readonly claim: KubeObject
}

/** The claims of one ordinal and the volumes by which its pod uses them. */
export function claimsOf(set: StatefulSet, ordinal: number): readonly NamedClaim[] {
  return (set.spec.volumeClaimTemplates ?? []).map(template => {
    const claimName = `${template.metadata.name}-${set.metadata.name}-${ordinal}`
    const { matchLabels } = set.spec.selector
    const claim: KubeObject = {
      apiVersion: 'v1',
      kind: 'PersistentVolumeClaim',
      metadata: {
        name: claimName,
        namespace: set.metadata.namespace ?? '',
        labels: { ...template.metadata.labels, ...matchLabels },
        ...(template.metadata.annotations === undefined ? {} : { annotations: template.metadata.annotations }),
      },
      spec: template['spec'],
    }
    return { volume: { name: template.metadata.name, persistentVolumeClaim: { claimName } }, claim }
  })
}

/** Claims outlive their pods: one that is there is used again. False where it was there. */
export function makeClaim({ access, view }: ComponentContext, { claim }: NamedClaim, writer: Writer): boolean {
  const { namespace, name } = claim.metadata
  if (view.get('persistentvolumeclaims', namespace, name) !== undefined) return false
  try {
    access.create('persistentvolumeclaims', claim, writer)
    return true
  } catch (error) {
    if (!isAlreadyExists(error)) throw error
    return false
  }
}

interface Retention {
  readonly pods: readonly Pod[]
  readonly ordinalOf: (pod: Pod) => number | undefined
  readonly writer: Writer
}

/**
 * `persistentVolumeClaimRetentionPolicy`: a claim that is to go with the set is owned by the set, one that is to go when the set
 * shrinks by its pod as soon as that is surplus. The garbage collector does the rest.
 */
export function syncRetention(
  { access, view }: ComponentContext,
  set: StatefulSet,
  { pods, ordinalOf, writer }: Retention,
): void {
  const policy = (set.spec['persistentVolumeClaimRetentionPolicy'] ?? {}) as {
    readonly whenDeleted?: string
    readonly whenScaled?: string
  }
  const ordinals = (set.spec['ordinals'] ?? {}) as { readonly start?: number }
  const start = ordinals.start ?? 0
  const end = start + (set.spec.replicas ?? 1)
  for (const pod of pods) {
    const ordinal = ordinalOf(pod)
    if (ordinal === undefined) continue
    const isSurplus = ordinal < start || ordinal >= end
    const owners: OwnerReference[] = []
    if (isSurplus && policy.whenScaled === 'Delete') owners.push(controllerReference(pod))
    else if (policy.whenDeleted === 'Delete') owners.push(controllerReference(set))
    for (const { claim } of claimsOf(set, ordinal)) {
      const stored = view.get('persistentvolumeclaims', claim.metadata.namespace, claim.metadata.name)
      if (stored !== undefined) own({ access }, stored, { owners, pod, set, writer })
    }
  }
}

interface Ownership {
  readonly owners: readonly OwnerReference[]
  readonly pod: Pod
  readonly set: StatefulSet
  readonly writer: Writer
}

function own(
  { access }: Pick<ComponentContext, 'access'>,
  claim: PersistentVolumeClaim,
  { owners, pod, set, writer }: Ownership,
): void {
  const managed = new Set([pod.metadata.uid, set.metadata.uid])
  const before = claim.metadata.ownerReferences ?? []
  const ownerReferences = [...before.filter(reference => !managed.has(reference.uid)), ...owners]
  if (isSameContent(ownerReferences, before)) return
  access.update('persistentvolumeclaims', { ...claim, metadata: { ...claim.metadata, ownerReferences } }, writer)
}
