// How many workloads can sleep: those that KEDA may take down to 0 replicas, and that exist.
import { kindKey } from '#cluster/ownership.ts'
import { fieldsOf, recordOf } from '#coordination/observed/object-fields.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import type { Overview } from '../../contract.ts'
import type { Picture } from '../../picture.ts'
import { scaleToZero } from '../../words/en.ts'

/** The least replicas by kind of scaler; KEDA's HTTP add-on makes a ScaledObject of each of its own. */
const scalers = [
  ['ScaledObject.keda.sh', leastOfScaledObject],
  ['HTTPScaledObject.http.keda.sh', leastOfHttpScaledObject],
] as const

/** The tile of the overview. A workload counts once, whoever scales it. */
export function scaleToZeroOf({ state }: Picture): Overview['scaleToZero'] {
  const targets = new Map<string, KubeObject>()
  for (const [kind, leastOf] of scalers)
    for (const scaler of state.objects(kind)) {
      if (leastOf(scaler) > 0) continue
      const {
        apiVersion = 'apps/v1',
        kind: targetKind = 'Deployment',
        name,
      } = recordOf(fieldsOf(scaler, 'spec')['scaleTargetRef'])
      if (typeof apiVersion !== 'string' || typeof targetKind !== 'string' || typeof name !== 'string') continue
      const { namespace } = scaler.metadata
      const target = state.object(kindKey(apiVersion, targetKind), namespace, name)
      if (target !== undefined) targets.set(`${targetKind} ${namespace ?? ''}/${name}`, target)
    }
  const can = targets.size
  const atZero = Array.from(targets.values()).filter(target => fieldsOf(target, 'spec')['replicas'] === 0).length
  return { can, atZero, sentence: scaleToZero({ can, atZero }) }
}

/** Down to `idleReplicaCount` where that is set, else to `minReplicaCount`, by default 0 (keda.sh/v1alpha1 of KEDA 2.18). */
function leastOfScaledObject(scaler: KubeObject): number {
  const { idleReplicaCount, minReplicaCount } = fieldsOf(scaler, 'spec')
  return wholeOr(idleReplicaCount, wholeOr(minReplicaCount, 0))
}

/** `spec.replicas.min`, by default 0 (http.keda.sh/v1alpha1 of the HTTP add-on 0.11). */
function leastOfHttpScaledObject(scaler: KubeObject): number {
  return wholeOr(recordOf(fieldsOf(scaler, 'spec')['replicas'])['min'], 0)
}

function wholeOr(value: unknown, otherwise: number): number {
  return typeof value === 'number' ? value : otherwise
}
