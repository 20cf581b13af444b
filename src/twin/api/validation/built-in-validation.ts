// Rules of single built-in kinds: required fields, allowed values, and what an update may not change.

import { type FieldError, forbidden, invalid, notSupported, tooLong } from '#kube/objects/field-error.ts'
import { configKeyProblems } from '#kube/objects/names.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { apiServiceProblems } from '../../aggregation/api-service-problems.ts'
import { type Draft, fieldsAt, isFields, isSame, textAt, valueAt } from '../../json-value.ts'
import type { ApiServer } from '../api-server.ts'
import type { ResourceType } from '../resource-type.ts'
import { policyBindingProblems, policyProblems } from './admission-policy-validation.ts'
import { limitRangeProblems, scopeProblems } from './allowance-validation.ts'
import { autoscalerProblems } from './autoscaler-validation.ts'
import {
  addressUpdateProblems,
  attachmentUpdateProblems,
  claimChangeProblems,
  immutableDataProblems,
  jobUpdateProblems,
  volumeUpdateProblems,
} from './changes/fixed-fields.ts'
import { quotaProblems, secretTypeProblems } from './content-validation.ts'
import { definitionProblems } from './definition-validation.ts'
import { claimUpdateProblems, deviceClaimProblems } from './device-claim-validation.ts'
import { sliceProblems } from './devices/slice-validation.ts'
import { furtherProblems } from './further-validation.ts'
import { leaseProblems } from './lease-validation.ts'
import { namespaceProblems } from './namespace-validation.ts'
import { rangeUpdateProblems } from './network-validation.ts'
import { ingressProblems } from './networking/ingress-validation.ts'
import { networkPolicyProblems } from './networking/network-policy-validation.ts'
import { serviceProblems } from './networking/service-validation.ts'
import { nodeProblems } from './nodes/node-validation.ts'
import { podSpecProblems } from './pod-spec-validation.ts'
import { podUpdateProblems } from './pod-update-validation.ts'
import { claimSpecProblems } from './pods/claim-spec-validation.ts'
import { priorityClassProblems, priorityClassUpdateProblems } from './priority-class-validation.ts'
import { bindingProblems, roleProblems, roleRefUpdateProblems } from './role-validation.ts'
import { budgetProblems } from './workloads/budget-validation.ts'
import { cronJobProblems, jobProblems } from './workloads/job-validation.ts'
import { statefulSetUpdateProblems, workloadProblems } from './workloads/workload-validation.ts'

/** Everything that is wrong with an object of a built-in kind, beyond its metadata. */
export function validateBuiltIn(server: ApiServer, type: ResourceType, draft: Draft, before?: KubeObject): readonly FieldError[] {
  if (type.key === 'pods') return podSpecProblems(fieldsAt(draft, 'spec') ?? {}, 'spec')
  const ofWorkloads = workloadProblems(type.key, draft, before)
  if (ofWorkloads !== undefined) return ofWorkloads
  switch (type.key) {
    case 'apiservices.apiregistration.k8s.io':
      return apiServiceProblems(draft)
    case 'jobs.batch':
      return jobProblems(draft)
    case 'cronjobs.batch':
      return cronJobProblems(draft, before)
    case 'poddisruptionbudgets.policy':
      return budgetProblems(draft)
    case 'configmaps':
      return dataProblems(draft, ['data', 'binaryData'])
    case 'secrets':
      return [...dataProblems(draft, ['data']), ...secretTypeProblems(draft)]
    case 'resourcequotas':
      return [...quotaProblems(draft, before), ...scopeProblems(draft)]
    case 'limitranges':
      return limitRangeProblems(draft)
    case 'services':
      return serviceProblems(draft, server.minor, before)
    case 'ingresses.networking.k8s.io':
      return ingressProblems(draft, { minor: server.minor, before })
    case 'networkpolicies.networking.k8s.io':
      return networkPolicyProblems(draft, before)
    case 'namespaces':
      return before === undefined ? namespaceProblems(draft) : []
    case 'nodes':
      return nodeProblems(draft, before)
    case 'leases.coordination.k8s.io':
      return leaseProblems(draft)
    case 'roles.rbac.authorization.k8s.io':
    case 'clusterroles.rbac.authorization.k8s.io':
      return roleProblems(draft, type.isNamespaced)
    case 'rolebindings.rbac.authorization.k8s.io':
    case 'clusterrolebindings.rbac.authorization.k8s.io':
      return bindingProblems(draft, type.isNamespaced)
    case 'customresourcedefinitions.apiextensions.k8s.io':
      return definitionProblems(draft, before)
    case 'validatingadmissionpolicies.admissionregistration.k8s.io':
      return policyProblems(draft)
    case 'validatingadmissionpolicybindings.admissionregistration.k8s.io':
      return policyBindingProblems(draft)
    case 'persistentvolumeclaims':
      return claimSpecProblems(fieldsAt(draft, 'spec') ?? {}, 'spec')
    case 'resourceclaims.resource.k8s.io':
    case 'resourceclaimtemplates.resource.k8s.io':
      return deviceClaimProblems(server, type, draft, before === undefined)
    case 'resourceslices.resource.k8s.io':
      return sliceProblems(draft, before)
    case 'priorityclasses.scheduling.k8s.io':
      // Neither of what it says may be changed.
      return before === undefined ? priorityClassProblems(draft) : []
    case 'horizontalpodautoscalers.autoscaling':
      return autoscalerProblems(draft)
    default:
      return furtherProblems(type.key, server.minor, draft, before)
  }
}

