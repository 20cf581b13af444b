// Requests to an NFS driver as the cases make them: what nobody names has the seed's values.

import type { CsiMessage } from './csi-wire.ts'

export const accessModes = [
  'UNKNOWN',
  'SINGLE_NODE_WRITER',
  'SINGLE_NODE_READER_ONLY',
  'MULTI_NODE_READER_ONLY',
  'MULTI_NODE_SINGLE_WRITER',
  'MULTI_NODE_MULTI_WRITER',
  'SINGLE_NODE_SINGLE_WRITER',
  'SINGLE_NODE_MULTI_WRITER',
] as const

export const capability = (
  mode: (typeof accessModes)[number] = 'MULTI_NODE_MULTI_WRITER',
  mountFlags: readonly string[] = [],
) => ({
  mount: { mountFlags },
  accessMode: { mode },
})

/** The seed's class. */
export const shared = { server: 'candlekeep', share: '/kubernetes' }

type Fields = Readonly<Record<string, unknown>>

/** A field that is undefined is left out. */
const withFields = (base: Fields, fields: Fields): CsiMessage =>
  Object.fromEntries(Object.entries({ ...base, ...fields }).filter(([, value]) => value !== undefined))

export const create = (parameters: Readonly<Record<string, string>> = {}, fields: Fields = {}, as?: string) => ({
  call: 'CreateVolume' as const,
  request: withFields({ name: 'pvc-1', volumeCapabilities: [capability()], parameters: { ...shared, ...parameters } }, fields),
  ...(as === undefined ? {} : { as }),
})

/** With these parameters and no others. */
export const createOf = (parameters: Readonly<Record<string, string>> | undefined, fields: Fields = {}) =>
  create({}, { ...fields, parameters })

export const remove = (volumeId: string | undefined, fields: Fields = {}) => ({
  call: 'DeleteVolume' as const,
  request: withFields({ volumeId }, fields),
})

export const publish = (volumeContext: Readonly<Record<string, string>> = {}, fields: Fields = {}) => ({
  call: 'NodePublishVolume' as const,
  request: withFields(
    {
      volumeId: 'candlekeep#kubernetes#pvc-1##',
      targetPath: '$targets/t1',
      volumeCapability: capability(),
      volumeContext: { ...shared, ...volumeContext },
    },
    fields,
  ),
})

export const publishOf = (volumeContext: Readonly<Record<string, string>> | undefined, fields: Fields = {}) =>
  publish({}, { ...fields, volumeContext })

export const unpublish = (targetPath: string | undefined = '$targets/t1', fields: Fields = {}) => ({
  call: 'NodeUnpublishVolume' as const,
  request: withFields({ volumeId: 'candlekeep#kubernetes#pvc-1##', targetPath }, fields),
})

export const snapshot = (fields: Fields = {}, as?: string) => ({
  call: 'CreateSnapshot' as const,
  request: withFields({ name: 'snapshot-1', sourceVolumeId: 'candlekeep#kubernetes#pvc-1##' }, fields),
  ...(as === undefined ? {} : { as }),
})

export const removeSnapshot = (snapshotId: string | undefined, fields: Fields = {}) => ({
  call: 'DeleteSnapshot' as const,
  request: withFields({ snapshotId }, fields),
})

export const fromSnapshot = (snapshotId: string, fields: Fields = {}) =>
  create({}, { name: 'pvc-2', volumeContentSource: { snapshot: { snapshotId } }, ...fields })

export const fromVolume = (volumeId: string, fields: Fields = {}) =>
  create({}, { name: 'pvc-2', volumeContentSource: { volume: { volumeId } }, ...fields })

/** `name`, `Name`, `NAME`, `nAME`. */
export const spellings = (key: string): readonly string[] => [
  ...new Set([
    key,
    key.toLowerCase(),
    key.toUpperCase(),
    `${key.slice(0, 1).toUpperCase()}${key.slice(1)}`,
    `${key.slice(0, 1).toLowerCase()}${key.slice(1).toUpperCase()}`,
  ]),
]
