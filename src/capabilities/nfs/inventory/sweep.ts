// What is to be done about a folder that belongs to nobody: it becomes a volume that is released, and whoever deletes volumes deletes it as any other. So one way
// leads to the server, by identifiers alone, and it is the one that is always taken. Decisions only.

import { createHash } from 'node:crypto'
import { cleanPath } from '../driver/share-path.ts'
import { readVolumeId, writeVolumeId } from '../driver/volume-id.ts'
import { KnownPlaces, type KnownShare, type KnownVolume, pathOnServer } from '../driver/volume-place.ts'
import { annotations, claimKind, type StoredVolume } from '../jobs/storage-kinds.ts'
import type { LooseFolder } from './inventory.ts'
import type { InventoryReport } from './report.ts'

/** What becomes of a folder. */
export type Fate = 'archive' | 'delete'

export interface SweepFacts {
  readonly reports: readonly InventoryReport[]
  readonly volumes: readonly KnownVolume[]
  readonly shares: readonly KnownShare[]
}

type SweepDecision =
  | { readonly kind: 'refused'; readonly id: string; readonly why: string }
  | { readonly kind: 'swept'; readonly id: string; readonly fate: Fate; readonly volume: StoredVolume }

/** A report that is older says nothing of what is there now. */
const longestReportMs = 7 * 86_400_000

interface Loose extends LooseFolder {
  readonly driver: string
  readonly kind: 'folder' | 'snapshot' | 'archived'
}

/** Everything that the controller saw and nobody has, by identifier. */
export function looseFolders(reports: readonly InventoryReport[]): readonly Loose[] {
  return reports.flatMap(({ driver, shares }) =>
    shares.flatMap(({ orphans, snapshots, archived }) => [
      ...orphans.first.map(one => ({ ...one, driver, kind: 'folder' as const })),
      ...(snapshots?.first ?? []).map(one => ({ ...one, driver, kind: 'snapshot' as const })),
      ...archived.first.map(one => ({ ...one, driver, kind: 'archived' as const })),
    ]),
  )
}

/**
 * What is done about an identifier that a person has named. It has to be one that the controller saw and told, which knows by the name of the folder that it is of
 * ours; and no volume of the cluster may be there, above it or below it.
 * @param uid of a claim that is not there
 */
export function decideSweep(
  id: string,
  fate: Fate,
  { reports, volumes, shares }: SweepFacts,
  { nowMs, uid }: { readonly nowMs: number; readonly uid: string },
): SweepDecision {
  const refuse = (why: string): SweepDecision => ({ kind: 'refused', id, why })
  const read = readVolumeId(id)
  if ('problem' in read) return refuse(`it is no identifier: ${read.problem}`)
  const isTold = (one: Loose) => one.id === id
  const report = reports.find(one => looseFolders([one]).some(isTold))
  const loose = report === undefined ? undefined : looseFolders([report]).find(isTold)
  if (report === undefined || loose === undefined)
    return refuse('the controller has not told of it: ballast nfs sweep lists what it has seen')
  if (nowMs - report.atMs > longestReportMs)
    return refuse(`it was last seen more than ${longestReportMs / 86_400_000} days ago: see why the controller looks no more`)
  const place = { server: read.server, share: cleanPath(read.share), folder: cleanPath(read.subDir) }
  if (place.folder === '' || place.folder.includes('/')) return refuse('it names no folder right below a share')
  const known = new KnownPlaces(volumes, shares).at(place.server, pathOnServer(place))
  if (known.kind === 'volume') return refuse(`it is the volume ${known.volume.id} of this cluster`)
  if (known.kind === 'above') return refuse('volumes of this cluster lie in it')
  if (known.kind === 'within') return refuse('it lies in a volume of this cluster')
  if (loose.kind === 'archived' && fate === 'archive') return refuse('it is archived already: --delete removes it')
  const options = shares.find(one => one.server === place.server && one.share === place.share)?.options ?? []
  return { kind: 'swept', id, fate, volume: releasedVolume(loose.driver, place, fate, options, uid) }
}

/** The name follows from the folder, so that what was begun is gone on with. */
export const sweepName = (id: string): string => `nfs-sweep-${createHash('sha256').update(id).digest('hex').slice(0, 32)}`

function releasedVolume(
  driver: string,
  { server, share, folder }: { readonly server: string; readonly share: string; readonly folder: string },
  fate: Fate,
  mountOptions: readonly string[],
  uid: string,
): StoredVolume {
  const id = writeVolumeId({ server, share, subDir: folder, uuid: '', onDelete: '' })
  const name = sweepName(id)
  return {
    apiVersion: 'v1',
    kind: 'PersistentVolume',
    metadata: {
      name,
      annotations: {
        [annotations.provisionedBy]: driver,
        [annotations.deletionSecretName]: '',
        [annotations.deletionSecretNamespace]: '',
      },
    },
    spec: {
      capacity: { storage: '1Mi' },
      accessModes: ['ReadWriteMany'],
      persistentVolumeReclaimPolicy: 'Delete',
      ...(mountOptions.length === 0 ? {} : { mountOptions }),
      // What becomes of it stands in the identifier, whatever the driver's default is.
      csi: {
        driver,
        volumeHandle: [server, share, folder, '', fate].join('#'),
        volumeAttributes: { server, share: `/${share}`, subDir: folder },
      },
      claimRef: { apiVersion: 'v1', kind: claimKind, namespace: 'default', name, uid },
    },
  }
}
