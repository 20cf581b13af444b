// What clients are told of an object that is taken and yet odd.
import { dns1123LabelProblems } from '#kube/objects/names.ts'
import { int64Value } from '#kube/values/quantity.ts'
import { type Draft, fieldsAt, itemsAt, listAt, numberAt, textAt } from '../../json-value.ts'
import type { ResourceType } from '../resource-type.ts'

const bytes = new Set(['memory', 'ephemeral-storage', 'storage'])
const templates = new Set([
  ...['deployments.apps', 'replicasets.apps', 'statefulsets.apps', 'daemonsets.apps', 'replicationcontrollers', 'jobs.batch'],
])

/** Texts of Warning headers for a new object of built-in kinds. */
export function oddities(type: Pick<ResourceType, 'key'>, object: Draft): readonly string[] {
  if (type.key === 'pods') return [...nameWarnings(object), ...containerWarnings(fieldsAt(object, 'spec'), 'spec')]
  if (type.key === 'persistentvolumeclaims') return fractionWarnings(fieldsAt(object, 'spec'), 'spec')
  if (type.key === 'services') return serviceWarnings(fieldsAt(object, 'spec') ?? {})
  if (!templates.has(type.key)) return []
  return [
    ...containerWarnings(fieldsAt(object, 'spec', 'template', 'spec'), 'spec.template.spec'),
    ...(type.key === 'statefulsets.apps' ? revisionWarnings(object) : []),
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

function revisionWarnings(set: Draft): readonly string[] {
  return (numberAt(set, 'spec', 'revisionHistoryLimit') ?? 0) < 0
    ? ['spec.revisionHistoryLimit: a negative value retains all historical revisions; a value >= 0 is recommended']
    : []
}

function nameWarnings(pod: Draft): readonly string[] {
  const rules = dns1123LabelProblems(textAt(pod, 'metadata', 'name') ?? '')
  if (rules.length === 0) return []
  return [
    `metadata.name: this is used in the Pod's hostname, which can result in surprising behavior; a DNS label is recommended: [${rules.join(' ')}]`,
  ]
}

function containerWarnings(spec: Draft | undefined, at: string): readonly string[] {
  return ['containers', 'initContainers'].flatMap(list =>
    itemsAt(spec, list).flatMap((container, index) => fractionWarnings(container, `${at}.${list}[${index}]`)),
  )
}

function fractionWarnings(holder: Draft | undefined, at: string): readonly string[] {
  return (['limits', 'requests'] as const).flatMap(list =>
    Object.entries(fieldsAt(holder, 'resources', list) ?? {}).flatMap(([name, value]) => {
      if (!bytes.has(name) || int64Value(String(value), 3) % 1000n === 0n) return []
      const shown = JSON.stringify(String(value))
      return [`${at}.resources.${list}[${name}]: fractional byte value ${shown} is invalid, must be an integer`]
    }),
  )
}
