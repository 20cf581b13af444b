// Volumes, their attachments and attributes, and what controllers keep of an older state.
import { duplicate, type FieldError, forbidden, invalid, notSupported, required } from '#kube/objects/field-error.ts'
import { dns1123SubdomainProblems, qualifiedNameProblems } from '#kube/objects/names.ts'
import { type Draft, fieldsAt, isSame, itemsAt, listAt, numberAt, textAt, valueAt } from '../../json-value.ts'
import { driverNameProblems } from './devices/device-parts.ts'
import { labelSelectorProblems } from './selector-validation.ts'
import { topologyProblems, volumeSpecProblems } from './volumes/volume-validation.ts'

/** What is wrong with a VolumeAttachment. */
export function attachmentProblems(draft: Draft): readonly FieldError[] {
  const source = fieldsAt(draft, 'spec', 'source') ?? {}
  const node = textAt(draft, 'spec', 'nodeName') ?? ''
  return [
    ...driverNameProblems('spec.attacher', textAt(draft, 'spec', 'attacher') ?? ''),
    ...sourceProblems(source),
    ...(node === ''
      ? [required('spec.nodeName')]
      : dns1123SubdomainProblems(node).map(rule => invalid('spec.nodeName', node, rule))),
    ...dns1123SubdomainProblems(textAt(source, 'persistentVolumeName') ?? 'a').map(rule =>
      invalid('spec.source.persistentVolumeName', textAt(source, 'persistentVolumeName'), rule),
    ),
  ]
}

function sourceProblems(source: Draft): readonly FieldError[] {
  const [name, inline] = [textAt(source, 'persistentVolumeName'), fieldsAt(source, 'inlineVolumeSpec')]
  const rule = 'must specify exactly one of inlineVolumeSpec and persistentVolumeName'
  if (name === undefined && inline === undefined) return [required('spec.source', rule)]
  if (name !== undefined && inline !== undefined) return [forbidden('spec.source', rule)]
  if (inline !== undefined) return volumeSpecProblems(inline, 'spec.source.inlineVolumeSpec', true)
  return name === '' ? [required('spec.source.persistentVolumeName', 'must specify non empty persistentVolumeName')] : []
}

/** What is wrong with a StorageClass. */
export function storageClassProblems(draft: Draft): readonly FieldError[] {
  const [policy, mode] = [textAt(draft, 'reclaimPolicy') ?? '', textAt(draft, 'volumeBindingMode') ?? '']
  const [policies, bindings] = [
    ['Delete', 'Retain'],
    ['Immediate', 'WaitForFirstConsumer'],
  ]
  return [
    ...provisionerProblems('provisioner', textAt(draft, 'provisioner') ?? ''),
    ...(policy === '' || policies?.includes(policy) ? [] : [notSupported('reclaimPolicy', policy, policies ?? [])]),
    ...(bindings?.includes(mode) ? [] : [notSupported('volumeBindingMode', mode, bindings ?? [])]),
    ...topologyProblems('allowedTopologies', itemsAt(draft, 'allowedTopologies'), qualifiedNameProblems),
  ]
}

function provisionerProblems(at: string, name: string): readonly FieldError[] {
  if (name === '') return [required(at)]
  return qualifiedNameProblems(name.toLowerCase()).map(rule => invalid(at, name.toLowerCase(), rule))
}

const nodeIdLength = 256

/** What is wrong with a CSINode. `before`: what its drivers were, which but for their limits stay. */
export function driverNodeProblems(draft: Draft, before?: Draft): readonly FieldError[] {
  const drivers = itemsAt(draft, 'spec', 'drivers')
  const names = drivers.map(driver => textAt(driver, 'name') ?? '')
  const problems = drivers.flatMap((driver, index) => {
    const at = `spec.drivers[${index}]`
    const [name = '', id] = [names[index], textAt(driver, 'nodeID') ?? '']
    const count = numberAt(driver, 'allocatable', 'count') ?? 0
    const keys = listAt(driver, 'topologyKeys').map(String)
    return [
      ...driverNameProblems(`${at}.name`, name),
      ...(id === '' ? [required(`${at}.nodeID`)] : []),
      ...(id.length > nodeIdLength ? [invalid(`${at}.nodeID`, id, `must be ${nodeIdLength} characters or less`)] : []),
      ...(count < 0 ? [invalid(`${at}.allocatable.count`, count, 'must be greater than or equal to 0')] : []),
      ...(names.indexOf(name) < index ? [duplicate(`${at}.name`, name)] : []),
      ...keys.flatMap((key, number) => [
        ...(key === '' ? [required(at)] : []),
        ...(keys.indexOf(key) < number ? [duplicate(at, key)] : []),
        ...qualifiedNameProblems(key).map(rule => invalid(at, key, rule)),
      ]),
    ]
  })
  return [...problems, ...drivers.flatMap(driver => keptDriverProblems(driver, itemsAt(before, 'spec', 'drivers')))]
}

