// Where a pod's volume comes from: one source, with what that source must say; in upstream's order and words.
import { type FieldError, forbidden, invalid, notSupported, required } from '#kube/objects/field-error.ts'
import { dns1123LabelProblems } from '#kube/objects/names.ts'
import { parseQuantity } from '#kube/values/quantity.ts'
import { type Draft, fieldsAt, isEmpty, itemsAt, listAt, numberAt, textAt, valueAt } from '../../../json-value.ts'
import { claimSpecProblems } from './claim-spec-validation.ts'
import { fieldReferenceProblems, resourceReferenceProblems } from './environment-validation.ts'

type Rule = (source: Draft, at: string) => readonly FieldError[]

const isMissing = (source: Draft, ...path: readonly string[]) => isEmpty(valueAt(source, ...path))
/** Fields that must have something in them. */
const needs =
  (...fields: readonly string[]): Rule =>
  (source, at) =>
    fields.filter(field => isMissing(source, field)).map(field => required(`${at}.${field}`))
const all =
  (...rules: readonly Rule[]): Rule =>
  (source, at) =>
    rules.flatMap(rule => rule(source, at))
/** A reference that is there names something. */
const named =
  (field: string): Rule =>
  (source, at) =>
    fieldsAt(source, field) !== undefined && isMissing(source, field, 'name') ? [required(`${at}.${field}.name`)] : []
const within =
  (field: string, least: number, most: number, rule = `must be between ${least} and ${most}, inclusive`): Rule =>
  (source, at) => {
    const value = numberAt(source, field)
    return value === undefined || (value >= least && value <= most) ? [] : [invalid(`${at}.${field}`, value, rule)]
  }
const among =
  (field: string, choices: readonly string[]): Rule =>
  (source, at) => {
    const value = textAt(source, field)
    return value === undefined || choices.includes(value) ? [] : [notSupported(`${at}.${field}`, value, choices)]
  }
const mode = (field: string) => within(field, 0, 0o777, 'must be a number between 0 and 0777 (octal), both inclusive')
const partition = within('partition', 0, 255, 'must be between 1 and 255, inclusive')

const hostPathTypes = ['', 'BlockDevice', 'CharDevice', 'Directory', 'DirectoryOrCreate', 'File', 'FileOrCreate', 'Socket']
const pullPolicies = ['Always', 'IfNotPresent', 'Never']

