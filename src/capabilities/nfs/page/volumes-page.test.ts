import { describe, expect, test } from 'vitest'
import { bookOf } from '#coordination/account/book.ts'
import { capabilityView } from '#dashboard/contract.ts'
import { pictureAt } from '#dashboard/views/moment.ts'
import { pictureOf } from '#dashboard/views/testdata/homelab.ts'
import { everything } from '#dashboard/views/viewing.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import type { ShareInventory } from '../inventory/inventory.ts'
import { reportText } from '../inventory/report.ts'
import { useAnnotation, writeUse } from '../usage/use-annotation.ts'
import { volumesPage } from './volumes-page.ts'

const gib = 2 ** 30
const day = 86_400_000

const volume = (
  name: string,
  of: { readonly claim?: string; readonly use?: string; readonly share?: string; readonly server?: string } = {},
): KubeObject => {
  const [namespace, claim] = (of.claim ?? '').split('/')
  return {
    apiVersion: 'v1',
    kind: 'PersistentVolume',
    metadata: { name, uid: name, ...(of.use === undefined ? {} : { annotations: { [useAnnotation]: of.use } }) },
    spec: {
      capacity: { storage: '10Gi' },
      storageClassName: 'nfs-slow',
      ...(claim === undefined
        ? {}
        : { claimRef: { kind: 'PersistentVolumeClaim', namespace, name: claim, uid: `claim-${claim}` } }),
      csi: {
        driver: 'nfs.csi.k8s.io',
        volumeHandle: `candlekeep#kubernetes#${name}##`,
        volumeAttributes: { server: of.server ?? 'candlekeep', Share: of.share ?? '/kubernetes', subDir: name },
      },
    },
    status: { phase: claim === undefined ? 'Available' : 'Bound' },
  }
}
const plain: KubeObject = {
  apiVersion: 'v1',
  kind: 'PersistentVolume',
  metadata: { name: 'old', uid: 'old' },
  spec: { capacity: { storage: '1Ti' }, nfs: { server: 'vault', path: '/' } },
  status: { phase: 'Available' },
}
const disk: KubeObject = {
  apiVersion: 'v1',
  kind: 'PersistentVolume',
  metadata: { name: 'disk', uid: 'disk' },
  spec: { capacity: { storage: '1Gi' }, hostPath: { path: '/x' } },
}
const pod = (name: string, claim: string, phase = 'Running'): KubeObject => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name, namespace: 'media', uid: name },
  spec: {
    nodeName: 'n1',
    containers: [{ name: 'app', image: 'x' }],
    volumes: [{ name: 'data', persistentVolumeClaim: { claimName: claim } }],
  },
  status: { phase, conditions: [{ type: 'Ready', status: 'True' }] },
})
const node: KubeObject = {
  apiVersion: 'v1',
  kind: 'Node',
  metadata: { name: 'n1', uid: 'n1' },
  spec: {},
  status: { allocatable: { cpu: '4', memory: '8Gi', pods: '110' }, conditions: [{ type: 'Ready', status: 'True' }] },
}
const nfsClass: KubeObject = {
  apiVersion: 'storage.k8s.io/v1',
  kind: 'StorageClass',
  metadata: { name: 'nfs-slow', uid: 'class' },
  provisioner: 'nfs.csi.k8s.io',
  parameters: { SERVER: 'candlekeep', share: '/kubernetes' },
}
const waiting = (name: string, storageClassName: string): KubeObject => ({
  apiVersion: 'v1',
  kind: 'PersistentVolumeClaim',
  metadata: { name, namespace: 'media', uid: `claim-${name}` },
  spec: { storageClassName, resources: { requests: { storage: '5Gi' } } },
  status: { phase: 'Pending' },
})
const event = (regarding: object, reason: string, note: string, minute: number): KubeObject => ({
  apiVersion: 'events.k8s.io/v1',
  kind: 'Event',
  metadata: { name: `${reason}-${minute}`, namespace: 'default' },
  eventTime: `2025-12-19T12:${String(minute).padStart(2, '0')}:00.000000Z`,
  reason,
  note,
  type: 'Warning',
  reportingController: 'ballast.dev/nfs',
  regarding,
})
const onNode = (name: string) => ({ kind: 'Node', name, uid: name })
const snapshot = (name: string, content: string, ready: boolean, error?: string): KubeObject => ({
  apiVersion: 'snapshot.storage.k8s.io/v1',
  kind: 'VolumeSnapshot',
  metadata: { name, namespace: 'media', uid: name },
  spec: { source: { persistentVolumeClaimName: 'plex' } },
  status: {
    boundVolumeSnapshotContentName: content,
    readyToUse: ready,
    ...(error === undefined ? { restoreSize: '1Gi', creationTime: '2025-12-19T12:00:00Z' } : { error: { message: error } }),
  },
})
const content = (name: string, volumeHandle: string): KubeObject => ({
  apiVersion: 'snapshot.storage.k8s.io/v1',
  kind: 'VolumeSnapshotContent',
  metadata: { name, uid: name },
  spec: { driver: 'nfs.csi.k8s.io', source: { volumeHandle } },
  status: { snapshotHandle: 'candlekeep#kubernetes#snap#snap#pv-plex' },
})

