// What a held landing leaves behind. The landing gate opens towards one node: the pod's required node affinity names that node from then
// on, and no server lets it change. Whoever takes the pod's place is made from the template and is bound to nothing.
import type { KubeObject, NodeSelectorTerm, Pod, PodSpec } from '#kube/objects/objects.ts'

/** `pod` without the name of the node that it stands on in its required node affinity, where `workload`, whose template it is made from, asks for no node by name. */
export function withoutBond(pod: Pod, workload: KubeObject | undefined): Pod {
  const { nodeName, affinity } = pod.spec
  const terms = requiredTerms(pod.spec)
  const isBound = nodeName !== undefined && terms.length > 0 && terms.every(term => names(term, nodeName))
  const template = isBound ? templateSpec(workload) : undefined
  // A DaemonSet's own pods name their nodes for good, and no template says so.
  if (template === undefined || workload?.kind === 'DaemonSet' || requiredTerms(template).some(hasFields)) return pod
  const { requiredDuringSchedulingIgnoredDuringExecution: _bound, ...preferred } = affinity?.nodeAffinity ?? {}
  const own = terms.map(({ matchFields: _, ...term }) => term).filter(term => (term.matchExpressions?.length ?? 0) > 0)
  const required = own.length === 0 ? {} : { requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms: own } }
  return { ...pod, spec: { ...pod.spec, affinity: { ...affinity, nodeAffinity: { ...preferred, ...required } } } }
}

function names({ matchFields = [] }: NodeSelectorTerm, node: string): boolean {
  const [field, ...others] = matchFields
  return (
    others.length === 0 && field?.key === 'metadata.name' && field.operator === 'In' && (field.values ?? []).join('\n') === node
  )
}

const hasFields = ({ matchFields = [] }: NodeSelectorTerm): boolean => matchFields.length > 0

const requiredTerms = (spec: Pick<PodSpec, 'affinity'>): readonly NodeSelectorTerm[] =>
  spec.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution?.nodeSelectorTerms ?? []

function templateSpec(workload: KubeObject | undefined): Pick<PodSpec, 'affinity'> | undefined {
  const spec = workload?.['spec'] as { readonly template?: { readonly spec?: PodSpec } } | undefined
  return spec?.template?.spec
}
