// What a write takes back of what was sent before anybody is noted as its owner: mostly the status, or all but the status.
import { hasSubresource, type ResourceType } from './resource-type.ts'

type Path = readonly string[]

/** Kinds whose status is written without any of their metadata. */
const bareStatus: ReadonlySet<string> = new Set([
  'apiservices.apiregistration.k8s.io',
  'flowschemas.flowcontrol.apiserver.k8s.io',
  'prioritylevelconfigurations.flowcontrol.apiserver.k8s.io',
  'resourceclaims.resource.k8s.io',
  'servicecidrs.networking.k8s.io',
  'validatingadmissionpolicies.admissionregistration.k8s.io',
  'volumeattachments.storage.k8s.io',
])

/** Kind, or kind and subresource, that differ from the rule. */
const exceptions: Readonly<Record<string, readonly Path[]>> = {
  'certificatesigningrequests.certificates.k8s.io': [['spec'], ['status']],
  'certificatesigningrequests.certificates.k8s.io/status': [['spec']],
  'certificatesigningrequests.certificates.k8s.io/approval': [['spec'], ['status', 'certificate']],
  'deployments.apps/status': [['spec'], ['metadata', 'labels']],
  'namespaces/finalize': [['status']],
  'pods/status': [['spec'], ['metadata', 'ownerReferences']],
}

/** Fields of which a write to the object or to a subresource of it changes nothing, and owns nothing. */
export function resetFields(type: ResourceType, subresource: string | undefined): readonly Path[] {
  const exception = exceptions[subresource === undefined ? type.key : `${type.key}/${subresource}`]
  if (exception !== undefined) return exception
  if (subresource === undefined) return hasSubresource(type, 'status') ? [['status']] : []
  if (subresource !== 'status') return []
  return type.custom !== undefined || bareStatus.has(type.key) ? [['metadata'], ['spec']] : [['spec']]
}