/** What an update of a built-in kind changed although it may not. */
export function validateBuiltInUpdate(type: ResourceType, draft: Draft, existing: KubeObject): readonly FieldError[] {
  switch (type.key) {
    case 'pods':
      return podUpdateProblems(draft, existing)
    case 'deployments.apps':
    case 'replicasets.apps':
    case 'daemonsets.apps':
      return immutable(draft, existing, ['spec', 'selector'])
    case 'statefulsets.apps':
      return statefulSetUpdateProblems(draft, existing)
    case 'jobs.batch':
      return jobUpdateProblems(draft, existing)
    case 'persistentvolumes':
      return volumeUpdateProblems(draft, existing)
    case 'persistentvolumeclaims':
      return claimChangeProblems(draft, existing)
    case 'ipaddresses.networking.k8s.io':
      return addressUpdateProblems(draft, existing)
    case 'controllerrevisions.apps':
      return isSame(draft['data'] ?? null, valueAt(existing, 'data') ?? null)
        ? []
        : [invalid('data', draft['data'] ?? null, 'field is immutable')]
    case 'servicecidrs.networking.k8s.io':
      return rangeUpdateProblems(draft, existing)
    case 'volumeattributesclasses.storage.k8s.io':
      return ['driverName', 'parameters'].flatMap(name =>
        isSame(draft[name] ?? null, valueAt(existing, name) ?? null)
          ? []
          : [forbidden(name, `updates to ${name} are forbidden.`)],
      )
    case 'ingressclasses.networking.k8s.io': {
      const controller = textAt(draft, 'spec', 'controller') ?? ''
      return controller === textAt(existing, 'spec', 'controller')
        ? []
        : [invalid('spec.controller', controller, 'field is immutable')]
    }
    case 'csistoragecapacities.storage.k8s.io':
      return ['nodeTopology', 'storageClassName'].flatMap(name => immutable(draft, existing, [name]))
    case 'configmaps':
    case 'secrets':
      return immutableDataProblems(type.key, draft, existing)
    case 'services':
      return clusterAddressProblems(draft, existing)
    case 'rolebindings.rbac.authorization.k8s.io':
    case 'clusterrolebindings.rbac.authorization.k8s.io':
      return roleRefUpdateProblems(draft, existing)
    case 'storageclasses.storage.k8s.io':
      return ['provisioner', 'parameters', 'reclaimPolicy', 'volumeBindingMode'].flatMap(name =>
        immutable(draft, existing, [name]),
      )
    case 'priorityclasses.scheduling.k8s.io':
      return priorityClassUpdateProblems(draft, existing)
    case 'resourceclaims.resource.k8s.io':
    case 'resourceclaimtemplates.resource.k8s.io':
      return claimUpdateProblems(type, draft, existing)
    case 'volumeattachments.storage.k8s.io':
      return attachmentUpdateProblems(draft, existing)
    default:
      return []
  }
}

function immutable(draft: Draft, existing: KubeObject, path: readonly string[]): readonly FieldError[] {
  const value = valueAt(draft, ...path)
  if (isSame(value, valueAt(existing, ...path))) return []
  // Go prints the keys of a map in their order.
  const shown = path[0] === 'parameters' && isFields(value) ? Object.fromEntries(Object.entries(value).toSorted()) : value
  return [invalid(path.join('.'), shown, 'field is immutable')]
}

/** A text that is given and is none of `choices`; `path` has dots. */
function _choiceProblems(draft: Draft, path: string, choices: readonly string[]): readonly FieldError[] {
  const value = textAt(draft, ...path.split('.'))
  return value === undefined || choices.includes(value) ? [] : [notSupported(path, value, choices)]
}

const dataLimitBytes = 1_048_576
function dataProblems(draft: Draft, lists: readonly string[]): readonly FieldError[] {
  let bytes = 0
  const problems: FieldError[] = []
  const binary = fieldsAt(draft, 'binaryData') ?? {}
  for (const list of lists) {
    for (const [key, value] of Object.entries(fieldsAt(draft, list) ?? {})) {
      problems.push(...configKeyProblems(key).map(rule => invalid(`${list}[${key}]`, key, rule)))
      if (list === 'data' && lists.length > 1 && Object.hasOwn(binary, key))
        problems.push(invalid(`data[${key}]`, key, 'duplicate of key present in binaryData'))
      if (typeof value === 'string') bytes += Buffer.byteLength(value)
    }
  }
  if (bytes > dataLimitBytes) problems.push(tooLong(lists.length === 1 ? 'data' : '[]', dataLimitBytes))
  return problems
}

function clusterAddressProblems(draft: Draft, existing: KubeObject): readonly FieldError[] {
  const before = textAt(existing, 'spec', 'clusterIP') ?? ''
  const now = textAt(draft, 'spec', 'clusterIP') ?? ''
  if (before === '' || now === before || textAt(draft, 'spec', 'type') === 'ExternalName') return []
  return [invalid('spec.clusterIPs[0]', [now], 'may not change once set')]
}
