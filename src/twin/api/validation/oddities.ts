// What clients are told of an object that is taken and yet odd.
import { dns1123LabelProblems } from '#kube/objects/names.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { type Draft, draftOf, fieldsAt, isSame, itemsAt, listAt, numberAt, textAt } from '../../json-value.ts'
import type { ResourceType } from '../resource-type.ts'
import { claimWarnings, deprecatedVolumeWarnings, podWarnings, termWarnings } from './warnings/pod-warnings.ts'

type Warn = (object: Draft, before: KubeObject | undefined) => readonly string[]

/** Kinds with a template of pods: where it is. */
const templates: Readonly<Record<string, readonly string[]>> = {
  'cronjobs.batch': ['spec', 'jobTemplate', 'spec', 'template'],
  'daemonsets.apps': ['spec', 'template'],
  'deployments.apps': ['spec', 'template'],
  'jobs.batch': ['spec', 'template'],
  podtemplates: ['template'],
  'replicasets.apps': ['spec', 'template'],
  replicationcontrollers: ['spec', 'template'],
  'statefulsets.apps': ['spec', 'template'],
}
/** Kinds after whose names pods are called. */
const namesPods: ReadonlySet<string> = new Set([
  ...['cronjobs.batch', 'deployments.apps', 'jobs.batch', 'replicasets.apps', 'replicationcontrollers'],
])

const others: Readonly<Record<string, Warn>> = {
  'csidrivers.storage.k8s.io': driverWarnings,
  nodes: object =>
    (textAt(object, 'spec', 'externalID') ?? '') === ''
      ? []
      : ['spec.externalID: this field is deprecated, and is unused by Kubernetes'],
  persistentvolumeclaims: object => claimWarnings(fieldsAt(object, 'spec') ?? {}, 'spec'),
  persistentvolumes: object => volumeWarnings(fieldsAt(object, 'spec') ?? {}),
  pods: (object, before) => (before === undefined ? [...nameWarnings(object, "the Pod's hostname"), ...podWarnings(object)] : []),
  services: object => serviceWarnings(fieldsAt(object, 'spec') ?? {}),
  'statefulsets.apps': setWarnings,
}

/** Texts of Warning headers for an object of a built-in kind that was written; `before` is what it was. */
export function oddities({ key }: Pick<ResourceType, 'key'>, object: Draft | KubeObject, before?: KubeObject): readonly string[] {
  const written: Draft = { ...object }
  const path = Object.hasOwn(templates, key) ? templates[key] : undefined
  // A template is looked at anew where the spec changed.
  const [top = 'spec'] = path ?? []
  const isChanged = before === undefined || !isSame(written[top], { ...before }[top])
  // Upstream looks at the template that a ReplicationController had before.
  const shown = key === 'replicationcontrollers' && before !== undefined ? draftOf(before) : written
  const isNew = before === undefined && namesPods.has(key)
  return [
    ...(isNew ? nameWarnings(written, 'Pod names and hostnames') : []),
    ...(path !== undefined && isChanged ? podWarnings(fieldsAt(shown, ...path), path.join('.')) : []),
    ...(Object.hasOwn(others, key) ? (others[key]?.(written, before) ?? []) : []),
  ]
}

function nameWarnings(object: Draft, what: string): readonly string[] {
  const rules = dns1123LabelProblems(textAt(object, 'metadata', 'name') ?? '')
  if (rules.length === 0) return []
  return [
    `metadata.name: this is used in ${what}, which can result in surprising behavior; a DNS label is recommended: [${rules.join(' ')}]`,
  ]
}

function setWarnings(set: Draft, before: KubeObject | undefined): readonly string[] {
  const step = before === undefined ? '' : '.Spec'
  const claims = itemsAt(set, 'spec', 'volumeClaimTemplates').flatMap((claim, index) =>
    claimWarnings(fieldsAt(claim, 'spec') ?? {}, `spec.volumeClaimTemplates[${index}]${step}`),
  )
  const isKept = (numberAt(set, 'spec', 'revisionHistoryLimit') ?? 0) < 0
  const why = 'a negative value retains all historical revisions; a value >= 0 is recommended'
  return [...claims, ...(isKept ? [`spec.revisionHistoryLimit: ${why}`] : [])]
}

function driverWarnings(object: Draft, before: KubeObject | undefined): readonly string[] {
  const isOpen = (driver: Draft | KubeObject) =>
    listAt(driver, 'spec', 'tokenRequests').length > 0 && fieldsAt(driver, 'spec')?.['serviceAccountTokenInSecrets'] === undefined
  const requests = (driver: Draft | KubeObject) => listAt(driver, 'spec', 'tokenRequests')
  if (!isOpen(object) || (before !== undefined && isSame(requests(before), requests(object)))) return []
  const why = 'if supported by this CSI driver, set to true to prevent possible logging of tokens in volume attributes'
  return [`spec.serviceAccountTokenInSecrets is unset; ${why}`]
}

function volumeWarnings(spec: Draft): readonly string[] {
  const terms = itemsAt(spec, 'nodeAffinity', 'required', 'nodeSelectorTerms')
  return [
    ...(spec['persistentVolumeReclaimPolicy'] === 'Recycle'
      ? [
          'spec.persistentVolumeReclaimPolicy: The Recycle reclaim policy is deprecated. Instead, the recommended approach is to use dynamic provisioning.',
        ]
      : []),
    ...terms.flatMap((term, index) => termWarnings(term, `spec.nodeAffinity.required.nodeSelectorTerms[${index}]`)),
    ...deprecatedVolumeWarnings('spec', spec, ['cephfs', 'photonPersistentDisk', 'scaleIO', 'storageos', 'glusterfs', 'rbd']),
  ]
}

function serviceWarnings(spec: Draft): readonly string[] {
  const isHeadless = spec['clusterIP'] === 'None'
  const isElsewhere = spec['type'] === 'ExternalName'
  const hasAddresses = listAt(spec, 'externalIPs').length > 0
  const [name, distribution] = [textAt(spec, 'externalName') ?? '', textAt(spec, 'trafficDistribution')]
  const ignored = (field: string) => `spec.${field} is ignored for headless services`
  return [
    ...(isHeadless && (textAt(spec, 'loadBalancerIP') ?? '') !== '' ? [ignored('loadBalancerIP')] : []),
    ...(isHeadless && hasAddresses ? [ignored('externalIPs')] : []),
    ...(isHeadless && spec['sessionAffinity'] !== 'None' ? [ignored('SessionAffinity')] : []),
    ...(hasAddresses && !isHeadless && !isElsewhere
      ? ['spec.externalIPs is deprecated and may no longer be implemented in some clusters']
      : []),
    ...(isElsewhere && hasAddresses ? ['spec.externalIPs is ignored when spec.type is "ExternalName"'] : []),
    ...(!isElsewhere && name !== '' ? ['spec.externalName is ignored when spec.type is not "ExternalName"'] : []),
    ...(distribution === 'PreferClose' ? ['spec.trafficDistribution: "PreferClose" is deprecated; use "PreferSameZone"'] : []),
  ]
}
