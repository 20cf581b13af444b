// PersistentVolumes, in themselves and within a VolumeAttachment: modes, size, nodes, and the one place where each is.
import { type FieldError, forbidden, invalid, notSupported, required } from '#kube/objects/field-error.ts'
import { dns1123LabelProblems, dns1123SubdomainProblems } from '#kube/objects/names.ts'
import { int64Value, parseQuantity } from '#kube/values/quantity.ts'
import { type Draft, fieldsAt, isEmpty, itemsAt, listAt, numberAt, textAt, valueAt } from '../../../json-value.ts'
import { driverNameProblems } from '../devices/device-parts.ts'
import { nodeSelectorProblems } from '../pods/node-selector-validation.ts'
import { initiatorRules, sourceProblems } from '../pods/volume-source-validation.ts'
import { backstepProblems } from './paths.ts'

type Rule = (source: Draft, at: string) => readonly FieldError[]

const modes = ['ReadOnlyMany', 'ReadWriteMany', 'ReadWriteOnce', 'ReadWriteOncePod']
const inline = 'may not be specified in the context of inline volumes'

const needs = (source: Draft, at: string, ...fields: readonly string[]) =>
  fields.filter(field => isEmpty(valueAt(source, field))).map(field => required(`${at}.${field}`))

/** A Secret in a namespace; `checksNames`: names that none can have are told as well. */
function secretProblems(source: Draft, at: string, field: string, checksNames = false): readonly FieldError[] {
  const secret = fieldsAt(source, field)
  if (secret === undefined) return []
  const rules = { name: dns1123SubdomainProblems, namespace: dns1123LabelProblems }
  return (['name', 'namespace'] as const).flatMap(part => {
    const value = textAt(secret, part) ?? ''
    const place = `${at}.${field}.${part}`
    if (value === '') return [required(place)]
    return checksNames ? rules[part](value).map(rule => invalid(place, value, rule)) : []
  })
}

/** Places of which a PersistentVolume says more, or other things, than a pod's volume does. */
const own: Readonly<Record<string, Rule>> = {
  gcePersistentDisk: (source, at) => sourceProblems('gcePersistentDisk', source, at),
  glusterfs(source, at) {
    const namespace = textAt(source, 'endpointsNamespace')
    const place = `${at}.endpointsNamespace`
    return [
      ...needs(source, at, 'endpoints', 'path'),
      ...(namespace === ''
        ? [invalid(place, '', 'if the endpointnamespace is set, it must be a valid namespace name')]
        : dns1123LabelProblems(namespace ?? 'a').map(rule => invalid(place, namespace, rule))),
    ]
  },
  rbd: (source, at) => needs(source, at, 'monitors', 'image'),
  cephfs: (source, at) => needs(source, at, 'monitors'),
  iscsi(source, at) {
    const [target, name, initiator] = [
      textAt(source, 'iqn') ?? '',
      textAt(source, 'targetPortal') ?? '',
      textAt(source, 'initiatorName'),
    ]
    const lun = numberAt(source, 'lun') ?? 0
    const asksName = source['chapAuthDiscovery'] === true || source['chapAuthSession'] === true
    const secret = fieldsAt(source, 'secretRef')
    return [
      ...(name === '' ? [required(`${at}.targetPortal`)] : []),
      ...(target === ''
        ? [required(`${at}.iqn`)]
        : initiatorRules(target, false).map(rule => invalid(`${at}.iqn`, target, rule))),
      ...(lun < 0 || lun > 255 ? [invalid(`${at}.lun`, lun, 'must be between 0 and 255, inclusive')] : []),
      ...(asksName && secret === undefined ? [required(`${at}.secretRef`)] : []),
      ...(secret !== undefined && isEmpty(secret['name']) ? [required(`${at}.secretRef.name`)] : []),
      ...(initiator === undefined
        ? []
        : initiatorRules(initiator, false).map(rule => invalid(`${at}.initiatorname`, initiator, rule))),
    ]
  },
  cinder: (source, at) => [...needs(source, at, 'volumeID'), ...secretProblems(source, at, 'secretRef')],
  azureFile: (source, at) => [
    ...needs(source, at, 'secretName', 'shareName'),
    ...(textAt(source, 'secretNamespace') === '' ? [required(`${at}.secretNamespace`)] : []),
  ],
  local: (source, at) => {
    const path = textAt(source, 'path') ?? ''
    return path === '' ? [required(`${at}.path`)] : backstepProblems(path, `${at}.path`)
  },
  storageos: (source, at) => [
    ...sourceProblems('storageos', { ...source, secretRef: undefined }, at),
    ...secretProblems(source, at, 'secretRef'),
  ],
  csi: (source, at) => [
    ...driverNameProblems(`${at}.driver`, textAt(source, 'driver') ?? ''),
    ...needs(source, at, 'volumeHandle'),
    ...['controllerPublishSecretRef', 'controllerExpandSecretRef', 'nodePublishSecretRef', 'nodeExpandSecretRef'].flatMap(field =>
      secretProblems(source, at, field, true),
    ),
  ],
}

