// Which object of KEDA's has a workload, in a few words.
import type { KubeObject } from '#kube/objects/objects.ts'
import type { Ref } from '../../contract.ts'
import type { Picture } from '../../picture.ts'

const scalerKinds = ['ScaledObject.keda.sh', 'ScaledJob.keda.sh', 'HTTPScaledObject.http.keda.sh'] as const

/** `ScaledObject sonarr`; where none targets it the label that says so. */
export function scalerOf({ state, ownerLabel }: Picture, { kind, namespace, name }: Ref): string {
  for (const scalerKind of scalerKinds) {
    const found = state.objectsIn(scalerKind, namespace ?? '').find(scaler => targets(scaler, { kind, name }))
    if (found !== undefined) return `${found.kind} ${found.metadata.name}`
  }
  return `label ${ownerLabel.key}=${ownerLabel.values.keda}`
}

function targets(scaler: KubeObject, workload: { readonly kind: string; readonly name: string }): boolean {
  const spec: { readonly scaleTargetRef?: { readonly kind?: unknown; readonly name?: unknown } } =
    typeof scaler['spec'] === 'object' && scaler['spec'] !== null ? scaler['spec'] : {}
  const target = spec.scaleTargetRef
  return target?.name === workload.name && (target.kind ?? 'Deployment') === workload.kind
}

/** The owner matrix by the words that planning has for it, so that one reason has one name. `owner`: as the rule's data has it. */
export function ownerRule(owner: unknown): 'KedaManaged' | 'OwnerNone' | 'Unlabelled' {
  return owner === 'keda' ? 'KedaManaged' : owner === 'none' ? 'OwnerNone' : 'Unlabelled'
}
