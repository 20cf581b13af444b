// Where a pod's volume comes from: one source, with what that source must say; in upstream's order and words.
import { type FieldError, forbidden, invalid, notSupported, required } from '#kube/objects/field-error.ts'
import { dns1123LabelProblems, dns1123SubdomainProblems } from '#kube/objects/names.ts'
import { parseQuantity } from '#kube/values/quantity.ts'
import { type Draft, fieldsAt, integerAt, isEmpty, itemsAt, listAt, numberAt, textAt, valueAt } from '../../../json-value.ts'
import { driverNameProblems } from '../devices/device-parts.ts'
import { templateMetadataProblems } from '../metadata-validation.ts'
import { backstepProblems, descendingProblems, ownPathProblems } from '../volumes/paths.ts'
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

const initiators = [/iqn\.\d{4}-\d{2}\.([A-Za-z0-9\-.]+)(:[^,;*&$|\s]+)$/, /^eui.[A-Za-z0-9]{16}$/, /^naa.[A-Za-z0-9]{32}$/]
const initiatorKinds = ['iqn', 'eui', 'naa']

/** What the name of an initiator or a target breaks; `tellsKinds`: a pod's volume is told how names begin. */
export function initiatorRules(name: string, tellsKinds: boolean): readonly string[] {
  const kind = initiatorKinds.findIndex(one => name.startsWith(one))
  if (initiators[kind]?.test(name) === true) return []
  return [kind < 0 && tellsKinds ? 'must be valid format starting with iqn, eui, or naa' : 'must be valid format']
}

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
  gitRepo: all(needs('repository'), (source, at) => descendingProblems(textAt(source, 'directory') ?? '', `${at}.directory`)),
  gcePersistentDisk: (source, at) => all(needs('pdName'), partition)(source, at.replace(/gcePersistentDisk$/, 'persistentDisk')),
  awsElasticBlockStore: all(needs('volumeID'), partition),
  secret: all(needs('secretName'), mode('defaultMode'), keyProblems),
  nfs(source, at) {
    const path = textAt(source, 'path') ?? ''
    return [
      ...needs('server', 'path')(source, at),
      ...(path.startsWith('/') ? [] : [invalid(`${at}.path`, path, 'must be an absolute path')]),
    ]
  },
  iscsi(source, at) {
    const [target, initiator] = [textAt(source, 'iqn') ?? '', textAt(source, 'initiatorName')]
    const usesSecret = source['chapAuthDiscovery'] === true || source['chapAuthSession'] === true
    return [
      ...needs('targetPortal', 'iqn')(source, at),
      ...(target === '' ? [] : initiatorRules(target, true).map(rule => invalid(`${at}.iqn`, target, rule))),
      ...within('lun', 0, 255)(source, at),
      ...(usesSecret && fieldsAt(source, 'secretRef') === undefined ? [required(`${at}.secretRef`)] : []),
      ...(initiator === undefined
        ? []
        : initiatorRules(initiator, true).map(rule => invalid(`${at}.initiatorname`, initiator, rule))),
    ]
  },
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
    const isTenantLong = Buffer.byteLength(textAt(source, 'tenant') ?? '') >= 65
    const rule = 'must be a host:port pair or multiple pairs separated by commas'
    return [
      ...(registry === ''
        ? [required(`${at}.registry`, rule)]
        : isTenantLong
          ? [required(`${at}.tenant`, 'must be a UUID and may not exceed a length of 64 characters')]
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
  flexVolume: all(needs('driver'), (source, at) =>
    Object.keys(fieldsAt(source, 'options') ?? {})
      .filter(key =>
        /\.(kubernetes|k8s)\.io$/.test(`.${(key.includes('/') ? key.slice(0, key.indexOf('/')) : key).toLowerCase()}`),
      )
      .map(key => invalid(`${at}.options[${key}]`, key, 'kubernetes.io and k8s.io namespaces are reserved')),
  ),
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
  csi(source, at) {
    const [driver, secret] = [textAt(source, 'driver') ?? '', textAt(source, 'nodePublishSecretRef', 'name') ?? '']
    return [
      ...driverNameProblems(`${at}.driver`, driver),
      ...named('nodePublishSecretRef')(source, at),
      ...(secret === '' ? [] : dns1123SubdomainProblems(secret).map(rule => invalid(`${at}.name`, secret, rule))),
    ]
  },
  ephemeral(source, at) {
    const template = fieldsAt(source, 'volumeClaimTemplate')
    if (template === undefined) return [required(`${at}.volumeClaimTemplate`)]
    return [
      ...templateMetadataProblems(fieldsAt(template, 'metadata') ?? {}, `${at}.volumeClaimTemplate.metadata`),
      ...claimSpecProblems(fieldsAt(template, 'spec') ?? {}, `${at}.volumeClaimTemplate.spec`),
    ]
  },
  image(source, at) {
    const policy = textAt(source, 'pullPolicy') ?? ''
    return policy === '' ? [required(`${at}.pullPolicy`)] : among('pullPolicy', pullPolicies)(source, at)
  },
}

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
      ...ownPathProblems(textAt(item, 'path') ?? '', `${place}.path`),
      ...mode('mode')(item, place),
    ]
  })
}

