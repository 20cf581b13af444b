// The status of a pod that was written: what it says of claims, addresses, conditions and containers; in upstream's order and words.
import { isIP } from 'node:net'
import { duplicate, type FieldError, forbidden, invalid, required } from '#kube/objects/field-error.ts'
import { dns1123LabelProblems, dns1123SubdomainProblems, qualifiedNameProblems } from '#kube/objects/names.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { type Draft, fieldsAt, integerAt, itemsAt, listAt, textAt } from '../../../json-value.ts'

const at = 'status'
const systemConditions: ReadonlySet<unknown> = new Set(['PodScheduled', 'Ready', 'Initialized'])

/** Everything that is wrong with the status of a pod that was written. */
export function podStatusProblems(draft: Draft, existing: KubeObject): readonly FieldError[] {
  const [nominated, before] = [draft, existing].map(pod => textAt(pod, 'status', 'nominatedNodeName') ?? '')
  const isNominated = nominated !== undefined && nominated !== '' && nominated !== before
  const generation = integerAt(draft, 'status', 'observedGeneration') ?? 0
  const [quality, known] = [draft, existing].map(pod => textAt(pod, 'status', 'qosClass') ?? '')
  const place = `${at}.nominatedNodeName`
  return [
    ...conditionProblems(draft),
    ...(isNominated ? dns1123SubdomainProblems(nominated).map(rule => invalid(place, nominated, rule)) : []),
    ...(isNominated && (textAt(existing, 'spec', 'nodeName') ?? '') !== ''
      ? [forbidden(place, 'may not be set on pods that are already bound to a node')]
      : []),
    ...(generation < 0 ? [invalid(`${at}.observedGeneration`, generation, 'must be a non-negative integer')] : []),
    ...(quality === known ? [] : [invalid(`${at}.qosClass`, quality, 'field is immutable')]),
    ...claimProblems(draft),
    ...extendedClaimProblems(draft),
    ...addressProblems(draft, existing),
    ...itemsAt(draft, 'status', 'ephemeralContainerStatuses').flatMap((status, index) =>
      listAt(status, 'allocatedResourcesStatus').length === 0
        ? []
        : [
            forbidden(
              `${at}.ephemeralContainerStatuses[${index}].allocatedResourcesStatus`,
              'must not be specified in container status',
            ),
          ],
    ),
  ]
}

function conditionProblems(draft: Draft): readonly FieldError[] {
  return itemsAt(draft, 'status', 'conditions').flatMap((condition, index) => {
    const place = `${at}.conditions[${index}]`
    const [generation, type] = [integerAt(condition, 'observedGeneration') ?? 0, textAt(condition, 'type') ?? '']
    return [
      ...(generation < 0 ? [invalid(`${place}.observedGeneration`, generation, 'must be a non-negative integer')] : []),
      ...(systemConditions.has(type) ? [] : qualifiedNameProblems(type).map(rule => invalid(`${place}.Type`, type, rule))),
    ]
  })
}

function claimProblems(draft: Draft): readonly FieldError[] {
  const known = new Set(itemsAt(draft, 'spec', 'resourceClaims').map(claim => textAt(claim, 'name') ?? ''))
  const seen = new Set<string>()
  return itemsAt(draft, 'status', 'resourceClaimStatuses').flatMap((status, index): readonly FieldError[] => {
    const place = `${at}.resourceClaimStatuses[${index}]`
    const [name, claim] = [textAt(status, 'name') ?? '', textAt(status, 'resourceClaimName')]
    const isTaken = seen.has(name)
    seen.add(name)
    return [
      ...(known.has(name) ? [] : [invalid(`${place}.name`, name, 'must match the name of an entry in `spec.resourceClaims`')]),
      ...(isTaken ? [duplicate(`${place}.name`, name)] : []),
      ...(claim === undefined
        ? []
        : dns1123SubdomainProblems(claim).map(rule => invalid(`${place}.resourceClaimName`, claim, rule))),
    ]
  })
}

