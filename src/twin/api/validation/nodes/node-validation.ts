// Nodes: their taints, the networks of their pods, and what stays as it is.
import { type FieldError, forbidden, invalid, notSupported, required } from '#kube/objects/field-error.ts'
import { labelValueProblems, qualifiedNameProblems } from '#kube/objects/names.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { type Draft, isSame, itemsAt, listAt, textAt } from '../../../json-value.ts'
import { networkOf, networkProblems } from '../networking/addresses.ts'

const effects = ['NoSchedule', 'PreferNoSchedule', 'NoExecute']

/** Everything that is wrong with a Node but for its metadata. `before`: what it was. */
export function nodeProblems(draft: Draft, before?: KubeObject): readonly FieldError[] {
  const networks = listAt(draft, 'spec', 'podCIDRs').map(String)
  return [
    ...taintProblems(itemsAt(draft, 'spec', 'taints')),
    ...(before === undefined ? networkListProblems(networks) : fixedProblems(draft, before, networks)),
  ]
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

/** Addresses that a status has twice. */
export function nodeStatusProblems(draft: Draft): readonly FieldError[] {
  const addresses = itemsAt(draft, 'status', 'addresses')
  return addresses.flatMap((address, index) => {
    const isRepeated = addresses.findIndex(other => isSame(other, address)) < index
    const shown = { Type: textAt(address, 'type') ?? '', Address: textAt(address, 'address') ?? '' }
    return isRepeated ? [repeated(`status.addresses[${index}]`, shown, '')] : []
  })
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
