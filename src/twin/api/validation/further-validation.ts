// Kinds that only the API server itself reads, or that few write: which of them has which rules.
import type { FieldError } from '#kube/objects/field-error.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import type { Draft } from '../../json-value.ts'
import { mutatingBindingProblems, mutatingPolicyProblems } from './admission-policy-validation.ts'
import { requestProblems } from './certificates/request-validation.ts'
import { deviceClassProblems } from './devices/device-parts.ts'
import { endpointsProblems, sliceProblems } from './endpoint-validation.ts'
import { flowSchemaProblems, priorityLevelProblems } from './flow-control-validation.ts'
import { addressProblems, ingressClassProblems, rangeProblems } from './network-validation.ts'
import { runtimeClassProblems, templateObjectProblems } from './runtime-validation.ts'
import {
  attachmentProblems,
  attributesClassProblems,
  driverNodeProblems,
  driverProblems,
  revisionProblems,
  storageCapacityProblems,
  storageClassProblems,
} from './storage-validation.ts'
import { volumeProblems } from './volumes/volume-validation.ts'
import { webhookProblems } from './webhook-validation.ts'

type Rule = (draft: Draft, before: Draft | undefined, minor: number) => readonly FieldError[]

const rules: Readonly<Record<string, Rule>> = {
  'certificatesigningrequests.certificates.k8s.io': requestProblems,
  'controllerrevisions.apps': revisionProblems,
  'csidrivers.storage.k8s.io': driverProblems,
  'csinodes.storage.k8s.io': driverNodeProblems,
  'csistoragecapacities.storage.k8s.io': storageCapacityProblems,
  'deviceclasses.resource.k8s.io': deviceClassProblems,
  endpoints: endpointsProblems,
  'endpointslices.discovery.k8s.io': sliceProblems,
  'flowschemas.flowcontrol.apiserver.k8s.io': flowSchemaProblems,
  'ingressclasses.networking.k8s.io': ingressClassProblems,
  'ipaddresses.networking.k8s.io': addressProblems,
  'mutatingadmissionpolicies.admissionregistration.k8s.io': mutatingPolicyProblems,
  'mutatingadmissionpolicybindings.admissionregistration.k8s.io': mutatingBindingProblems,
  'mutatingwebhookconfigurations.admissionregistration.k8s.io': webhookProblems,
  persistentvolumes: volumeProblems,
  podtemplates: templateObjectProblems,
  'prioritylevelconfigurations.flowcontrol.apiserver.k8s.io': priorityLevelProblems,
  'runtimeclasses.node.k8s.io': (draft, _before, minor) => runtimeClassProblems(draft, minor),
  'servicecidrs.networking.k8s.io': rangeProblems,
  'storageclasses.storage.k8s.io': storageClassProblems,
  'validatingwebhookconfigurations.admissionregistration.k8s.io': webhookProblems,
  'volumeattachments.storage.k8s.io': attachmentProblems,
  'volumeattributesclasses.storage.k8s.io': attributesClassProblems,
}

/** Everything that is wrong with an object of one of these kinds; nothing with others. `before` is what it was. */
export function furtherProblems(key: string, minor: number, draft: Draft, before?: KubeObject): readonly FieldError[] {
  const earlier = before === undefined ? undefined : { ...before }
  return Object.hasOwn(rules, key) ? (rules[key]?.(draft, earlier, minor) ?? []) : []
}
