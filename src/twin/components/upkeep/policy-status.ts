// The status of ValidatingAdmissionPolicies: what the types of the kinds that they match say of their expressions.
import { valueAt } from '../../json-value.ts'
import { type ComponentContext, controllerWriter } from '../component.ts'

const resource = 'validatingadmissionpolicies.admissionregistration.k8s.io'
const name = 'validatingadmissionpolicy-status'
const writer = { ...controllerWriter(`${name}-controller`), manager: name }

export function startPolicyStatus({ access, view, loop, policyWarnings }: ComponentContext): void {
  if (policyWarnings === undefined) return
  const queue = loop.queue(name, key => {
    const policy = access.get(resource, undefined, key)
    if (policy === undefined) return
    const { generation = 1 } = policy.metadata
    if (Number(valueAt(policy, 'status', 'observedGeneration') ?? 0) >= Number(generation)) return
    const warnings = policyWarnings(policy)
    const typeChecking = warnings.length === 0 ? {} : { expressionWarnings: warnings }
    const { apiVersion, kind } = policy
    const status = { observedGeneration: generation, typeChecking }
    access.apply(resource, { apiVersion, kind, metadata: { name: key }, status }, writer, { subresource: 'status' })
  })
  view.onAny(resource, ({ type, object }) => {
    if (type !== 'DELETED') queue.add(object.metadata.name)
  })
  for (const policy of access.list(resource)) queue.add(policy.metadata.name)
}
