// The page of volumes: claims on NFS with who uses them, how far they are filled, their snapshots, and the servers that they are on.

import type { PodState } from '#cluster/cluster-state.ts'
import type { CapabilityView, Sentence } from '#dashboard/contract.ts'
import type { CapabilityPage, Picture } from '#dashboard/picture.ts'
import { unknownBecause } from '#dashboard/views/sources.ts'
import type { Viewing } from '#dashboard/views/viewing.ts'
import { memoryShort } from '#dashboard/words/quantity.ts'
import { say } from '#dashboard/words/sentence.ts'
import { at, listAt, textAt } from '#kube/objects/object-fields.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { stripped } from '../driver/share-path.ts'
import { readVolumeId } from '../driver/volume-id.ts'
import { driverName } from '../names.ts'
import { readUse, useAnnotation } from '../usage/use-annotation.ts'
import { nobodysSentences, nobodysTables } from './nobodys.ts'

const mostRows = 200
/** Names in one cell. */
const mostNamed = 5
const snapshotKind = 'VolumeSnapshot.snapshot.storage.k8s.io'
const contentKind = 'VolumeSnapshotContent.snapshot.storage.k8s.io'

type Table = CapabilityView['tables'][number]

export const volumesPage: CapabilityPage = {
  path: 'volumes',
  title: 'Volumes',
  view: (picture, viewing) => {
    if (picture.past !== undefined)
      return { title: 'Volumes', sentences: [say('volumes-not-kept', 'What volumes there were then is not kept.')], tables: [] }
    const volumes = nfsVolumes(picture, viewing)
    return {
      title: 'Volumes',
      sentences: [...sentencesOf(volumes, picture), ...nobodysSentences(picture)],
      tables: [
        volumesOf(volumes, picture, viewing),
        waitingOf(picture, viewing),
        snapshotsOf(volumes, picture, viewing),
        serversOf(volumes, picture),
        ...nobodysTables(picture, mostRows),
      ],
    }
  },
}

interface NfsVolume {
  readonly object: KubeObject
  readonly server: string
  readonly share: string
  readonly folder: string
  /** Its claim, where the viewer may see it. */
  readonly claim: { readonly namespace: string; readonly name: string } | undefined
  readonly handle: string
}

/** Volumes of the driver, and those that Kubernetes mounts from NFS by itself; in order of their claims, and last those that nobody has. */
function nfsVolumes({ state }: Picture, viewing: Viewing): readonly NfsVolume[] {
  const found = [...state.objects('PersistentVolume')].flatMap(object => {
    const place = placeOf(object)
    if (place === undefined) return []
    const [namespace, name] = [textAt(object, 'spec', 'claimRef', 'namespace'), textAt(object, 'spec', 'claimRef', 'name')]
    const isSeen = namespace !== undefined && name !== undefined && viewing.sees(namespace)
    return [
      {
        object,
        ...place,
        claim: isSeen ? { namespace, name } : undefined,
        handle: textAt(object, 'spec', 'csi', 'volumeHandle') ?? '',
      },
    ]
  })
  const place = ({ claim, object }: NfsVolume) =>
    claim === undefined ? `~ ${object.metadata.name}` : `${claim.namespace}/${claim.name}`
  return found.toSorted((one, other) => (place(one) < place(other) ? -1 : 1))
}

/** Where a volume is: by what it is told, else by its identifier; undefined where it is on no server. */
function placeOf(object: KubeObject): Pick<NfsVolume, 'server' | 'share' | 'folder'> | undefined {
  const attributes = at(object, 'spec', 'csi', 'volumeAttributes')
  const server = attributeOf(attributes, 'server') ?? textAt(object, 'spec', 'nfs', 'server')
  const share = attributeOf(attributes, 'share') ?? textAt(object, 'spec', 'nfs', 'path')
  if (server !== undefined && share !== undefined)
    return { server, share: `/${stripped(share)}`, folder: attributeOf(attributes, 'subdir') ?? '' }
  if (textAt(object, 'spec', 'csi', 'driver') !== driverName) return undefined
  const id = readVolumeId(textAt(object, 'spec', 'csi', 'volumeHandle') ?? '')
  return 'problem' in id ? undefined : { server: id.server, share: `/${id.share}`, folder: id.subDir }
}

/** Keys of attributes are written in any case. */
function attributeOf(attributes: unknown, name: string): string | undefined {
  if (typeof attributes !== 'object' || attributes === null) return undefined
  const [, value] = Object.entries(attributes).find(([key]) => key.toLowerCase() === name) ?? []
  return typeof value === 'string' ? value : undefined
}

