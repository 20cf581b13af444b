// What becomes of each key of the chart `nfs-subdir-external-provisioner` 4.0: a class of ours that makes the same folders, and nothing of its pods.

import { type ConvertedValues, convertValues } from '#upstreams/convert-values.ts'
import {
  converted,
  dropped,
  isEmpty,
  lostUnlessEmpty,
  type RowContext,
  type Step,
  type ValuesRow,
} from '#upstreams/values-row.ts'
import { isTree, type ValuesTree, valueAt } from '#upstreams/values-tree.ts'
import { driverName } from '../names.ts'

/** Charts whose keys are recorded. */
export const subdirVersions: readonly string[] = ['4.0.18']

const ownPods = 'the pods of ours have settings of their own (nfs.controller)'
const ofClass = 'it is in the class'
const oneImage = 'Ballast is one image of its own'
const ownRights = 'ours has accounts and rights of its own'

const left = (why: string): Step => ({ kind: 'dropped', why })
const lost = (why: string): Step => ({ kind: 'lost', why })

/** The folder of a claim where no pattern says another. */
const standardFolder = `\${pvc.metadata.namespace}-\${pvc.metadata.name}-\${pv.metadata.name}`

const facts: Readonly<Record<string, string>> = { name: `\${pvc.metadata.name}`, namespace: `\${pvc.metadata.namespace}` }

interface Pattern {
  readonly subDir: string
  /** Parts of it that mean something else, or nothing, with ours. */
  readonly notes: readonly string[]
}