const use = writeUse({ bytes: 4 * gib, entries: 10, at: 3 * day }, { bytes: 3 * gib, entries: 9, at: 2 * day })
const objects = [
  volume('pv-plex', { claim: 'media/plex', use }),
  volume('pv-free', { share: '/' }),
  plain,
  disk,
  node,
  nfsClass,
  pod('plex-0', 'plex'),
  pod('done', 'plex', 'Succeeded'),
  waiting('late', 'nfs-slow'),
  waiting('other', 'local'),
  snapshot('good', 'c1', true),
  snapshot('bad', 'c2', false, 'no space'),
  snapshot('elsewhere', 'c3', true),
  content('c1', 'candlekeep#kubernetes#pv-plex##'),
  content('c2', 'candlekeep#kubernetes#pv-plex##'),
  content('c3', 'another driver’s'),
]
const events = [
  event(
    { kind: 'PersistentVolumeClaim', namespace: 'media', name: 'late', uid: 'claim-late' },
    'ProvisioningFailed',
    'server is a required parameter',
    1,
  ),
  event(onNode('n1'), 'NfsServerUnreachable', 'NFS server candlekeep does not answer: volumes of it are not mounted', 2),
  event(onNode('n2'), 'NfsServerUnreachable', 'NFS server candlekeep does not answer: volumes of it are not mounted', 3),
  event(onNode('n1'), 'NfsServerReachable', 'NFS server candlekeep answers again', 4),
]
const viewOf = (given: readonly KubeObject[] = objects, viewing = everything) =>
  volumesPage.view(pictureOf(given, { book: bookOf(events) }), viewing)
const cells = (view: ReturnType<typeof viewOf>, name: string) =>
  view.tables.find(table => table.name === name)?.rows.map(row => row.cells)

