// Volumes, their attachments and attributes, and what controllers keep of an older state.
import { duplicate, type FieldError, forbidden, invalid, notSupported, required } from '#kube/objects/field-error.ts'
import { dns1123SubdomainProblems } from '#kube/objects/names.ts'
import { type Draft, fieldsAt, itemsAt, listAt, numberAt, textAt, valueAt } from '../../json-value.ts'
import { labelSelectorProblems } from './selector-validation.ts'

/** Fields of a PersistentVolume that say where it is, in the order in which they are looked at. */
const sources = [
  ...[
    'hostPath',
    'gcePersistentDisk',
    'awsElasticBlockStore',
    'glusterfs',
    'flocker',
    'nfs',
    'rbd',
    'quobyte',
    'cephfs',
    'iscsi',
  ],
  ...[
    'cinder',
    'fc',
    'flexVolume',
    'azureFile',
    'vsphereVolume',
    'photonPersistentDisk',
    'portworxVolume',
    'azureDisk',
    'scaleIO',
  ],
  ...['local', 'storageos', 'csi'],
]
/** Upstream names one of them otherwise than JSON does. */
const shownAs: Readonly<Record<string, string>> = { cephfs: 'cephFS' }

/** What is wrong with a PersistentVolume: its modes, its size, and that it has one place. */
export function volumeProblems(draft: Draft): readonly FieldError[] {
  const spec = fieldsAt(draft, 'spec') ?? {}
  const present = sources.filter(name => fieldsAt(spec, name) !== undefined)
  return [
    ...(listAt(spec, 'accessModes').length === 0 ? [required('spec.accessModes')] : []),
    ...(Object.keys(fieldsAt(spec, 'capacity') ?? {}).length === 0 ? [required('spec.capacity')] : []),
    ...present.slice(1).map(name => forbidden(`spec.${shownAs[name] ?? name}`, 'may not specify more than 1 volume type')),
    ...(present.length === 0 ? [required('spec', 'must specify a volume type')] : []),
  ]
}

/** What is wrong with a VolumeAttachment. */
export function attachmentProblems(draft: Draft): readonly FieldError[] {
  const source = fieldsAt(draft, 'spec', 'source') ?? {}
  const problems = ['attacher', 'nodeName'].flatMap(name =>
    (textAt(draft, 'spec', name) ?? '') === '' ? [required(`spec.${name}`)] : [],
  )
  const [name, inline] = [textAt(source, 'persistentVolumeName'), fieldsAt(source, 'inlineVolumeSpec')]
  const names = 'inlineVolumeSpec and persistentVolumeName'
  if (name === undefined && inline === undefined)
    return [...problems, required('spec.source', `must specify exactly one of ${names}`)]
  if (name !== undefined && inline !== undefined)
    return [...problems, forbidden('spec.source', `must specify exactly one of ${names}`)]
  if (inline !== undefined) problems.push(...inlineProblems('spec.source.inlineVolumeSpec', inline))
  if (name === '') problems.push(required('spec.source.persistentVolumeName', 'must specify non empty persistentVolumeName'))
  return problems
}

function inlineProblems(at: string, spec: Draft): readonly FieldError[] {
  const isPlaced = sources.some(name => fieldsAt(spec, name) !== undefined)
  return [
    ...(listAt(spec, 'accessModes').length === 0 ? [required(`${at}.accessModes`)] : []),
    ...(isPlaced ? [] : [required(at, 'must specify a volume type')]),
    ...(fieldsAt(spec, 'csi') === undefined
      ? [required(`${at}.csi`, 'has to be specified in the context of inline volumes')]
      : []),
    ...(fieldsAt(spec, 'nodeAffinity') === undefined
      ? []
      : [forbidden(`${at}.nodeAffinity`, 'may not be specified in the context of inline volumes')]),
  ]
}

/** What is wrong with a VolumeAttributesClass. */
export function attributesClassProblems(draft: Draft): readonly FieldError[] {
  return [
    ...((textAt(draft, 'driverName') ?? '') === '' ? [required('driverName')] : []),
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

/** What is wrong with a CSIDriver. */
export function driverProblems(draft: Draft): readonly FieldError[] {
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
  const period = numberAt(draft, 'spec', 'nodeAllocatableUpdatePeriodSeconds')
  return [
    ...requests,
    ...listAt(draft, 'spec', 'volumeLifecycleModes')
      .filter(mode => !modes.includes(String(mode)))
      .map(mode => notSupported('spec.volumeLifecycleModes', mode, modes)),
    ...(period !== undefined && period < 10
      ? [invalid('spec.nodeAllocatableUpdatePeriodSeconds', period, 'must be greater than or equal to 10 seconds')]
      : []),
  ]
}

/** What is wrong with a ControllerRevision. */
export function revisionProblems(draft: Draft): readonly FieldError[] {
  const revision = numberAt(draft, 'revision') ?? 0
  return [
    ...((valueAt(draft, 'data') ?? null) === null ? [required('data', 'data is mandatory')] : []),
    ...(revision < 0 ? [invalid('revision', revision, 'must be greater than or equal to 0')] : []),
  ]
}
