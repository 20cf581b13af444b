// Which pods a controller owns: orphans that match are adopted, its own that no longer match are released.

import type { KubeObject, Pod } from '#kube/objects/objects.ts'
import type { Selector } from '#kube/objects/selector.ts'
import { isConflict, isNotFound } from '#kube/objects/status.ts'
import type { Writer } from '../../access.ts'
import type { ComponentContext } from '../component.ts'
import { controllerOf, isActive, isTerminating } from './pod-state.ts'
import { controllerReference } from './pod-template.ts'

interface Claim {
  readonly owner: KubeObject
  readonly selector: Selector
  readonly writer: Writer
}

/** The owner's pods after adopting and releasing, finished and terminating ones too. */
export function claimPods({ access, view }: ComponentContext, { owner, selector, writer }: Claim): readonly Pod[] {
  const uid = owner.metadata.uid ?? ''
  if (isTerminating(owner)) return view.podsOf(uid)
  for (const pod of view.podsOf(uid)) {
    if (isTerminating(pod) || selector.matches(pod.metadata.labels)) continue
    const ownerReferences = (pod.metadata.ownerReferences ?? []).filter(reference => reference.uid !== uid)
    rewrite(() => access.update('pods', { ...pod, metadata: { ...pod.metadata, ownerReferences } }, writer))
  }
  for (const pod of view.orphansIn(owner.metadata.namespace ?? '')) {
    if (controllerOf(pod) !== undefined || !isActive(pod) || !selector.matches(pod.metadata.labels)) continue
    const ownerReferences = [...(pod.metadata.ownerReferences ?? []), controllerReference(owner)]
    rewrite(() => access.update('pods', { ...pod, metadata: { ...pod.metadata, ownerReferences } }, writer))
  }
  return view.podsOf(uid)
}

/** A pod that changed or went meanwhile is left for the next time: its event brings the owner back. */
function rewrite(write: () => void): void {
  try {
    write()
  } catch (error) {
    if (!isConflict(error) && !isNotFound(error)) throw error
  }
}
