// Every key of the charts has a row, and what they say becomes what ours says for the same effect.

import { readdirSync, readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { installationValues } from '#deployment/installation.ts'
import { enabledCapabilities } from '#process/enabled-capabilities.ts'
import { isTree, type ValuesTree, valueAt, withValue } from '#upstreams/values-tree.ts'
import { convertNfs, nfsRows, nfsVersions, octalPermissions } from './nfs-rows.ts'

const folder = new URL('../../../../test/fixtures/charts/csi-driver-nfs/', import.meta.url)

function recorded(version: string): readonly string[] {
  const document: Readonly<Record<string, readonly string[]>> = JSON.parse(
    readFileSync(new URL(`${version}.keys.json`, folder), 'utf8'),
  )
  return [...(document['values'] ?? []), ...(document['templates'] ?? [])]
}

describe('every key of every recorded chart has one row', () => {
  test('the recorded charts are the supported ones', () => {
    expect(readdirSync(folder).sort()).toEqual(nfsVersions.map(version => `${version}.keys.json`).sort())
  })

  test.each(nfsVersions)('chart %s', version => {
    const paths = recorded(version)
    expect(paths.length).toBeGreaterThan(80)
    const rowsOf = (path: string) => nfsRows.filter(row => path === row.path || path.startsWith(`${row.path}.`))
    expect(paths.filter(path => rowsOf(path).length !== 1)).toEqual([])
  })

  test('no row names a key that no chart has', () => {
    const all = nfsVersions.flatMap(recorded)
    const idle = nfsRows.filter(({ path }) => !all.some(known => known === path || known.startsWith(`${path}.`)))
    expect(idle.map(({ path }) => path)).toEqual([])
  })
})

const convert = (values: ValuesTree) => convertNfs({ values, version: '4.13.4', namespace: 'csi-nfs' })
const nested = (path: string, value: unknown): ValuesTree => withValue({}, path.split('.'), value)
const became = (values: ValuesTree, path: string): unknown => valueAt(convert(values).values, path.split('.'))

// biome-ignore format: a table
test.each<[string, unknown, string, unknown]>([
  ['driver.name',                          'nas.example',            'capabilities.nfs.driverName',                             'nas.example'],
  ['driver.mountPermissions',              511,                      'capabilities.nfs.mountPermissions',                       '0777'],
  ['driver.mountPermissions',              0,                        'capabilities.nfs.mountPermissions',                       '0'],
  ['driver.mountPermissions',              '0755',                   'capabilities.nfs.mountPermissions',                       '0755'],
  ['feature.enableFSGroupPolicy',          true,                     'nfs.csiDriver.fsGroupPolicy',                             'File'],
  ['feature.enableFSGroupPolicy',          false,                    'nfs.csiDriver.fsGroupPolicy',                             'ReadWriteOnceWithFSType'],
  ['feature.enableInlineVolume',           true,                     'nfs.csiDriver.inlineVolumes',                             true],
  ['feature.propagateHostMountOptions',    true,                     'nfs.node.propagateHostMountOptions',                      true],
  ['kubeletDir',                           '/var/lib/k0s/kubelet/',  'capabilities.nfs.kubeletDir',                             '/var/lib/k0s/kubelet'],
  ['controller.replicas',                  2,                        'nfs.controller.replicas',                                 2],
  ['controller.strategyType',              'RollingUpdate',          'nfs.controller.updateStrategy',                           { type: 'RollingUpdate' }],
  ['controller.runOnControlPlane',         true,                     'nfs.controller.runOnControlPlane',                        true],
  ['controller.enableSnapshotter',         false,                    'capabilities.nfs.controller.snapshots.enabled',           false],
  ['controller.useTarCommandInSnapshot',   true,                     'capabilities.nfs.controller.useTarCommandInSnapshot',     true],
  ['controller.enableSnapshotCompression', false,                    'capabilities.nfs.controller.snapshotCompression',         'none'],
  ['controller.enableSnapshotCompression', true,                     'capabilities.nfs.controller.snapshotCompression',         'gzip'],
  ['controller.workingMountDir',           '/mnt',                   'capabilities.nfs.controller.workingMountDir',             '/mnt'],
  ['controller.dnsPolicy',                 'Default',                'nfs.controller.dnsPolicy',                                'Default'],
  ['controller.defaultOnDeletePolicy',     'Retain',                 'capabilities.nfs.controller.defaultOnDeletePolicy',       'retain'],
  ['controller.livenessProbe.healthPort',  9808,                     'nfs.controller.healthPort',                               9808],
  ['controller.nodeSelector',              { disk: 'near' },         'nfs.controller.nodeSelector',                             { disk: 'near' }],
  ['controller.priorityClassName',         'high',                   'nfs.controller.priorityClassName',                        'high'],
  ['controller.tolerations',               [{ operator: 'Exists' }], 'nfs.controller.tolerations',                              [{ operator: 'Exists' }]],
  ['node.maxUnavailable',                  '10%',                    'nfs.node.updateStrategy',                                 { type: 'RollingUpdate', rollingUpdate: { maxUnavailable: '10%' } }],
  ['node.livenessProbe.healthPort',        9809,                     'nfs.node.healthPort',                                     9809],
  ['node.tolerations',                     [],                       'nfs.node.tolerations',                                    []],
  ['node.affinity',                        { nodeAffinity: {} },     'nfs.node.affinity',                                       { nodeAffinity: {} }],
  ['externalSnapshotter.enabled',          true,                     'capabilities.nfs.controller.snapshots.controller',        true],
  ['customLabels',                         { team: 'disks' },        'commonLabels',                                            { team: 'disks' }],
  ['imagePullSecrets',                     [{ name: 'pull' }],       'imagePullSecrets',                                        [{ name: 'pull' }]],
])('%s: %j becomes %s', (from, value, to, expected) => {
  const values = nested(from, value)
  expect(became(values, to)).toEqual(expected)
  expect(convert(values).isLossy).toBe(false)
  // Our chart takes it.
  const taken = installationValues({ values: { file: 'converted', text: JSON.stringify(convert(values).values) } }, enabledCapabilities)
  expect(valueAt(taken, to.split('.'))).toEqual(isTree(expected) ? expect.objectContaining(expected) : expected)
})

// biome-ignore format: a table
test.each<[string, ValuesTree, string]>([
  ['permissions that are none',             nested('driver.mountPermissions', 'rwx'),                         'expected permissions such as 0777'],
  ['a policy that is none',                 nested('controller.defaultOnDeletePolicy', 'keep'),               'expected delete, retain, archive'],
  ['rights that somebody else makes',       nested('rbac.create', false),                                     'rights follow from what is enabled'],
  ['kinds of snapshots that it brings',     { externalSnapshotter: { enabled: true, customResourceDefinitions: { enabled: true } } }, 'helm uninstall of upstream would delete them with every snapshot'],
  ['a class without a name',                { storageClasses: [{ parameters: { server: 'nas' } }] },          'a class without a name'],
  ['a key of a class that is none',         { storageClasses: [{ name: 'a', provisioner: 'b' }] },            'provisioner: no chart makes anything of it'],
  ['a key that no chart has',               nested('controller.replica', 2),                                  'did you mean controller.replicas?'],
])('%s is told', (_name, values, why) => {
  const { isLossy, report } = convert(values)
  expect([isLossy, report.map(line => line.why ?? '').join('; ')]).toEqual([true, expect.stringContaining(why)])
})

describe('who runs the controller where', () => {
  const heeded = { nodeAffinity: { requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms: [] } } }
  const idle = { podAntiAffinity: {} }

  // biome-ignore format: a table
  test.each<[string, ValuesTree, unknown, unknown]>([
    ['an affinity that the chart heeds',           { affinity: heeded, runOnControlPlane: true }, heeded,    undefined],
    ['an affinity that the chart leaves out',      { affinity: idle, runOnControlPlane: true },   undefined, true],
    ['the control plane',                          { runOnControlPlane: true },                   undefined, true],
    ['neither',                                    { runOnMaster: false },                        undefined, undefined],
  ])('%s', (_name, controller, affinity, onControlPlane) => {
    expect(became({ controller }, 'nfs.controller.affinity')).toEqual(affinity)
    expect(became({ controller }, 'nfs.controller.runOnControlPlane')).toEqual(onControlPlane)
  })

  test('the old label of masters is an affinity, with both labels where both are asked for', () => {
    const keys = (controller: ValuesTree) =>
      JSON.stringify(became({ controller }, 'nfs.controller.affinity')).match(/node-role\.kubernetes\.io\/[a-z-]+/g)
    expect(keys({ runOnMaster: true })).toEqual(['node-role.kubernetes.io/master'])
    expect(keys({ runOnMaster: true, runOnControlPlane: true })).toEqual([
      'node-role.kubernetes.io/control-plane',
      'node-role.kubernetes.io/master',
    ])
  })
})

