import { readdirSync, readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { type ValuesTree, valueAt } from '#upstreams/values-tree.ts'
import { classIn, convertSubdir, onDeleteOf, subDirOf, subdirRows, subdirVersions } from './nfs-subdir-rows.ts'

const folder = new URL('../../../../test/fixtures/charts/nfs-subdir/', import.meta.url)

test('every key of the recorded chart has one row, and no row names a key that it has not', () => {
  expect(readdirSync(folder)).toEqual(subdirVersions.map(version => `${version}.keys.json`))
  const { values, templates } = JSON.parse(readFileSync(new URL('4.0.18.keys.json', folder), 'utf8'))
  const paths: readonly string[] = [...values, ...templates]
  expect(paths.filter(path => subdirRows.filter(row => row.path === path).length !== 1)).toEqual([])
  expect(subdirRows.filter(({ path }) => !paths.includes(path)).map(({ path }) => path)).toEqual([])
})

// biome-ignore format: a table
test.each([
  ['${.PVC.namespace}/${.PVC.name}',            '${pvc.metadata.namespace}/${pvc.metadata.name}',  []],
  ['${.PVC.labels.app}-x',                      "${pvc.metadata.labels['app']}-x",                 []],
  ['/media/${.PVC.annotations.nfs.io/path}/',   "media/${pvc.metadata.annotations['nfs.io/path']}", ['is one folder with ours']],
  ['${.PVC.uid}-a',                             '-a',                                              ['upstream leaves it out']],
  ["${.PVC.labels.it's}",                       "${pvc.metadata.labels['it's']}",                  ['ours takes no such key']],
  ['plain',                                     'plain',                                           []],
])('the pattern %s is %s', (pattern, subDir, notes) =>
  expect(subDirOf(pattern)).toEqual({ subDir, notes: notes.map(note => expect.stringContaining(note)) }))

// biome-ignore format: a table
test.each([
  ['delete',  'true',    'delete'],
  ['retain',  'false',   'retain'],
  ['archive', 'false',   'delete'],
  [undefined, 'true',    'archive'],
  [undefined, true,      'archive'],
  [undefined, 'false',   'delete'],
  [undefined, false,     'delete'],
  [undefined, undefined, 'archive'],
  [null,      undefined, 'archive'],
] as const)('onDelete %j, archiveOnDelete %j: %s', (onDelete, archive, expected) => expect(onDeleteOf(onDelete, archive)).toBe(expected))

describe('its class', () => {
  const convert = (values: ValuesTree) => convertSubdir({ values, version: '4.0.18', namespace: 'nfs' })
  const nfs = { server: 'candlekeep', path: '/kubernetes' }

  test('as the chart has it makes the same folders, by the same name', () => {
    const { values, isLossy } = convert({ nfs, storageClass: { provisionerName: 'nas/nfs' } })
    expect(isLossy).toBe(false)
    expect(values).toEqual({
      capabilities: { nfs: { enabled: true } },
      extraObjects: [
        {
          apiVersion: 'storage.k8s.io/v1',
          kind: 'StorageClass',
          metadata: { name: 'nfs-client' },
          provisioner: 'nfs.csi.k8s.io',
          parameters: {
            server: 'candlekeep',
            share: '/kubernetes',
            subDir: '${pvc.metadata.namespace}-${pvc.metadata.name}-${pv.metadata.name}',
            onDelete: 'archive',
            mountPermissions: '0777',
          },
          reclaimPolicy: 'Delete',
          volumeBindingMode: 'Immediate',
          allowVolumeExpansion: true,
        },
      ],
    })
  })

  test('as somebody wishes', () => {
    const storageClass = {
      name: 'slow',
      defaultClass: true,
      annotations: { a: 'b' },
      onDelete: 'retain',
      pathPattern: '${.PVC.namespace}/${.PVC.annotations.folder}',
      reclaimPolicy: 'Retain',
    }
    const { values, report, isLossy } = convert({ nfs: { ...nfs, mountOptions: ['nfsvers=4.1'] }, storageClass })
    expect([isLossy, report.filter(({ kind }) => kind === 'changed').map(({ from }) => from)]).toEqual([true, ['nfs.server']])
    expect(classIn(values)).toMatchObject({
      metadata: { name: 'slow', annotations: { 'storageclass.kubernetes.io/is-default-class': 'true', a: 'b' } },
      parameters: { subDir: "${pvc.metadata.namespace}/${pvc.metadata.annotations['folder']}", onDelete: 'retain' },
      mountOptions: ['nfsvers=4.1'],
      reclaimPolicy: 'Retain',
    })
  })

  // biome-ignore format: a table
  test.each<[string, ValuesTree, string]>([
    ['without a server',           { nfs: { server: '' } },                            'names its server'],
    ['that is made elsewhere',     { nfs, storageClass: { create: false } },           'its class is made elsewhere'],
    ['beside pods by a label',     { nfs, nodeSelector: { disk: 'near' } },            'say it as nfs.controller.nodeSelector'],
    ['beside a key that is none',  { nfs, storageClass: { pathPatern: 'x' } },         'did you mean storageClass.pathPattern?'],
  ])('%s is told', (_name, values, why) => {
    const { isLossy, report } = convert(values)
    expect([isLossy, report.map(line => line.why ?? '').join('; ')]).toEqual([true, expect.stringContaining(why)])
  })

  test('a path that nobody says is the standard one', () =>
    expect(valueAt(classIn(convert({ nfs: { server: 'nas' } }).values), ['parameters', 'share'])).toBe('/nfs-storage'))
})
