// Rules of single built-in kinds: required fields, allowed values, and what an update may not change.

import { type FieldError, forbidden, invalid, notSupported, required, tooLong } from '#kube/objects/field-error.ts'
import { labelValueProblems } from '#kube/objects/names.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { labelSelectorOf } from '#kube/objects/selector.ts'
import { parseCron } from '#kube/time/cron.ts'
import { timeZone } from '#kube/time/time-zone.ts'
import { apiServiceProblems } from '../../aggregation/api-service-problems.ts'
import { type Draft, fieldsAt, isEmpty, isFields, isSame, itemsAt, numberAt, textAt, textsAt, valueAt } from '../../json-value.ts'
import type { ApiServer } from '../api-server.ts'
import type { ResourceType } from '../resource-type.ts'
import { policyBindingProblems, policyProblems } from './admission-policy-validation.ts'
import { limitRangeProblems, scopeProblems } from './allowance-validation.ts'
import { autoscalerProblems } from './autoscaler-validation.ts'
import {
  addressUpdateProblems,
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
import { labelSelectorProblems } from './selector-validation.ts'

const workloads = new Set([
  'deployments.apps',
  'replicasets.apps',
  'statefulsets.apps',
  'daemonsets.apps',
  'replicationcontrollers',
])

/** Everything that is wrong with an object of a built-in kind, beyond its metadata. */
export function validateBuiltIn(server: ApiServer, type: ResourceType, draft: Draft, before?: KubeObject): readonly FieldError[] {
  if (type.key === 'pods') return podSpecProblems(fieldsAt(draft, 'spec') ?? {}, 'spec')
  if (workloads.has(type.key)) return workloadProblems(type, draft)
  switch (type.key) {
    case 'apiservices.apiregistration.k8s.io':
      return apiServiceProblems(draft)
    case 'jobs.batch':
      return [
        ...(fieldsAt(draft, 'spec', 'selector') === undefined ? selectorProblems({}, fieldsAt(draft, 'spec', 'template')) : []),
        ...jobTemplateProblems(fieldsAt(draft, 'spec') ?? {}, 'spec.template'),
        ...choiceProblems(draft, 'spec.completionMode', ['NonIndexed', 'Indexed']),
        ...choiceProblems(draft, 'spec.podReplacementPolicy', ['Failed', 'TerminatingOrFailed']),
      ]
    case 'cronjobs.batch':
      return cronJobProblems(draft)
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
      return priorityClassProblems(draft)
    case 'horizontalpodautoscalers.autoscaling':
      return autoscalerProblems(draft)
    default:
      return furtherProblems(type.key, draft, before)
  }
}

/**
 * What a stored object cannot have because its controller would fail at it, or make pods for ever: a selector that does not match its own
 * template, shares that are none. The rest that is refused at creation may be of a version that refused less.
 */
export function controllerProblems(type: ResourceType, draft: Draft): readonly FieldError[] {
  const spec = fieldsAt(draft, 'spec') ?? {}
  const template = fieldsAt(spec, 'template')
  switch (type.key) {
    case 'deployments.apps':
      return [...selectorProblems(spec, template), ...strategyProblems(spec)]
    case 'statefulsets.apps':
    case 'daemonsets.apps':
      return [...selectorProblems(spec, template), ...updateProblems(spec)]
    case 'replicasets.apps':
      return template === undefined ? [] : selectorProblems(spec, template)
    case 'poddisruptionbudgets.policy':
      return budgetProblems(draft)
    default:
      return []
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
    case 'ingressclasses.networking.k8s.io':
      return immutable(draft, existing, ['spec', 'controller'])
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
      return immutable(draft, existing, ['spec'])
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
function choiceProblems(draft: Draft, path: string, choices: readonly string[]): readonly FieldError[] {
  const value = textAt(draft, ...path.split('.'))
  return value === undefined || choices.includes(value) ? [] : [notSupported(path, value, choices)]
}

function workloadProblems(type: ResourceType, draft: Draft): readonly FieldError[] {
  const spec = fieldsAt(draft, 'spec') ?? {}
  const problems: FieldError[] = [...wholeNumber(spec, 'replicas', 'spec.replicas')]
  const template = fieldsAt(spec, 'template')
  if (type.key !== 'replicationcontrollers') problems.push(...selectorProblems(spec, template, nounOf(type)))
  problems.push(...wholeNumber(spec, 'minReadySeconds', 'spec.minReadySeconds'))
  // kube-apiserver takes any of a StatefulSet.
  if (type.key !== 'statefulsets.apps') problems.push(...wholeNumber(spec, 'revisionHistoryLimit', 'spec.revisionHistoryLimit'))
  const claims = itemsAt(spec, 'volumeClaimTemplates').map(claim => textAt(claim, 'metadata', 'name'))
  const podSpec = fieldsAt(template, 'spec') ?? {}
  problems.push(...podSpecProblems(podSpec, 'spec.template.spec', { policies: ['Always'], claims }))
  if (type.key === 'deployments.apps') {
    problems.push(...strategyProblems(spec))
    const [ready, deadline] = [numberAt(spec, 'minReadySeconds') ?? 0, numberAt(spec, 'progressDeadlineSeconds')]
    if (deadline !== undefined && deadline <= ready)
      problems.push(invalid('spec.progressDeadlineSeconds', deadline, 'must be greater than minReadySeconds'))
  }
  if (type.key === 'statefulsets.apps') problems.push(...claimTemplateProblems(spec), ...statefulSetProblems(spec))
  if (type.key === 'daemonsets.apps') problems.push(...daemonSetProblems(spec))
  return problems
}

/** Templates of claims are volumes of the pods, too. */
function claimTemplateProblems(spec: Draft): readonly FieldError[] {
  const before = itemsAt(spec, 'template', 'spec', 'volumes').length
  return itemsAt(spec, 'volumeClaimTemplates').flatMap((claim, index) => {
    const volume = `spec.template.spec.volumes[${before + index}]`
    const isNamed = (textAt(claim, 'metadata', 'name') ?? '') !== ''
    return [
      ...(isNamed ? [] : [required(`${volume}.persistentVolumeClaim.claimName`), required(`${volume}.name`)]),
      ...claimSpecProblems(fieldsAt(claim, 'spec') ?? {}, `spec.volumeClaimTemplates[${index}].spec`),
    ]
  })
}

function statefulSetProblems(spec: Draft): readonly FieldError[] {
  const problems: FieldError[] = []
  const [order, kind] = [textAt(spec, 'podManagementPolicy'), textAt(spec, 'updateStrategy', 'type')]
  if (order !== 'OrderedReady' && order !== 'Parallel')
    problems.push(invalid('spec.podManagementPolicy', order, "must be 'OrderedReady' or 'Parallel'"))
  const { partition } = { partition: 0, ...fieldsAt(spec, 'updateStrategy', 'rollingUpdate') }
  if (kind !== 'RollingUpdate' && kind !== 'OnDelete')
    problems.push(invalid('spec.updateStrategy', { Type: kind, RollingUpdate: null }, "must be 'RollingUpdate' or 'OnDelete'"))
  if (typeof partition === 'number' && partition < 0)
    problems.push(invalid('spec.updateStrategy.rollingUpdate.partition', partition, 'must be greater than or equal to 0'))
  return [...problems, ...updateProblems(spec)]
}

function daemonSetProblems(spec: Draft): readonly FieldError[] {
  const kind = textAt(spec, 'updateStrategy', 'type')
  if (kind === 'OnDelete') return []
  if (kind !== 'RollingUpdate')
    return [notSupported('spec.updateStrategy', { Type: kind, RollingUpdate: null }, ['RollingUpdate', 'OnDelete'])]
  const at = 'spec.updateStrategy.rollingUpdate'
  const rolling = fieldsAt(spec, 'updateStrategy', 'rollingUpdate') ?? {}
  const [unavailable, surge] = [rolling['maxUnavailable'], rolling['maxSurge']]
  // What is no share counts as 0.
  const isNone = (value: unknown) =>
    value === undefined || isZeroCount(value) || (typeof value === 'string' && !/^\d+%$/.test(value))
  if (isNone(unavailable) && isNone(surge))
    return [...updateProblems(spec), required(`${at}.maxUnavailable`, 'cannot be 0 when maxSurge is 0')]
  if (!isNone(unavailable) && !isNone(surge))
    return [...updateProblems(spec), invalid(`${at}.maxSurge`, surge, 'may not be set when maxUnavailable is non-zero')]
  return updateProblems(spec)
}

/** Upstream speaks of a Deployment where it means a ReplicaSet. */
function nounOf({ kind }: ResourceType): string {
  return kind === 'ReplicaSet' ? 'deployment' : kind.toLowerCase()
}

/** `noun` is what upstream calls the kind where its selector is empty. */
function selectorProblems(spec: Draft, template: Draft | undefined, noun = 'deployment'): readonly FieldError[] {
  const selector = fieldsAt(spec, 'selector')
  if (selector === undefined) {
    const labels = valueAt(template, 'metadata', 'labels') ?? null
    return [
      required('spec.selector'),
      invalid('spec.template.metadata.labels', labels, '`selector` does not match template `labels`'),
    ]
  }
  if (isEmpty(selector['matchLabels']) && isEmpty(selector['matchExpressions'])) {
    return [invalid('spec.selector', selector, `empty selector is invalid for ${noun}`)]
  }
  const values = Object.values(textsAt(selector, 'matchLabels')).flatMap(value =>
    labelValueProblems(value).map(problem => invalid('spec.selector.matchLabels', value, problem)),
  )
  const parsed = labelSelectorOf(selector, 'spec.selector')
  if (!parsed.ok || values.length > 0) return [...values, invalid('spec.selector', selector, 'invalid label selector')]
  const labels = textsAt(template, 'metadata', 'labels')
  if (!parsed.value.matches(labels)) {
    const shown = valueAt(template, 'metadata', 'labels') ?? null
    return [invalid('spec.template.metadata.labels', shown, '`selector` does not match template `labels`')]
  }
  return []
}

function strategyProblems(spec: Draft): readonly FieldError[] {
  const kind = textAt(spec, 'strategy', 'type')
  if (kind !== 'Recreate' && kind !== 'RollingUpdate')
    return [notSupported('spec.strategy', { Type: kind, RollingUpdate: null }, ['Recreate', 'RollingUpdate'])]
  if (kind === 'Recreate' && valueAt(spec, 'strategy', 'rollingUpdate') !== undefined) {
    return [forbidden('spec.strategy.rollingUpdate', "may not be specified when strategy `type` is 'Recreate'")]
  }
  const { maxSurge, maxUnavailable } = {
    maxSurge: undefined,
    maxUnavailable: undefined,
    ...fieldsAt(spec, 'strategy', 'rollingUpdate'),
  }
  const shares = [
    ...shareProblems(maxUnavailable, 'spec.strategy.rollingUpdate.maxUnavailable', false),
    ...shareProblems(maxSurge, 'spec.strategy.rollingUpdate.maxSurge', false),
  ]
  if (typeof maxUnavailable === 'string' && Number.parseInt(maxUnavailable, 10) > 100)
    shares.push(invalid('spec.strategy.rollingUpdate.maxUnavailable', maxUnavailable, 'must not be greater than 100%'))
  if (shares.length > 0) return shares
  if (isZeroCount(maxSurge) && isZeroCount(maxUnavailable)) {
    return [invalid('spec.strategy.rollingUpdate.maxUnavailable', maxUnavailable, 'may not be 0 when `maxSurge` is 0')]
  }
  return []
}

function updateProblems(spec: Draft): readonly FieldError[] {
  return ['maxUnavailable', 'maxSurge'].flatMap(name =>
    shareProblems(valueAt(spec, 'updateStrategy', 'rollingUpdate', name), `spec.updateStrategy.rollingUpdate.${name}`, false),
  )
}

const percentRule =
  "a valid percent string must be a numeric string followed by an ending '%' (e.g. '1%',  or '93%', regex used for validation is '[0-9]+%')"

/** What a count that may be a percentage breaks. */
function shareProblems(value: unknown, place: string, isBounded: boolean): readonly FieldError[] {
  if (typeof value === 'number' && value < 0) return [invalid(place, value, 'must be greater than or equal to 0')]
  if (typeof value !== 'string') return []
  if (!/^\d+%$/.test(value)) return [invalid(place, value, percentRule)]
  return isBounded && Number(value.slice(0, -1)) > 100 ? [invalid(place, value, 'must not be greater than 100%')] : []
}

function isZeroCount(value: unknown): boolean {
  return value === 0 || value === '0%' || value === '0'
}

function wholeNumber(fields: Draft, name: string, path: string): readonly FieldError[] {
  const value = fields[name]
  return typeof value === 'number' && value < 0 ? [invalid(path, value, 'must be greater than or equal to 0')] : []
}

function jobTemplateProblems(spec: Draft, path: string): readonly FieldError[] {
  const podSpec = fieldsAt(spec, 'template', 'spec') ?? {}
  const counts = ['parallelism', 'completions', 'backoffLimit', 'activeDeadlineSeconds', 'ttlSecondsAfterFinished']
  const place = path.replace(/template$/, '')
  const problems = [
    ...counts.flatMap(name => wholeNumber(spec, name, `${place}${name}`)),
    ...podSpecProblems(podSpec, `${path}.spec`),
  ]
  if (podSpec['restartPolicy'] === 'OnFailure' || podSpec['restartPolicy'] === 'Never') return problems
  return [...problems, required(`${path}.spec.restartPolicy`, 'valid values: "OnFailure", "Never"')]
}

function cronJobProblems(draft: Draft): readonly FieldError[] {
  const problems: FieldError[] = []
  const schedule = textAt(draft, 'spec', 'schedule') ?? ''
  const parsed = parseCron(schedule)
  if (schedule === '') problems.push(required('spec.schedule'))
  else if (!parsed.ok)
    problems.push(invalid('spec.schedule', schedule, /\((.*)\)$/s.exec(parsed.problem.expected)?.[1] ?? parsed.problem.expected))
  problems.push(...choiceProblems(draft, 'spec.concurrencyPolicy', ['Allow', 'Forbid', 'Replace']))
  const zone = textAt(draft, 'spec', 'timeZone')
  if (zone !== undefined && timeZone(zone) === undefined)
    problems.push(invalid('spec.timeZone', zone, `unknown time zone ${zone}`))
  problems.push(...jobTemplateProblems(fieldsAt(draft, 'spec', 'jobTemplate', 'spec') ?? {}, 'spec.jobTemplate.spec.template'))
  return problems
}

function budgetProblems(draft: Draft): readonly FieldError[] {
  const spec = fieldsAt(draft, 'spec') ?? {}
  if (spec['minAvailable'] !== undefined && spec['maxUnavailable'] !== undefined) {
    const {
      minAvailable,
      selector = null,
      maxUnavailable,
      unhealthyPodEvictionPolicy = null,
    } = { minAvailable: null, maxUnavailable: null, ...spec }
    const value = {
      MinAvailable: minAvailable,
      Selector: selector,
      MaxUnavailable: maxUnavailable,
      UnhealthyPodEvictionPolicy: unhealthyPodEvictionPolicy,
    }
    return [invalid('spec', value, 'minAvailable and maxUnavailable cannot be both set')]
  }
  const problems: FieldError[] = []
  for (const name of ['minAvailable', 'maxUnavailable'] as const) {
    problems.push(...shareProblems(spec[name], `spec.${name}`, true))
  }
  problems.push(...choiceProblems(draft, 'spec.unhealthyPodEvictionPolicy', ['AlwaysAllow', 'IfHealthyBudget']))
  return [...problems, ...labelSelectorProblems('spec.selector', fieldsAt(spec, 'selector'))]
}

const dataLimitBytes = 1_048_576
function dataProblems(draft: Draft, lists: readonly string[]): readonly FieldError[] {
  let bytes = 0
  const problems: FieldError[] = []
  const binary = fieldsAt(draft, 'binaryData') ?? {}
  for (const list of lists) {
    for (const [key, value] of Object.entries(fieldsAt(draft, list) ?? {})) {
      if (key === '.' || key.startsWith('..')) {
        const rule = key === '.' || key === '..' ? `must not be '${key}'` : "must not start with '..'"
        problems.push(invalid(`${list}[${key}]`, key, rule))
      } else if (!/^[-._a-zA-Z0-9]+$/.test(key)) {
        problems.push(
          invalid(
            `${list}[${key}]`,
            key,
            "a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or 'KEY_NAME',  or 'key-name', regex used for validation is '[-._a-zA-Z0-9]+')",
          ),
        )
      }
      if (list === 'data' && lists.length > 1 && Object.hasOwn(binary, key))
        problems.push(invalid(`data[${key}]`, key, 'duplicate of key present in binaryData'))
      if (typeof value === 'string') bytes += Buffer.byteLength(value)
    }
  }
  if (bytes > dataLimitBytes) problems.push(tooLong(lists.length === 1 ? 'data' : '[]', dataLimitBytes))
  return problems
}

const statefulSetFree = [
  'replicas',
  'ordinals',
  'template',
  'updateStrategy',
  'revisionHistoryLimit',
  'persistentVolumeClaimRetentionPolicy',
  'minReadySeconds',
]

function statefulSetUpdateProblems(draft: Draft, existing: KubeObject): readonly FieldError[] {
  const fixed = (object: Draft | KubeObject) =>
    Object.fromEntries(Object.entries(fieldsAt(object, 'spec') ?? {}).filter(([name]) => !statefulSetFree.includes(name)))
  if (isSame(fixed(draft), fixed(existing))) return []
  return [
    forbidden(
      'spec',
      "updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', 'updateStrategy', 'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' are forbidden",
    ),
  ]
}

function clusterAddressProblems(draft: Draft, existing: KubeObject): readonly FieldError[] {
  const before = textAt(existing, 'spec', 'clusterIP') ?? ''
  const now = textAt(draft, 'spec', 'clusterIP') ?? ''
  if (before === '' || now === before || textAt(draft, 'spec', 'type') === 'ExternalName') return []
  return [invalid('spec.clusterIPs[0]', [now], 'may not change once set')]
}