const noResource =
  'must match the extended resource name of an entry in spec.initContainers.resources.requests or spec.containers.resources.requests'
const noContainer = 'must match the name of an entry in spec.initContainers.name or spec.containers.name'

/** A claim that was made for what containers ask for by the name of a resource. */
function extendedClaimProblems(draft: Draft): readonly FieldError[] {
  const status = fieldsAt(draft, 'status', 'extendedResourceClaimStatus')
  if (status === undefined) return []
  const place = `${at}.extendedResourceClaimStatus`
  const mappings = itemsAt(status, 'requestMappings')
  const containers = new Map(
    ['initContainers', 'containers'].flatMap(list =>
      itemsAt(draft, 'spec', list).map(container => [textAt(container, 'name') ?? '', container] as const),
    ),
  )
  const seen = new Set<string>()
  const name = textAt(status, 'resourceClaimName') ?? ''
  const problems = mappings.flatMap((mapping, index): readonly FieldError[] => {
    const where = `${place}.requestMappings[${index}]`
    const text = (field: string) => textAt(mapping, field) ?? ''
    const [container, resource, request] = [text('containerName'), text('resourceName'), text('requestName')]
    const asked = fieldsAt(containers.get(container), 'resources', 'requests') ?? {}
    const key = JSON.stringify([container, resource, request])
    const isTaken = seen.has(key)
    seen.add(key)
    return [
      ...(containers.has(container)
        ? Object.hasOwn(asked, resource)
          ? []
          : [invalid(`${where}.resourceName`, resource, noResource)]
        : [invalid(`${where}.containerName`, container, noContainer)]),
      ...dns1123LabelProblems(request).map(rule => invalid(`${place}.requestName`, request, rule)),
      ...(isTaken
        ? [
            duplicate(`${where}.containerName`, container),
            duplicate(`${where}.resourceName`, resource),
            duplicate(`${where}.requestName`, request),
          ]
        : []),
    ]
  })
  return [
    ...(mappings.length === 0 ? [required(`${place}.requestMappings`, 'at least one request mapping is required')] : []),
    ...problems,
    ...(name === ''
      ? [required(`${place}.resourceClaimName`)]
      : dns1123SubdomainProblems(name).map(rule => invalid(`${place}.resourceClaimName`, name, rule))),
  ]
}

const addressRule = 'must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)'

/** Addresses of the pod and of its node: one of each family, and the first of a node's is the one. */
function addressProblems(draft: Draft, existing: KubeObject): readonly FieldError[] {
  const host = textAt(draft, 'status', 'hostIP') ?? ''
  const first = textAt(itemsAt(draft, 'status', 'hostIPs')[0], 'ip') ?? ''
  const isOther = itemsAt(draft, 'status', 'hostIPs').length > 0 && host !== first
  return ['podIPs', 'hostIPs'].flatMap((list): readonly FieldError[] => {
    const [addresses, known] = [draft, existing].map(pod => itemsAt(pod, 'status', list).map(one => textAt(one, 'ip') ?? ''))
    if (addresses === undefined) return []
    const families = new Set(addresses.map(address => isIP(address)))
    const isTooMany = addresses.length > 1 && (addresses.length > 2 || families.size < addresses.length)
    const shown = addresses.map(IP => ({ IP }))
    return [
      ...(list === 'hostIPs' && isOther ? [invalid(`${at}.hostIPs[0].ip`, first, 'must be equal to `hostIP`')] : []),
      ...addresses.flatMap((address, index) =>
        isIP(address) !== 0 || known?.includes(address) === true
          ? []
          : [invalid(`${at}.${list}[${index}]`, address, addressRule)],
      ),
      ...(isTooMany ? [invalid(`${at}.${list}`, shown, 'may specify no more than one IP for each IP family')] : []),
    ]
  })
}
