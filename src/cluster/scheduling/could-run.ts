// Where pods of a template could run by what they ask of nodes; whether they would fit is not asked, for that changes.
import type { Deployment, Node, Pod, Taint } from '#kube/objects/objects.ts'
import { untoleratedTaint } from '#kube/objects/tolerations.ts'
import { requiredNodes } from './node-selector.ts'

/** By its selector, its affinity and its tolerations. */
export function couldRun(template: Pick<Deployment['spec']['template'], 'spec'>): (node: Node) => boolean {
  const pod: Pod = { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'any' }, spec: template.spec }
  const isRequired = requiredNodes(pod)
  const keepsOut = ({ effect }: Taint) => effect === 'NoSchedule' || effect === 'NoExecute'
  return node =>
    isRequired(node) && untoleratedTaint(template.spec.tolerations ?? [], node.spec?.taints ?? [], keepsOut) === undefined
}

/** Ready, and open to new pods. */
export function takesPods({ spec, status }: Node): boolean {
  const isReady = (status?.conditions ?? []).some(({ type, status: value }) => type === 'Ready' && value === 'True')
  return isReady && spec?.unschedulable !== true
}