describe('the page of volumes', () => {
  test('says who uses what, what waits and why, which snapshots there are, and which servers', () => {
    const view = viewOf()
    expect(view.sentences.map(({ text }) => text)).toEqual([
      '3 volumes are on 2 NFS servers.',
      '1 of them did not answer a node when it was last tried.',
    ])
    expect(cells(view, 'volumes')).toEqual([
      ['media/plex', '10Gi', '4.0Gi', '+1.0Gi a day', 'plex-0', 'nfs-slow', 'candlekeep:/kubernetes/pv-plex', 'Bound'],
      [null, '1Ti', null, null, '', '', 'vault:/', 'Available'],
      [null, '10Gi', null, null, '', 'nfs-slow', 'candlekeep:/pv-free', 'Available'],
    ])
    expect(cells(view, 'waiting')).toEqual([
      ['media/late', '5Gi', 'nfs-slow', 'ProvisioningFailed: server is a required parameter'],
    ])
    expect(cells(view, 'snapshots')).toEqual([
      ['media/bad', 'plex', null, null, 'no space', 'candlekeep#kubernetes#snap#snap#pv-plex'],
      ['media/good', 'plex', '1Gi', '2025-12-19T12:00:00Z', 'yes', 'candlekeep#kubernetes#snap#snap#pv-plex'],
    ])
    expect(cells(view, 'servers')).toEqual([
      ['candlekeep', '/kubernetes, /', 2, null, 'n2'],
      ['vault', '/', 1, null, 'no node says so'],
    ])
    expect(capabilityView.parse(view)).toEqual(view)
  })

  describe('what belongs to nobody', () => {
    const none = { count: 0, first: [] }
    const clean = {
      ...{ server: 'candlekeep', share: 'kubernetes', volumes: 2, unnamed: 0 },
      ...{ missing: none, orphans: none, snapshots: none, archived: none, others: none },
    }
    const noted = (shares: readonly ShareInventory[], text?: string): KubeObject => ({
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: 'ballast-nfs-inventory', namespace: 'ballast-agent' },
      data: { 'inventory.json': text ?? reportText({ driver: 'nfs.csi.k8s.io', atMs: day, shares }) },
    })
    const loose = (id: string, bytes?: number) => ({ id, changedMs: day, ...(bytes === undefined ? {} : { bytes }) })
    const found: ShareInventory = {
      ...clean,
      missing: { count: 1, first: ['pv-lost'] },
      orphans: { count: 2_000, first: [loose('candlekeep#kubernetes#pvc-1##'), loose('a\u202e\nb')] },
      snapshots: { count: 1, first: [loose('candlekeep#kubernetes#snap-1##', gib)] },
      archived: { count: 1, first: [loose('candlekeep#kubernetes#archived-pvc-2##')] },
      others: { count: 2, first: ['photos'] },
      unnamed: 1,
    }
    const empty = (view: ReturnType<typeof viewOf>, name = 'nobodys') => view.tables.find(table => table.name === name)?.empty

    test('is what was noted, with when, and what was not looked at is said to be so', () => {
      const away = { ...clean, server: 'vault', problem: 'mount failed\nno route' }
      const view = viewOf([noted([found, away])])
      expect(view.sentences.slice(2).map(({ text }) => text)).toEqual([
        'Shares were looked through at 1970-01-02T00:00:00Z.',
        "3 more folders on them may be anybody's, since their names prove nothing.",
      ])
      const [share, at] = ['candlekeep:/kubernetes', '1970-01-02T00:00:00Z']
      expect(cells(view, 'nobodys')).toEqual([
        ['pv-lost', 'a volume without its folder', share, null, null],
        ['candlekeep#kubernetes#pvc-1##', 'a folder that was made for a volume', share, null, at],
        ['a��b', 'a folder that was made for a volume', share, null, at],
        ['candlekeep#kubernetes#snap-1##', 'an archive that no snapshot names', share, '1.0Gi', at],
        ['candlekeep#kubernetes#archived-pvc-2##', 'an archived folder', share, null, at],
        ['vault:/kubernetes', 'not looked at: mount failed�no route', 'vault:/kubernetes', null, null],
      ])
      expect(view.tables.find(({ name }) => name === 'nobodys')?.total).toBe(2_004)
      expect(capabilityView.parse(view)).toEqual(view)
    })

    test('is told apart from what nobody looked at, what is clean, and what is no report', () => {
      const nobody = 'Nobody has noted what lies on the shares: controller.inventory.enabled has them looked through.'
      expect(empty(viewOf([]))).toBe(nobody)
      expect(empty(viewOf([noted([], 'nonsense')]))).toBe(nobody)
      expect(empty(viewOf([noted([clean])]))).toBe('All that lies on the shares belongs to somebody.')
      const denied = { name: 'configmaps', state: 'down', lastAt: null, limitMs: 1, because: 'You may not.' } as const
      expect(empty(volumesPage.view({ ...pictureOf([]), sources: [denied] }, everything))).toBe('You may not.')
    })

    test('mounts that lead nowhere are told as nodes tell of them, each once', () => {
      const note =
        'candlekeep:/kubernetes/pv at /var/lib/kubelet/pods/u/volumes/kubernetes.io~csi/pv/mount leads nowhere any more'
      const stale = [1, 5].map(minute => event(onNode('n1'), 'NfsMountStale', note, minute))
      const view = volumesPage.view(pictureOf([], { book: bookOf(stale) }), everything)
      expect(cells(view, 'stale')).toEqual([['n1', note, '2025-12-19T12:05:00Z']])
      expect(empty(viewOf([]), 'stale')).toBe('No node has told of one: mountChecks has nodes look.')
    })
  })

  test('names nothing of namespaces that a viewer may not see', () => {
    const view = viewOf(objects, { ...everything, sees: () => false })
    expect(JSON.stringify(view.tables)).not.toMatch(/plex-0|media|late/)
    expect(cells(view, 'volumes')).toHaveLength(3)
  })

  test('a volume that is told nothing is where its identifier says', () => {
    const csi = { driver: 'nfs.csi.k8s.io', volumeHandle: 'candlekeep#kubernetes#pvc-1##' }
    const bare: KubeObject = { ...volume('pv-bare'), spec: { capacity: { storage: '1Ti' }, csi } }
    const other: KubeObject = { ...volume('pv-other'), spec: { csi: { ...csi, driver: 'another' } } }
    expect(cells(viewOf([bare, other]), 'volumes')).toEqual([
      [null, '1Ti', null, null, '', '', 'candlekeep:/kubernetes/pvc-1', 'Available'],
    ])
  })

  test('a cluster without volumes on NFS says so', () => {
    const view = viewOf([disk])
    expect(view.sentences[0]?.text).toBe('0 volumes are on 0 NFS servers.')
    expect(view.tables.find(({ name }) => name === 'volumes')?.empty).toBe('No volume is on NFS.')
  })

  test('the past is not kept', () => {
    const past = pictureAt(pictureOf(objects, { book: bookOf(events) }), Date.parse('2025-12-19T12:30:00Z'))
    if (!('picture' in past)) throw new Error('no picture of that moment')
    expect(volumesPage.view(past.picture, everything)).toMatchObject({
      tables: [],
      sentences: [{ text: 'What volumes there were then is not kept.' }],
    })
  })
})
