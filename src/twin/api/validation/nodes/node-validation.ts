// Nodes: their taints, the networks of their pods, and what stays as it is.
import { duplicate, type FieldError, forbidden, invalid, notSupported, required } from '#kube/objects/field-error.ts'
import { labelValueProblems, qualifiedNameProblems } from '#kube/objects/names.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { type Draft, fieldsAt, integerAt, isSame, itemsAt, listAt, textAt } from '../../../json-value.ts'
import { networkOf, networkProblems } from '../networking/addresses.ts'
import { quantityProblems } from '../pods/resource-validation.ts'

const effects = ['NoSchedule', 'PreferNoSchedule', 'NoExecute']

/** Everything that is wrong with a Node but for its metadata. `before`: what it was. */
export function nodeProblems(draft: Draft, before?: KubeObject): readonly FieldError[] {
  const networks = listAt(draft, 'spec', 'podCIDRs').map(String)
  const swap = integerAt(draft, 'status', 'nodeInfo', 'swap', 'capacity')
  return [
    ...taintProblems(itemsAt(draft, 'spec', 'taints')),
    ...amountProblems(draft),
    ...(swap !== undefined && swap <= 0 ? [invalid('metadata.nodeSwapStatus.capacity', swap, 'must be greater than zero')] : []),
    ...featureProblems(listAt(draft, 'status', 'declaredFeatures').map(String)),
    ...networkListProblems(networks),
    ...(before === undefined ? [] : fixedProblems(draft, before, networks)),
  ]
}

function amountProblems(draft: Draft): readonly FieldError[] {
  return ['capacity', 'allocatable'].flatMap(list =>
    Object.entries(fieldsAt(draft, 'status', list) ?? {}).flatMap(([name, value]) =>
      quantityProblems(name, String(value), `status.${list}.${name}`),
    ),
  )
}

const featureRule =
  "must start with an UpperCamelCase segment, with subsequent segments separated by '/' (e.g., MyFeature or MyFeature/mySubFeature), and contain only alphanumeric characters and slashes"
const longestFeature = 253

/** Features that a node says it has come in their order, and once. */
function featureProblems(features: readonly string[]): readonly FieldError[] {
  return features.flatMap((feature, index): readonly FieldError[] => {
    const at = `status.declaredFeatures[${index}]`
    const before = features[index - 1]
    const why = (rule: string) => `invalid feature name ${JSON.stringify(feature)}: ${rule}`
    return [
      ...(before !== undefined && feature === before ? [duplicate(at, feature)] : []),
      ...(before !== undefined && feature < before ? [invalid(at, feature, 'list must be sorted alphabetically')] : []),
      ...(feature.length > longestFeature
        ? [invalid(at, feature, why(`must be no more than ${longestFeature} characters`))]
        : /^[A-Z][a-zA-Z0-9]*(\/[a-zA-Z][a-zA-Z0-9]*)*$/.test(feature)
          ? []
          : [invalid(at, feature, why(featureRule))]),
    ]
  })
}

function networkListProblems(networks: readonly string[]): readonly FieldError[] {
  const at = 'spec.podCIDRs'
  const problems = networks.flatMap((network, index) => networkProblems(`${at}[${index}]`, network))
  const families = new Set(networks.map(network => networkOf(network)?.family))
  const isTooMany = networks.length > 2 || families.size < networks.length
  return networks.length > 1 && problems.length === 0 && isTooMany
    ? [invalid(at, networks, 'may specify no more than one CIDR for each IP family')]
    : problems
}

function fixedProblems(draft: Draft, before: KubeObject, networks: readonly string[]): readonly FieldError[] {
  const known = listAt(before, 'spec', 'podCIDRs')
  const text = (object: Draft | KubeObject, name: string) => textAt(object, 'spec', name) ?? ''
  const provider = text(before, 'providerID')
  const once = (name: string, field: string) =>
    forbidden(`spec.${field}`, `node updates may not change ${name} except from "" to valid`)
  return [
    ...(known.length > 0 && !isSame(known, networks) ? [once('podCIDR', 'podCIDRs')] : []),
    ...(provider !== '' && provider !== text(draft, 'providerID') ? [once('providerID', 'providerID')] : []),
    ...(text(draft, 'externalID') === text(before, 'externalID') ? [] : [forbidden('spec.externalID', 'may not be updated')]),
  ]
}

/** What is wrong with the status of a node that was written. */
export function nodeStatusProblems(draft: Draft): readonly FieldError[] {
  const addresses = itemsAt(draft, 'status', 'addresses')
  const twice = addresses.flatMap((address, index) => {
    const isRepeated = addresses.findIndex(other => isSame(other, address)) < index
    const shown = { Type: textAt(address, 'type') ?? '', Address: textAt(address, 'address') ?? '' }
    return isRepeated ? [repeated(`status.addresses[${index}]`, shown, '')] : []
  })
  return [...amountProblems(draft), ...featureProblems(listAt(draft, 'status', 'declaredFeatures').map(String)), ...twice]
}

function repeated(field: string, value: unknown, detail: string): FieldError {
  return {
    ...invalid(field, value, detail),
    type: 'FieldValueDuplicate',
    body: invalid(field, value, detail).body.replace('Invalid', 'Duplicate'),
  }
}

/** A node's taints are unique by key and effect. */
function taintProblems(taints: readonly Draft[]): readonly FieldError[] {
  const seen = new Set<string>()
  return taints.flatMap((taint, index) => {
    // Upstream names the place so.
    const at = `metadata.taints[${index}]`
    const [key, value, effect] = ['key', 'value', 'effect'].map(name => textAt(taint, name) ?? '') as [string, string, string]
    const isRepeated = seen.has(`${key}:${effect}`)
    seen.add(`${key}:${effect}`)
    const values = labelValueProblems(value)
    const shown = { Key: key, Value: value, Effect: effect, TimeAdded: taint['timeAdded'] ?? null }
    return [
      ...qualifiedNameProblems(key).map(rule => invalid(`${at}.key`, key, rule)),
      ...(values.length > 0 ? [invalid(`${at}.value`, value, values.join(';'))] : []),
      ...(effect === ''
        ? [required(`${at}.effect`)]
        : effects.includes(effect)
          ? []
          : [notSupported(`${at}.effect`, effect, effects)]),
      ...(isRepeated ? [repeated(at, shown, 'taints must be unique by key and effect pair')] : []),
    ]
  })
}