function sentencesOf(volumes: readonly NfsVolume[], picture: Picture): readonly Sentence[] {
  const because = unknownBecause(picture, 'persistentvolumes')
  if (because !== undefined) return [say('volumes-unknown', because)]
  const servers = new Set(volumes.map(({ server }) => server)).size
  const count = volumes.length
  const away = awayServers(picture)
  return [
    say(
      'volumes-count',
      `${count} ${count === 1 ? 'volume is' : 'volumes are'} on ${servers} NFS ${servers === 1 ? 'server' : 'servers'}.`,
      {
        volumes: count,
        servers,
      },
    ),
    ...(away.size === 0
      ? []
      : [say('volumes-away', `${away.size} of them did not answer a node when it was last tried.`, { away: away.size })]),
  ]
}

const columns = (numbers: readonly string[], ...titles: readonly string[]): Table['columns'] =>
  titles.map(title => ({ title, isNumber: numbers.includes(title) }))

function named(names: readonly string[]): string {
  const more = names.length - mostNamed
  return `${names.slice(0, mostNamed).join(', ')}${more > 0 ? ` and ${more} more` : ''}`
}

/** Pods that have not ended, by the claims that they use. */
function usersByClaim({ state }: Picture): ReadonlyMap<string, readonly PodState[]> {
  const users = new Map<string, PodState[]>()
  for (const pod of state.pods.values()) {
    if (pod.isFinished) continue
    for (const volume of listAt(pod.object, 'spec', 'volumes')) {
      const name = textAt(volume, 'persistentVolumeClaim', 'claimName')
      if (name === undefined) continue
      const key = `${pod.namespace}/${name}`
      const known = users.get(key)
      if (known === undefined) users.set(key, [pod])
      else known.push(pod)
    }
  }
  return users
}

function volumesOf(volumes: readonly NfsVolume[], picture: Picture, viewing: Viewing): Table {
  const users = usersByClaim(picture)
  const arePodsKnown = unknownBecause(picture, 'pods') === undefined
  const row = ({ object, server, share, folder, claim }: NfsVolume) => {
    const use = readUse(object.metadata.annotations?.[useAnnotation])
    const key = claim === undefined ? undefined : `${claim.namespace}/${claim.name}`
    const pods = key === undefined ? [] : (users.get(key) ?? []).filter(({ namespace }) => viewing.sees(namespace))
    return {
      key: object.metadata.name,
      cells: [
        key ?? null,
        textAt(object, 'spec', 'capacity', 'storage') ?? null,
        use === undefined ? null : memoryShort(use.bytes),
        use === undefined ? null : growth(use),
        arePodsKnown ? named(pods.map(({ name, workload }) => workload?.name ?? name)) : null,
        textAt(object, 'spec', 'storageClassName') ?? '',
        `${server}:${share === '/' && folder !== '' ? '' : share}${folder === '' ? '' : `/${folder}`}`,
        textAt(object, 'status', 'phase') ?? '',
      ],
      path: null,
    }
  }
  return {
    name: 'volumes',
    title: 'Volumes on NFS',
    columns: columns(['Asked for', 'Used'], 'Claim', 'Asked for', 'Used', 'Growth', 'Used by', 'Class', 'Where', 'State'),
    rows: volumes.slice(0, mostRows).map(row),
    total: volumes.length,
    empty: unknownBecause(picture, 'persistentvolumes') ?? 'No volume is on NFS.',
  }
}

/** Claims without a volume, with what was last said of them. */
function waitingOf(picture: Picture, viewing: Viewing): Table {
  const classes = new Map([...picture.state.objects('StorageClass')].map(object => [object.metadata.name, object]))
  const waiting = [...picture.state.objects('PersistentVolumeClaim')].filter(
    claim =>
      textAt(claim, 'spec', 'volumeName') === undefined &&
      viewing.sees(claim.metadata.namespace ?? '') &&
      isOfNfs(classes.get(textAt(claim, 'spec', 'storageClassName') ?? '')),
  )
  return {
    name: 'waiting',
    title: 'Claims that wait for a volume',
    columns: columns(['Asked for'], 'Claim', 'Asked for', 'Class', 'Last said'),
    rows: waiting.slice(0, mostRows).map(claim => {
      const { namespace = '', name, uid } = claim.metadata
      const last = picture.book.events.findLast(({ regarding }) => regarding.uid === uid && uid !== undefined)
      return {
        key: `${namespace}/${name}`,
        cells: [
          `${namespace}/${name}`,
          textAt(claim, 'spec', 'resources', 'requests', 'storage') ?? null,
          textAt(claim, 'spec', 'storageClassName') ?? '',
          last === undefined ? null : `${last.reason}: ${last.note}`,
        ],
        path: null,
      }
    }),
    total: waiting.length,
    empty: 'No claim of an NFS class waits.',
  }
}