/** A file of the downward API; upstream tells it at its list. */
function fileProblems(file: Draft, at: string): readonly FieldError[] {
  const [field, resource] = [fieldsAt(file, 'fieldRef'), fieldsAt(file, 'resourceFieldRef')]
  return [
    ...needs('path')(file, at),
    ...ownPathProblems(textAt(file, 'path') ?? '', `${at}.path`),
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
  const paths = new Set<string>()
  const clashes = (items: readonly Draft[], shown?: string) =>
    items.flatMap(item => {
      const path = textAt(item, 'path') ?? ''
      const isTaken = path !== '' && paths.has(path)
      paths.add(path)
      return isTaken ? [invalid(at, shown ?? path, 'conflicting duplicate paths')] : []
    })
  return itemsAt(source, 'sources').flatMap((one, index): readonly FieldError[] => {
    const place = `${at}.sources[${index}]`
    const [secret, map, files, token] = ['secret', 'configMap', 'downwardAPI', 'serviceAccountToken'].map(name =>
      fieldsAt(one, name),
    )
    const keysOf = (part: Draft | undefined, name: string) =>
      part === undefined
        ? []
        : [
            ...all(needs('name'), keyProblems)(part, `${place}.${name}`),
            ...clashes(itemsAt(part, 'items'), textAt(part, 'name') ?? ''),
          ]
    return [
      ...keysOf(secret, 'secret'),
      ...keysOf(map, 'configMap'),
      ...itemsAt(files, 'items').flatMap(file => [...fileProblems(file, `${place}.downwardAPI`), ...clashes([file])]),
      ...(token === undefined ? [] : tokenProblems(token, place, at)),
      ...([secret, map, files, token].filter(Boolean).length > 1
        ? [forbidden(place, 'may not specify more than 1 volume type per source')]
        : []),
    ]
  })
}

/** A token of the pod's account; upstream tells its path at the volume. */
function tokenProblems(token: Draft, place: string, at: string): readonly FieldError[] {
  const [seconds, path] = [integerAt(token, 'expirationSeconds') ?? 0, textAt(token, 'path') ?? '']
  const told = `${place}.serviceAccountToken.expirationSeconds`
  return [
    ...(seconds < 600 ? [invalid(told, seconds, 'may not specify a duration less than 10 minutes')] : []),
    ...(seconds > 2 ** 32 ? [invalid(told, seconds, 'may not specify a duration larger than 2^32 seconds')] : []),
    ...(path === '' ? [required(`${at}.path`)] : ownPathProblems(path, `${at}.path`)),
  ]
}
