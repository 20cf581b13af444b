// DeleteVolume: by identifier, policy and what lies on the server.

import type { DriverCase, Step } from './nfs-driver-cases.ts'
import { create, remove } from './nfs-requests.ts'

const base = 'candlekeep/kubernetes'
const id = (subDir: string, uuid = '', onDelete = '') => `candlekeep#kubernetes#${subDir}#${uuid}#${onDelete}`

const deletion = (
  name: string,
  there: Readonly<Record<string, string>>,
  volumeId: string,
  more: Partial<DriverCase> = {},
): DriverCase => ({
  name,
  steps: [
    { plant: Object.fromEntries(Object.entries(there).map(([path, text]) => [`${base}/${path}`, text])) },
    remove(volumeId),
  ],
  ...more,
})

const data = { 'pvc-1/a/file': 'data', 'pvc-1/.hidden': 'data', 'pvc-2/file': 'kept' }

export const deleteCases: readonly DriverCase[] = [
  {
    name: '16: identifiers that are none',
    steps: [
      { plant: { [`${base}/b/file`]: 'kept' } },
      ...['', 's#b', 's', 's/b', '#', '/', 'candlekeep#kubernetes', 'candlekeep/kubernetes', ' ', '//'].map(volumeId =>
        remove(volumeId),
      ),
      remove(undefined),
    ],
  },
  {
    name: '17 and more: identifiers that lead out',
    steps: [
      { plant: { [`${base}/b/file`]: 'kept' } },
      ...[
        'candlekeep#kubernetes#..##',
        'candlekeep#kubernetes#../x##',
        'candlekeep#..#x##',
        'candlekeep#kubernetes#x#..#',
        'candlekeep#kubernetes#x#../y#',
        'candlekeep/kubernetes/..',
        'candlekeep/../x',
        'candlekeep#kubernetes/..#b##',
        'candlekeep#kubernetes#b/../..##',
      ].map(volumeId => remove(volumeId)),
    ],
  },
  deletion('a volume with data', data, id('pvc-1')),
  deletion('14: the old form of identifiers', data, 'candlekeep/kubernetes/pvc-1'),
  deletion('14: the old form, a deep share', { 'deep/pvc-1/file': 'data' }, 'candlekeep/kubernetes/deep/pvc-1'),
  deletion('three fields', data, 'candlekeep#kubernetes#pvc-1'),
  deletion('four fields', { 'x/file': 'data' }, 'candlekeep#kubernetes#x#pvc-1'),
  deletion('15: more fields than five', data, 'candlekeep#kubernetes#pvc-1##delete#extra#more'),
  deletion('a share with slashes around', data, 'candlekeep#/kubernetes/#pvc-1##'),
  deletion('a share with spaces', data, 'candlekeep#kuber netes#pvc-1##'),
  {
    name: 'share /',
    shares: ['candlekeep/kubernetes'],
    steps: [{ plant: { 'candlekeep/pvc-1/file': 'data' } }, remove('candlekeep##pvc-1##')],
  },
  deletion('nothing there', { 'pvc-2/file': 'kept' }, id('pvc-1')),
  { name: 'nothing there, twice', steps: [remove(id('pvc-1')), remove(id('pvc-1'))] },
  deletion('a file where the directory would be', { 'pvc-1': 'file' }, id('pvc-1')),
  {
    name: 'a link where the directory would be',
    steps: [{ plant: { [`${base}/real/file`]: 'kept', [`${base}/pvc-1`]: { to: 'real' } } }, remove(id('pvc-1'))],
  },
  {
    name: 'links, pipes and folders without rights',
    steps: [
      {
        plant: {
          [`${base}/other/kept`]: 'kept',
          [`${base}/pvc-1/link`]: { to: '../other' },
          [`${base}/pvc-1/pipe`]: { pipe: true },
          [`${base}/pvc-1/closed/file`]: 'data',
          [`${base}/pvc-1/closed`]: { mode: 0 },
        },
      },
      remove(id('pvc-1')),
    ],
  },
  deletion('18: the only child', { 'a/b/c/file': 'data' }, id('a/b/c', 'pvc-1')),
  deletion('19: a file beside', { 'a/b/c/file': 'data', 'a/kept': 'kept' }, id('a/b/c', 'pvc-1')),
  deletion('19: a volume beside', { 'a/b/c/file': 'data', 'a/b/d/file': 'kept' }, id('a/b/c', 'pvc-1')),
  deletion('18: nothing there, and its parents neither', {}, id('a/b/c', 'pvc-1')),
  deletion('18: nothing there, its parents are', { 'a/b/kept': 'kept' }, id('a/b/c', 'pvc-1')),
  deletion('ten parents', { [`${'d/'.repeat(10)}v/file`]: 'data' }, id(`${'d/'.repeat(10)}v`, 'pvc-1')),
  deletion('eleven parents', { [`${'d/'.repeat(11)}v/file`]: 'data' }, id(`${'d/'.repeat(11)}v`, 'pvc-1')),
  deletion('twelve parents', { [`${'d/'.repeat(12)}v/file`]: 'data' }, id(`${'d/'.repeat(12)}v`, 'pvc-1')),
  deletion('the export itself: subDir empty', data, id('', 'pvc-9')),
  deletion('the export itself: subDir a dot', data, id('.', 'pvc-9')),
  deletion('the export itself: subDir a slash', data, id('/', 'pvc-9')),
  deletion('the export itself: subDir and uuid empty', data, id('', '')),
  deletion('subDir with slashes around', data, id('/pvc-1/', 'pvc-9')),
  deletion('subDir with a dot before', data, id('./pvc-1', 'pvc-9')),
  deletion('subDir with spaces', { 'with space/file': 'data' }, id('with space', 'pvc-9')),
  deletion('subDir with a quote', { "a'b/file": 'data' }, id("a'b", 'pvc-9')),
  ...[
    '',
    'delete',
    'Delete',
    'DELETE',
    'retain',
    'Retain',
    'RETAIN',
    'archive',
    'Archive',
    'ARCHIVE',
    'invalid',
    ' retain',
    'keep',
  ].map(onDelete => deletion(`onDelete ${JSON.stringify(onDelete)} in the identifier`, data, id('pvc-1', '', onDelete))),
  ...['delete', 'retain', 'archive', 'Archive', 'nonsense'].flatMap(policy =>
    ['', 'delete', 'archive'].map(onDelete =>
      deletion(`the driver's policy ${policy}, ${JSON.stringify(onDelete)} in the identifier`, data, id('pvc-1', '', onDelete), {
        flags: [`--default-ondelete-policy=${policy}`],
      }),
    ),
  ),
  {
    name: "created under the driver's policy",
    flags: ['--default-ondelete-policy=archive'],
    steps: [
      create({}, {}, 'a'),
      create({ onDelete: 'delete' }, { name: 'pvc-2' }, 'b'),
      remove('$volume:a'),
      remove('$volume:b'),
    ],
  },
  {
    name: '20: archived, twice',
    steps: [
      { plant: { [`${base}/ns/app/file`]: 'data' } },
      remove(id('ns/app', 'pvc-1', 'archive')),
      remove(id('ns/app', 'pvc-1', 'archive')),
    ],
  },
  {
    name: '20: archived, twice, the driver restarted between',
    steps: [
      { plant: { [`${base}/ns/app/file`]: 'data' } },
      remove(id('ns/app', 'pvc-1', 'archive')),
      { restart: [] },
      remove(id('ns/app', 'pvc-1', 'archive')),
    ],
  },
  deletion('archived, a deep one', { 'a/b/c/file': 'data', 'a/kept': 'kept' }, id('a/b/c', 'pvc-1', 'archive')),
  deletion('archived, nothing there', { 'pvc-2/file': 'kept' }, id('pvc-1', '', 'archive')),
  deletion('21: an archive of that name is there', { ...data, 'archived-pvc-1/old': 'old' }, id('pvc-1', '', 'archive')),
  deletion('21: an empty archive of that name is there', { ...data }, id('pvc-1', '', 'archive')),
  {
    name: '21: an empty folder of that name is there',
    steps: [{ plant: { [`${base}/pvc-1/file`]: 'data', [`${base}/archived-pvc-1`]: {} } }, remove(id('pvc-1', '', 'archive'))],
  },
  deletion('21: archives of that name are removed', { ...data, 'archived-pvc-1/old': 'old' }, id('pvc-1', '', 'archive'), {
    flags: ['--remove-archived-volume-path'],
  }),
  deletion(
    'archived: a file of the name of the parent is there',
    { 'ns/app/file': 'data', 'archived-ns': 'file' },
    id('ns/app', 'pvc-1', 'archive'),
  ),
  deletion('archived: the export itself', data, id('', 'pvc-9', 'archive')),
  deletion('archived: the export itself, a dot', data, id('.', 'pvc-9', 'archive')),
  {
    name: 'deleted again within a minute, though it is there again',
    steps: [
      { plant: { [`${base}/pvc-1/file`]: 'data' } },
      remove(id('pvc-1')),
      { plant: { [`${base}/pvc-1/file`]: 'again' } },
      remove(id('pvc-1')),
      { restart: [] },
      remove(id('pvc-1')),
    ],
  },
  {
    name: 'retained, twice, then deleted by another identifier',
    steps: [
      { plant: { [`${base}/pvc-1/file`]: 'data' } },
      remove(id('pvc-1', '', 'retain')),
      remove(id('pvc-1', '', 'retain')),
      remove(id('pvc-1')),
    ],
  },
  ...[
    { mountOptions: 'nfsvers=4.1,nconnect=16' },
    { mountoptions: 'nfsvers=3' },
    { MOUNTOPTIONS: 'hard' },
    { mountOptions: '' },
    { other: 'x' },
    { mountOptions: 'nonsense' },
    { mountOptions: 'ro' },
  ].map(secrets => ({
    name: `options of a secret: ${JSON.stringify(secrets)}`,
    steps: [{ plant: { [`${base}/pvc-1/file`]: 'data' } }, remove(id('pvc-1'), { secrets })],
  })),
  {
    name: 'two of one identifier at once',
    steps: [
      { plant: { [`${base}/pvc-1/file`]: 'data' } },
      { tell: 'candlekeep', told: { hang: true } },
      { begin: remove(id('pvc-1')), waitsFor: 'mount.nfs', meanwhile: [remove(id('pvc-1')), remove('s')] },
      remove(id('pvc-1')),
    ],
  },
  {
    name: 'retained while another waits',
    steps: [
      { tell: 'candlekeep', told: { hang: true } },
      {
        begin: remove(id('pvc-1')),
        waitsFor: 'mount.nfs',
        meanwhile: [remove(id('pvc-1', '', 'retain')), create({ server: 'nobody' }, { name: 'pvc-7' })],
      },
    ],
  },
  {
    name: 'what a server may answer',
    steps: [
      { plant: { [`${base}/pvc-1/file`]: 'data' } },
      ...['mount.nfs: access denied by server', 'mount.nfs: Connection timed out', 'mount.nfs: invalid argument'].flatMap(
        (fail): Step[] => [{ tell: 'candlekeep', told: { fail } }, remove(id('pvc-1'))],
      ),
      { tell: 'candlekeep', told: undefined },
      remove('nobody#kubernetes#pvc-1##'),
      remove('candlekeep#nothing#pvc-1##'),
      remove(id('pvc-1')),
    ],
  },
  {
    name: 'umount fails after a deletion',
    steps: [
      { plant: { [`${base}/pvc-1/file`]: 'data' } },
      { tell: 'umount', told: { fail: 'umount: target is busy.' } },
      remove(id('pvc-1')),
      { tell: 'umount', told: undefined },
      create(),
    ],
  },
]
