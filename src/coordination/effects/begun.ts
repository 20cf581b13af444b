// What the cluster shows of an effect that an earlier leader may have begun.
import type { ClusterState } from '#cluster/cluster-state.ts'
import { targetKey } from '../intent.ts'
import type { PermitRecord } from '../permit-record.ts'
import { restartedAtAnnotation } from './restart.ts'

/**
 * Whether the effect of a permit can be seen. The server ends each effect within 4 s, and the Lease outlives that: what is not seen
 * when a new leader has synced did not happen.
 */
export function hasBegun(record: PermitRecord, state: ClusterState): boolean {
  switch (record.verb) {
    case 'evict':
    case 'drain':
      return record.targets.some(target => {
        if (target.kind !== 'Pod') return false
        const pod = state.pods.get(targetKey(target))
        return pod === undefined || pod.uid !== target.uid || pod.isTerminating
      })
    case 'restart':
      return record.targets.some(target => restartedAtOf(state, target) === new Date(record.grant?.atMs ?? 0).toISOString())
    case 'resize':
    case 'scale':
    case 'taint':
    case 'launch':
    case 'terminate':
      // Their requesters know what they look like half done.
      return true
  }
}

function restartedAtOf(
  state: ClusterState,
  target: { readonly kind: string; readonly namespace?: string; readonly name: string },
): string | undefined {
  const object = state.object(target.kind, target.namespace, target.name)
  const spec: { readonly template?: { readonly metadata?: { readonly annotations?: Readonly<Record<string, string>> } } } =
    typeof object?.['spec'] === 'object' && object['spec'] !== null ? object['spec'] : {}
  return spec.template?.metadata?.annotations?.[restartedAtAnnotation]
}