/** Fields that say where a volume is, in the order in which they are looked at. */
const places = [
  ...['hostPath', 'gcePersistentDisk', 'awsElasticBlockStore', 'glusterfs', 'flocker', 'nfs', 'rbd', 'quobyte', 'cephfs'],
  ...['iscsi', 'cinder', 'fc', 'flexVolume', 'azureFile', 'vsphereVolume', 'photonPersistentDisk', 'portworxVolume'],
  ...['azureDisk', 'scaleIO', 'local', 'storageos', 'csi'],
]
/** Upstream names one of them otherwise where there is more than one. */
const secondAs: Readonly<Record<string, string>> = { cephfs: 'cephFS' }

/** Everything that is wrong with a PersistentVolume but for its metadata. */
export function volumeProblems(draft: Draft): readonly FieldError[] {
  return volumeSpecProblems(fieldsAt(draft, 'spec') ?? {}, 'spec', false)
}

/** What is wrong with the spec of a volume at `at`; `isInline`: within the attachment of a volume that no object stands for. */
export function volumeSpecProblems(spec: Draft, at: string, isInline: boolean): readonly FieldError[] {
  return [
    ...(isInline ? inlineProblems(spec, at) : []),
    ...modeProblems(listAt(spec, 'accessModes').map(String), `${at}.accessModes`),
    ...(isInline ? [] : sizeProblems(fieldsAt(spec, 'capacity') ?? {}, `${at}.capacity`)),
    ...policyProblems(spec, at, isInline),
    ...affinityProblems(spec, at, isInline),
    ...placeProblems(spec, at),
    ...classProblems(spec, at, isInline),
  ]
}

function inlineProblems(spec: Draft, at: string): readonly FieldError[] {
  return [
    ...(fieldsAt(spec, 'claimRef') === undefined ? [] : [forbidden(`${at}.claimRef`, inline)]),
    ...(isEmpty(spec['capacity']) ? [] : [forbidden(`${at}.capacity`, inline)]),
    ...(fieldsAt(spec, 'csi') === undefined
      ? [required(`${at}.csi`, 'has to be specified in the context of inline volumes')]
      : []),
  ]
}

function modeProblems(given: readonly string[], at: string): readonly FieldError[] {
  const isAlone = given.includes('ReadWriteOncePod') && given.some(mode => mode !== 'ReadWriteOncePod' && modes.includes(mode))
  return [
    ...(given.length === 0 ? [required(at)] : []),
    ...given.filter(mode => !modes.includes(mode)).map(mode => notSupported(at, mode, modes)),
    ...(isAlone ? [forbidden(at, 'may not use ReadWriteOncePod with other access modes')] : []),
  ]
}

function sizeProblems(capacity: Draft, at: string): readonly FieldError[] {
  const names = Object.keys(capacity)
  const shown = names.length === 0 ? null : Object.fromEntries(names.toSorted().map(name => [name, String(capacity[name])]))
  return [
    ...(names.length === 0 ? [required(at)] : []),
    ...(names.length === 1 && names[0] === 'storage' ? [] : [notSupported(at, shown, ['storage'])]),
    ...names.flatMap(name => {
      const text = String(capacity[name])
      const size = parseQuantity(text)
      const isWhole = int64Value(text, 3) % 1000n === 0n
      // A volume's size may be less than a byte, in upstream's eyes, and is refused for that it is not more than nothing.
      const isPositive = size.ok && size.value.nanos > 0n
      return [
        ...(size.ok && size.value.nanos < 0n && !isWhole
          ? [invalid(`${at}[${name}]`, text, 'must be a valid resource quantity')]
          : []),
        ...(isPositive ? [] : [invalid(`${at}[${name}]`, text, 'must be greater than zero')]),
      ]
    }),
  ]
}

const policies = ['Delete', 'Recycle', 'Retain']

function policyProblems(spec: Draft, at: string, isInline: boolean): readonly FieldError[] {
  const policy = textAt(spec, 'persistentVolumeReclaimPolicy') ?? ''
  const place = `${at}.persistentVolumeReclaimPolicy`
  if (policy === '') return []
  if (isInline) return policy === 'Retain' ? [] : [forbidden(place, 'may only be Retain in the context of inline volumes')]
  return policies.includes(policy) ? [] : [notSupported(place, policy, policies)]
}

