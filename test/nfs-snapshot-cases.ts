// Snapshots, restores and clones.

import type { DriverCase, Planted, Step } from './nfs-driver-cases.ts'
import { capability, create, fromSnapshot, fromVolume, remove, removeSnapshot, shared, snapshot } from './nfs-requests.ts'

const base = 'candlekeep/kubernetes'
const longAgoMs = 1_000_000_000_000

/** 34: links, special bits, an empty file, old times; set from the deepest on, since each changes the time of its parent. */
const oddTree = (root: string): Readonly<Record<string, Planted>> => ({
  [`${root}/file`]: { text: 'data', mode: 0o640, modifiedMs: longAgoMs },
  [`${root}/empty`]: { text: '', modifiedMs: longAgoMs },
  [`${root}/program`]: { text: '#!/bin/sh\n', mode: 0o755, modifiedMs: longAgoMs },
  [`${root}/with space/ünï`]: 'text',
  [`${root}/${'long'.repeat(30)}/${'name'.repeat(30)}`]: 'deep',
  [`${root}/link`]: { to: 'file' },
  [`${root}/out`]: { to: '/etc' },
  [`${root}/nowhere`]: { to: 'nothing' },
  [`${root}/.hidden`]: 'hidden',
  [`${root}/group/inner`]: { text: 'x', mode: 0o600, modifiedMs: longAgoMs },
  [`${root}/group`]: { mode: 0o2770, modifiedMs: longAgoMs },
  [`${root}/none`]: { mode: 0o700, modifiedMs: longAgoMs },
})

const small: Step = { plant: { [`${base}/pvc-1/file`]: 'data' } }
const restored = (id: string, name = 'pvc-2') => fromSnapshot(id, { name })

