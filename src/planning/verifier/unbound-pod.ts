// The pod that its template makes anew, in the verifier's own words.
import type { KubeObject, NodeSelectorTerm, Pod } from '#kube/objects/objects.ts'

const requiredTerms = ({ affinity }: Pick<Pod['spec'], 'affinity'>): readonly NodeSelectorTerm[] =>
  affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution?.nodeSelectorTerms ?? []

/** `pod` with the node affinity of its owner's template, where a held landing has bound it by name to the node that it stands on. */
export function unboundPod(pod: Pod, owner: KubeObject | undefined): Pod {
  const terms = requiredTerms(pod.spec)
  const isBound = terms.length > 0 && terms.every(({ matchFields = [] }) => isNamed(matchFields, pod.spec.nodeName))
  if (!isBound || owner === undefined || owner.kind === 'DaemonSet') return pod
  const { template } = owner['spec'] as { readonly template?: { readonly spec?: Pod['spec'] } }
  const written = template?.spec
  if (written === undefined || requiredTerms(written).some(({ matchFields = [] }) => matchFields.length > 0)) return pod
  const { nodeAffinity: _, ...others } = pod.spec.affinity ?? {}
  const { nodeAffinity } = written.affinity ?? {}
  return { ...pod, spec: { ...pod.spec, affinity: { ...others, ...(nodeAffinity && { nodeAffinity }) } } }
}

function isNamed(fields: NonNullable<NodeSelectorTerm['matchFields']>, node: string | undefined): boolean {
  const [field] = fields
  return fields.length === 1 && field?.key === 'metadata.name' && field.operator === 'In' && field.values?.join() === node
}