function affinityProblems(spec: Draft, at: string, isInline: boolean): readonly FieldError[] {
  const affinity = fieldsAt(spec, 'nodeAffinity')
  if (affinity === undefined) return []
  if (isInline) return [forbidden(`${at}.nodeAffinity`, inline)]
  const needed = fieldsAt(affinity, 'required')
  const place = `${at}.nodeAffinity.required`
  return needed === undefined ? [required(place, 'must specify required node constraints')] : nodeSelectorProblems(place, needed)
}

function placeProblems(spec: Draft, at: string): readonly FieldError[] {
  const given = places.filter(name => fieldsAt(spec, name) !== undefined)
  const problems = given.flatMap((name, index) => {
    if (index > 0 && name !== 'flexVolume')
      return [forbidden(`${at}.${secondAs[name] ?? name}`, 'may not specify more than 1 volume type')]
    const source = fieldsAt(spec, name) ?? {}
    const rule = Object.hasOwn(own, name) ? own[name] : undefined
    const found = rule?.(source, `${at}.${name}`) ?? sourceProblems(name, source, `${at}.${name}`)
    const isAlone = name === 'local' && fieldsAt(spec, 'nodeAffinity') === undefined
    return [...found, ...(isAlone ? [required(`${at}.nodeAffinity`, 'Local volume requires node affinity')] : [])]
  })
  const isRoot = /^\/+$/.test(textAt(spec, 'hostPath', 'path') ?? '') && spec['persistentVolumeReclaimPolicy'] === 'Recycle'
  return [
    ...problems,
    ...(given.length === 0 ? [required(at, 'must specify a volume type')] : []),
    ...(isRoot ? [forbidden(`${at}.persistentVolumeReclaimPolicy`, "may not be 'recycle' for a hostPath mount of '/'")] : []),
  ]
}

function classProblems(spec: Draft, at: string, isInline: boolean): readonly FieldError[] {
  const [name, mode, attributes] = ['storageClassName', 'volumeMode', 'volumeAttributesClassName'].map(field =>
    textAt(spec, field),
  )
  const problems: FieldError[] = []
  if ((name ?? '') !== '')
    problems.push(
      ...(isInline
        ? [forbidden(`${at}.storageClassName`, inline)]
        : dns1123SubdomainProblems(name ?? '').map(rule => invalid(`${at}.storageClassName`, name, rule))),
    )
  if (mode !== undefined && isInline && mode !== 'Filesystem')
    problems.push(
      forbidden(`${at}.volumeMode`, 'may not specify volumeMode other than Filesystem in the context of inline volumes'),
    )
  else if (mode !== undefined && !isInline && mode !== 'Block' && mode !== 'Filesystem')
    problems.push(notSupported(`${at}.volumeMode`, mode, ['Block', 'Filesystem']))
  if (attributes === undefined || isInline) return problems
  const place = `${at}.volumeAttributesClassName`
  if (attributes === '') problems.push(required(place, 'an empty string is disallowed'))
  else problems.push(...dns1123SubdomainProblems(attributes).map(rule => invalid(place, attributes, rule)))
  if (fieldsAt(spec, 'csi') === undefined)
    problems.push(required(`${at}.csi`, 'has to be specified when using volumeAttributesClassName'))
  return problems
}

/** What is wrong with topologies of a StorageClass: each key and each value once, and no two alike. */
export function topologyProblems(
  at: string,
  topologies: readonly Draft[],
  nameRules: (key: string) => readonly string[],
): readonly FieldError[] {
  const seen: string[] = topologies.map(() => '[]')
  return topologies.flatMap((topology, index) => {
    const place = `${at}[${index}].matchLabelExpressions`
    const expressions = itemsAt(topology, 'matchLabelExpressions')
    const keys = expressions.map(expression => textAt(expression, 'key') ?? '')
    const problems = expressions.flatMap((expression, number) => {
      const key = keys[number] ?? ''
      const values = listAt(expression, 'values').map(String)
      return [
        ...(values.length === 0 ? [required(`${place}[${number}].values`)] : []),
        ...values.flatMap((value, position) =>
          values.indexOf(value) < position ? [repeated(`${place}[${number}].values[${position}]`, value)] : [],
        ),
        ...nameRules(key).map(rule => invalid(`${place}[${number}].key`, key, rule)),
        ...(keys.indexOf(key) < number ? [repeated(`${place}[${number}].key`, key)] : []),
      ]
    })
    const sets = new Map(expressions.map((expression, number) => [keys[number] ?? '', new Set(listAt(expression, 'values'))]))
    const form = JSON.stringify([...sets].map(([key, values]) => [key, [...values].map(String).toSorted()]).toSorted())
    // Upstream begins with as many empty ones as there are topologies.
    const alike = seen.filter(one => one === form).map(() => repeated(place, ''))
    seen.push(form)
    return [...problems, ...alike]
  })
}

const repeated = (field: string, value: string): FieldError => ({
  type: 'FieldValueDuplicate',
  field,
  body: `Duplicate value: ${JSON.stringify(value)}`,
})