export const snapshotCases: readonly DriverCase[] = [
  {
    name: '34: an odd tree, packed and restored',
    steps: [{ plant: oddTree(`${base}/pvc-1`) }, snapshot({}, 's'), restored('$snapshot:s'), removeSnapshot('$snapshot:s')],
  },
  {
    name: '34: an odd tree, by tar',
    flags: ['--use-tar-command-in-snapshot'],
    steps: [{ plant: oddTree(`${base}/pvc-1`) }, snapshot({}, 's'), restored('$snapshot:s')],
  },
  {
    name: '34: without compression',
    flags: ['--enable-snapshot-compression=false'],
    steps: [{ plant: oddTree(`${base}/pvc-1`) }, snapshot({}, 's'), restored('$snapshot:s'), removeSnapshot('$snapshot:s')],
  },
  {
    name: '34: by tar, without compression',
    flags: ['--use-tar-command-in-snapshot', '--enable-snapshot-compression=false'],
    steps: [small, snapshot({}, 's'), restored('$snapshot:s')],
  },
  { name: 'an odd tree, cloned', steps: [{ plant: oddTree(`${base}/pvc-1`) }, fromVolume('candlekeep#kubernetes#pvc-1##')] },
  {
    name: 'a pipe in the tree',
    steps: [
      { plant: { [`${base}/pvc-1/pipe`]: { pipe: true }, [`${base}/pvc-1/file`]: 'x' } },
      snapshot({}, 's'),
      restored('$snapshot:s'),
      fromVolume('candlekeep#kubernetes#pvc-1##', { name: 'pvc-3' }),
    ],
  },
  { name: 'an empty volume', steps: [{ plant: { [`${base}/pvc-1`]: {} } }, snapshot({}, 's'), restored('$snapshot:s')] },
  {
    name: 'fields that are missing',
    steps: [
      snapshot({ name: undefined }),
      snapshot({ name: '' }),
      snapshot({ sourceVolumeId: undefined }),
      snapshot({ sourceVolumeId: '' }),
      snapshot({ name: undefined, sourceVolumeId: undefined }),
      removeSnapshot(undefined),
      removeSnapshot(''),
    ],
  },
  {
    name: '17 and more: sources that are none',
    steps: [
      ...[
        's',
        's#b',
        'candlekeep#kubernetes#x#../x#',
        'candlekeep#kubernetes#..##',
        'candlekeep#..#x##',
        'candlekeep/../x',
        '#',
        'candlekeep#kubernetes###',
        '#kubernetes#x##',
      ].map(sourceVolumeId => snapshot({ sourceVolumeId })),
    ],
  },
  {
    name: 'the source is not there',
    steps: [
      snapshot({}),
      snapshot({ sourceVolumeId: 'nobody#kubernetes#pvc-1##' }),
      snapshot({ sourceVolumeId: 'candlekeep#nothing#pvc-1##' }),
    ],
  },
  {
    name: 'by a volume with uuid',
    steps: [
      { plant: { [`${base}/a/b/file`]: 'data' } },
      snapshot({ sourceVolumeId: 'candlekeep#kubernetes#a/b#pvc-1#' }, 's'),
      restored('$snapshot:s'),
    ],
  },
  {
    name: 'by the old form of identifiers',
    steps: [small, snapshot({ sourceVolumeId: 'candlekeep/kubernetes/pvc-1' }, 's'), restored('$snapshot:s')],
  },
  {
    name: 'by a nested subDir without uuid',
    steps: [{ plant: { [`${base}/a/b/file`]: 'data' } }, snapshot({ sourceVolumeId: 'candlekeep#kubernetes#a/b##' }, 's')],
  },
  {
    name: 'the same again',
    steps: [
      small,
      snapshot({}, 's'),
      { plant: { [`${base}/pvc-1/file`]: 'changed' } },
      snapshot({}, 't'),
      restored('$snapshot:t'),
    ],
  },
  {
    name: '36: the name of another source',
    steps: [
      small,
      { plant: { [`${base}/pvc-9/file`]: 'other' } },
      snapshot(),
      snapshot({ sourceVolumeId: 'candlekeep#kubernetes#pvc-9##' }),
    ],
  },
  {
    name: 'a stranger in the directory of the snapshot',
    steps: [small, { plant: { [`${base}/snapshot-1/stranger`]: 'x' } }, snapshot()],
  },
  { name: 'a half archive is there', steps: [small, { plant: { [`${base}/snapshot-1/pvc-1.tar.gz`]: 'half' } }, snapshot()] },
  {
    name: '37: another share for archives',
    shares: ['candlekeep/kubernetes', 'candlekeep/archives', 'vault/archives'],
    steps: [
      small,
      snapshot({ parameters: { share: '/archives' } }, 's'),
      restored('$snapshot:s'),
      snapshot({ name: 'snapshot-2', parameters: { server: 'vault', share: '/archives' } }, 't'),
      fromSnapshot('$snapshot:t', { name: 'pvc-3' }),
      removeSnapshot('$snapshot:s'),
      removeSnapshot('$snapshot:t'),
    ],
  },
  ...[
    { server: 'vault' },
    { SHARE: '/archives' },
    { Server: 'candlekeep' },
    { mountOptions: 'nfsvers=4.1' },
    { MOUNTOPTIONS: 'hard' },
    { mountOptions: 'nonsense' },
    { foo: 'bar' },
    { subDir: 'x' },
    { onDelete: 'retain' },
    { mountPermissions: '0777' },
    { server: '' },
    { share: '' },
    { share: '/' },
    { share: '../x' },
    { share: '/nothing' },
    { 'csi.storage.k8s.io/volumesnapshot/name': 'x' },
  ].map(
    (parameters): DriverCase => ({
      name: `class with ${JSON.stringify(parameters)}`,
      shares: ['candlekeep/kubernetes', 'candlekeep/archives', 'vault/kubernetes'],
      steps: [small, snapshot({ parameters })],
    }),
  ),
  {
    name: 'options of a secret',
    steps: [
      small,
      snapshot({ secrets: { mountOptions: 'nfsvers=3' } }, 's'),
      removeSnapshot('$snapshot:s', { secrets: { mountOptions: 'nfsvers=3' } }),
    ],
  },
  ...['a b', 'ünï', 'a/b', 'a#b', 'x'.repeat(255), 'x'.repeat(256), '-x', 'a:b'].map(
    (name): DriverCase => ({
      name: `name ${JSON.stringify(name.slice(0, 20))} of ${name.length}`,
      steps: [small, snapshot({ name }, 's')],
    }),
  ),
  {
    name: 'deleted snapshots',
    steps: [
      small,
      snapshot({}, 's'),
      ...['x', 'a#b', 'a#b#c', 'a#b#c#d', 'a#b#c#d#e#f', 'candlekeep/kubernetes/snapshot-1'].map(id => removeSnapshot(id)),
      removeSnapshot('candlekeep#kubernetes#nothing#nothing#pvc-1'),
      removeSnapshot('nobody#kubernetes#snapshot-1#snapshot-1#pvc-1'),
      removeSnapshot('candlekeep#nothing#snapshot-1#snapshot-1#pvc-1'),
      removeSnapshot('$snapshot:s'),
      removeSnapshot('$snapshot:s'),
    ],
  },
  {
    name: '38: an archive without compression, compression on now',
    flags: ['--enable-snapshot-compression=false'],
    steps: [small, snapshot({}, 's'), { restart: [] }, restored('$snapshot:s'), snapshot({}), restored('$snapshot:s', 'pvc-3')],
  },
  {
    name: '38: the other way round',
    steps: [
      small,
      snapshot({}, 's'),
      { restart: ['--enable-snapshot-compression=false'] },
      restored('$snapshot:s'),
      snapshot({}),
      restored('$snapshot:s', 'pvc-3'),
    ],
  },
  {
    name: 'content sources that are none',
    steps: [
      create({}, { name: 'pvc-2', volumeContentSource: {} }),
      ...['', 'x', 'a#b', 'a#b#c#d', 'a#b#c#d#e#f'].map(id => restored(id)),
      ...['', 'x', 'a#b', 'candlekeep#kubernetes#..##', 'candlekeep#kubernetes#x#..#'].map(id => fromVolume(id)),
      restored('candlekeep#kubernetes#nothing#nothing#pvc-1'),
      restored('nobody#kubernetes#snapshot-1#snapshot-1#pvc-1'),
      fromVolume('candlekeep#kubernetes#nothing##'),
      fromVolume('nobody#kubernetes#pvc-1##'),
      fromVolume('candlekeep#nothing#pvc-1##'),
    ],
  },
  {
    name: 'a broken archive',
    steps: [
      { plant: { [`${base}/snapshot-1/pvc-1.tar.gz`]: 'no archive' } },
      fromSnapshot('candlekeep#kubernetes#snapshot-1#snapshot-1#pvc-1'),
    ],
  },
  {
    name: 'cloned twice',
    steps: [
      small,
      fromVolume('candlekeep#kubernetes#pvc-1##'),
      { plant: { [`${base}/pvc-2/file`]: 'changed', [`${base}/pvc-2/own`]: 'own' } },
      fromVolume('candlekeep#kubernetes#pvc-1##'),
    ],
  },
  {
    name: 'restored twice',
    steps: [
      small,
      snapshot({}, 's'),
      restored('$snapshot:s'),
      { plant: { [`${base}/pvc-2/file`]: 'changed', [`${base}/pvc-2/own`]: 'own' } },
      restored('$snapshot:s'),
    ],
  },
  {
    name: 'cloned to another server, with a subDir and rights',
    shares: ['candlekeep/kubernetes', 'vault/other'],
    steps: [
      small,
      create(
        { server: 'vault', share: '/other', subDir: 'a/b', mountPermissions: '0750' },
        { name: 'pvc-2', volumeContentSource: { volume: { volumeId: 'candlekeep#kubernetes#pvc-1##' } } },
        'v',
      ),
      remove('$volume:v'),
    ],
  },
  {
    name: 'options of a clone',
    steps: [
      small,
      fromVolume('candlekeep#kubernetes#pvc-1##', {
        volumeCapabilities: [capability('MULTI_NODE_MULTI_WRITER', ['nfsvers=4.1'])],
      }),
    ],
  },
  {
    name: 'cloned from an archive-policy volume',
    steps: [small, fromVolume('candlekeep#kubernetes#pvc-1##archive', { name: 'pvc-2' })],
  },
  {
    name: 'a volume is snapshotted while it is written',
    steps: [small, snapshot({ name: 'a' }), { plant: { [`${base}/pvc-1/more`]: 'more' } }, snapshot({ name: 'b' })],
  },
  {
    name: 'two snapshots of one name at once',
    steps: [
      small,
      { tell: 'candlekeep', told: { hang: true } },
      { begin: snapshot(), waitsFor: 'mount.nfs', meanwhile: [{ call: 'Probe', request: {} }] },
      snapshot(),
    ],
  },
  {
    name: 'what a server may answer',
    steps: [
      small,
      { tell: 'candlekeep', told: { fail: 'mount.nfs: access denied by server' } },
      snapshot(),
      removeSnapshot('candlekeep#kubernetes#snapshot-1#snapshot-1#pvc-1'),
      restored('candlekeep#kubernetes#snapshot-1#snapshot-1#pvc-1'),
      fromVolume('candlekeep#kubernetes#pvc-1##'),
      { tell: 'candlekeep', told: undefined },
      snapshot({ parameters: { ...shared } }),
    ],
  },
]