const isOfNfs = (found: KubeObject | undefined): boolean =>
  found !== undefined && attributeOf(found['parameters'], 'server') !== undefined

function snapshotsOf(volumes: readonly NfsVolume[], picture: Picture, viewing: Viewing): Table {
  const handles = new Set(volumes.map(({ handle }) => handle))
  const contents = new Map([...picture.state.objects(contentKind)].map(object => [object.metadata.name, object]))
  const found = [...picture.state.objects(snapshotKind)].flatMap(snapshot => {
    const content = contents.get(textAt(snapshot, 'status', 'boundVolumeSnapshotContentName') ?? '')
    const source = textAt(content, 'spec', 'source', 'volumeHandle')
    const isOurs = source === undefined || handles.has(source)
    return isOurs && viewing.sees(snapshot.metadata.namespace ?? '') ? [{ snapshot, content }] : []
  })
  return {
    name: 'snapshots',
    title: 'Snapshots',
    columns: columns(['Size'], 'Snapshot', 'Of claim', 'Size', 'Taken', 'Ready', 'Kept as'),
    rows: found.slice(0, mostRows).map(({ snapshot, content }) => {
      const { namespace, name } = snapshot.metadata
      const ready = at(snapshot, 'status', 'readyToUse')
      const error = textAt(snapshot, 'status', 'error', 'message')
      return {
        key: `${namespace}/${name}`,
        cells: [
          `${namespace}/${name}`,
          textAt(snapshot, 'spec', 'source', 'persistentVolumeClaimName') ?? null,
          textAt(snapshot, 'status', 'restoreSize') ?? null,
          textAt(snapshot, 'status', 'creationTime') ?? null,
          ready === true ? 'yes' : (error ?? 'not yet'),
          textAt(content, 'status', 'snapshotHandle') ?? null,
        ],
        path: null,
      }
    }),
    total: found.length,
    empty: unknownBecause(picture, 'volumesnapshots') ?? 'There is no snapshot of a volume on NFS.',
  }
}

/** Servers of which a node said last that they do not answer, with those nodes. */
function awayServers({ book }: Picture): ReadonlyMap<string, ReadonlySet<string>> {
  const away = new Map<string, Set<string>>()
  for (const { reason, note, regarding } of book.events) {
    const [, server] = /^NFS server (\S+) /.exec(note) ?? []
    if (server === undefined) continue
    const nodes = away.get(server) ?? new Set()
    away.set(server, nodes)
    if (reason === 'NfsServerUnreachable') nodes.add(regarding.name)
    if (reason === 'NfsServerReachable') nodes.delete(regarding.name)
  }
  return new Map([...away].filter(([, nodes]) => nodes.size > 0))
}

function serversOf(volumes: readonly NfsVolume[], picture: Picture): Table {
  const away = awayServers(picture)
  const all = [...Map.groupBy(volumes, ({ server }) => server)].toSorted(([one], [other]) => (one < other ? -1 : 1))
  return {
    name: 'servers',
    title: 'Servers',
    columns: columns(['Volumes', 'Used'], 'Server', 'Shares', 'Volumes', 'Used', 'Did not answer'),
    rows: all.slice(0, mostRows).map(([server, of]) => {
      const uses = of.map(({ object }) => readUse(object.metadata.annotations?.[useAnnotation]))
      const isKnown = uses.every(use => use !== undefined)
      const nodes = away.get(server)
      return {
        key: server,
        cells: [
          server,
          named([...new Set(of.map(({ share }) => share))]),
          of.length,
          isKnown ? memoryShort(uses.reduce((sum, use) => sum + (use?.bytes ?? 0), 0)) : null,
          nodes === undefined ? 'no node says so' : named([...nodes]),
        ],
        path: null,
      }
    }),
    total: all.length,
    empty: 'No volume is on a server.',
  }
}

/** A day of it, from the look before; empty where there was none. */
function growth({ bytes, at: atMs, before }: NonNullable<ReturnType<typeof readUse>>): string {
  if (before === undefined || atMs <= before.at) return ''
  const perDay = ((bytes - before.bytes) / (atMs - before.at)) * 86_400_000
  if (Math.abs(perDay) < 1) return 'none'
  return `${perDay > 0 ? '+' : '−'}${memoryShort(Math.abs(perDay))} a day`
}