/** A pattern of upstream's as the `subDir` of a class of ours. */
export function subDirOf(pattern: string): Pattern {
  const notes = new Set<string>()
  const subDir = pattern.replace(
    /\$\{\.PVC\.(?:(labels|annotations)\.)?([^}]*)\}/g,
    (whole, of: string | undefined, key: string) => {
      if (of === undefined) {
        const known = facts[key]
        if (known !== undefined) return known
        notes.add(`${whole} is nothing: upstream leaves it out, and so does ours`)
        return ''
      }
      if (/['\]]/.test(key)) notes.add(`${whole}: ours takes no such key`)
      if (of === 'annotations') notes.add('what an annotation says is one folder with ours: a "/" in it becomes "_"')
      return `\${pvc.metadata.${of}['${key}']}`
    },
  )
  return { subDir: subDir.replace(/^\/+|\/+$/g, ''), notes: [...notes] }
}

/** What deleting a claim does to its folder: `onDelete` counts before `archiveOnDelete`, and another value than these two counts for nothing. */
export function onDeleteOf(onDelete: unknown, archiveOnDelete: unknown): 'delete' | 'retain' | 'archive' {
  if (onDelete === 'delete' || onDelete === 'retain') return onDelete
  return String(archiveOnDelete ?? true) === 'false' ? 'delete' : 'archive'
}

/** The class as ours, by what upstream is told. */
function classOf(read: (path: string) => unknown): { readonly object: ValuesTree; readonly notes: readonly string[] } {
  const of = (key: string) => read(`storageClass.${key}`)
  const pattern = of('pathPattern')
  const { subDir, notes } =
    typeof pattern === 'string' && pattern !== '' ? subDirOf(pattern) : { subDir: standardFolder, notes: [] }
  const options = read('nfs.mountOptions')
  const annotations = {
    ...(of('defaultClass') === true ? { 'storageclass.kubernetes.io/is-default-class': 'true' } : {}),
    ...(isTree(of('annotations')) ? Object(of('annotations')) : {}),
  }
  const object = {
    apiVersion: 'storage.k8s.io/v1',
    kind: 'StorageClass',
    metadata: { name: of('name'), ...(Object.keys(annotations).length === 0 ? {} : { annotations }) },
    provisioner: driverName,
    parameters: {
      server: read('nfs.server'),
      share: read('nfs.path'),
      subDir,
      onDelete: onDeleteOf(of('onDelete'), of('archiveOnDelete')),
      // It gives each folder to everybody.
      mountPermissions: '0777',
    },
    ...(Array.isArray(options) && options.length > 0 ? { mountOptions: options } : {}),
    reclaimPolicy: of('reclaimPolicy'),
    volumeBindingMode: of('volumeBindingMode'),
    allowVolumeExpansion: of('allowVolumeExpansion'),
  }
  return { object, notes }
}

function server(value: unknown, { read }: RowContext): readonly Step[] {
  if (typeof value !== 'string' || value === '') return [lost('a class of ours names its server')]
  if (read('storageClass.create') === false)
    return [lost('its class is made elsewhere: write one with provisioner nfs.csi.k8s.io, server, share and subDir')]
  const { object, notes } = classOf(read)
  const why = `as a class of your own. Kubernetes lets nobody change the provisioner of a class: delete the old one of this name first; bound claims do not notice${notes.length === 0 ? '' : `. ${notes.join('; ')}`}`
  const kind = notes.length === 0 ? 'carried' : 'changed'
  if (kind === 'changed') return [{ kind, to: 'extraObjects', value: [object], why }]
  return [{ kind, to: 'extraObjects', value: object, isItem: true, why }]
}

const standards: Readonly<Record<string, unknown>> = {
  'nfs.path': '/nfs-storage',
  'storageClass.create': true,
  'storageClass.name': 'nfs-client',
  'storageClass.archiveOnDelete': true,
  'storageClass.reclaimPolicy': 'Delete',
  'storageClass.volumeBindingMode': 'Immediate',
  'storageClass.allowVolumeExpansion': true,
}

/** One row for each key of the chart. */
export const subdirRows: readonly ValuesRow[] = [
  converted('nfs.server', server),
  ...['path', 'mountOptions'].map(key => dropped(`nfs.${key}`, ofClass)),
  ...['volumeName', 'reclaimPolicy'].map(key => dropped(`nfs.${key}`, 'ours mounts shares itself: it has no volume of its own')),
  ...[
    ...['create', 'name', 'defaultClass', 'allowVolumeExpansion', 'reclaimPolicy', 'archiveOnDelete', 'onDelete', 'pathPattern'],
    ...['volumeBindingMode', 'annotations'],
  ].map(key => dropped(`storageClass.${key}`, ofClass)),
  converted('storageClass.provisionerName', value =>
    isEmpty(value)
      ? [left('it has a name of its own making')]
      : [left(`${String(value)}: classes of ours name ${driverName}; volumes that it made go on belonging to it`)],
  ),
  dropped('storageClass.accessModes', 'it is that of its own volume'),
  dropped('replicaCount', ownPods),
  dropped('strategyType', ownPods),
  ...['repository', 'tag', 'pullPolicy'].map(key => dropped(`image.${key}`, oneImage)),
  converted('imagePullSecrets', value =>
    isEmpty(value) ? [left('there are none')] : [{ kind: 'carried', to: 'imagePullSecrets', value }],
  ),
  dropped('leaderElection.enabled', 'each job elects by its Lease'),
  dropped('rbac.create', ownRights),
  dropped('podSecurityPolicy.enabled', 'Kubernetes has none any more'),
  ...['podAnnotations', 'podSecurityContext', 'securityContext', 'resources', 'priorityClassName'].map(key =>
    dropped(key, ownPods),
  ),
  ...['create', 'annotations', 'name'].map(key => dropped(`serviceAccount.${key}`, ownRights)),
  ...['nodeSelector', 'tolerations', 'affinity'].map(key =>
    lostUnlessEmpty(key, `say it as nfs.controller.${key}, if it is to hold for ours, too`),
  ),
  converted('labels', value => (isEmpty(value) ? [left('there are none')] : [{ kind: 'carried', to: 'commonLabels', value }])),
  ...['enabled', 'maxUnavailable'].map(key => dropped(`podDisruptionBudget.${key}`, ownPods)),
  ...['nameOverride', 'fullnameOverride'].map(key => dropped(key, 'ours have names of their own')),
  dropped('buildMode', 'it is for its own tests'),
].map(row => (row.path in standards ? { ...row, upstreamDefault: standards[row.path] } : row))

/** Values of the chart as values of ours. */
export const convertSubdir = (input: {
  readonly values: ValuesTree
  readonly version: string | undefined
  readonly namespace: string | undefined
}): ConvertedValues => convertValues({ rows: subdirRows, start: { capabilities: { nfs: { enabled: true } } }, ...input })

/** The class of converted values. */
export const classIn = (values: ValuesTree): unknown => {
  const objects = valueAt(values, ['extraObjects'])
  return Array.isArray(objects) ? objects[0] : undefined
}
