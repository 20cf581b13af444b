// Which claims pods have, for drivers that grow no volume in use.

import type { Informer } from '#kube/informers/informer-view.ts'
import type { Pod } from '#kube/objects/objects.ts'

const byClaim = 'claim'

/** Claims by the pods that name them, as far as these have not ended. */
export class ClaimsInUse {
  readonly #pods: Informer<Pod>

  constructor(pods: Informer<Pod>) {
    this.#pods = pods
    pods.store.addIndex(byClaim, claimKeys)
  }

  /** `key`: `namespace/name` of the claim. */
  has(key: string): boolean {
    for (const _ of this.#pods.store.byIndex(byClaim, key)) return true
    return false
  }
}

function claimKeys({ metadata, spec, status }: Pod): readonly string[] {
  if (status?.phase === 'Failed' || status?.phase === 'Succeeded') return []
  return (spec.volumes ?? []).flatMap(({ persistentVolumeClaim }) =>
    persistentVolumeClaim === undefined ? [] : [`${metadata.namespace}/${persistentVolumeClaim.claimName}`],
  )
}