test('classes of the values become objects of the user’s own, as the chart makes them', () => {
  const parameters = { server: 'candlekeep', share: '/kubernetes', mountPermissions: 777, subDir: null }
  const slow = {
    create: true,
    name: 'nfs-slow',
    parameters,
    reclaimPolicy: 'Retain',
    mountOptions: ['nfsvers=4.1', 'nconnect=16'],
  }
  const values = {
    driver: { name: 'nas.example' },
    storageClass: slow,
    storageClasses: [{ name: 'nfs-fast', allowVolumeExpansion: false, annotations: { a: 'b' } }],
    volumeSnapshotClass: { create: true, deletionPolicy: 'Retain' },
  }
  const { values: ours, isLossy } = convert(values)
  expect(isLossy).toBe(false)
  expect(ours['extraObjects']).toEqual([
    {
      apiVersion: 'storage.k8s.io/v1',
      kind: 'StorageClass',
      metadata: { name: 'nfs-slow' },
      provisioner: 'nas.example',
      parameters: { server: 'candlekeep', share: '/kubernetes', mountPermissions: '777' },
      reclaimPolicy: 'Retain',
      volumeBindingMode: 'Immediate',
      allowVolumeExpansion: true,
      mountOptions: ['nfsvers=4.1', 'nconnect=16'],
    },
    {
      apiVersion: 'storage.k8s.io/v1',
      kind: 'StorageClass',
      metadata: { name: 'nfs-fast', annotations: { a: 'b' } },
      provisioner: 'nas.example',
      reclaimPolicy: 'Delete',
      volumeBindingMode: 'Immediate',
      allowVolumeExpansion: false,
    },
    {
      apiVersion: 'snapshot.storage.k8s.io/v1',
      kind: 'VolumeSnapshotClass',
      metadata: { name: 'csi-nfs-snapclass' },
      driver: 'nas.example',
      deletionPolicy: 'Retain',
    },
  ])
  expect(convert({ storageClass: { ...slow, create: false } }).values['extraObjects']).toBeUndefined()
})

// biome-ignore format: a table
test.each([
  [0, '0'], ['0', '0'], [511, '0777'], ['511', '0777'], ['0777', '0777'], ['0o750', '0750'], ['02770', '02770'], [1528, '02770'],
  ['07ab', undefined], [-1, undefined], ['rwx', undefined], ['', undefined], [99_999, undefined], ['1.5', undefined],
])('permissions %j are %j, as Go reads them', (given, expected) => expect(octalPermissions(given)).toBe(expected))