/** Sources in the order in which upstream looks at them. */
const sources: Readonly<Record<string, Rule>> = {
  emptyDir(source, at) {
    const size = parseQuantity(String(source['sizeLimit'] ?? '0'))
    return size.ok && size.value.nanos < 0n
      ? [forbidden(`${at}.sizeLimit`, 'SizeLimit field must be a valid resource quantity')]
      : []
  },
  hostPath(source, at) {
    const path = textAt(source, 'path') ?? ''
    if (path === '') return [required(`${at}.path`)]
    return [...backstepProblems(path, `${at}.path`), ...among('type', hostPathTypes)(source, at)]
  },
  gitRepo: needs('repository'),
  gcePersistentDisk: (source, at) => all(needs('pdName'), partition)(source, at.replace(/gcePersistentDisk$/, 'persistentDisk')),
  awsElasticBlockStore: all(needs('volumeID'), partition),
  secret: all(needs('secretName'), mode('defaultMode'), keyProblems),
  nfs: needs('server', 'path'),
  iscsi: all(needs('targetPortal', 'iqn'), within('lun', 0, 255)),
  glusterfs: needs('endpoints', 'path'),
  flocker(source, at) {
    if (isMissing(source, 'datasetName') && isMissing(source, 'datasetUUID'))
      return [required(at, 'one of datasetName and datasetUUID is required')]
    return isMissing(source, 'datasetName') || isMissing(source, 'datasetUUID')
      ? []
      : [invalid(at, 'resource', 'datasetName and datasetUUID can not be specified simultaneously')]
  },
  persistentVolumeClaim: needs('claimName'),
  rbd: needs('monitors', 'image'),
  cinder: all(needs('volumeID'), named('secretRef')),
  cephfs: needs('monitors'),
  quobyte(source, at) {
    const registry = textAt(source, 'registry') ?? ''
    const rule = 'must be a host:port pair or multiple pairs separated by commas'
    return [
      ...(registry === ''
        ? [required(`${at}.registry`, rule)]
        : registry.split(',').flatMap(pair => (/^[^:]*:[^:]*$/.test(pair) ? [] : [invalid(`${at}.registry`, registry, rule)]))),
      ...needs('volume')(source, at),
    ]
  },
  downwardAPI: all(mode('defaultMode'), (source, at) => itemsAt(source, 'items').flatMap(file => fileProblems(file, at))),
  fc(source, at) {
    const [hasTargets, hasIds] = [listAt(source, 'targetWWNs').length > 0, listAt(source, 'wwids').length > 0]
    if (!hasTargets) return hasIds ? [] : [required(`${at}.targetWWNs`, 'must specify either targetWWNs or wwids, but not both')]
    return [
      ...(hasIds
        ? [invalid(`${at}.targetWWNs`, source['targetWWNs'], 'targetWWNs and wwids can not be specified simultaneously')]
        : []),
      ...(source['lun'] === undefined ? [required(`${at}.lun`, 'lun is required if targetWWNs is specified')] : []),
      ...within('lun', 0, 255)(source, at),
    ]
  },
  flexVolume: needs('driver'),
  configMap: all(needs('name'), mode('defaultMode'), keyProblems),
  azureFile: needs('secretName', 'shareName'),
  vsphereVolume: needs('volumePath'),
  photonPersistentDisk: needs('pdID'),
  portworxVolume: needs('volumeID'),
  azureDisk: all(
    needs('diskName', 'diskURI'),
    among('cachingMode', ['None', 'ReadOnly', 'ReadWrite']),
    among('kind', ['Dedicated', 'Managed', 'Shared']),
    diskProblems,
  ),
  storageos: all(needs('volumeName'), labelOf('volumeName'), labelOf('volumeNamespace'), named('secretRef')),
  projected: all(mode('defaultMode'), projectionProblems),
  scaleIO: needs('gateway', 'system', 'volumeName'),
  csi: all(needs('driver'), named('nodePublishSecretRef')),
  ephemeral(source, at) {
    const template = fieldsAt(source, 'volumeClaimTemplate')
    if (template === undefined) return [required(`${at}.volumeClaimTemplate`)]
    const metadata = fieldsAt(template, 'metadata') ?? {}
    const set = Object.keys(metadata).filter(name => !templateMetadata.has(name) && !isEmpty(metadata[name]))
    return [
      ...set.map(name => forbidden(`${at}.volumeClaimTemplate.metadata.${name}`, 'cannot be set')),
      ...claimSpecProblems(fieldsAt(template, 'spec') ?? {}, `${at}.volumeClaimTemplate.spec`),
    ]
  },
  image: among('pullPolicy', pullPolicies),
}

/** What a template of a claim may say of its claim's metadata. */
const templateMetadata: ReadonlySet<string> = new Set(['annotations', 'labels'])
/** Upstream names some otherwise where there is more than one. */
const secondAs: Readonly<Record<string, string>> = { cephfs: 'cephFS', downwardAPI: 'downwarAPI' }

/** Everything that is wrong with where the volume at `at` comes from; of several sources the first counts. */
export function volumeSourceProblems(volume: Draft, at: string): readonly FieldError[] {
  const given = Object.keys(sources).filter(name => fieldsAt(volume, name) !== undefined)
  return given.flatMap((name, index) =>
    index > 0
      ? [forbidden(`${at}.${secondAs[name] ?? name}`, 'may not specify more than 1 volume type')]
      : (sources[name]?.(fieldsAt(volume, name) ?? {}, `${at}.${name}`) ?? []),
  )
}

/** What is wrong with one source of a pod's volume; a PersistentVolume has most of them as well. */
export function sourceProblems(name: string, source: Draft, at: string): readonly FieldError[] {
  return Object.hasOwn(sources, name) ? (sources[name]?.(source, at) ?? []) : []
}

