// Pods with persistent volumes stay: all of them, or those of certain storage classes.
import type { ClusterState, PodState } from '#cluster/cluster-state.ts'
import { textIn } from '#cluster/loose-fields.ts'
import { type Rule, refuse } from './filter-rule.ts'

/** Claims named by volumes; those of generic ephemeral volumes are not seen, as upstream. */
export function claimRule(protectedClasses: readonly string[], state: ClusterState): Rule {
  const claimsOf = (pod: PodState) =>
    (pod.object.spec.volumes ?? []).flatMap(({ persistentVolumeClaim: claim }) => (claim ? [claim.claimName] : []))
  if (protectedClasses.length === 0) return refuse(pod => claimsOf(pod).length > 0, 'pod with PVC is protected against eviction')
  const refusal = (pod: PodState) => {
    const classes = claimsOf(pod).map(claim => storageClass(state, { namespace: pod.namespace, claim }))
    const unread = classes.find(found => !found.ok)
    if (unread !== undefined) return unread.name
    const found = classes.find(({ name }) => protectedClasses.includes(name))
    return found && `pod using protected storage class "${found.name}"`
  }
  return { refusal, isOfShape: true }
}

/** The class of a claim; not ok: upstream's text of why there is none. */
function storageClass(
  state: ClusterState,
  { namespace, claim }: { readonly namespace: string; readonly claim: string },
): { readonly ok: boolean; readonly name: string } {
  const found = state.object('PersistentVolumeClaim', namespace, claim)
  if (found === undefined) {
    const text = `failed to get persistent volume claim "${namespace}"/"${claim}": persistentvolumeclaim "${claim}" not found`
    return { ok: false, name: text }
  }
  const spec = found['spec']
  const name = typeof spec === 'object' && spec !== null ? (textIn({ ...spec }, 'storageClassName') ?? '') : ''
  return name === ''
    ? { ok: false, name: `failed to resolve storage class for pod "${namespace}"/"${claim}"` }
    : { ok: true, name }
}
