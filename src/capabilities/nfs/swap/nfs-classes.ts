// Classes that the chart of csi-driver-nfs makes, as objects of the user's own. A class that is in the cluster is as it has to be: both drivers have one name.

import { converted, type Step, type ValuesRow } from '#upstreams/values-row.ts'
import { isTree, type ValuesTree } from '#upstreams/values-tree.ts'

const lost = (why: string): Step => ({ kind: 'lost', why })

/** Keys of one class in the values. */
const classKeys: ReadonlySet<string> = new Set([
  ...['create', 'name', 'annotations', 'parameters', 'reclaimPolicy', 'volumeBindingMode', 'allowVolumeExpansion'],
  'mountOptions',
])

const given = (fields: ValuesTree): ValuesTree =>
  Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined && value !== null))

function named(value: ValuesTree): string | undefined {
  const { name } = value
  return typeof name === 'string' && name !== '' ? name : undefined
}

const unknownKeys = (value: ValuesTree, known: ReadonlySet<string>): readonly Step[] =>
  Object.keys(value)
    .filter(key => !known.has(key))
    .map(key => lost(`${key}: no chart makes anything of it`))

/** Parameters are text, whatever the values say. */
const texts = (value: unknown): ValuesTree | undefined =>
  isTree(value)
    ? Object.fromEntries(
        Object.entries(value).flatMap(([key, one]) => (one === null || one === undefined ? [] : [[key, String(one)]])),
      )
    : undefined

const item = (object: ValuesTree): Step => ({
  kind: 'carried',
  to: 'extraObjects',
  value: object,
  isItem: true,
  why: 'as an object of your own; one of this name that is in the cluster stays as it is',
})

/** A class of `storageClass` or `storageClasses`. */
export function storageClass(value: unknown, driver: unknown): readonly Step[] {
  if (!isTree(value)) return [lost(`found ${JSON.stringify(value)}, expected a class with a name`)]
  const name = named(value)
  if (name === undefined) return [lost('a class without a name: Kubernetes would refuse it')]
  const { annotations, parameters, reclaimPolicy, volumeBindingMode, allowVolumeExpansion, mountOptions } = value
  const metadata = given({ name, annotations })
  return [
    item({
      apiVersion: 'storage.k8s.io/v1',
      kind: 'StorageClass',
      metadata,
      provisioner: driver,
      ...given({
        parameters: texts(parameters),
        reclaimPolicy: reclaimPolicy ?? 'Delete',
        volumeBindingMode: volumeBindingMode ?? 'Immediate',
        allowVolumeExpansion: allowVolumeExpansion ?? true,
        mountOptions,
      }),
    }),
    ...unknownKeys(value, classKeys),
  ]
}

/** The class of `volumeSnapshotClass`. */
export function snapshotClass(value: ValuesTree, driver: unknown): readonly Step[] {
  const { annotations, deletionPolicy } = value
  const name = named(value) ?? 'csi-nfs-snapclass'
  return [
    item({
      apiVersion: 'snapshot.storage.k8s.io/v1',
      kind: 'VolumeSnapshotClass',
      metadata: given({ name, annotations }),
      driver,
      deletionPolicy: deletionPolicy ?? 'Delete',
    }),
    ...unknownKeys(value, new Set(['create', 'name', 'annotations', 'deletionPolicy'])),
  ]
}

/** Classes of a cluster, by their names: nothing is to be done about them. */
export const existingClasses: ValuesRow = converted('classes', value => [
  {
    kind: 'dropped',
    why: `${Array.isArray(value) ? value.join(', ') : String(value)}: classes stay as they are, as do all volumes: ours has the driver's name`,
  },
])