function labelOf(field: string): Rule {
  return (source, at) => {
    const value = textAt(source, field) ?? ''
    return value === '' ? [] : dns1123LabelProblems(value).map(rule => invalid(`${at}.${field}`, value, rule))
  }
}

function diskProblems(source: Draft, at: string): readonly FieldError[] {
  const [kind, uri] = [textAt(source, 'kind') ?? 'Shared', textAt(source, 'diskURI') ?? '']
  const [start, form] =
    kind === 'Managed'
      ? ['/subscriptions/', '/subscriptions/{sub-id}/resourcegroups/{group-name}/providers/microsoft.compute/disks/{disk-id}']
      : ['https://', 'https://{account-name}.blob.core.windows.net/{container-name}/{disk-name}.vhd']
  return uri.startsWith(start) ? [] : [notSupported(`${at}.diskURI`, uri, [form])]
}

function keyProblems(source: Draft, at: string): readonly FieldError[] {
  return itemsAt(source, 'items').flatMap((item, index) => {
    const place = `${at}.items[${index}]`
    return [
      ...needs('key', 'path')(item, place),
      ...relativeProblems(textAt(item, 'path') ?? '', `${place}.path`),
      ...mode('mode')(item, place),
    ]
  })
}

/** A file of the downward API; upstream tells it at its list. */
function fileProblems(file: Draft, at: string): readonly FieldError[] {
  const [field, resource] = [fieldsAt(file, 'fieldRef'), fieldsAt(file, 'resourceFieldRef')]
  return [
    ...needs('path')(file, at),
    ...relativeProblems(textAt(file, 'path') ?? '', `${at}.path`),
    ...(field === undefined ? [] : fieldReferenceProblems(field, `${at}.fieldRef`, 'volume')),
    ...(field !== undefined && resource !== undefined
      ? [invalid(at, 'resource', 'fieldRef and resourceFieldRef can not be specified simultaneously')]
      : []),
    ...(field === undefined && resource !== undefined
      ? resourceReferenceProblems(resource, `${at}.resourceFieldRef`, 'volume')
      : []),
    ...(field === undefined && resource === undefined ? [required(at, 'one of fieldRef and resourceFieldRef is required')] : []),
    ...mode('mode')(file, at),
  ]
}

function projectionProblems(source: Draft, at: string): readonly FieldError[] {
  return itemsAt(source, 'sources').flatMap((one, index): readonly FieldError[] => {
    const place = `${at}.sources[${index}]`
    const [secret, map, files, token] = ['secret', 'configMap', 'downwardAPI', 'serviceAccountToken'].map(name =>
      fieldsAt(one, name),
    )
    const seconds = numberAt(token, 'expirationSeconds')
    const path = textAt(token, 'path') ?? ''
    return [
      ...(secret === undefined ? [] : all(needs('name'), keyProblems)(secret, `${place}.secret`)),
      ...(map === undefined ? [] : all(needs('name'), keyProblems)(map, `${place}.configMap`)),
      ...itemsAt(files, 'items').flatMap(file => fileProblems(file, `${place}.downwardAPI`)),
      ...(seconds !== undefined && seconds < 600
        ? [invalid(`${place}.serviceAccountToken.expirationSeconds`, seconds, 'may not specify a duration less than 10 minutes')]
        : []),
      ...(token === undefined ? [] : path === '' ? [required(`${at}.path`)] : relativeProblems(path, `${at}.path`)),
      ...([secret, map, files, token].filter(Boolean).length > 1
        ? [forbidden(place, 'may not specify more than 1 volume type per source')]
        : []),
    ]
  })
}

/** A path below the volume's own folder. */
function relativeProblems(path: string, at: string): readonly FieldError[] {
  return [
    ...(path.startsWith('/') ? [invalid(at, path, 'must be a relative path')] : []),
    ...backstepProblems(path, at),
    ...(path.startsWith('..') && !path.startsWith('../') && path !== '..' ? [invalid(at, path, "must not start with '..'")] : []),
  ]
}

/** A path that leads out of its folder. */
export function backstepProblems(path: string, at: string): readonly FieldError[] {
  return path.split('/').includes('..') ? [invalid(at, path, "must not contain '..'")] : []
}