function keptDriverProblems(driver: Draft, before: readonly Draft[]): readonly FieldError[] {
  const fixed = (one: Draft) => ({
    Name: one['name'] ?? '',
    NodeID: one['nodeID'] ?? '',
    TopologyKeys: one['topologyKeys'] ?? null,
    Allocatable: null,
  })
  return before
    .filter(one => one['name'] === driver['name'] && !isSame(fixed(one), fixed(driver)))
    .map(() => invalid('spec.drivers', fixed(driver), 'field is immutable'))
}

/** What is wrong with a VolumeAttributesClass. */
export function attributesClassProblems(draft: Draft): readonly FieldError[] {
  return [
    ...provisionerProblems('driverName', textAt(draft, 'driverName') ?? ''),
    ...(Object.keys(fieldsAt(draft, 'parameters') ?? {}).length === 0
      ? [required('parameters', 'must contain at least one key/value pair')]
      : []),
  ]
}

/** What is wrong with a CSIStorageCapacity. */
export function storageCapacityProblems(draft: Draft): readonly FieldError[] {
  const [name, capacity] = [textAt(draft, 'storageClassName') ?? '', textAt(draft, 'capacity') ?? '']
  return [
    ...labelSelectorProblems('nodeTopology', fieldsAt(draft, 'nodeTopology')),
    ...dns1123SubdomainProblems(name).map(rule => invalid('storageClassName', name, rule)),
    ...(capacity.startsWith('-') ? [invalid('capacity', capacity, 'must be greater than or equal to 0')] : []),
  ]
}

const policies = ['File', 'None', 'ReadWriteOnceWithFSType']

/** What is wrong with a CSIDriver. */
export function driverProblems(draft: Draft, before?: Draft): readonly FieldError[] {
  const seen = new Set<string>()
  const requests = itemsAt(draft, 'spec', 'tokenRequests').flatMap((request, index) => {
    const at = `spec.tokenRequests[${index}]`
    const [audience, seconds] = [textAt(request, 'audience') ?? '', numberAt(request, 'expirationSeconds')]
    const isRepeated = seen.has(audience)
    seen.add(audience)
    return [
      ...(isRepeated ? [duplicate(`${at}.audience`, audience)] : []),
      ...(seconds !== undefined && seconds < 600
        ? [invalid(`${at}.expirationSeconds`, seconds, 'may not specify a duration less than 10 minutes')]
        : []),
    ]
  })
  const modes = ['Persistent', 'Ephemeral']
  const policy = textAt(draft, 'spec', 'fsGroupPolicy')
  const isTold = valueAt(draft, 'spec', 'serviceAccountTokenInSecrets')
  const fixed =
    before === undefined
      ? []
      : [
          ['attachRequired', 'attachedRequired'],
          ['volumeLifecycleModes', 'volumeLifecycleModes'],
        ]
  const period = numberAt(draft, 'spec', 'nodeAllocatableUpdatePeriodSeconds')
  return [
    ...(policy === undefined || policies.includes(policy) ? [] : [notSupported('spec.fsGroupPolicy', policy, policies)]),
    ...requests,
    ...listAt(draft, 'spec', 'volumeLifecycleModes')
      .filter(mode => !modes.includes(String(mode)))
      .map(mode => notSupported('spec.volumeLifecycleModes', mode, modes)),
    ...(period !== undefined && period < 10
      ? [invalid('spec.nodeAllocatableUpdatePeriodSeconds', period, 'must be greater than or equal to 10 seconds')]
      : []),
    ...(isTold !== undefined && listAt(draft, 'spec', 'tokenRequests').length === 0
      ? [
          invalid(
            'spec.serviceAccountTokenInSecrets',
            isTold,
            'serviceAccountTokenInSecrets is set but no tokenRequests are specified',
          ),
        ]
      : []),
    ...fixed.flatMap(([name = '', shownAs = '']) => {
      const [now, earlier] = [valueAt(draft, 'spec', name) ?? null, valueAt(before, 'spec', name) ?? null]
      return isSame(now, earlier) ? [] : [invalid(`spec.${shownAs}`, now, 'field is immutable')]
    }),
  ]
}

/** What is wrong with a ControllerRevision. */
export function revisionProblems(draft: Draft, before?: Draft): readonly FieldError[] {
  const revision = numberAt(draft, 'revision') ?? 0
  return [
    ...(before === undefined && (valueAt(draft, 'data') ?? null) === null ? [required('data', 'data is mandatory')] : []),
    ...(revision < 0 ? [invalid('revision', revision, 'must be greater than or equal to 0')] : []),
  ]
}
